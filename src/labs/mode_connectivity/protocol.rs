//! Trains all families side by side and measures the lines between their networks.

use crate::record::connectivity::Matching;
use crate::record::{Reading, SeriesId, TrackId};
use crate::run::bench::{Bench, Halt, Values};
use crate::run::connectivity::family::{Barriers, Family, FamilyOptions, Found, Origin, measure_all, step_all};
use crate::theory::interpolation::{output_scale, two_wells, two_wells_barrier};

use super::cells::{Cell, cells};

/// Groups that are measured between two looks at the commands.
const AT_A_TIME: usize = 2;
/// Places a side of the plane while training, and at the end.
const COARSE: usize = 17;
const FINE: usize = 33;

/// A family, its cell and the tracks of its groups.
struct Row {
    cell: Cell,
    /// Only the first repetition is measured on the way.
    repetition: usize,
    tracks: Vec<TrackId>,
    /// The plane is drawn of its first group.
    on_plane: bool,
}

/// What follows a matching in the names of series: `train_loss_barrier/weights`.
pub fn suffix(matching: Matching) -> &'static str {
    match matching {
        Matching::None => "",
        Matching::Weights => "/weights",
        Matching::Activations => "/activations",
    }
}

pub fn protocol(bench: &mut Bench<'_>) -> Result<(), Halt> {
    let steps = bench.values().int("steps") as u64;
    let every = bench.values().int("every") as u64;
    let (mut rows, mut families) = begin(bench)?;
    bench.plan(planned(&rows, steps, every));
    let mut before = bench.values().clone();
    turn(&mut rows, &mut families, &before);
    for step in 0..=steps {
        for family in &mut families {
            family.spawn_due()?;
        }
        if step.is_multiple_of(every) || step == steps {
            measure(bench, &rows, &families, step, steps)?;
        }
        if step == steps {
            break;
        }
        if *bench.values() != before {
            before = bench.values().clone();
            turn(&mut rows, &mut families, &before);
        }
        step_all(&mut families)?;
        bench.round()?;
    }
    finish(bench, &rows, &families, steps)
}

/// Rows and their families, in one order: the first repetition of all cells, then the second.
fn begin(bench: &mut Bench<'_>) -> Result<(Vec<Row>, Vec<Family>), Halt> {
    let values = bench.values().clone();
    let (mut rows, mut families) = (Vec::new(), Vec::new());
    for repetition in 0..values.int("repetitions") {
        let all = cells(&values);
        // Of different starts the last size has the highest hill, of copies the first rate.
        let seen = [
            all.iter().rposition(|cell| cell.protocol == "starts"),
            all.iter().position(|cell| cell.protocol == "copies"),
        ];
        for (at, cell) in all.into_iter().enumerate() {
            let networks = if cell.protocol == "control" { 2 } else { values.int("networks") };
            let options = FamilyOptions { networks, points: values.int("points"), examples: 0 };
            let spec = cell.spec(&values, repetition).map_err(Halt::Error)?;
            let mut family = Family::new(spec, &cell.origin, options)?;
            let on_plane = repetition == 0 && seen.contains(&Some(at));
            if on_plane {
                family.watch(0);
            }
            let mut tracks = Vec::new();
            for k in spawn_steps(&cell) {
                tracks.push(track(bench, &cell, repetition, k, on_plane && tracks.is_empty())?);
            }
            rows.push(Row { cell, repetition, tracks, on_plane });
            families.push(family);
        }
    }
    Ok((rows, families))
}

fn spawn_steps(cell: &Cell) -> Vec<Option<u64>> {
    match &cell.origin {
        Origin::OwnStarts => vec![None],
        Origin::Spawned { steps, .. } => steps.iter().copied().map(Some).collect(),
    }
}

