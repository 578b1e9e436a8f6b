//! One integration binary, a module per theme.

mod architecture;
mod data_files;
mod window;
