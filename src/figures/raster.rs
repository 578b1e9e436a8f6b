//! SVG to PNG, with our own font and nothing of the system.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use super::{FigureError, text};

fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    FONTS
        .get_or_init(|| {
            let mut fonts = Database::new();
            text::FONTS.iter().for_each(|font| fonts.load_font_data(font.to_vec()));
            fonts.set_sans_serif_family("Ubuntu");
            Arc::new(fonts)
        })
        .clone()
}

/// The PNG file of an SVG, one pixel a unit.
pub fn png(svg: &str) -> Result<Vec<u8>, FigureError> {
    let failed = |message: String| FigureError::Raster { message };
    let options = Options { fontdb: fonts(), font_family: "Ubuntu".into(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| failed(error.to_string()))?;
    let size = tree.size().to_int_size();
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or_else(|| failed("it is too large".into()))?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}
