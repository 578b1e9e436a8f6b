//! A figure and a table of every pane.

use std::path::Path;

use anyhow::Context;

use crate::figures::{self, FigureSize, Paper};
use crate::labs::caption::caption;
use crate::plots::{LandscapeView, PaneId, PaneOptions, Plot, pane};
use crate::record::{Recording, TimeCursor};

const SIZE: FigureSize = FigureSize::Pixels { width: 1_400, height: 700 };

/// Writes `NN-pane.svg`, `.png` and `.csv` for every pane at the recording's last step, and the landscape's heat map; of a lab, for every chart.
///
/// # Errors
/// Names the file that couldn't be written.
pub fn write_all(recording: &Recording, folder: &Path) -> anyhow::Result<()> {
    for (index, id) in pane::of(recording).into_iter().enumerate() {
        let options = PaneOptions::default();
        let stem = format!("{}-{}", index + 1, pane::slug(recording, id));
        let plots = pane::plots(recording, id, TimeCursor::Following, &options);
        let paper = paper(recording, &pane::told(recording, id, &plots, TimeCursor::Following));
        write(&plots, &paper, folder, &stem)?;
        if id == PaneId::Landscape {
            let options = PaneOptions { landscape_view: LandscapeView::HeatMap, ..options };
            let map = pane::plots(recording, id, TimeCursor::Following, &options);
            write(&map, &paper, folder, &format!("{stem}-map"))?;
        }
    }
    Ok(())
}

fn paper(recording: &Recording, what: &str) -> Paper {
    let words = caption(recording, what);
    Paper { caption: Some(words.clone()), description: words, ..Paper::of(SIZE) }
}

fn write(plots: &[Plot], paper: &Paper, folder: &Path, stem: &str) -> anyhow::Result<()> {
    let save = |extension: &str, bytes: &[u8]| {
        let path = folder.join(format!("{stem}.{extension}"));
        std::fs::write(&path, bytes).with_context(|| format!("can't write {}", path.display()))
    };
    save("svg", figures::svg_on(plots, paper)?.as_bytes())?;
    save("png", &figures::png_on(plots, paper)?)?;
    let tables: Vec<_> = plots.iter().map(Plot::to_csv).collect();
    save("csv", tables.join("\n").as_bytes())
}
