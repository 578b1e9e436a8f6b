"""Audits `landscope init` and `landscope measure` with networks rebuilt from docs/MEASURE.md alone (networks.py and signals.py,
PyTorch in f64).

    python rebuild.py path/to/landscope [seed]

For every network below it lets the program write initial weights for the seed, makes data of its own, computes loss, gradient
norm, curvature, kernel and the statistics of signals, and prints how far the program's numbers are off, relative to the largest
number of each value. Ends with an error where one is off by more than 1e-9. Needs torch, numpy and safetensors (2.15.0, 2.4.6 and
0.8.0 were used).
"""

import json
import math
import secrets
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import networks
import signals

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
TOLERANCE = 1e-9
PROBES = ["loss", "accuracy", "gradient", "sharpness", "eigenvalues", "trace", "directional-sharpness", "tangent-kernel", "kurtosis",
          "max-median-ratio", "token-cosine", "mean-token-distance", "stable-rank", "effective-rank", "gram", "dead-units",
          "attention-entropy", "int8-activations", "int8-weights", "gradient-roles"]

# A model.toml each; without an [output], classes are added.
MODELS = {
    "MLP": """
        [model]
        kind = "mlp"
        width = 12
        activation = "tanh"
        [input]
        shape = [5]""",
    "MLP, locally connected": """
        [model]
        kind = "mlp"
        width = 24
        sharing = "local"
        [model.block]
        biases = false
        [input]
        shape = [3, 4, 2]""",
    "MLP with shared weights, muP, explicit": """
        [model]
        kind = "mlp"
        width = 24
        sharing = "shared"
        activation = "silu"
        [model.parametrization]
        kind = "mup"
        form = "explicit"
        base_width = 12
        [input]
        shape = [3, 4, 2]""",
    "ConvNet": """
        [model]
        kind = "conv-net"
        width = 5
        depth = 3
        stages = 2
        activation = "relu"
        [input]
        shape = [4, 6, 2]""",
    "Residual ConvNet with strides, Depth-muP": """
        [model]
        kind = "residual-conv-net"
        width = 6
        depth = 3
        stages = 3
        downsample = "stride"
        norm = "pre-rms-norm"
        [model.parametrization]
        kind = "depth-mup"
        form = "explicit"
        base_width = 3
        [input]
        shape = [4, 8, 1]""",
    "Residual MLP, NTK, regression": """
        [model]
        kind = "residual-mlp"
        width = 9
        depth = 3
        [model.block]
        branch_gain = "layer-scale"
        branch_gain_init = 0.4
        unit_gain = true
        [model.parametrization]
        kind = "ntk"
        form = "explicit"
        gamma0 = 2.0
        [input]
        shape = [7]
        [output]
        values = 2""",
    "Pre-LN vision transformer": """
        [model]
        kind = "vision-transformer"
        width = 8
        depth = 1
        n_heads = 2
        [input]
        shape = [4, 6, 2]""",
    "Outlier-Protected transformer": """
        [model]
        kind = "vision-transformer"
        width = 8
        n_heads = 2
        activation = "relu"
        norm = "none"
        [model.block]
        embedding_norm = "first-branch"
        depth_scaling = "inverse-sqrt-branches"
        biases = false
        [model.attention]
        qk_norm = true
        [input]
        shape = [4, 4, 2]""",
    "Shaped transformer, mean squared error": """
        [model]
        kind = "vision-transformer"
        width = 8
        n_heads = 2
        activation = "relu"
        norm = "none"
        residual_scale = 0.3535533905932738
        [model.block]
        skip_scale = 0.9354143466934853
        unit_gain = true
        shaped_relu = true
        slope_plus = 0.5
        biases = false
        [model.attention]
        shaped = true
        train_gains = true
        [loss]
        kind = "mse"
        [input]
        shape = [4, 4, 2]""",
    "GPT": """
        [model]
        kind = "gpt"
        width = 8
        depth = 1
        n_heads = 2
        [loss]
        temperature = 1.5
        [input]
        tokens = 6
        vocabulary = 7""",
    "GPT, muP, absorbed": """
        [model]
        kind = "gpt"
        width = 8
        n_heads = 2
        [model.parametrization]
        kind = "mup"
        base_width = 4
        gamma0 = 0.5
        [input]
        tokens = 6
        vocabulary = 7""",
    "GPT, muP, explicit": """
        [model]
        kind = "gpt"
        width = 8
        n_heads = 2
        [model.parametrization]
        kind = "mup"
        form = "explicit"
        base_width = 4
        gamma0 = 0.5
        [input]
        tokens = 6
        vocabulary = 7""",
    "GPT, Post-LN, tied, with the other switches": """
        [model]
        kind = "gpt"
        width = 8
        n_heads = 4
        norm = "post-ln"
        activation = "silu"
        residual_scale = 0.8
        [model.block]
        final_norm = "on"
        embedding_norm = "stream"
        branch_gain = "skip-init"
        branch_gain_init = 0.7
        mlp_input_scale = true
        depth_scaling = "inverse-blocks"
        tied_embeddings = true
        [model.attention]
        softcap = 0.9
        scale = "inverse"
        inverse_temperature = 3.0
        mask = "bidirectional"
        [input]
        tokens = 6
        vocabulary = 7""",
    "Transformer of features, SRMSNorm, 1/L branches": """
        [model]
        kind = "vision-transformer"
        width = 8
        n_heads = 2
        norm = "pre-srms-norm"
        [model.block]
        positions = false
        [model.attention]
        mask = "causal"
        [model.parametrization]
        kind = "depth-inverse"
        base_depth = 1
        base_width = 16
        [input]
        shape = [5]""",
}
OUTPUT = "\n[output]\nclasses = "


