//! One integration binary, a module per theme.

mod architecture;
mod window;
