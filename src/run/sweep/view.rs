//! A sweep as a recording: one track a cell, so that the same charts draw it that draw a lab.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::chart::{Axis, Best, Chart, ColorBy, Heat, HeatColors, Panel, PanelKind, TrackFilter};
use crate::record::{Header, LabHeader, Reading, Recording, SeriesId, Snapshot, TrackId, TrackInfo};

use super::{Cell, Folder, Outcome, Plan, Status, SweepError};

/// The attribute that says how far a cell is.
pub const STATUS: &str = "status";
/// The attribute that names the cell's folder.
pub const CELL: &str = "cell";

/// Cells with their results so far. Numbers are scalars at step 0; charts show each against the first axis, grouped by the second, and over both as a heat map.
///
/// # Errors
/// [`SweepError`] where the folder can't be read.
pub fn recording(folder: &Folder) -> Result<Recording, SweepError> {
    let cells: Vec<(Cell, Status)> =
        folder.cells()?.into_iter().map(|cell| (cell.clone(), folder.status(&cell))).collect();
    let names: BTreeSet<String> = cells.iter().flat_map(|(_, status)| numbers(status).into_keys()).collect();
    let done = cells.iter().filter(|(_, status)| matches!(status, Status::Done(_))).count();
    let plan = &folder.plan;
    let knobs = plan.axes.iter().map(|axis| (axis.knob.clone(), axis.values.join(", "))).collect();
    let mut recording = Recording::new(Header {
        program_version: env!("CARGO_PKG_VERSION").into(),
        spec: plan.base.clone(),
        task_title: format!("{done} of {} cells", cells.len()),
        model_title: format!("Sweep of {}", plan.subject),
        lab: Some(LabHeader { id: String::new(), title: format!("Sweep of {}", plan.subject), seed: 0, knobs }),
        charts: charts(plan, &names),
        ..Header::default()
    });
    for (index, (cell, status)) in cells.iter().enumerate() {
        let track = TrackId(index as u32);
        let mut attributes = cell.knobs.clone();
        attributes.insert(STATUS.into(), word(status).into());
        attributes.insert(CELL.into(), cell.name());
        let label = cell.knobs.iter().map(|(knob, value)| format!("{knob} {value}")).collect::<Vec<_>>().join(", ");
        recording.begin_track(&TrackInfo { id: track, label, attributes, parent: None });
        let readings: Vec<_> =
            numbers(status).into_iter().map(|(name, value)| (SeriesId::owned(name), Reading::Scalar(value))).collect();
        recording.push(&Snapshot { track, step: 0, readings }).expect("scalars at one step fit");
    }
    Ok(recording)
}

fn word(status: &Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Running => "running",
        Status::Done(ending) => match ending.outcome {
            Outcome::Finished => "finished",
            Outcome::Diverged => "diverged",
            Outcome::Failed => "failed",
        },
    }
}

fn numbers(status: &Status) -> BTreeMap<String, f64> {
    match status {
        Status::Done(ending) if ending.outcome == Outcome::Finished => ending.numbers.clone(),
        Status::Waiting | Status::Running | Status::Done(_) => BTreeMap::new(),
    }
}

/// The axis along the bottom is the one with the most values: a curve needs points.
fn charts(plan: &Plan, names: &BTreeSet<String>) -> Vec<Chart> {
    let mut axes: Vec<_> = plan.axes.iter().filter(|axis| axis.values.len() > 1).collect();
    axes.sort_by_key(|axis| std::cmp::Reverse(axis.values.len()));
    let Some(along) = axes.first() else { return Vec::new() };
    let group = axes.get(1);
    let log = along.values.iter().all(|value| value.parse::<f64>().is_ok_and(|v| v > 0.0));
    let panel = |kind| Panel {
        title: String::new(),
        tracks: TrackFilter::default(),
        color: ColorBy::default(),
        kind,
        notes: Vec::new(),
    };
    let x = if log { Axis::log(&along.knob) } else { Axis::linear(&along.knob) };
    let chart = |prefix: &str, name: &str, stack: u8, guide: String, kind| Chart {
        id: format!("{prefix}-{}", name.replace([' ', '_', '/'], "-")),
        title: name.replace('_', " "),
        guide,
        stack,
        panels: vec![panel(kind)],
    };
    let mut charts = Vec::new();
    // Nothing has come in yet: the cells themselves are shown waiting.
    let placeholder = BTreeSet::from(["train_loss".to_owned()]);
    // What was trained for first.
    let mut ordered: Vec<_> = if names.is_empty() { &placeholder } else { names }.iter().collect();
    ordered.sort_by_key(|name| !name.contains("loss"));
    for name in ordered {
        let best = if name.contains("accuracy") { Best::Highest } else { Best::Lowest };
        let y = if name.contains("accuracy") { Axis::linear(name) } else { Axis::log(name) };
        let guide = format!(
            "{name} of each cell against {}; a line for each {}; the mean over seeds with its standard error. Circles mark the best.",
            along.knob,
            group.map_or("setting", |axis| axis.knob.as_str())
        );
        let group_name = group.map(|axis| axis.knob.clone());
        let kind = PanelKind::Summary {
            series: name.clone(),
            by: along.knob.clone(),
            group: group_name,
            x: x.clone(),
            y: y.clone(),
            best: Some(best),
        };
        charts.push(chart("curve", name, 0, guide, kind));
        if let Some(group) = group {
            let guide = format!(
                "{name} over {} and {}, the mean over seeds. Hatched cells failed or diverged; empty ones are still to come.",
                along.knob, group.knob
            );
            let heat = Heat {
                value: y,
                x_label: along.knob.clone(),
                y_label: group.knob.clone(),
                colors: HeatColors::Cividis,
            };
            let kind = PanelKind::Grid { series: name.clone(), by: [along.knob.clone(), group.knob.clone()], heat };
            charts.push(chart("map", name, 1, guide, kind));
        }
    }
    charts
}