def data(spec, rng):
    examples = 12
    if "shape" in spec["input"]:
        x = rng.normal(size=[examples, *spec["input"]["shape"]])
    if "values" in spec["output"]:
        return {"x": x, "y": rng.normal(size=[examples, spec["output"]["values"]])}
    classes = spec["output"]["classes"]
    if "shape" in spec["input"]:
        return {"x": x, "y": rng.integers(0, classes, examples)}
    size = [examples, spec["input"]["tokens"]]
    y = rng.integers(0, classes, size)
    # Every third position isn't graded.
    y[:, ::3] = -1
    return {"x": rng.integers(0, spec["input"]["vocabulary"], size), "y": y}


def theirs(program, folder, text, seed, tensors, probes):
    files = {name: str(folder / name) for name in ["model.toml", "weights", "data"]}
    Path(files["model.toml"]).write_text(text)
    save_file(tensors, files["data"])
    run = lambda *arguments: subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout
    run("init", "--model", files["model.toml"], "--seed", str(seed), "--out", files["weights"])
    flags = [flag for probe in probes for flag in ["--probe", probe]]
    report = run("measure", "--model", files["model.toml"], "--weights", files["weights"], "--data", files["data"], "--dtype", "f64",
                 "--test-vectors", "all", "--json", "-", *flags)
    return {one["id"]: one["value"] for one in json.loads(report)["measurements"]}, load_file(files["weights"])


def ours(spec, weights, tensors):
    m, l = networks.settings(spec)
    params = {name: torch.tensor(t, dtype=torch.float64) for name, t in weights.items()}
    x, y = torch.tensor(tensors["x"]), torch.tensor(tensors["y"])
    flat = networks.Flat(m, l, params, x, y)
    gradient, hessian = flat.gradient(), flat.hessian()
    eigenvalues = torch.linalg.eigvalsh((hessian + hessian.T) / 2).flip(0)
    examples, jacobian = len(x), torch.func.jacrev(flat.outputs)(flat.w)
    jacobian = jacobian.reshape(examples, -1, len(flat.w))
    outputs, taps, maps = networks.forward(m, params, x)
    hit = torch.tensor([math.nan]) if y.is_floating_point() else (outputs.argmax(1) == y.flatten())[y.flatten() >= 0]
    return {
        "loss": flat.loss(flat.w).item(),
        "accuracy": hit.double().mean().item(),
        "gradient": gradient.norm().item(),
        "sharpness": eigenvalues[0].item(),
        "eigenvalues": eigenvalues[:5].tolist(),
        "trace": hessian.trace().item(),
        "directional-sharpness": (gradient @ hessian @ gradient / (gradient @ gradient)).item(),
        "tangent-kernel": torch.einsum("nop,mop->nm", jacobian, jacobian).flatten().tolist(),
        **signals.signals(m, params, taps, maps, flat.named(gradient)),
    }


def off(found, known):
    """Largest difference, relative to the largest number; what isn't finite has to be so in both (null in JSON)."""
    if isinstance(known, dict):
        assert set(found) == set(known), f"{sorted(found)} and {sorted(known)}"
        found, known = [found[name] for name in known], list(known.values())
    found, known = np.array(found, dtype=float).ravel(), np.array(known, dtype=float).ravel()
    assert (np.isfinite(found) == np.isfinite(known)).all() and len(found) == len(known), f"{found} and {known}"
    found, known = found[np.isfinite(known)], known[np.isfinite(known)]
    largest = np.abs(known).max(initial=0.0)
    return float(np.abs(found - known).max(initial=0.0) / (largest if largest > 0 else 1.0))


def main():
    program = str(Path(sys.argv[1]).resolve())
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(2**32)
    print(f"seed {seed}")
    worst = 0.0
    for title, text in MODELS.items():
        if "[output]" not in text:
            text += OUTPUT + ("7" if "vocabulary" in text else "4")
        spec = tomllib.loads(text)
        tensors = data(spec, np.random.default_rng(seed))
        with tempfile.TemporaryDirectory() as folder:
            # The values are known by the weights alone, so the program runs first.
            found, weights = theirs(program, Path(folder), text, seed, tensors, PROBES)
        known = ours(spec, weights, tensors)
        assert set(known) == set(PROBES)
        print(f"{title}, {sum(t.size for t in weights.values())} parameters")
        for name in PROBES:
            difference = off(found[name], known[name])
            worst = max(worst, difference)
            shown = np.array(list(known[name].values()) if isinstance(known[name], dict) else known[name]).ravel()
            first = f"{shown[0]:.15g}" if len(shown) else "none"
            print(f"  {name:22} {first:<22} off by {difference:.1e}")
    print(f"{len(MODELS)} networks, largest relative difference {worst:.1e}, allowed {TOLERANCE:.0e}")
    sys.exit(0 if worst <= TOLERANCE else 1)


main()