fn track(bench: &mut Bench<'_>, cell: &Cell, repetition: usize, k: Option<u64>, plane: bool) -> Result<TrackId, Halt> {
    let mut attributes = cell.attributes();
    attributes.push(("repetition", (repetition + 1).to_string()));
    if plane {
        attributes.push(("plane", "yes".into()));
    }
    let mut label =
        if cell.factor == "plain" { cell.setting.clone() } else { format!("{}, {}", cell.setting, cell.factor) };
    if let Some(k) = k {
        // On a logarithmic axis there is no 0.
        attributes.push(("k", k.to_string()));
        attributes.push(("k_plus_1", (k + 1).to_string()));
        if cell.protocol == "copies" {
            label = format!("k = {k}");
        }
    }
    let attributes: Vec<_> = attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    bench.track(&label, &attributes)
}

/// Rounds to come: one a step, one for each piece of measuring.
fn planned(rows: &[Row], steps: u64, every: u64) -> u64 {
    let groups = |rows: &mut dyn Iterator<Item = &Row>| rows.map(|row| row.tracks.len() as u64).sum::<u64>();
    let pieces = |groups: u64| groups.div_ceil(AT_A_TIME as u64);
    let shown = pieces(groups(&mut rows.iter().filter(|row| row.repetition == 0)));
    steps + steps.div_ceil(every) * shown + pieces(groups(&mut rows.iter()))
}

fn turn(rows: &mut [Row], families: &mut [Family], values: &Values) {
    for (row, family) in rows.iter().zip(families) {
        let cell = &row.cell;
        family.set_live(&|spec| {
            spec.optimizer.lr = cell.lr * values.float("rate-factor");
            spec.batch_size = cell.batch_size.unwrap_or_else(|| values.int("batch-size"));
            spec.task.label_noise = cell.label_noise.unwrap_or_else(|| values.float("label-noise"));
        });
    }
}

fn matchings(cell: &Cell, values: &Values) -> Vec<Matching> {
    let mut matchings = vec![Matching::None];
    if cell.protocol == "starts" {
        let align = values.choice("align");
        matchings.extend((align == "weights" || align == "both").then_some(Matching::Weights));
        matchings.extend((align == "activations" || align == "both").then_some(Matching::Activations));
    }
    matchings
}

fn measure(bench: &mut Bench<'_>, rows: &[Row], families: &[Family], step: u64, steps: u64) -> Result<(), Halt> {
    let last = step == steps;
    // Groups that are matched take longer: those of one kind go together.
    for matched in [true, false] {
        let of_kind = |row: &Row| (row.cell.protocol == "starts") == matched && (last || row.repetition == 0);
        let groups: Vec<_> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| of_kind(row))
            .flat_map(|(at, _)| (0..families[at].groups().len()).map(move |group| (at, group)))
            .collect();
        let Some(&(first, _)) = groups.first() else { continue };
        let matchings = matchings(&rows[first].cell, bench.values());
        for piece in groups.chunks(AT_A_TIME) {
            for (&(at, group), found) in piece.iter().zip(measure_all(families, piece, &matchings)?) {
                let (row, family) = (&rows[at], &families[at]);
                let readings = match &found {
                    Some(found) => readings(found, family.between().places(), row.repetition == 0),
                    // A mean over what is left would be of other runs.
                    None => matchings.iter().flat_map(|matching| nothing(*matching)).collect(),
                };
                bench.record(row.tracks[group], step, readings)?;
            }
            bench.round()?;
        }
    }
    for (row, family) in rows.iter().zip(families).filter(|(row, _)| row.on_plane) {
        if let Some(surface) = family.plane(if last { FINE } else { COARSE })? {
            let reading = Reading::Surface(std::sync::Arc::new(surface));
            bench.record(row.tracks[0], step, vec![(SeriesId::from_static("plane"), reading)])?;
        }
    }
    Ok(())
}

fn scalar(name: &str, matching: Matching, value: f64) -> (SeriesId, Reading) {
    (SeriesId::owned(format!("{name}{}", suffix(matching))), Reading::Scalar(value))
}

fn vector(name: &str, matching: Matching, values: &[f64]) -> (SeriesId, Reading) {
    let values = values.iter().map(|x| *x as f32).collect();
    (SeriesId::owned(format!("{name}{}", suffix(matching))), Reading::Vector(values))
}

