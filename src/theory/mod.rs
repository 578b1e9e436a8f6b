//! What papers predict, as plain numbers. No candle.
