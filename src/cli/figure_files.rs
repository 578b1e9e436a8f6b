//! A figure and a table of every pane.

use std::path::Path;

use anyhow::Context;

use crate::figures;
use crate::plots::pane::PANES;
use crate::plots::{LandscapeView, PaneOptions, Plot, charts};
use crate::record::{Recording, TimeCursor};

const SIZE: (u32, u32) = (1_400, 700);

/// Writes `NN-pane.svg`, `.png` and `.csv` for every pane at the recording's last step, and the landscape's heat map; of a lab, for every chart.
///
/// # Errors
/// Names the file that couldn't be written.
pub fn write_all(recording: &Recording, folder: &Path) -> anyhow::Result<()> {
    for (index, chart) in recording.header.charts.iter().enumerate() {
        let plots = charts::plots(chart, recording, TimeCursor::Following);
        write(&plots, folder, &format!("{}-{}", index + 1, chart.id))?;
    }
    if !recording.header.charts.is_empty() {
        return Ok(());
    }
    for (index, pane) in PANES.iter().enumerate() {
        let options = PaneOptions::default();
        let stem = format!("{}-{}", index + 1, pane.slug);
        write(&(pane.plots)(recording, TimeCursor::Following, &options), folder, &stem)?;
        if pane.id == crate::plots::PaneId::Landscape {
            let options = PaneOptions { landscape_view: LandscapeView::HeatMap, ..options };
            write(&(pane.plots)(recording, TimeCursor::Following, &options), folder, &format!("{stem}-map"))?;
        }
    }
    Ok(())
}

fn write(plots: &[Plot], folder: &Path, stem: &str) -> anyhow::Result<()> {
    let save = |extension: &str, bytes: &[u8]| {
        let path = folder.join(format!("{stem}.{extension}"));
        std::fs::write(&path, bytes).with_context(|| format!("can't write {}", path.display()))
    };
    save("svg", figures::svg(plots, SIZE)?.as_bytes())?;
    save("png", &figures::png(plots, SIZE)?)?;
    let tables: Vec<_> = plots.iter().map(Plot::to_csv).collect();
    save("csv", tables.join("\n").as_bytes())
}
