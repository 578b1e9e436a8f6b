use super::*;
use crate::record::{Density, Fork, Matrix, Reading, SeriesId, Snapshot, Surface, TrackId, TrackInfo, example, names};

/// A table's rows, each field by its column.
fn read(name: &str, recording: &Recording) -> Vec<std::collections::BTreeMap<String, String>> {
    let table = TABLES.iter().find(|table| table.name == name).unwrap();
    let mut file = Vec::new();
    let count = table.write_csv(recording, &mut file).unwrap();
    let mut reader = csv::Reader::from_reader(file.as_slice());
    let rows: Vec<_> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len() as u64, count);
    rows
}

#[test]
fn every_row_has_a_cell_a_column_and_names_differ() {
    let recording = example::recording(60);
    let mut seen = std::collections::BTreeSet::new();
    for table in TABLES {
        assert!(seen.insert(table.name), "{} twice", table.name);
        let mut rows = 0;
        table
            .rows(&recording, &mut |cells| {
                rows += 1;
                assert_eq!(cells.len(), table.columns.len(), "{}", table.name);
                Ok(())
            })
            .unwrap();
        let tells = ["attributes", "fingerprints", "notes"];
        assert!(rows > 0 || tells.contains(&table.name), "the example has no {}", table.name);
    }
}

#[test]
fn recorded_numbers_come_back_bit_for_bit() {
    let mut recording = example::recording(60);
    let odd = [0.1, f64::NAN, f64::INFINITY, -0.0, 1.0 / 3.0, 5e-324, f64::MAX];
    for (step, value) in odd.iter().enumerate() {
        let readings = vec![(SeriesId::owned("odd, \"quoted\""), Reading::Scalar(*value))];
        recording.push(&Snapshot { track: TrackId(3), step: step as u64, readings }).unwrap();
    }
    let scalars = read("scalars", &recording);
    let mut all = 0;
    for light::Of { track, name, series, .. } in light::series(&recording) {
        let super::super::Series::Scalar(series) = series else { continue };
        let rows: Vec<_> = scalars
            .iter()
            .filter(|row| row["track"] == track.0.to_string() && row["series"] == name.as_str())
            .collect();
        assert_eq!(rows.len(), series.len());
        all += rows.len();
        for ((row, step), value) in rows.iter().zip(series.steps()).zip(series.values()) {
            assert_eq!(row["step"].parse::<u64>().unwrap(), *step);
            let back: f64 = row["value"].parse().unwrap();
            assert!(back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan()), "{value}");
        }
    }
    assert_eq!(all, scalars.len());

    let vectors = read("vectors", &recording);
    let gradient = recording.vector(&names::GRADIENT_NORM).unwrap();
    let rows: Vec<_> = vectors.iter().filter(|row| row["series"] == "gradient_norm").collect();
    assert_eq!(rows.len(), gradient.len() * gradient.width());
    for (at, row) in rows.iter().enumerate() {
        let entry = at % gradient.width();
        let value = gradient.row(at / gradient.width())[entry];
        assert_eq!(row["value"].parse::<f32>().unwrap().to_bits(), value.to_bits());
        assert_eq!(row["of"], recording.header.parameter_groups[entry]);
    }
}

