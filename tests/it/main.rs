//! One integration binary, a module per theme.

mod adapter;
mod architecture;
mod damaged_files;
mod data_files;
mod derivatives;
mod pictures;
mod pixels;
mod recording_file;
mod shaders;
mod slices;
mod window;
mod window_pictures;
