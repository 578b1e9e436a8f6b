"""Makes networks.json: reference values of tiny networks in f64, which tests/it/reference.rs compares the program with.

    python make.py            writes networks.json beside this file; a rerun gives the same bytes

Python 3.11, torch 2.15.0, numpy 2.4.6, one thread. Networks, statistics and optimisers: networks.py, signals.py, optimizers.py.
Weights, inputs, labels and directions are formulas of the running index i (row-major, tensors in the flattening order of
docs/MEASURE.md), so that both sides compute them: w = 0.4 sin(1.3 i + 0.17 i^2 + 0.5), x = sin(0.9 i + 0.13 i^2 + 0.2),
y = (i^2 + 1) mod classes, v = cos(0.7 i); the squares give matrices their full rank. Numbers are rounded to 13 significant digits;
what isn't finite is null.
"""

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import torch

import networks
import optimizers
import signals

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

EXAMPLES = 12
STEPS = 10

# A dozen examples each, so that the Hessian has clearly separated leading eigenvalues.
MLP = """
[model]
kind = "mlp"
width = 4
depth = 2
activation = "tanh"
[input]
shape = [5]
[output]
classes = 5
"""
# Two stages, so that a picture is halved; sides that aren't equal.
CONVNET = """
[model]
kind = "conv-net"
width = 4
depth = 2
activation = "relu"
stages = 2
[input]
shape = [4, 6, 1]
[output]
classes = 5
"""
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
classes = 5
"""
# The preset of docs/MODELS.md. Two blocks, so that only one has the normalisation at its entrance.
OUTLIER_PROTECTED = """
[model]
kind = "vision-transformer"
width = 4
depth = 2
n_heads = 2
patch = 2
activation = "relu"
norm = "none"
[model.block]
embedding_norm = "first-branch"
depth_scaling = "inverse-sqrt-branches"
biases = false
[model.attention]
qk_norm = true
[input]
shape = [4, 4, 1]
[output]
classes = 5
"""


def affine(name, fan_in, fan_out):
    return {f"{name}.weight": [fan_in, fan_out], f"{name}.bias": [fan_out]}


def norm(name, width):
    return {f"{name}.gain": [width], f"{name}.bias": [width]}


def outlier_protected_block(number):
    a, m = f"block {number}.attention", f"block {number}.mlp"
    entrance = {f"{a}.input norm.gain": [4]} if number == 1 else {}
    return entrance | {f"{a}.query key value.weight": [4, 12], f"{a}.query norm.gain": [2], f"{a}.key norm.gain": [2],
                       f"{a}.project.weight": [4, 4], f"{m}.expand.weight": [4, 16], f"{m}.contract.weight": [16, 4]}


# Each with its tensors in the flattening order.
NETWORKS = {
    "MLP": (MLP, affine("layer 1", 5, 4) | affine("layer 2", 4, 4) | affine("output", 4, 5)),
    "ConvNet": (CONVNET, affine("stem", 9, 4) | affine("layer 1", 36, 4) | affine("layer 2", 36, 4) | affine("output", 4, 5)),
    "Pre-LN transformer": (
        TRANSFORMER,
        affine("embedding", 4, 4) | {"embedding.positions": [4, 4]} | norm("block 1.attention.norm", 4)
        | affine("block 1.attention.query key value", 4, 12) | affine("block 1.attention.project", 4, 4)
        | norm("block 1.mlp.norm", 4) | affine("block 1.mlp.expand", 4, 16) | affine("block 1.mlp.contract", 16, 4)
        | norm("output.norm", 4) | affine("output", 4, 5),
    ),
    "Outlier-Protected transformer": (
        OUTLIER_PROTECTED,
        {"embedding.weight": [4, 4], "embedding.positions": [4, 4]} | outlier_protected_block(1) | outlier_protected_block(2)
        | {"output.weight": [4, 5]},
    ),
}

# Ten steps of each. Epsilon is large beside the rounding of gradients that are zero in exact arithmetic (those of the keys'
# biases), which a tiny one would blow up to whole steps. SOAP's basis isn't unique in
# null spaces of more than one dimension. So Shampoo and SOAP precondition sides up to 4 only, and there are five classes:
# with three, gradients of the output matrix had rank two.
OPTIMIZERS = {
    "sgd": dict(kind="sgd", lr=0.1, nesterov=True, weight_decay=0.05),
    "adam": dict(kind="adam", weight_decay=0.1),
    "adam-w": dict(kind="adam-w", weight_decay=0.3),
    "rms-prop": dict(kind="rms-prop", momentum=0.5),
    "muon": dict(kind="muon", weight_decay=0.3),
    "shampoo": dict(kind="shampoo", precondition_longest=4),
    "soap": dict(kind="soap", precondition_longest=4),
    "sam": dict(kind="sgd", lr=0.1, momentum=0.5, sam_rho=0.1),
}


def index(*shape):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)


def trajectory(flat, changes):
    """The losses at steps 0 to 10, and the parameters after the last one as their products with cos(0.7 i) and with themselves."""
    spec = optimizers.DEFAULTS | {"epsilon": 1e-3} | changes
    params = {name: t.numpy().copy() for name, t in flat.named(flat.w).items()}

    def loss_and_gradient(params):
        w = torch.tensor(np.concatenate([params[name].ravel() for name in params])).requires_grad_()
        loss = flat.loss(w)
        (g,) = torch.autograd.grad(loss, w)
        return loss.item(), {name: t.numpy().copy() for name, t in flat.named(g).items()}

    matrices = [name for name, t in params.items() if t.ndim == 2]
    decaying = [name for name in matrices if name != "embedding.positions"]
    hidden = [name for name in decaying if name not in [networks.first_matrix(flat.m), "output.weight"]]
    problem = optimizers.Problem(params, matrices, decaying, hidden, loss_and_gradient)
    losses, kept = optimizers.train(problem, spec, [spec["lr"]] * STEPS, [STEPS])
    last = torch.tensor(kept[0])
    losses.append(flat.loss(last).item())
    return {"optimizer": spec, "losses": losses, "last": [(last @ torch.cos(0.7 * index(len(last)))).item(), (last @ last).item()]}


def values(text, tensors):
    spec = tomllib.loads(text)
    m, l = networks.settings(spec)
    total = sum(torch.Size(shape).numel() for shape in tensors.values())
    i = index(total)
    flat_weights = 0.4 * torch.sin(1.3 * i + 0.17 * i * i + 0.5)
    parts = flat_weights.split([torch.Size(shape).numel() for shape in tensors.values()])
    params = {name: part.reshape(shape) for (name, shape), part in zip(tensors.items(), parts)}
    i = index(EXAMPLES, *spec["input"]["shape"])
    x = torch.sin(0.9 * i + 0.13 * i * i + 0.2)
    i = torch.arange(EXAMPLES)
    flat = networks.Flat(m, l, params, x, (i * i + 1) % spec["output"]["classes"])
    v = torch.cos(0.7 * index(total))
    gradient, hessian = flat.gradient(), flat.hessian()
    eigenvalues = torch.linalg.eigvalsh((hessian + hessian.T) / 2).flip(0)
    outputs, slope = torch.func.jvp(flat.outputs, (flat.w,), (v,))
    loss_of = lambda f: networks.loss(l, f, flat.y)
    _, curved = torch.func.jvp(torch.func.grad(loss_of), (outputs,), (slope,))
    (ggn,) = torch.func.vjp(flat.outputs, flat.w)[1](curved)
    jacobian = torch.func.jacrev(flat.outputs)(flat.w)
    _, taps, maps = networks.forward(m, params, x)
    return {
        "model": text,
        "examples": EXAMPLES,
        "tensors": tensors,
        "loss": flat.loss(flat.w).item(),
        "accuracy": (outputs.argmax(1) == flat.y).double().mean().item(),
        "gradient": gradient.tolist(),
        "hessian_product": (hessian @ v).tolist(),
        "gauss_newton_product": ggn.tolist(),
        "eigenvalues": eigenvalues[:5].tolist(),
        "trace": hessian.trace().item(),
        "directional-sharpness": (gradient @ hessian @ gradient / (gradient @ gradient)).item(),
        "tangent-kernel": torch.einsum("nop,mop->nm", jacobian, jacobian).flatten().tolist(),
        **signals.signals(m, params, taps, maps, flat.named(gradient)),
        "trajectories": {name: trajectory(flat, changes) for name, changes in OPTIMIZERS.items()},
    }


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        # JSON has neither infinity nor NaN; and what is zero but for rounding is zero, on every machine.
        if not math.isfinite(value):
            return None
        return float(f"{value:.12e}") if abs(value) > 1e-15 else 0.0
    return value


if __name__ == "__main__":
    table = {name: rounded(values(*network)) for name, network in NETWORKS.items()}
    # A line for each value of each network.
    line = lambda key, value: f'"{key}":{json.dumps(value, separators=(",", ":"))}'
    lines = [f'"{name}":{{\n' + ",\n".join(line(*one) for one in known.items()) + "}" for name, known in table.items()]
    Path(__file__).with_name("networks.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
