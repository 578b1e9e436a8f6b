//! All measurements of the Playground, in the order in which they are explained.

/// What there is to know of a measurement before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Such as `landscape`.
    pub id: &'static str,
    pub title: &'static str,
    /// What it costs, in words.
    pub cost: &'static str,
    /// How to read what it measures.
    pub guide: &'static str,
}

pub const PROBES: &[Probe] = &[
    Probe {
        id: "landscape",
        title: "Loss landscape",
        cost: "81 to 4,225 forward passes over the slice's examples",
        guide: "Training loss on a plane through the current parameters, which are the centre. The plane is spanned by \
                two random directions, filter-normalised (Li et al. 2018): at distance 1 every neuron has changed by \
                its own length, so that slices of different networks can be compared. Sharp minima look narrow. Two \
                random directions among thousands see little of where training came from: the path is drawn as its \
                projection, and the share of the distance that lies in the plane says how much that is.",
    },
    Probe {
        id: "slice_metric",
        title: "Metrics on the slice",
        cost: "33 points along the axes, or 81 to 1,089 of a grid: up to some dozens of Hessian-vector products each (sharpness), \
               ten (trace), one and a gradient (directional sharpness), one gradient, or one forward pass (kurtosis, max-median \
               ratio, token cosine)",
        guide: "Another number than the loss on the plane of the landscape and its examples, measured only while the knob Slice \
                metric or the pane's list asks for it. From the centre outwards and the axes first, so that a profile is there \
                early; points that weren't reached are left out. The note says how far the numbers can be trusted.",
    },
    Probe {
        id: "sharpness",
        title: "Sharpness",
        cost: "up to some dozens of Hessian-vector products, each about four gradients of the examples",
        guide: "Largest eigenvalue of the training loss's Hessian. Gradient descent is stable only below the threshold \
                (2 over the learning rate, without momentum); full-batch training often sharpens until it gets there \
                and then hovers: the edge of stability (Cohen et al. 2021). Under Adam, or with learning rates of a \
                parametrisation, the preconditioned Hessian has the line (Cohen et al. 2022).",
    },
    Probe {
        id: "spectrum",
        title: "Hessian spectrum",
        cost: "some fifty to 130 Hessian-vector products, each about two to four gradients of the examples",
        guide: "The largest and the most negative eigenvalues of the training loss's Hessian, each with its residual, the \
                density of all the others by stochastic Lanczos quadrature (Ghorbani et al. 2019), and the trace with its \
                standard error. Most eigenvalues crowd around zero; about as many as there are classes stand out.",
    },
    Probe {
        id: "activations",
        title: "Activations",
        cost: "one forward pass over the examples, shared with token similarity and signal propagation",
        guide: "How the numbers in each layer are distributed. The range is a power of two that follows their root \
                mean square; what lies beyond is counted as tails. Look for layers that die (all zero), saturate, grow \
                with depth, or have outliers far beyond the bulk.",
    },
    Probe {
        id: "token_cosine",
        title: "Token similarity",
        cost: "one forward pass over the examples, shared with the activations",
        guide: "Mean cosine between different tokens of a sequence, a layer at a time: 0 when they point anywhere, 1 \
                when all have become one vector (rank collapse; Dong et al. 2021, Noci et al. 2022). Networks without \
                tokens compare examples instead.",
    },
    Probe {
        id: "propagation",
        title: "Signal propagation",
        cost: "no forward pass of its own (it shares that of the activations); a singular value decomposition a layer",
        guide: "Numbers of each layer's activations: kurtosis of neuron RMS (1 when all neurons are equal, the width when \
                one carries everything) and max-median ratio for outlier features, input and feature Gram statistics \
                with the identity that ties them to the kurtosis, what rounding activations and weights to int8 costs, \
                stable and effective rank, the distance to the mean token, and the share of dead units (He et al. 2024, \
                Noci et al. 2022). Ranks, Grams and the max-median ratio take a fair choice of rows where a layer has \
                many: at most max(256, 2^25 / width^2).",
    },
    Probe {
        id: "attention",
        title: "Attention",
        cost: "one forward pass over 32 examples and one more, for transformers only",
        guide: "How far each head's attention spreads, as the mean entropy of its rows in nats: ln T when it looks at all T \
                tokens alike, 0 when every query looks at one; and the maps themselves for one training example. Under a \
                causal mask the first queries see few tokens, so uniform attention has ln(T!)/T. Of more than 64 tokens \
                the maps show groups of neighbours. Shaped attention has negative weights and no entropy.",
    },
    Probe {
        id: "gradients",
        title: "Gradients",
        cost: "nothing beyond training",
        guide: "Euclidean norm of the minibatch gradient for each group of parameters, and how far the update moves the \
                group relative to its own norm; every 20 steps also by role (queries, keys, values, projection, ...). \
                Groups that fall behind by orders of magnitude hardly learn; relative \
                updates well above 1e-2 are restless.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_everything_is_explained() {
        for (i, probe) in PROBES.iter().enumerate() {
            assert!(PROBES[..i].iter().all(|other| other.id != probe.id), "{}", probe.id);
            assert!(probe.guide.len() > 100 && !probe.title.is_empty() && !probe.cost.is_empty(), "{}", probe.id);
            assert!(!probe.guide.contains("  "), "{}", probe.id);
        }
    }
}
