//! One integration binary, a module per theme.

mod adapter;
mod architecture;
mod bad_input;
mod curvature;
mod damaged_files;
mod data_files;
mod derivatives;
mod exactness;
mod figures;
mod headless;
mod instruments;
mod pictures;
mod pixels;
mod program;
mod real_window;
mod recording_file;
mod reference;
mod registry;
mod sessions;
mod shaders;
mod slices;
mod window;
mod window_files;
mod window_pictures;
