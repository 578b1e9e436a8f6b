//! The loss on a plane through the parameters, refined while nobody needs the machine.

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Result};

use crate::nn::slice::Slice;
use crate::nn::slice::directions::{DESCRIPTION, Directions};
use crate::record::{Circumstances, PathPoint, Reading, Surface, names};

use super::job::{Advance, Job, Readings, Subject};
use super::projection::{Projection, project};

/// A slice of `radius` around the subject's parameters, over its first `examples` training examples, from 9x9 points
/// to `finest` a side (9, 17, 33 or 65). Every finished level is a reading [`names::LANDSCAPE`] that replaces the last.
///
/// # Errors
/// A level or radius that can't be; whatever candle says of the device.
pub fn begin(subject: &Subject, radius: f64, examples: usize, finest: usize) -> Result<Box<dyn Job>> {
    let started = Instant::now();
    let layout = subject.model.layout();
    let centre = layout.flatten(&subject.params)?;
    let directions = Directions::random(layout, &centre, &subject.streams);
    let batch = subject.batch(examples)?;
    let slice = Slice::new(&subject.model, &subject.params, &directions, &batch, &subject.loss, radius, finest)?;
    Ok(Box::new(Landscape {
        step: subject.step,
        radius,
        examples: batch.len,
        dtype: match subject.dtype {
            DType::F64 => "f64",
            _ => "f32",
        },
        projection: project(&subject.path, &centre, &directions),
        slice,
        seconds: started.elapsed().as_secs_f64(),
    }))
}

struct Landscape {
    step: u64,
    radius: f64,
    examples: usize,
    dtype: &'static str,
    projection: Projection,
    slice: Slice,
    seconds: f64,
}

impl Landscape {
    fn readings(&self) -> Readings {
        let grid = self.slice.grid();
        let values = grid.values();
        let loss = values.iter().map(|value| value.map_or(f32::NAN, |v| v.loss as f32)).collect();
        let graded = self.slice.graded();
        let accuracy = if graded == 0 {
            Vec::new()
        } else {
            values.iter().map(|value| value.map_or(f32::NAN, |v| v.correct as f32 / graded as f32)).collect()
        };
        let path: Vec<PathPoint> = self.projection.path.clone();
        let surface = Surface {
            n: grid.side(),
            radius: self.radius as f32,
            loss,
            accuracy,
            valid: values.iter().map(Option::is_some).collect(),
            path,
            path_share: self.projection.share,
            directions: DESCRIPTION.to_owned(),
            circumstances: Arc::new(Circumstances {
                examples: self.examples,
                dtype: self.dtype.to_owned(),
                method: self.slice.method().to_owned(),
                seconds: self.seconds,
            }),
        };
        vec![(names::LANDSCAPE, Reading::Surface(Arc::new(surface)))]
    }
}

impl Job for Landscape {
    fn step(&self) -> u64 {
        self.step
    }

    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance> {
        let started = Instant::now();
        let level_is_complete = self.slice.advance(deadline, stop)?;
        self.seconds += started.elapsed().as_secs_f64();
        if !level_is_complete {
            return Ok(Advance::Working(Vec::new()));
        }
        let readings = self.readings();
        Ok(if self.slice.refine() { Advance::Working(readings) } else { Advance::Done(readings) })
    }

    fn picture(&self) -> Option<Readings> {
        Some(self.readings())
    }
}
