//! Any network in a parametrisation.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::base::rng::Streams;
use crate::nn::batch::InputTensor;
use crate::nn::forward::Plan;
use crate::nn::model::Model;
use crate::nn::params::Layout;
use crate::nn::spec::{Activation, AttentionScale, ModelSpec};
use crate::record::TokenKind;

use super::scaling;
use super::spec::{Form, Parametrization};

/// A network whose starts are scaled and, in the explicit form, whose parameters are multiplied before the inner network
/// sees them.
#[derive(Clone)]
struct Parametrized {
    inner: Arc<dyn Model>,
    starts: Vec<f64>,
    /// None in the absorbed form.
    multipliers: Option<Vec<f64>>,
    title: String,
}

/// What [`crate::nn::build::build`] should build before it is parametrised.
pub(in crate::nn) fn inner_spec(spec: &ModelSpec) -> ModelSpec {
    if spec.parametrization.kind == Parametrization::Standard {
        return spec.clone();
    }
    let mut inner = scaling::with_branch_factor(spec);
    let base = &spec.parametrization;
    let by_dot_product =
        inner.attention.scale == AttentionScale::InverseSqrt && !inner.attention.qk_norm && !inner.attention.shaped;
    if base.kind == Parametrization::GammaPower && by_dot_product {
        // Between 1/sqrt(d) and 1/d, as far as gamma is between 1 and sqrt(m).
        let m = spec.width as f64 / base.base_width as f64;
        inner.attention.inverse_temperature *= m.powf(-base.gamma_exponent);
    } else if base.kind != Parametrization::Ntk && by_dot_product {
        // Queries and keys align as they learn features, so their products grow as d and not as sqrt(d): logits are
        // q k / d, with the factor that makes both the same at the base width (Yang et al. 2022, section 4).
        inner.attention.scale = AttentionScale::Inverse;
        inner.attention.inverse_temperature *= (base.base_width as f64 / spec.n_heads.max(1) as f64).sqrt();
    }
    inner
}

/// The network in the parametrisation of `spec`; itself for Standard.
pub(in crate::nn) fn parametrized(spec: &ModelSpec, inner: Arc<dyn Model>) -> Arc<dyn Model> {
    let chosen = &spec.parametrization;
    if chosen.kind == Parametrization::Standard {
        return inner;
    }
    let layout = inner.layout();
    let explicit = chosen.form == Form::Explicit;
    let mut title = format!("{}, {} (base width {}", inner.title(), chosen.kind.title(), chosen.base_width);
    if matches!(chosen.kind, Parametrization::DepthMup | Parametrization::DepthInverse) {
        title.push_str(&format!(", base depth {}", chosen.base_depth));
    }
    if chosen.kind == Parametrization::GammaPower {
        title.push_str(&format!(", a {}", chosen.gamma_exponent));
    }
    if chosen.gamma0 != 1.0 {
        title.push_str(&format!(", gamma0 {}", chosen.gamma0));
    }
    title.push_str(if explicit { ", explicit multipliers)" } else { ")" });
    Arc::new(Parametrized {
        starts: scaling::starts(spec, layout),
        multipliers: explicit.then(|| scaling::multipliers(spec, layout)),
        title,
        inner,
    })
}

impl Parametrized {
    /// The parameters that the inner network sees.
    fn multiplied<'a>(&self, params: &'a [Tensor]) -> Result<Cow<'a, [Tensor]>> {
        let Some(multipliers) = &self.multipliers else { return Ok(Cow::Borrowed(params)) };
        let pairs = params.iter().zip(multipliers);
        pairs
            .map(|(theta, &c)| if c == 1.0 { Ok(theta.clone()) } else { theta * c })
            .collect::<Result<_>>()
            .map(Cow::Owned)
    }
}

impl Model for Parametrized {
    fn forward(&self, params: &[Tensor], inputs: &InputTensor, taps: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        self.inner.forward(&self.multiplied(params)?, inputs, taps)
    }

    fn attention_heads(&self) -> usize {
        self.inner.attention_heads()
    }

    fn attention_maps(&self, params: &[Tensor], inputs: &InputTensor) -> Result<Vec<Tensor>> {
        self.inner.attention_maps(&self.multiplied(params)?, inputs)
    }

    fn init(&self, streams: &Streams) -> Vec<f64> {
        let mut flat = self.inner.init(streams);
        for (index, &factor) in self.starts.iter().enumerate() {
            if factor != 1.0 {
                flat[self.layout().range(index)].iter_mut().for_each(|w| *w *= factor);
            }
        }
        flat
    }

    fn coupled_examples(&self) -> usize {
        self.inner.coupled_examples()
    }

    fn with_statistics_of(&self, params: &[Tensor], inputs: &InputTensor) -> Result<Option<Arc<dyn Model>>> {
        let inner = self.inner.with_statistics_of(&self.multiplied(params)?, inputs)?;
        Ok(inner.map(|inner| Arc::new(Self { inner, ..self.clone() }) as Arc<dyn Model>))
    }

    fn statistics(&self) -> Option<String> {
        self.inner.statistics()
    }

    /// Only as long as the parameters are the layers' W and b themselves.
    fn chain(&self) -> Option<Activation> {
        if self.multipliers.is_some() { None } else { self.inner.chain() }
    }

    fn plan(&self) -> Option<Plan> {
        if self.multipliers.is_some() { None } else { self.inner.plan() }
    }

    fn layout(&self) -> &Arc<Layout> {
        self.inner.layout()
    }

    fn layers(&self) -> &[String] {
        self.inner.layers()
    }

    fn token_kind(&self) -> TokenKind {
        self.inner.token_kind()
    }

    fn title(&self) -> String {
        self.title.clone()
    }
}
