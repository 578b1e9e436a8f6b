//! Measurements of given parameters on given examples, one at a time: what `landscope measure` offers.
//!
//! A measurement is one file with a [`Measurement`] and one line in [`MEASUREMENTS`]. Unlike the probes of a live run it
//! has no budget: it works until it is done or has spent the products it may.

mod accuracy;
mod attention_entropy;
mod block_sharpness;
mod cka;
mod dead_units;
mod directional_sharpness;
mod effective_rank;
mod eigenvalues;
mod ends;
mod gauss_newton;
mod gradient;
mod gradient_roles;
mod gram;
mod hutch_plus_plus;
mod int8;
mod kernel_alignment;
mod kernel_eigenvalues;
mod kurtosis;
mod layers;
mod loss;
mod max_median_ratio;
mod mean_token_distance;
mod preconditioned_sharpness;
mod sharpness;
mod smallest_eigenvalues;
mod spectral_density;
mod stable_rank;
mod tangent_kernel;
mod token_cosine;
mod trace;

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::base::rng::Streams;
use crate::nn::batch::Batch;
use crate::nn::curvature::{Hessian, Kernels};
use crate::nn::model::Model;
use crate::nn::params::Params;
use crate::nn::spec::{LossSpec, ModelSpec};
use crate::nn::statistics::in_words;
use crate::record::Circumstances;

/// All measurements, in the order in which they are explained.
pub const MEASUREMENTS: &[&Measurement] = &[
    &loss::MEASUREMENT,
    &accuracy::MEASUREMENT,
    &gradient::MEASUREMENT,
    &gradient_roles::MEASUREMENT,
    &sharpness::MEASUREMENT,
    &preconditioned_sharpness::MEASUREMENT,
    &block_sharpness::MEASUREMENT,
    &eigenvalues::MEASUREMENT,
    &smallest_eigenvalues::MEASUREMENT,
    &spectral_density::MEASUREMENT,
    &trace::MEASUREMENT,
    &hutch_plus_plus::MEASUREMENT,
    &directional_sharpness::MEASUREMENT,
    &gauss_newton::GGN,
    &gauss_newton::FISHER,
    &gauss_newton::EMPIRICAL_FISHER,
    &tangent_kernel::MEASUREMENT,
    &kernel_eigenvalues::MEASUREMENT,
    &kernel_alignment::MEASUREMENT,
    &cka::MEASUREMENT,
    &kurtosis::MEASUREMENT,
    &max_median_ratio::MEASUREMENT,
    &token_cosine::MEASUREMENT,
    &mean_token_distance::MEASUREMENT,
    &stable_rank::MEASUREMENT,
    &effective_rank::MEASUREMENT,
    &gram::MEASUREMENT,
    &dead_units::MEASUREMENT,
    &attention_entropy::MEASUREMENT,
    &int8::ACTIVATIONS,
    &int8::WEIGHTS,
];

/// Ids of the measurements that compare with other parameters.
pub const COMPARISONS: &[&str] = &["kernel-alignment", "cka"];

/// What a comparison says that has nothing to compare with.
const NO_REFERENCE: &str = "not measured: it needs the other parameters of --reference-weights";

/// A measurement and what there is to know of it beforehand.
pub struct Measurement {
    /// Such as `sharpness`.
    pub id: &'static str,
    pub title: &'static str,
    pub formula: &'static str,
    /// What it costs, in words.
    pub cost: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// # Errors
    /// Whatever candle says of shapes and the device. Numbers that aren't finite are answers, not errors.
    pub measure: fn(&Subject) -> Result<Found>,
}

/// How far measurements go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Eigenvalues wanted.
    pub top_k: usize,
    /// An eigenpair has converged when its residual is at most this share of the eigenvalue.
    pub tolerance: f64,
    /// Products with the Hessian that a search may spend.
    pub most_products: usize,
    /// Random vectors of an estimated trace; 0 asks for the exact one, a product a parameter.
    pub test_vectors: usize,
    /// What of the tangent kernel is wanted.
    pub kernels: Kernels,
}

impl Default for Options {
    fn default() -> Self {
        Self { top_k: 5, tolerance: 1e-8, most_products: 1_000, test_vectors: 100, kernels: Kernels::Traced }
    }
}

/// Parameters and examples, with all that a measurement needs.
pub struct Subject {
    pub model: Arc<dyn Model>,
    /// What `model` was built from.
    pub spec: ModelSpec,
    /// Detached, in the order of the layout.
    pub params: Vec<Tensor>,
    /// Other parameters of the same network, to compare with.
    pub reference: Option<Vec<Tensor>>,
    pub loss: LossSpec,
    /// All of it is used.
    pub batch: Batch,
    pub dtype: DType,
    pub device: Device,
    /// Measurements draw from streams called `probe/...`.
    pub streams: Streams,
    pub options: Options,
}

