//! What can be turned, and the experiment that a setting stands for.

use crate::run::bench::{LabKnob, Values, always};
use crate::run::knobs::{Knob, KnobKind, Liveness, Scale};
use crate::theory::shaped_chain::Network;
use crate::theory::shaped_transformer::{Shaped, equal_tokens, slopes_at};

/// Times that are kept of each path, at most about this many.
const KEPT: usize = 64;

const LIMIT: &str = "Equation";
const NETWORK: &str = "Networks";
const SWITCHES: &str = "Take away";
const SIZE: &str = "Size";

const fn float(id: &'static str, label: &'static str, range: [f64; 2], scale: Scale, texts: [&'static str; 3]) -> Knob {
    let [definition, formula, effect] = texts;
    let kind = KnobKind::Float { min: range[0], max: range[1], smallest: range[0], scale };
    Knob { id, label, liveness: Liveness::Recomputes, kind, definition, formula, effect }
}

const fn int(id: &'static str, label: &'static str, range: [u64; 2], texts: [&'static str; 3]) -> Knob {
    let [definition, formula, effect] = texts;
    let kind = KnobKind::Int { min: range[0], max: range[1], scale: Scale::Logarithmic, zero_means: None };
    Knob { id, label, liveness: Liveness::Recomputes, kind, definition, formula, effect }
}

const fn toggle(id: &'static str, label: &'static str, texts: [&'static str; 3]) -> Knob {
    let [definition, formula, effect] = texts;
    Knob { id, label, liveness: Liveness::Recomputes, kind: KnobKind::Toggle, definition, formula, effect }
}

const fn entry(group: &'static str, presets: [&'static str; 3], relevant: fn(&Values) -> bool, knob: Knob) -> LabKnob {
    LabKnob { knob, group, presets, relevant }
}

fn attention(values: &Values) -> bool {
    values.choice("block") != "mlp"
}

fn mlp(values: &Values) -> bool {
    values.choice("block") != "attention"
}

pub static KNOBS: &[LabKnob] = &[
    entry(
        LIMIT,
        ["full"; 3],
        always,
        Knob {
            id: "block",
            label: "Block",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Choice(&[("attention", "Attention"), ("mlp", "MLP"), ("full", "Attention, then MLP")]),
            definition: "The residual branches of a block.",
            formula: "X+ = λX + γ A X W/√n, then X+ = λX + γ √(c/n) σ(X W₁/√n) W₂",
            effect: "Attention moves lengths and correlations; the MLP draws correlations together by ν(ρ).",
        },
    ),
    entry(
        LIMIT,
        ["0.354"; 3],
        always,
        float(
            "gamma",
            "Branch weight γ",
            [0.02, 1.0],
            Scale::Linear,
            [
                "Weight of the branches; the skip has λ = √(1 − γ²).",
                "λ² + γ² = 1",
                "Larger: faster drift and wider fans; from about 0.7 on some paths explode.",
            ],
        ),
    ),
    entry(
        LIMIT,
        ["1"; 3],
        attention,
        float(
            "temperature",
            "Temperature τ₀",
            [0.1, 10.0],
            Scale::Logarithmic,
            [
                "Divides the logits of attention, together with √n.",
                "softmax(Y/(τ₀ √(n n_k)))",
                "Smaller: attention moves V more, by 1/τ₀²; infinite: only the values matter.",
            ],
        ),
    ),
    entry(
        LIMIT,
        ["0.75"; 3],
        always,
        float(
            "depth-to-width",
            "Depth to width T",
            [0.05, 3.0],
            Scale::Linear,
            [
                "Layers divided by width: the time that the equation runs to.",
                "T = d/n",
                "Larger: the fan opens further; the limit depends on this ratio, not on depth or width alone.",
            ],
        ),
    ),
    entry(
        LIMIT,
        ["0.2"; 3],
        always,
        float(
            "correlation",
            "Correlation at first ρ₀",
            [-0.95, 1.0],
            Scale::Linear,
            [
                "Correlation of any two tokens at the input; their variance is 1.",
                "V₀ = (1 − ρ₀) I + ρ₀ 11'",
                "Where the fan starts; at 1 the tokens are one and stay so.",
            ],
        ),
    ),
    entry(
        LIMIT,
        ["2"; 3],
        always,
        int(
            "tokens",
            "Tokens m",
            [2, 8],
            [
                "Tokens of the sequence; the first two are shown.",
                "V is [m, m]",
                "More tokens: each draws the others less.",
            ],
        ),
    ),
    entry(
        LIMIT,
        ["-1"; 3],
        mlp,
        float(
            "slope-minus",
            "Left slope c₋",
            [-4.0, 4.0],
            Scale::Linear,
            [
                "Slope of the activation on the left, at the scale of the width.",
                "s₋ = 1 + c₋/√n",
                "The further from c₊, the more the MLP draws correlations up: ν ∝ (c₊ − c₋)².",
            ],
        ),
    ),
    entry(
        LIMIT,
        ["0"; 3],
        mlp,
        float(
            "slope-plus",
            "Right slope c₊",
            [-4.0, 4.0],
            Scale::Linear,
            [
                "Slope of the activation on the right, at the scale of the width.",
                "s₊ = 1 + c₊/√n",
                "Equal to c₋ the activation is linear.",
            ],
        ),
    ),
    entry(
        LIMIT,
        ["false"; 3],
        mlp,
        toggle(
            "finite-width",
            "Drift at this width",
            [
                "The equation's MLP drift is that of the networks' width instead of its limit.",
                "c ν(ρ) with c = 2/(s₊² + s₋²)",
                "The equation comes closer to narrow networks.",
            ],
        ),
    ),
    entry(
        NETWORK,
        ["64", "128", "200"],
        always,
        int(
            "width",
            "Width n",
            [16, 512],
            [
                "Channels of chain and networks; their depth is T n.",
                "t = layer/n",
                "Larger: closer to the equation, and slower.",
            ],
        ),
    ),
    entry(
        NETWORK,
        ["0"; 3],
        attention,
        Knob {
            id: "key-width",
            label: "Key width n_k",
            liveness: Liveness::Recomputes,
            kind: KnobKind::Int { min: 1, max: 512, scale: Scale::Logarithmic, zero_means: Some("the width") },
            definition: "Channels of queries and keys; more than the width counts as the width.",
            formula: "Y = X W_Q W_K' X'/n, τ = τ₀ √(n n_k)",
            effect: "Next to nothing: the limit doesn't know it.",
        },
    ),
    entry(
        SWITCHES,
        ["true"; 3],
        attention,
        toggle(
            "centre",
            "Attention centred at the identity",
            [
                "Whether chain and networks attend by I + softmax − 1/m, or by the softmax alone.",
                "A = I + softmax(Y/τ) − 11'/m",
                "Off: the tokens become one within some layers.",
            ],
        ),
    ),
    entry(
        SWITCHES,
        ["true"; 3],
        attention,
        toggle(
            "grow-temperature",
            "Temperature grows with width",
            [
                "Whether the temperature of chain and networks has the factor √n.",
                "τ = τ₀ √(n n_k), or τ₀ √n_k",
                "Off: attention moves V by far more than 1/√n a layer; variances blow up.",
            ],
        ),
    ),
    entry(
        SWITCHES,
        ["true"; 3],
        mlp,
        toggle(
            "shape-activation",
            "Activation shaped",
            [
                "Whether the activation of chain and networks tends to the identity with width, or is the ReLU.",
                "s = 1 + c/√n, or 0 and 1",
                "Off: correlations are drawn to 1.",
            ],
        ),
    ),
    entry(
        SIZE,
        ["4096", "8192", "8192"],
        always,
        int(
            "paths",
            "Paths of the equation",
            [64, 65_536],
            ["Euler-Maruyama paths.", "error of a quantile ∝ 1/√paths", "More: smoother quantiles and densities."],
        ),
    ),
    entry(
        SIZE,
        ["512", "4096", "4096"],
        always,
        int(
            "chains",
            "Networks without weights",
            [16, 65_536],
            [
                "Networks of finite width, drawn exactly in law on the covariance alone; as many with each thing taken away.",
                "V+ = λ²V + γλ(XZ'A' + A ZX')/n + γ²A ZZ' A'/n",
                "More: a sharper comparison.",
            ],
        ),
    ),
    entry(
        SIZE,
        ["128", "384", "4096"],
        always,
        int(
            "networks",
            "Networks with weights",
            [8, 65_536],
            [
                "Networks of this program, all weights drawn; a quarter as many unshaped ones.",
                "n² weights a matrix",
                "More: a sharper comparison, and slower.",
            ],
        ),
    ),
    entry(
        SIZE,
        ["0.01"; 3],
        always,
        float(
            "time-step",
            "Time step dt",
            [0.001, 0.05],
            Scale::Logarithmic,
            [
                "Step of Euler-Maruyama, at most.",
                "V+ = V + b dt + Σ^½ √dt N",
                "Smaller: closer to the equation, and slower.",
            ],
        ),
    ),
];

/// What the knobs stand for.
#[derive(Clone, Debug)]
pub struct Setting {
    pub shaped: Shaped,
    /// With what is switched off.
    pub network: Network,
    /// V at the input, `[m, m]`.
    pub start: Vec<f64>,
    pub dt: f64,
    /// Times kept after the first.
    pub kept: usize,
    /// Layers between two of them.
    pub each: usize,
}

impl Setting {
    pub fn of(values: &Values) -> Self {
        let (width, tokens) = (values.int("width"), values.int("tokens"));
        let block = values.choice("block");
        let shaped = Shaped {
            tokens,
            gamma: values.float("gamma"),
            temperature: values.float("temperature"),
            attention: block != "mlp",
            mlp: block != "attention",
            slopes: [values.float("slope-plus"), values.float("slope-minus")],
            mlp_width: values.toggle("finite-width").then_some(width),
        };
        let key_width = values.int("key-width");
        let network = Network {
            shaped,
            width,
            key_width: if key_width == 0 { width } else { key_width.min(width) },
            centred: values.toggle("centre"),
            temperature_grows: values.toggle("grow-temperature"),
            slopes_shrink: values.toggle("shape-activation"),
        };
        let layers = ((values.float("depth-to-width") * width as f64).round() as usize).max(1);
        let each = layers.div_ceil(KEPT);
        let kept = (layers as f64 / each as f64).round() as usize;
        let start = equal_tokens(tokens, values.float("correlation"));
        Self { shaped, network, start, dt: values.float("time-step"), kept, each }
    }

    /// A whole number of kept intervals: it may miss T n by half of one.
    pub fn layers(&self) -> usize {
        self.kept * self.each
    }

    /// The last time.
    pub fn end(&self) -> f64 {
        self.layers() as f64 / self.network.width as f64
    }

    /// The network with nothing taken away.
    pub fn whole(&self) -> Network {
        Network { centred: true, temperature_grows: true, slopes_shrink: true, ..self.network }
    }
}

/// # Errors
/// One sentence that names the knob, the value and what to do.
pub fn check(values: &Values) -> Result<(), String> {
    let (tokens, rho) = (values.int("tokens"), values.float("correlation"));
    let least = -1.0 / (tokens as f64 - 1.0);
    if rho < least {
        return Err(format!(
            "correlation can't be {rho} with {tokens} tokens, which can't all be so far apart; give at least {least:.3}"
        ));
    }
    let width = values.int("width");
    let slopes = slopes_at([values.float("slope-plus"), values.float("slope-minus")], width);
    if slopes.iter().map(|s| s * s).sum::<f64>() < 0.02 {
        return Err(format!(
            "slope-minus and slope-plus leave an activation of slopes {:.2} and {:.2} at width {width}, which is next to nothing; give numbers further from −√n",
            slopes[1], slopes[0]
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::bench::Preset;

    fn values(set: &[(&str, &str)]) -> Values {
        let mut values = Values::preset(KNOBS, Preset::Paper);
        set.iter().for_each(|(id, text)| values.set_text(id, text).unwrap());
        values
    }

    #[test]
    fn layers_are_time_times_width_up_to_half_an_interval() {
        for (width, time) in [(16, 0.05), (64, 0.75), (128, 0.75), (200, 0.75), (333, 2.9), (512, 3.0)] {
            let setting = Setting::of(&values(&[("width", &width.to_string()), ("depth-to-width", &time.to_string())]));
            let asked = f64::max(time * f64::from(width), 1.0);
            assert!((setting.layers() as f64 - asked).abs() <= 0.5 * setting.each as f64 + 0.5, "{width} {time}");
            assert!((1..=KEPT).contains(&setting.kept), "{}", setting.kept);
        }
        let papers = Setting::of(&values(&[]));
        assert_eq!((papers.layers(), papers.each, papers.end()), (150, 3, 0.75));
        assert_eq!((papers.network.key_width, papers.shaped.mlp_width), (200, None));
    }

    #[test]
    fn rules_between_knobs_are_told_in_words() {
        assert_eq!(check(&values(&[("tokens", "3"), ("correlation", "-0.5")])), Ok(()));
        assert!(
            check(&values(&[("tokens", "3"), ("correlation", "-0.6")]))
                .unwrap_err()
                .contains("correlation can't be -0.6")
        );
        let flat = [("width", "16"), ("slope-minus", "-4"), ("slope-plus", "-4")];
        assert!(check(&values(&flat)).unwrap_err().contains("slope-minus"));
    }
}
