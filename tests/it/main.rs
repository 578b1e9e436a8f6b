//! One integration binary, a module per theme.

mod architecture;
mod damaged_files;
mod data_files;
mod derivatives;
mod recording_file;
mod slices;
mod window;
mod window_pictures;
