//! Draws plots with plotters: SVG and PNG.
