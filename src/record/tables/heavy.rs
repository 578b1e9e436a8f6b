//! Histograms, matrices, surfaces and spectra: one table of what each measurement is, one of its numbers.

use std::io;

use super::light::series;
use super::{Cell, Sink, Table};
use crate::record::{Circumstances, Density, Matrix, Reading, Recording, Series, Spectrum, Surface};

/// Visits every heavy reading with the cells of its track, series and step.
fn each(recording: &Recording, mut visit: impl FnMut([Cell<'_>; 3], &Reading) -> io::Result<()>) -> io::Result<()> {
    for of in series(recording) {
        let Series::Heavy(series) = of.series else { continue };
        for (step, reading) in series.entries().iter().filter(|(step, _)| of.owns(*step)) {
            visit([Cell::Whole(of.track.0.into()), Cell::Text(of.name.as_str()), Cell::Whole(*step)], reading)?;
        }
    }
    Ok(())
}

/// A row: what it belongs to, and its own cells.
fn row<const N: usize>(sink: &mut Sink<'_>, of: [Cell<'_>; 3], cells: [Cell<'_>; N]) -> io::Result<()> {
    let mut all = Vec::with_capacity(3 + N);
    all.extend_from_slice(&of);
    all.extend_from_slice(&cells);
    sink(&all)
}

pub(super) const MATRICES: Table = Table {
    name: "matrices",
    about: "an entry of a matrix",
    columns: &["track", "series", "step", "row", "column", "value"],
    rows: |recording, sink| {
        each(recording, |of, reading| match reading {
            Reading::Matrix(matrix) => entries(sink, of, matrix),
            _ => Ok(()),
        })
    },
};

fn entries(sink: &mut Sink<'_>, of: [Cell<'_>; 3], matrix: &Matrix) -> io::Result<()> {
    let columns = matrix.columns.max(1);
    matrix.values.iter().enumerate().try_for_each(|(at, value)| {
        let [i, j] = [at / columns, at % columns].map(|v| Cell::Whole(v as u64));
        row(sink, of, [i, j, Cell::Single(*value)])
    })
}

pub(super) const DENSITIES: Table = Table {
    name: "densities",
    about: "a histogram",
    columns: &["track", "series", "step", "low", "high", "below", "above", "not_finite", "mean", "std", "zero_share"],
    rows: |recording, sink| {
        each(recording, |of, reading| {
            let Reading::Density(density) = reading else { return Ok(()) };
            let Density { low, high, below, above, not_finite, mean, std, zero_share, counts: _ } = &**density;
            let [below, above, not_finite] = [below, above, not_finite].map(|n| Cell::Whole((*n).into()));
            let [low, high, mean, std, zero_share] = [low, high, mean, std, zero_share].map(|v| Cell::Single(*v));
            row(sink, of, [low, high, below, above, not_finite, mean, std, zero_share])
        })
    },
};

pub(super) const DENSITY_BINS: Table = Table {
    name: "density_bins",
    about: "a bin of a histogram: equal parts of its `low` to `high`",
    columns: &["track", "series", "step", "bin", "count"],
    rows: |recording, sink| {
        each(recording, |of, reading| {
            let Reading::Density(density) = reading else { return Ok(()) };
            density
                .counts
                .iter()
                .enumerate()
                .try_for_each(|(bin, count)| row(sink, of, [Cell::Whole(bin as u64), Cell::Whole((*count).into())]))
        })
    },
};

pub(super) const SURFACES: Table = Table {
    name: "surfaces",
    about: "a slice: a square grid of `n` by `n` points within `radius` of the parameters",
    columns: &[
        "track",
        "series",
        "step",
        "n",
        "radius",
        "path_share",
        "directions",
        "x_axis",
        "y_axis",
        "examples",
        "dtype",
        "method",
        "seconds",
    ],
    rows: |recording, sink| {
        each(recording, |of, reading| {
            let Reading::Surface(surface) = reading else { return Ok(()) };
            let [examples, dtype, method, seconds] = circumstances(&surface.circumstances);
            let own = [
                Cell::Whole(surface.n as u64),
                Cell::Single(surface.radius),
                Cell::Single(surface.path_share),
                Cell::Text(&surface.directions),
                Cell::Text(&surface.axes[0]),
                Cell::Text(&surface.axes[1]),
                examples,
                dtype,
                method,
                seconds,
            ];
            row(sink, of, own)
        })
    },
};

fn circumstances(about: &Circumstances) -> [Cell<'_>; 4] {
    [
        Cell::Whole(about.examples as u64),
        Cell::Text(&about.dtype),
        Cell::Text(&about.method),
        Cell::Double(about.seconds),
    ]
}

pub(super) const SURFACE_POINTS: Table = Table {
    name: "surface_points",
    about: "a point of a slice that was computed; without accuracy for tasks without classes",
    columns: &["track", "series", "step", "row", "column", "a", "b", "loss", "accuracy"],
    rows: |recording, sink| {
        each(recording, |of, reading| match reading {
            Reading::Surface(surface) => points(sink, of, surface),
            _ => Ok(()),
        })
    },
};

fn points(sink: &mut Sink<'_>, of: [Cell<'_>; 3], surface: &Surface) -> io::Result<()> {
    let n = surface.n.max(1);
    for (at, (loss, _)) in surface.loss.iter().zip(&surface.valid).enumerate().filter(|(_, (_, valid))| **valid) {
        let (j, i) = (at / n, at % n);
        let own = [
            Cell::Whole(j as u64),
            Cell::Whole(i as u64),
            Cell::Single(surface.coordinate(i)),
            Cell::Single(surface.coordinate(j)),
            Cell::Single(*loss),
            surface.accuracy.get(at).map_or(Cell::Empty, |value| Cell::Single(*value)),
        ];
        row(sink, of, own)?;
    }
    Ok(())
}