#[test]
fn heavy_readings_are_rebuilt_from_their_tables() {
    let recording = example::recording(60);
    let Some((step, Reading::Surface(surface))) = recording.latest_at(&names::LANDSCAPE, 60) else { panic!() };
    let of_step = |row: &&std::collections::BTreeMap<String, String>| {
        row["series"] == "landscape" && row["step"] == step.to_string()
    };
    let head = read("surfaces", &recording);
    let head = head.iter().find(of_step).unwrap();
    assert_eq!(head["n"], surface.n.to_string());
    let points = read("surface_points", &recording);
    let mut rebuilt = Surface::clone(surface);
    rebuilt.loss.fill(f32::NAN);
    rebuilt.accuracy.fill(f32::NAN);
    for row in points.iter().filter(of_step) {
        let at = row["row"].parse::<usize>().unwrap() * surface.n + row["column"].parse::<usize>().unwrap();
        rebuilt.loss[at] = row["loss"].parse().unwrap();
        if !rebuilt.accuracy.is_empty() {
            rebuilt.accuracy[at] = row["accuracy"].parse().unwrap();
        }
    }
    assert_eq!(rebuilt.loss, surface.loss);
    assert_eq!(rebuilt.accuracy, surface.accuracy);
    let path = read("surface_paths", &recording);
    assert_eq!(path.iter().filter(of_step).count(), surface.path.len());

    let layer = &recording.header.layers[0].name;
    let Some((step, Reading::Density(density))) = recording.latest_at(&names::activations(layer), 60) else { panic!() };
    let bins = read("density_bins", &recording);
    let series = names::activations(layer);
    let counts: Vec<u32> = bins
        .iter()
        .filter(|row| row["series"] == series.as_str() && row["step"] == step.to_string())
        .map(|row| row["count"].parse().unwrap())
        .collect();
    assert_eq!(counts, density.counts);
    let heads = read("densities", &recording);
    let head = heads.iter().find(|row| row["series"] == series.as_str() && row["step"] == step.to_string()).unwrap();
    let number = |column: &str| head[column].parse::<f32>().unwrap();
    let rebuilt = Density {
        low: number("low"),
        high: number("high"),
        counts,
        below: head["below"].parse().unwrap(),
        above: head["above"].parse().unwrap(),
        not_finite: head["not_finite"].parse().unwrap(),
        mean: number("mean"),
        std: number("std"),
        zero_share: number("zero_share"),
    };
    assert_eq!(&rebuilt, &**density);
}

#[test]
fn json_lines_say_what_the_rows_say() {
    let mut recording = Recording::default();
    let values = [0.1_f32, f32::NAN, f32::NEG_INFINITY, 1.0 / 3.0];
    let matrix = Matrix { rows: 2, columns: 2, values: values.to_vec() };
    let readings = vec![(SeriesId::owned("m \"x\""), Reading::Matrix(matrix.into()))];
    recording.push(&Snapshot { track: TrackId(0), step: 7, readings }).unwrap();
    let table = TABLES.iter().find(|table| table.name == "matrices").unwrap();
    let mut file = Vec::new();
    assert_eq!(table.write_json(&recording, &mut file).unwrap(), 4);
    let text = String::from_utf8(file).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        rows[0],
        serde_json::json!({"track": 0, "series": "m \"x\"", "step": 7, "row": 0, "column": 0, "value": 0.1})
    );
    assert!(rows[1]["value"].is_null());
    assert_eq!(rows[2]["value"], "-inf");
    assert_eq!(rows[3]["value"].to_string().parse::<f32>().unwrap().to_bits(), values[3].to_bits());
}

/// A branch's history is its parent's: every number stands in the tables once.
#[test]
fn a_branch_has_only_rows_of_its_own() {
    let mut recording = Recording::default();
    let push = |recording: &mut Recording, track: u32, step: u64, value: f64| {
        let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(value))];
        recording.push(&Snapshot { track: TrackId(track), step, readings }).unwrap();
    };
    (0..10).for_each(|step| push(&mut recording, 0, step, step as f64));
    let fork = Fork { track: TrackId(0), step: 6 };
    recording.begin_track(&TrackInfo {
        id: TrackId(1),
        label: "branch".into(),
        parent: Some(fork),
        ..TrackInfo::default()
    });
    (6..9).for_each(|step| push(&mut recording, 1, step, -(step as f64)));
    let rows = read("scalars", &recording);
    let of = |track: &str| {
        rows.iter().filter(|row| row["track"] == track).map(|row| row["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("0").len(), 10);
    assert_eq!(of("1"), ["-6", "-7", "-8"]);
    let tracks = read("tracks", &recording);
    assert_eq!((&*tracks[1]["parent"], &*tracks[1]["fork_step"], &*tracks[0]["parent"]), ("0", "6", ""));
}
