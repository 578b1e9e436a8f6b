//! SVG to pixels and PNG, with nothing of the system.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::FigureError;

/// A picture: rows from the top, three bytes a pixel (sRGB).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}

fn failed(error: impl std::fmt::Display) -> FigureError {
    FigureError::Raster { message: error.to_string() }
}

/// The pixels of an SVG with an opaque ground, `density` of them for each of its own.
pub fn pixels(svg: &str, density: f64) -> Result<Pixels, FigureError> {
    let tree = Tree::from_str(svg, &Options::default()).map_err(failed)?;
    // Only whole pixels: one that the ground covers in part would be a dark rim.
    let side = |length: f32| (f64::from(length) * density + 1e-3).floor().max(1.0) as u32;
    let (width, height) = (side(tree.size().width()), side(tree.size().height()));
    let mut pixels = Pixmap::new(width, height).ok_or_else(|| failed("it is too large"))?;
    resvg::render(&tree, Transform::from_scale(density as f32, density as f32), &mut pixels.as_mut());
    let rgb = pixels.data().as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
    Ok(Pixels { width, height, rgb })
}

/// The PNG file of a picture with so many dots an inch, and what it shows in words.
pub fn png(pixels: &Pixels, dpi: f64, description: &str) -> Result<Vec<u8>, FigureError> {
    let mut file = Vec::new();
    let mut info = png::Info::with_size(pixels.width, pixels.height);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    let per_metre = (dpi / 0.0254).round() as u32;
    info.pixel_dims = Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter });
    info.srgb = Some(png::SrgbRenderingIntent::Perceptual);
    let mut encoder = png::Encoder::with_info(&mut file, info).map_err(failed)?;
    let software = concat!("Landscope ", env!("CARGO_PKG_VERSION"));
    encoder.add_itxt_chunk("Software".into(), software.into()).map_err(failed)?;
    if !description.is_empty() {
        encoder.add_itxt_chunk("Description".into(), description.into()).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels.rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_keeps_its_pixels_its_density_and_its_words() {
        let svg = "<svg width=\"2\" height=\"1\" xmlns=\"http://www.w3.org/2000/svg\"><rect width=\"1\" height=\"1\" fill=\"#FF0000\"/>\
            <rect x=\"1\" width=\"1\" height=\"1\" fill=\"#0000FF\"/></svg>";
        let picture = pixels(svg, 2.0).unwrap();
        assert_eq!((picture.width, picture.height), (4, 2));
        assert_eq!(picture.rgb[..12], [255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255]);
        let file = png(&picture, 600.0, "a → b").unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let info = reader.info();
        assert_eq!(info.pixel_dims.unwrap().xppu, 23_622);
        assert!(info.utf8_text.iter().any(|chunk| chunk.get_text().is_ok_and(|text| text == "a → b")));
    }
}
