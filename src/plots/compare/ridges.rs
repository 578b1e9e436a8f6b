//! Histograms of several tracks: over one another on one axis, or beside one another.

use crate::plots::ridges::OverRidge;
use crate::plots::{Plot, RidgePlot, rebin};

use super::looks::Look;

/// The first with the outlines of the others over it, or all beside one another; all on one axis.
pub fn together(plots: Vec<(&Look, &RidgePlot)>, apart: bool) -> Vec<Plot> {
    let ranges = plots.iter().map(|(_, plot)| plot.x_range);
    let Some(range) = ranges.reduce(|[a, b], [c, d]| [a.min(c), b.max(d)]) else { return Vec::new() };
    let on_one_axis = |(look, plot): &(&Look, &RidgePlot)| {
        let mut plot = (*plot).clone();
        for ridge in &mut plot.ridges {
            ridge.shares = rebin::moved(&ridge.shares, plot.x_range, range);
        }
        plot.x_range = range;
        plot.title = format!("{}: {}", look.name, plot.title);
        plot
    };
    let mut moved: Vec<RidgePlot> = plots.iter().map(on_one_axis).collect();
    if apart {
        return moved.into_iter().map(Plot::Ridges).collect();
    }
    let mut all = moved.remove(0);
    all.title = plots[0].1.title.clone();
    all.color = Some(plots[0].0.color);
    for (plot, (look, _)) in moved.into_iter().zip(&plots[1..]) {
        for ridge in plot.ridges {
            // Networks that differ share the layers of one name.
            if let Some(own) = all.ridges.iter_mut().find(|own| own.label == ridge.label) {
                let (label, color) = (look.name.clone(), look.color);
                own.over.push(OverRidge { label, color, shares: ridge.shares, summary: ridge.summary });
            }
        }
    }
    all.names = plots.iter().map(|(look, _)| (look.name.clone(), look.color)).collect();
    vec![Plot::Ridges(all)]
}
