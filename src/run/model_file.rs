//! `model.toml`: a network, its loss and the shapes of its inputs and outputs.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::nesting;
use crate::nn::build::{BuildError, build};
use crate::nn::model::Model;
use crate::nn::spec::{LossSpec, ModelSpec};
use crate::nn::statistics::{Statistics, under};
use crate::optim::spec::OptimizerSpec;
use crate::tasks::shapes::{InputShape, OutputShape, Shapes};
use crate::tasks::spec::{TaskKind, TaskSpec};

use super::spec::{RunSpec, SpecError};
use super::trainer::TrainError;

/// What `model.toml` says. Fields that are left out have their defaults, but for the shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Of networks with batch normalisation: what measurements take its statistics of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
    /// Examples of a minibatch, for [`Statistics::Batch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Of a training that is watched: its examples, beside the file unless the path is absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Likewise its test examples, if they are in a file of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_data: Option<PathBuf>,
    #[serde(default)]
    pub model: ModelSpec,
    #[serde(default)]
    pub loss: LossSpec,
    pub input: InputShape,
    pub output: OutputShape,
    /// Of a training that is watched: how it steps, for the line that its sharpness is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<OptimizerSpec>,
}

impl ModelFile {
    /// # Errors
    /// [`SpecError::Invalid`] with the line, for unknown fields, wrong types and impossible values.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, SpecError> {
        let invalid = |message: String| SpecError::Invalid { origin: origin.into(), message };
        nesting::check(text).map_err(invalid)?;
        let file: Self = toml::from_str(text).map_err(|error| invalid(error.to_string().trim().replace('\n', " ")))?;
        file.shapes().check().map_err(invalid)?;
        super::knobs::validate(&file.run_spec("")).map_err(invalid)?;
        Ok(file)
    }

    pub fn shapes(&self) -> Shapes {
        Shapes { input: self.input.clone(), output: self.output }
    }

    /// # Errors
    /// [`BuildError`] names what of the model doesn't fit its inputs.
    pub fn build(&self) -> Result<Arc<dyn Model>, BuildError> {
        build(&self.model, &self.shapes().empty_split())
    }

    /// The network as measurements see it.
    ///
    /// # Errors
    /// Those of [`Self::build`]; a network with batch normalisation whose statistics nobody chose.
    pub fn measured(&self) -> Result<Arc<dyn Model>, TrainError> {
        let model = self.build()?;
        if model.coupled_examples() == 1 {
            return Ok(model);
        }
        let Some(statistics) = self.statistics else {
            return Err(TrainError::Spec(
                "the network has BatchNorm, and a loss of given examples depends on what its statistics are taken of; \
                 give --statistics (or `statistics` in the model's file) with batch, recomputed or frozen"
                    .into(),
            ));
        };
        let minibatch = match (statistics, self.batch_size) {
            (Statistics::Batch, None) => {
                return Err(TrainError::Spec(
                    "statistics `batch` are those of minibatches; give --batch-size (or `batch_size` in the model's \
                     file), the examples of a minibatch"
                        .into(),
                ));
            }
            (_, size) => size.unwrap_or(0),
        };
        Ok(under(model, statistics, minibatch))
    }

    /// A run of this network on the examples of a safetensors file, all else by default.
    pub fn run_spec(&self, data: impl Into<PathBuf>) -> RunSpec {
        let task = TaskSpec {
            kind: TaskKind::Safetensors,
            path: Some(data.into()),
            shapes: Some(self.shapes()),
            ..TaskSpec::default()
        };
        let optimizer = self.optimizer.clone().unwrap_or_default();
        RunSpec { model: self.model.clone(), loss: self.loss.clone(), task, optimizer, ..RunSpec::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPT: &str = "[model]\nkind = \"gpt\"\nwidth = 8\nn_heads = 2\n[input]\ntokens = 6\nvocabulary = 11\n[output]\nclasses = 11\n";

    #[test]
    fn a_file_builds_its_network_without_data() {
        let file = ModelFile::from_toml(GPT, "gpt.toml").unwrap();
        let model = file.build().unwrap();
        let shape = |name: &str| model.layout().infos().iter().find(|info| info.name == name).unwrap().shape.clone();
        assert_eq!(shape("embedding.tokens"), [11, 8]);
        assert_eq!(shape("embedding.positions"), [6, 8]);
        assert_eq!(shape("output.weight"), [8, 11]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refuses = |text: &str, words: &[&str]| {
            let message = ModelFile::from_toml(text, "m.toml").unwrap_err().to_string();
            for word in words.iter().chain(&["m.toml"]) {
                assert!(message.contains(word), "{message}");
            }
        };
        refuses("[model]\n[output]\nclasses = 2\n", &["input"]);
        refuses(&GPT.replace("n_heads = 2", "n_heads = 3"), &["heads", "3"]);
        refuses(&GPT.replace("width", "breadth"), &["breadth"]);
        refuses(&GPT.replace("width = 8", "width = 0"), &["width", "0"]);
        refuses(&GPT.replace("vocabulary = 11", ""), &["vocabulary"]);
    }
}
