//! What else than loss and accuracy can be measured on a slice of the landscape.

use serde::{Deserialize, Serialize};

use super::SeriesId;

/// One number of the parameters at a point of the slice, on the slice's examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceMetric {
    /// The largest eigenvalue of the Hessian.
    Sharpness,
    /// |g|
    GradientNorm,
    /// g' H g / |g|^2
    DirectionalSharpness,
    /// tr H
    Trace,
    /// Of neuron RMS, the largest over the layers.
    Kurtosis,
    /// The largest over the layers.
    MaxMedianRatio,
    /// Mean cosine between tokens after the last layer.
    TokenCosine,
}

impl SliceMetric {
    /// In the order of lists.
    pub const ALL: [Self; 7] = [
        Self::Sharpness,
        Self::GradientNorm,
        Self::DirectionalSharpness,
        Self::Trace,
        Self::Kurtosis,
        Self::MaxMedianRatio,
        Self::TokenCosine,
    ];

    /// As knobs, flags and series call it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Sharpness => "sharpness",
            Self::GradientNorm => "gradient-norm",
            Self::DirectionalSharpness => "directional-sharpness",
            Self::Trace => "trace",
            Self::Kurtosis => "kurtosis",
            Self::MaxMedianRatio => "max-median-ratio",
            Self::TokenCosine => "token-cosine",
        }
    }

    /// In lists.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sharpness => "Sharpness",
            Self::GradientNorm => "Gradient norm",
            Self::DirectionalSharpness => "Directional sharpness",
            Self::Trace => "Trace of the Hessian",
            Self::Kurtosis => "Kurtosis",
            Self::MaxMedianRatio => "Max-median ratio",
            Self::TokenCosine => "Token cosine",
        }
    }

    /// At an axis or a colour bar.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sharpness => "sharpness",
            Self::GradientNorm => "gradient norm",
            Self::DirectionalSharpness => "g'Hg / |g|²",
            Self::Trace => "trace",
            Self::Kurtosis => "kurtosis",
            Self::MaxMedianRatio => "max / median",
            Self::TokenCosine => "mean cosine",
        }
    }

    /// In the notes of a picture.
    pub fn definition(self) -> &'static str {
        match self {
            Self::Sharpness => "largest eigenvalue of the Hessian",
            Self::GradientNorm => "length of the gradient",
            Self::DirectionalSharpness => "curvature along the gradient",
            Self::Trace => "sum of the Hessian's eigenvalues",
            Self::Kurtosis => "of neuron RMS, the largest of the layers",
            Self::MaxMedianRatio => "of neurons, the largest of the layers",
            Self::TokenCosine => "between tokens after the last layer",
        }
    }

    /// The series of its slices: a [`super::Surface`] with the metric where the loss stands, and no accuracy.
    pub fn series(self) -> SeriesId {
        SeriesId::owned(format!("landscape/{}", self.id()))
    }
}

/// At how many points of the slice the metric is measured: they cost much more than those of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceExtent {
    /// 17 points along each of the two axes.
    #[default]
    Axes,
    /// 9 x 9
    Coarse,
    /// 17 x 17
    Medium,
    /// 33 x 33
    Fine,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_names_in_files() {
        for metric in SliceMetric::ALL {
            assert_eq!(serde_json::to_string(&metric).unwrap(), format!("{:?}", metric.id()));
            assert!(metric.series().as_str().ends_with(metric.id()));
        }
    }
}
