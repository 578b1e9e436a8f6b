//! The loss on a plane through the parameters, refined while nobody needs the machine.

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Result};

use crate::nn::slice::Slice;
use crate::nn::slice::directions::{DirectionKind, Normalisation};
use crate::nn::statistics::in_words;
use crate::record::{Circumstances, PathPoint, Reading, Surface, names};

use super::job::{Advance, Job, Readings, Subject};
use super::plane::{Choice, Memory, Plane, Preparation, prepare};
use super::projection::{Projection, project};

/// What slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub directions: DirectionKind,
    /// Of random directions.
    pub normalisation: Normalisation,
    /// Of the plane through three points of the path.
    pub choice: Choice,
    /// In units of the directions.
    pub radius: f64,
    /// The first so many training examples.
    pub examples: usize,
    /// Points a side in the end, one of [`crate::nn::slice::grid::LEVELS`].
    pub finest: usize,
}

/// A slice of `radius` around the subject's parameters, over its first `examples` training examples, from 9x9 points
/// to `finest` a side, along two filter-normalised random directions. Every finished level is a reading [`names::LANDSCAPE`] that replaces the last.
///
/// # Errors
/// A level or radius that can't be; whatever candle says of the device.
pub fn begin(subject: &Subject, radius: f64, examples: usize, finest: usize) -> Result<Box<dyn Job>> {
    let (directions, normalisation) = (DirectionKind::Random, Normalisation::Filter);
    let choice = Choice::default();
    along(subject, &Options { directions, normalisation, choice, radius, examples, finest }, &Memory::default())
}

/// [`begin`] along other directions, which are found first; `memory` is passed on from slice to slice.
///
/// # Errors
/// As [`begin`].
pub fn along(subject: &Subject, options: &Options, memory: &Memory) -> Result<Box<dyn Job>> {
    let started = Instant::now();
    Slice::check(options.radius, options.finest)?;
    if options.examples == 0 {
        candle_core::bail!("a slice can't be computed on no examples; give at least one");
    }
    let Options { directions, normalisation, choice, examples, .. } = *options;
    let mut preparation = prepare(subject, directions, normalisation, choice, examples, memory)?;
    // Random directions are there at once.
    let plane = if directions == DirectionKind::Random { preparation.advance()? } else { None };
    let stage = match plane {
        Some(plane) => Stage::Slicing(Box::new(Slicing::new(subject, options, plane)?)),
        None => Stage::Preparing(preparation),
    };
    let seconds = started.elapsed().as_secs_f64();
    Ok(Box::new(Landscape { subject: subject.clone(), options: options.clone(), stage, seconds }))
}

struct Landscape {
    subject: Subject,
    options: Options,
    stage: Stage,
    seconds: f64,
}

enum Stage {
    Preparing(Box<dyn Preparation>),
    Slicing(Box<Slicing>),
}

struct Slicing {
    slice: Slice,
    projection: Projection,
    axes: [String; 2],
    description: String,
    examples: usize,
}

impl Slicing {
    fn new(subject: &Subject, options: &Options, plane: Plane) -> Result<Self> {
        let Plane { directions, axes, description } = plane;
        let centre = subject.model.layout().flatten(&subject.params)?;
        let batch = subject.batch(options.examples)?;
        let (radius, finest) = (options.radius, options.finest);
        let slice = Slice::new(&subject.model, &subject.params, &directions, &batch, &subject.loss, radius, finest)?;
        let projection = project(&subject.path, &centre, &directions);
        Ok(Self { slice, projection, axes, description, examples: batch.len })
    }

    fn readings(&self, subject: &Subject, radius: f64, seconds: f64) -> Readings {
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
            radius: radius as f32,
            loss,
            accuracy,
            valid: values.iter().map(Option::is_some).collect(),
            path,
            path_share: self.projection.share,
            directions: self.description.clone(),
            axes: self.axes.clone(),
            circumstances: Arc::new(Circumstances {
                examples: self.examples,
                dtype: match subject.dtype {
                    DType::F64 => "f64".to_owned(),
                    _ => "f32".to_owned(),
                },
                method: in_words(self.slice.method(), &*subject.model),
                seconds,
            }),
        };
        vec![(names::LANDSCAPE, Reading::Surface(Arc::new(surface)))]
    }
}

impl Job for Landscape {
    fn step(&self) -> u64 {
        self.subject.step
    }

    fn advance(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> Result<Advance> {
        let started = Instant::now();
        let Self { subject, options, stage, seconds } = self;
        while let Stage::Preparing(preparation) = stage {
            if let Some(plane) = preparation.advance()? {
                *stage = Stage::Slicing(Box::new(Slicing::new(subject, options, plane)?));
            }
            if Instant::now() >= deadline || stop() {
                *seconds += started.elapsed().as_secs_f64();
                return Ok(Advance::Working(Vec::new()));
            }
        }
        let Stage::Slicing(slicing) = stage else { return Ok(Advance::Working(Vec::new())) };
        let level_is_complete = slicing.slice.advance(deadline, stop)?;
        *seconds += started.elapsed().as_secs_f64();
        if !level_is_complete {
            return Ok(Advance::Working(Vec::new()));
        }
        let readings = slicing.readings(subject, options.radius, *seconds);
        Ok(if slicing.slice.refine() { Advance::Working(readings) } else { Advance::Done(readings) })
    }

    fn picture(&self) -> Option<Readings> {
        match &self.stage {
            Stage::Preparing(_) => None,
            Stage::Slicing(slicing) => Some(slicing.readings(&self.subject, self.options.radius, self.seconds)),
        }
    }
}