impl Subject {
    /// The Hessian of the mean loss over the batch.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn hessian(&self) -> Result<Hessian> {
        Hessian::new(self.model.clone(), &self.params, &self.batch, &self.loss)
    }

    /// The parameters as variables.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn variables(&self) -> Result<Params> {
        let layout = self.model.layout();
        Params::from_flat(layout.clone(), &layout.flatten(&self.params)?, self.dtype, &self.device)
    }

    /// The gradient of the mean loss over the batch, in the flattening order.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn gradient(&self) -> Result<Vec<f64>> {
        let found = crate::nn::training::gradient(&*self.model, &self.variables()?, &self.batch, &self.loss)?;
        self.model.layout().flatten(&found.tensors)
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    List(Vec<f64>),
    /// One number a layer, or a group of parameters.
    Named(Vec<(String, f64)>),
    /// Lists by name, not all of one length.
    Columns(Vec<(String, Vec<f64>)>),
    /// Row-major.
    Matrix {
        columns: usize,
        values: Vec<f64>,
    },
}

/// A value and how sure it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub value: Value,
    /// What the value is made of, by name.
    pub parts: Vec<(String, f64)>,
    /// `|A v - value v|` of each eigenpair, with `|v| = 1`: some eigenvalue lies within it of the value.
    pub residuals: Vec<f64>,
    /// Of an estimate by random vectors.
    pub standard_error: Option<f64>,
    /// Whether an iteration got as far as asked; none where there was no iteration.
    pub converged: Option<bool>,
    /// Products with a matrix spent.
    pub products: usize,
    pub method: String,
}

impl Found {
    /// A value that is exact up to rounding.
    pub fn exact(value: Value, method: &str) -> Self {
        Self {
            value,
            parts: Vec::new(),
            residuals: Vec::new(),
            standard_error: None,
            converged: None,
            products: 0,
            method: method.into(),
        }
    }
}

/// A measurement's answer, as it is printed.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    pub id: &'static str,
    pub title: &'static str,
    pub value: Value,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "by_name")]
    pub parts: Vec<(String, f64)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub residuals: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converged: Option<bool>,
    pub products: usize,
    pub circumstances: Circumstances,
}

/// Makes a measurement and takes down its circumstances.
///
/// The thread and the current rayon pool need [`crate::nn::autodiff::STACK_BYTES`].
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn measure(measurement: &Measurement, subject: &Subject) -> Result<Answer> {
    let started = Instant::now();
    let Found { value, parts, residuals, standard_error, converged, products, method } =
        (measurement.measure)(subject)?;
    Ok(Answer {
        id: measurement.id,
        title: measurement.title,
        value,
        parts,
        residuals,
        standard_error,
        converged,
        products,
        circumstances: Circumstances {
            examples: subject.batch.len,
            dtype: subject.dtype.as_str().into(),
            method: in_words(&method, &*subject.model),
            seconds: started.elapsed().as_secs_f64(),
        },
    })
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::List(values) => values.serialize(serializer),
            Self::Named(values) => by_name(values, serializer),
            Self::Columns(columns) => by_name(columns, serializer),
            Self::Matrix { columns, values } => {
                values.chunks((*columns).max(1)).collect::<Vec<_>>().serialize(serializer)
            }
        }
    }
}

/// An object in the order of the list: layers from the input side on.
fn by_name<T: Serialize, S: Serializer>(values: &[(String, T)], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(values.len()))?;
    for (name, value) in values {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_everything_is_explained() {
        for (i, one) in MEASUREMENTS.iter().enumerate() {
            assert!(MEASUREMENTS[..i].iter().all(|other| other.id != one.id), "{}", one.id);
            for words in [one.title, one.formula, one.cost, one.source] {
                assert!(!words.is_empty() && !words.contains("  ") && !words.contains('\n'), "{}", one.id);
            }
        }
    }

    #[test]
    fn names_keep_their_order_and_what_json_cannot_say_is_null() {
        let value = Value::Named(vec![("b".into(), 1.0), ("a".into(), f64::NAN)]);
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"b":1.0,"a":null}"#);
        let matrix = Value::Matrix { columns: 2, values: vec![1.0, 2.0, 3.0, 4.0] };
        assert_eq!(serde_json::to_string(&matrix).unwrap(), "[[1.0,2.0],[3.0,4.0]]");
    }
}
