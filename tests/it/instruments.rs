//! The instruments on one recording: what is drawn is what was recorded, whatever the options.

use landscope::plots::{
    ActivationView, CurvatureView, EntropyView, GradientView, LandscapeMetric, LandscapeView, PaneOptions, Plot,
    SignalStatistic, pane,
};
use landscope::record::{Header, ParamRole, Recording, TimeCursor, example};

fn all_options() -> Vec<PaneOptions> {
    let mut all = Vec::new();
    let mut statistics = SignalStatistic::FAMILIES.iter().flat_map(|(_, family)| family.iter().copied()).cycle();
    let mut gradients = [GradientView::Groups, GradientView::Roles, GradientView::Depth].into_iter().cycle();
    let mut entropies = [EntropyView::Layers, EntropyView::Heads, EntropyView::Depth].into_iter().cycle();
    for view in [LandscapeView::Surface, LandscapeView::HeatMap, LandscapeView::Profile] {
        for metric in [LandscapeMetric::Loss, LandscapeMetric::Accuracy, LandscapeMetric::Error] {
            for log in [false, true] {
                all.push(PaneOptions {
                    loss_log: log,
                    landscape_view: view,
                    landscape_metric: metric,
                    landscape_log: log,
                    sharpness_log: log,
                    activation_view: if log { ActivationView::Ridges } else { ActivationView::Waterfall },
                    activation_layer: 3,
                    similarity_layer: if log { usize::MAX } else { 2 },
                    gradients_log: log,
                    gradient_view: gradients.next().unwrap(),
                    gradient_role: log.then_some(ParamRole::Keys),
                    curvature_view: if log { CurvatureView::Trace } else { CurvatureView::Eigenvalues },
                    signal_statistic: statistics.next().unwrap(),
                    signal_log: !log,
                    attention_layer: 2,
                    attention_head: if log { 0 } else { 3 },
                    entropy_view: entropies.next().unwrap(),
                    ..PaneOptions::default()
                });
            }
        }
    }
    all
}

/// (names of columns, rows)
fn table(csv_text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(csv_text.as_bytes());
    let head = reader.headers().unwrap().iter().map(str::to_owned).collect();
    // A row with more or fewer fields than the head is an error of the reader.
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    (head, rows)
}

#[test]
fn every_instrument_draws_at_every_cursor_and_says_why_when_it_can_not() {
    let whole = example::recording(400);
    let bare = Recording::new(Header { layers: whole.header.layers.clone(), ..Header::default() });
    for pane in pane::PANES {
        for options in all_options() {
            for cursor in [TimeCursor::Following, TimeCursor::At(0), TimeCursor::At(1), TimeCursor::At(250)] {
                let plots = (pane.plots)(&whole, cursor, &options);
                assert!(!plots.is_empty() && plots.len() <= 2, "{}", pane.slug);
                if cursor != TimeCursor::At(0) {
                    assert!(plots.iter().all(|plot| !matches!(plot, Plot::Empty { .. })), "{} {cursor:?}", pane.slug);
                }
                let empty = (pane.plots)(&bare, cursor, &options);
                let explained = |plot: &Plot| matches!(plot, Plot::Empty { reason, .. } if reason.len() > 10);
                assert!(empty.iter().all(explained), "{} {cursor:?}", pane.slug);
            }
        }
    }
}

#[test]
fn guides_are_for_people() {
    for pane in pane::PANES {
        let sentences = pane.guide.matches(". ").count() + 1;
        assert!((4..=7).contains(&sentences), "{}: {sentences} sentences", pane.slug);
        assert!(pane.guide.ends_with('.') && !pane.guide.contains("  "), "{}", pane.slug);
        assert!(pane.guide.to_lowercase().contains("healthy") || pane.slug == "sharpness", "{}", pane.slug);
    }
}

#[test]
fn exported_data_are_the_plotted_data() {
    let recording = example::recording(400);
    for options in all_options() {
        for plot in pane::PANES.iter().flat_map(|pane| (pane.plots)(&recording, TimeCursor::At(300), &options)) {
            let text = plot.to_csv();
            assert!(text.starts_with(&format!("# {}\n", plot.title())), "{text:.80}");
            let (head, rows) = table(&text);
            let number = |field: &String| field.parse::<f64>().unwrap();
            match &plot {
                Plot::Lines(lines) => {
                    assert_eq!(head, ["line".to_owned(), lines.x_label.clone(), lines.y_label.clone()]);
                    for line in &lines.lines {
                        let written = rows.iter().filter(|row| row[0] == line.label);
                        let written: Vec<_> = written.map(|row| [number(&row[1]), number(&row[2])]).collect();
                        let drawn: Vec<_> = line.points.iter().copied().filter(|p| p[1].is_finite()).collect();
                        assert_eq!(written, drawn, "{}", line.label);
                    }
                }
                Plot::Field(field) => {
                    assert_eq!(rows.len(), field.columns * field.rows);
                    for row in &rows {
                        let (j, i) = (number(&row[0]) as usize, number(&row[1]) as usize);
                        let value = field.values[j * field.columns + i];
                        assert!(value.to_string() == row[4], "{value} {row:?}");
                        let x = number(&row[2]);
                        let y = match field.row_labels.get(j) {
                            Some(label) => {
                                assert_eq!(*label, row[3]);
                                j as f64 + 0.5
                            }
                            None => number(&row[3]),
                        };
                        let at = field.value_at(x, y).unwrap();
                        assert!(at == value || (at.is_nan() && value.is_nan()), "{row:?}");
                    }
                }
                Plot::Surface(surface) => {
                    assert_eq!(rows.len(), surface.n * surface.n);
                    let middle = &rows[surface.n * surface.n / 2];
                    assert_eq!((number(&middle[0]), number(&middle[1])), (0.0, 0.0));
                    assert!(rows.iter().zip(&surface.values).all(|(row, value)| row[2] == value.to_string()));
                }
                Plot::Ridges(ridges) => {
                    let shares: usize = ridges.ridges.iter().map(|ridge| ridge.shares.len()).sum();
                    assert_eq!(rows.len(), shares);
                    let first = rows.iter().filter(|row| row[0] == ridges.ridges[0].label);
                    let sum: f64 = first.map(|row| number(&row[2])).sum();
                    let drawn: f32 = ridges.ridges[0].shares.iter().sum();
                    assert!((sum - f64::from(drawn)).abs() < 1e-5);
                }
                Plot::Empty { .. } => panic!("nothing to export"),
            }
        }
    }
}

#[test]
fn a_long_run_is_drawn_with_few_points() {
    let recording = example::recording(20_000);
    for plot in
        pane::PANES.iter().flat_map(|pane| (pane.plots)(&recording, TimeCursor::Following, &PaneOptions::default()))
    {
        match plot {
            Plot::Lines(plot) => assert!(plot.lines.iter().all(|line| line.points.len() <= 610), "{}", plot.title),
            Plot::Field(plot) => assert!(plot.columns <= 300, "{}", plot.title),
            _ => {}
        }
    }
}