pub(super) const SURFACE_PATHS: Table = Table {
    name: "surface_paths",
    about: "a point of the training path, projected onto a slice; `loss` is of that step's minibatch",
    columns: &["track", "series", "step", "path_step", "a", "b", "loss"],
    rows: |recording, sink| {
        each(recording, |of, reading| {
            let Reading::Surface(surface) = reading else { return Ok(()) };
            surface.path.iter().try_for_each(|point| {
                let [a, b, loss] = [point.a, point.b, point.loss].map(Cell::Single);
                row(sink, of, [Cell::Whole(point.step), a, b, loss])
            })
        })
    },
};

pub(super) const SPECTRA: Table = Table {
    name: "spectra",
    about: "what was measured of the eigenvalues of a curvature matrix",
    columns: &[
        "track",
        "series",
        "step",
        "matrix",
        "dim",
        "smoothing",
        "trace",
        "trace_error",
        "test_vectors",
        "products",
        "examples",
        "dtype",
        "method",
        "seconds",
    ],
    rows: |recording, sink| {
        each(recording, |of, reading| {
            let Reading::Spectrum(spectrum) = reading else { return Ok(()) };
            let [examples, dtype, method, seconds] = circumstances(&spectrum.circumstances);
            let own = [
                Cell::Text(&spectrum.matrix),
                Cell::Whole(spectrum.dim as u64),
                Cell::Double(spectrum.smoothing),
                Cell::Double(spectrum.trace),
                Cell::Double(spectrum.trace_error),
                Cell::Whole(spectrum.test_vectors as u64),
                Cell::Whole(spectrum.products as u64),
                examples,
                dtype,
                method,
                seconds,
            ];
            row(sink, of, own)
        })
    },
};

pub(super) const SPECTRUM_VALUES: Table = Table {
    name: "spectrum_values",
    about: "an eigenvalue from the upper end (`top`) or the lower (`bottom`), or a node of the density (`ritz`) with its weight",
    columns: &["track", "series", "step", "part", "index", "value", "residual", "converged", "weight"],
    rows: |recording, sink| {
        each(recording, |of, reading| match reading {
            Reading::Spectrum(spectrum) => values(sink, of, spectrum),
            _ => Ok(()),
        })
    },
};

fn values(sink: &mut Sink<'_>, of: [Cell<'_>; 3], spectrum: &Spectrum) -> io::Result<()> {
    for (part, all) in [("top", &spectrum.top), ("bottom", &spectrum.bottom)] {
        for (index, one) in all.iter().enumerate() {
            let own = [
                Cell::Text(part),
                Cell::Whole(index as u64),
                Cell::Double(one.value),
                Cell::Double(one.residual),
                Cell::Flag(one.converged),
                Cell::Empty,
            ];
            row(sink, of, own)?;
        }
    }
    spectrum.ritz.iter().enumerate().try_for_each(|(index, [node, weight])| {
        let own = [
            Cell::Text("ritz"),
            Cell::Whole(index as u64),
            Cell::Double(*node),
            Cell::Empty,
            Cell::Empty,
            Cell::Double(*weight),
        ];
        row(sink, of, own)
    })
}
