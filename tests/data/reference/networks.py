"""The networks of docs/MEASURE.md in PyTorch, written from that page: functions of a dict of tensors under their names.

Nothing here is shared with the program. Needs torch (2.15 was used).
"""

import math

import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "relu": torch.relu,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "tanh": torch.tanh,
    "silu": F.silu,
    "identity": lambda x: x,
}
DEFAULTS = {"kind": "vision-transformer", "width": 32, "depth": 2, "n_heads": 4, "activation": "gelu", "norm": "pre-ln",
            "residual_scale": 1.0, "patch": 2}


def settings(model_file):
    """The `[model]` table with its defaults, the `[loss]` table likewise."""
    return {**DEFAULTS, **model_file.get("model", {})}, {"kind": "cross-entropy", "temperature": 1.0, **model_file.get("loss", {})}


def linear(p, name, x):
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def layer_norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.gain"], p[f"{name}.bias"], eps=1e-5)


def attention(p, name, x, heads, causal):
    b, t, d = x.shape
    qkv = linear(p, f"{name}.query key value", x).reshape(b, t, 3, heads, d // heads)
    q, k, v = (qkv[:, :, i].transpose(1, 2) for i in range(3))
    scores = q @ k.transpose(-1, -2) / math.sqrt(d // heads)
    if causal:
        scores = scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), -math.inf)
    mixed = torch.softmax(scores, -1) @ v
    return linear(p, f"{name}.project", mixed.transpose(1, 2).reshape(b, t, d))


def mlp_branch(p, name, x, act):
    return linear(p, f"{name}.contract", act(linear(p, f"{name}.expand", x)))


def residual(p, name, h, m, f):
    if m["norm"] == "pre-ln":
        return h + m["residual_scale"] * f(layer_norm(p, f"{name}.norm", h))
    h = h + m["residual_scale"] * f(h)
    return layer_norm(p, f"{name}.norm", h) if m["norm"] == "post-ln" else h


def patches(x, side):
    b, height, width, channels = x.shape
    x = x.reshape(b, height // side, side, width // side, side, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(b, (height // side) * (width // side), side * side * channels)


def forward(m, p, x):
    """Outputs `[rows, outputs]` and the activations of every layer, by name."""
    act, taps = ACTIVATIONS[m["activation"]], {}
    if m["kind"] == "mlp":
        h = x.flatten(1)
        for layer in range(1, m["depth"] + 1):
            h = act(linear(p, f"layer {layer}", h))
            taps[f"layer {layer}"] = h
        return linear(p, "output", h), taps
    if m["kind"] == "residual-mlp":
        h = linear(p, "embedding", x.flatten(1))
    elif m["kind"] == "gpt":
        h = p["embedding.tokens"][x] + p["embedding.positions"]
    else:
        tokens = patches(x, m["patch"]) if x.dim() == 4 else x.unsqueeze(-1)
        h = linear(p, "embedding", tokens) + p["embedding.positions"]
    taps["embedding"] = h
    for block in range(1, m["depth"] + 1):
        name = f"block {block}"
        if m["kind"] == "residual-mlp":
            h = residual(p, name, h, m, lambda z: mlp_branch(p, name, z, act))
        else:
            part = f"{name}.attention"
            h = residual(p, part, h, m, lambda z: attention(p, part, z, m["n_heads"], m["kind"] == "gpt"))
            taps[f"{name} attention"] = h
            h = residual(p, f"{name}.mlp", h, m, lambda z: mlp_branch(p, f"{name}.mlp", z, act))
        taps[name] = h
    if m["norm"] == "pre-ln":
        h = layer_norm(p, "output.norm", h)
    if m["kind"] == "vision-transformer":
        h = h.mean(1)
    return linear(p, "output", h).flatten(0, -2), taps


def loss(l, outputs, y):
    if y.is_floating_point():
        return ((outputs - y.reshape(outputs.shape)) ** 2).mean()
    y = y.flatten()
    outputs, y = outputs[y >= 0], y[y >= 0]
    if l["kind"] == "mse":
        return ((outputs - F.one_hot(y, outputs.shape[1])) ** 2).mean()
    return F.cross_entropy(outputs / l["temperature"], y)


def kurtosis(h):
    s2 = (h.reshape(-1, h.shape[-1]) ** 2).mean(0)
    return (s2**2).mean() / s2.mean() ** 2


def max_median(h):
    """The median of an even number of neurons is the mean of the two in the middle."""
    a = h.reshape(-1, h.shape[-1]).abs()
    return (a.amax(1) / torch.quantile(a, 0.5, dim=1)).mean()


def token_cosine(h):
    """Mean cosine between different tokens of a sequence; examples are the tokens of networks without."""
    u = F.normalize(h if h.dim() == 3 else h.unsqueeze(0), dim=-1, eps=0.0)
    t = u.shape[1]
    return ((u @ u.transpose(1, 2)).sum((1, 2)) - (u * u).sum((1, 2))).mean() / (t * (t - 1))


class Flat:
    """Functions of the flat parameter vector: tensors in the order given, each row-major."""

    def __init__(self, m, l, params, x, y):
        self.m, self.l, self.x, self.y = m, l, x, y
        self.shapes = [(name, t.shape) for name, t in params.items()]
        self.w = torch.cat([t.flatten() for t in params.values()])

    def outputs(self, w, x=None):
        p, at = {}, 0
        for name, shape in self.shapes:
            p[name] = w[at : at + shape.numel()].reshape(shape)
            at += shape.numel()
        return forward(self.m, p, self.x if x is None else x)[0]

    def loss(self, w):
        return loss(self.l, self.outputs(w), self.y)

    def gradient(self):
        return torch.func.grad(self.loss)(self.w)

    def hessian(self):
        """Dense, column by column: exact products of reverse over reverse."""
        w = self.w.clone().requires_grad_()
        (g,) = torch.autograd.grad(self.loss(w), w, create_graph=True)
        chunks = torch.eye(len(w)).split(64)
        return torch.cat([torch.autograd.grad(g, w, v, retain_graph=True, is_grads_batched=True)[0] for v in chunks])
