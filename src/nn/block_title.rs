//! The switches of a network in words.

use super::spec::{
    Activation, AttentionScale, BranchGain, DepthScaling, EmbeddingNorm, FinalNorm, Mask, ModelKind, ModelSpec,
};

/// What isn't at its default and has an effect, a few words each.
pub(super) fn switches(spec: &ModelSpec) -> Vec<String> {
    let (block, attention) = (&spec.block, &spec.attention);
    let mut words = Vec::new();
    let mut say = |is_so: bool, word: &str| {
        if is_so {
            words.push(word.to_owned());
        }
    };
    say(block.final_norm == FinalNorm::On && !spec.norm.is_pre(), "final norm");
    say(block.final_norm == FinalNorm::Off && spec.norm.is_pre(), "no final norm");
    say(block.embedding_norm == EmbeddingNorm::Stream, "normalised embedding");
    say(block.embedding_norm == EmbeddingNorm::FirstBranch, "normalised first branch");
    say(block.skip_scale != 1.0, &format!("skip × {}", rounded(block.skip_scale)));
    let depth = match block.depth_scaling {
        DepthScaling::None => "",
        DepthScaling::InverseSqrtBranches => "branches × 1/√branches",
        DepthScaling::InverseBranches => "branches × 1/branches",
        DepthScaling::InverseSqrtBlocks => "branches × 1/√depth",
        DepthScaling::InverseBlocks => "branches × 1/depth",
    };
    say(!depth.is_empty(), depth);
    say(block.branch_gain == BranchGain::SkipInit, "SkipInit");
    say(block.branch_gain == BranchGain::LayerScale, "LayerScale");
    say(block.mlp_input_scale, "MLP input scale");
    say(block.shaped_relu && spec.activation == Activation::Relu, "shaped");
    say(block.unit_gain, "unit gain");
    if matches!(spec.kind, ModelKind::VisionTransformer | ModelKind::Gpt) {
        let is_gpt = spec.kind == ModelKind::Gpt;
        say(attention.mask == Mask::Causal && !is_gpt, "causal");
        say(attention.mask == Mask::Bidirectional && is_gpt, "bidirectional");
        say(attention.qk_norm, "QK-norm");
        say(attention.scale == AttentionScale::Inverse, "logits / d_head");
        say(attention.inverse_temperature != 1.0, &format!("logits × {}", rounded(attention.inverse_temperature)));
        say(attention.softcap > 0.0, &format!("soft-cap {}", rounded(attention.softcap)));
        say(attention.shaped, "shaped attention");
        say(attention.shaped && attention.train_gains, "trained gains");
        say(block.tied_embeddings && is_gpt, "tied embeddings");
        say(!block.positions, "no positions");
    }
    say(!block.biases, "no biases");
    words
}

/// Four digits at most.
fn rounded(x: f64) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powi(3 - x.abs().log10().floor() as i32);
    (x * unit).round() / unit
}