fn heights(matching: Matching, barriers: &Barriers) -> Vec<(SeriesId, Reading)> {
    vec![
        scalar("train_loss_barrier", matching, barriers.train_loss),
        scalar("test_loss_barrier", matching, barriers.test_loss),
        scalar("train_error_barrier", matching, barriers.train_error),
        scalar("test_error_barrier", matching, barriers.test_error),
    ]
}

fn nothing(matching: Matching) -> Vec<(SeriesId, Reading)> {
    let nan = f64::NAN;
    heights(matching, &Barriers { train_loss: nan, test_loss: nan, train_error: nan, test_error: nan })
}

fn readings(found: &Found, places: Vec<f64>, with_lines: bool) -> Vec<(SeriesId, Reading)> {
    let mut readings = vec![
        scalar("distance", Matching::None, found.distance),
        scalar("train_loss", Matching::None, found.train_loss),
        scalar("test_accuracy", Matching::None, found.accuracy.unwrap_or(f64::NAN)),
    ];
    for (matching, barriers) in &found.barriers {
        readings.extend(heights(*matching, barriers));
    }
    if with_lines {
        readings.push(vector("t", Matching::None, &places));
        for (matching, line) in &found.lines {
            readings.push(vector("train_path", *matching, &line.train.loss));
            readings.push(vector("test_path", *matching, &line.test.loss));
            readings.push(vector("train_error_path", *matching, &line.train.error));
            readings.push(vector("test_error_path", *matching, &line.test.error));
        }
    }
    readings
}

/// Of the first repetition, what theory says beside what is found: two wells for copies, collapsing outputs between starts.
fn finish(bench: &mut Bench<'_>, rows: &[Row], families: &[Family], steps: u64) -> Result<(), Halt> {
    for (row, family) in rows.iter().zip(families).filter(|(row, _)| row.repetition == 0) {
        for (group, track) in row.tracks.iter().enumerate() {
            if family.groups().get(group).is_none_or(|group| group.diverged()) {
                continue;
            }
            let readings = match row.cell.protocol {
                "copies" => wells(family, group)?,
                "starts" => outputs(family, row.cell.depth)?,
                _ => continue,
            };
            bench.record(*track, steps, readings)?;
            bench.round()?;
        }
    }
    Ok(())
}

fn wells(family: &Family, group: usize) -> Result<Vec<(SeriesId, Reading)>, Halt> {
    let [a, b] = family.pair(group)?;
    let between = family.between();
    let wells = between.wells(&a, &b)?;
    let path: Vec<_> = between.places().into_iter().map(|t| two_wells(wells, t)).collect();
    Ok(vec![
        vector("quadratic_path", Matching::None, &path),
        scalar("quadratic_barrier", Matching::None, two_wells_barrier(wells)),
        scalar("curvature", Matching::None, f64::midpoint(wells[0].curvature, wells[1].curvature)),
    ])
}

fn outputs(family: &Family, depth: usize) -> Result<Vec<(SeriesId, Reading)>, Halt> {
    let between = family.between();
    let [a, b] = family.pair(0)?;
    let places = between.places();
    let mut readings = Vec::new();
    for matching in [Matching::None, Matching::Weights] {
        let b = between.aligned(&a, &b, matching)?;
        let mut found = Vec::with_capacity(places.len());
        for t in &places {
            let here: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (1.0 - t) * a + t * b).collect();
            found.push(between.logit_scale(&here)?);
        }
        let ends = [found[0], found[found.len() - 1]];
        let over_ends = |(t, x): (&f64, &f64)| x / (ends[0] + t * (ends[1] - ends[0]));
        let relative: Vec<_> = places.iter().zip(&found).map(over_ends).collect();
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let correlation = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
        let known: Vec<_> = places.iter().map(|t| output_scale(*t, correlation, depth)).collect();
        readings.push(vector("output_scale", matching, &relative));
        readings.push(vector("output_scale_theory", matching, &known));
        readings.push(scalar("weight_correlation", matching, correlation));
    }
    Ok(readings)
}
