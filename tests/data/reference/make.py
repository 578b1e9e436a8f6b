"""Makes networks.json: reference values of tiny networks in f64, which tests/it/reference.rs compares the program with.

    python make.py            writes networks.json beside this file; a rerun gives the same bytes

torch 2.15.0, one thread. Weights, inputs, labels and directions are formulas of the running index i (row-major, tensors in the
flattening order of docs/MEASURE.md), so that both sides compute them: w = 0.4 sin(1.3 i + 0.5), x = sin(0.9 i + 0.2),
y = (i^2 + 1) mod classes, v = cos(0.7 i). Numbers are rounded to 13 significant digits.
"""

import json
import tomllib
from pathlib import Path

import torch

import networks

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

# Each with its tensors in the flattening order. Smooth activations; a dozen examples, so that the Hessian has clearly separated
# leading eigenvalues.
MLP = """
[model]
kind = "mlp"
width = 4
depth = 2
activation = "tanh"
[input]
shape = [5]
[output]
classes = 3
"""
MLP_TENSORS = {"layer 1.weight": [5, 4], "layer 1.bias": [4], "layer 2.weight": [4, 4], "layer 2.bias": [4], "output.weight": [4, 3],
               "output.bias": [3]}
TRANSFORMER = """
[model]
kind = "vision-transformer"
width = 4
depth = 1
n_heads = 2
patch = 2
[loss]
temperature = 1.25
[input]
shape = [4, 4, 1]
[output]
classes = 3
"""
TRANSFORMER_TENSORS = {
    "embedding.weight": [4, 4], "embedding.bias": [4], "embedding.positions": [4, 4],
    "block 1.attention.norm.gain": [4], "block 1.attention.norm.bias": [4],
    "block 1.attention.query key value.weight": [4, 12], "block 1.attention.query key value.bias": [12],
    "block 1.attention.project.weight": [4, 4], "block 1.attention.project.bias": [4],
    "block 1.mlp.norm.gain": [4], "block 1.mlp.norm.bias": [4],
    "block 1.mlp.expand.weight": [4, 16], "block 1.mlp.expand.bias": [16],
    "block 1.mlp.contract.weight": [16, 4], "block 1.mlp.contract.bias": [4],
    "output.norm.gain": [4], "output.norm.bias": [4], "output.weight": [4, 3], "output.bias": [3],
}
NETWORKS = {"MLP": (MLP, MLP_TENSORS), "Pre-LN transformer": (TRANSFORMER, TRANSFORMER_TENSORS)}
EXAMPLES = 12


def index(*shape):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)


def values(text, tensors):
    spec = tomllib.loads(text)
    m, l = networks.settings(spec)
    total = sum(torch.Size(shape).numel() for shape in tensors.values())
    flat_weights = 0.4 * torch.sin(1.3 * index(total) + 0.5)
    parts = flat_weights.split([torch.Size(shape).numel() for shape in tensors.values()])
    params = {name: part.reshape(shape) for (name, shape), part in zip(tensors.items(), parts)}
    x = torch.sin(0.9 * index(EXAMPLES, *spec["input"]["shape"]) + 0.2)
    i = torch.arange(EXAMPLES)
    flat = networks.Flat(m, l, params, x, (i * i + 1) % spec["output"]["classes"])
    v = torch.cos(0.7 * index(total))
    hessian = flat.hessian()
    eigenvalues = torch.linalg.eigvalsh((hessian + hessian.T) / 2).flip(0)
    outputs, slope = torch.func.jvp(flat.outputs, (flat.w,), (v,))
    loss_of = lambda f: networks.loss(l, f, flat.y)
    _, curved = torch.func.jvp(torch.func.grad(loss_of), (outputs,), (slope,))
    (ggn,) = torch.func.vjp(flat.outputs, flat.w)[1](curved)
    jacobian = torch.func.jacrev(flat.outputs)(flat.w)
    taps = networks.forward(m, params, x)[1]
    by_layer = lambda f: {name: f(h).item() for name, h in taps.items()}
    return {
        "model": text,
        "examples": EXAMPLES,
        "loss": flat.loss(flat.w).item(),
        "gradient": flat.gradient().tolist(),
        "hessian_product": (hessian @ v).tolist(),
        "gauss_newton_product": ggn.tolist(),
        "eigenvalues": eigenvalues[:5].tolist(),
        "trace": hessian.trace().item(),
        "tangent-kernel": torch.einsum("nop,mop->nm", jacobian, jacobian).flatten().tolist(),
        "kurtosis": by_layer(networks.kurtosis),
        "max-median-ratio": by_layer(networks.max_median),
        "token-cosine": by_layer(networks.token_cosine),
    }


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    return float(f"{value:.12e}") if isinstance(value, float) else value


table = {name: rounded(values(*network)) for name, network in NETWORKS.items()}
Path(__file__).with_name("networks.json").write_text(json.dumps(table, indent=1) + "\n")
