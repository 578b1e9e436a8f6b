"""Every network of docs/MEASURE.md in PyTorch, written from that page and those it names (MODELS.md, CONVNETS.md,
PARAMETRIZATIONS.md): functions of a dict of tensors under their names.

Nothing here is shared with the program. Needs torch (2.15.0 was used).
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
BLOCK = {"final_norm": "auto", "embedding_norm": "none", "skip_scale": 1.0, "depth_scaling": "none", "branch_gain": "none",
         "branch_gain_init": 0.0, "mlp_input_scale": False, "unit_gain": False, "shaped_relu": False, "slope_plus": 0.0,
         "slope_minus": -1.0, "tied_embeddings": False, "positions": True, "biases": True}
ATTENTION = {"mask": "auto", "scale": "inverse-sqrt", "inverse_temperature": 1.0, "softcap": 0.0, "qk_norm": False, "shaped": False,
             "shaped_temperature": 1.0, "identity_gain": 1.0, "softmax_gain": 1.0, "centre_gain": 1.0, "train_gains": False}
PARAMETRIZATION = {"kind": "standard", "form": "absorbed", "base_width": 32, "base_depth": 2, "gamma0": 1.0}
DEFAULTS = {"kind": "vision-transformer", "width": 32, "depth": 2, "n_heads": 4, "activation": "gelu", "norm": "pre-ln",
            "residual_scale": 1.0, "patch": 2, "stages": 2, "downsample": "pool", "sharing": "dense"}
SIDE = 3


def settings(model_file):
    """The `[model]` table with its defaults, the `[loss]` table likewise."""
    given = model_file.get("model", {})
    model = {**DEFAULTS, **given}
    for name, defaults in [("block", BLOCK), ("attention", ATTENTION), ("parametrization", PARAMETRIZATION)]:
        model[name] = {**defaults, **given.get(name, {})}
    return parametrized(model), {"kind": "cross-entropy", "temperature": 1.0, **model_file.get("loss", {})}


# --- Parametrisations: what the forward pass has of them (docs/PARAMETRIZATIONS.md)


def parametrized(m):
    """With the factor on the branches and the scale of the attention that the parametrisation asks for."""
    chosen, attention = m["parametrization"], m["attention"]
    if chosen["kind"] == "standard":
        return m
    depth = m["depth"] / chosen["base_depth"]
    branch = {"depth-mup": depth**-0.5, "depth-inverse": 1 / depth}.get(chosen["kind"], 1.0)
    m = {**m, "residual_scale": m["residual_scale"] * branch}
    plain = attention["scale"] == "inverse-sqrt" and not attention["qk_norm"] and not attention["shaped"]
    if chosen["kind"] != "ntk" and plain:
        at_base = math.sqrt(chosen["base_width"] / m["n_heads"])
        m["attention"] = {**attention, "scale": "inverse", "inverse_temperature": attention["inverse_temperature"] * at_base}
    return m


def first_matrix(m):
    """The one that sees the inputs, if there is one."""
    named = {"mlp": "layer 1.weight", "conv-net": "stem.weight", "residual-conv-net": "stem.weight"}
    return named.get(m["kind"], "embedding.weight")


def multiplier(m, name):
    """c of the tensor: the network computes with c theta in the explicit form."""
    chosen = m["parametrization"]
    if chosen["kind"] == "standard" or chosen["form"] == "absorbed" or not name.endswith(".weight"):
        return 1.0
    width = m["width"] / chosen["base_width"]
    if name == first_matrix(m):
        return 1.0
    if name == "output.weight":
        return width ** (-0.5 if chosen["kind"] == "ntk" else -1.0) / chosen["gamma0"]
    return width**-0.5


# --- Pieces


def linear(p, name, x):
    y = x @ p[f"{name}.weight"]
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def rms(x, gain=None):
    y = x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6)
    return y if gain is None else gain * y


def normalise(m, p, name, x):
    """The kind that `norm` says; layer normalisation where it says none."""
    if m["norm"] == "pre-srms-norm":
        return rms(x)
    if m["norm"] == "pre-rms-norm":
        return rms(x, p[f"{name}.gain"])
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.gain"], p.get(f"{name}.bias"), eps=1e-5)


def has_final_norm(m):
    return {"auto": m["norm"].startswith("pre-"), "on": True, "off": False}[m["block"]["final_norm"]]


def gaussian_mean(f):
    """E f(z), z standard normal; the trapezoidal rule converges beyond all powers."""
    z = torch.linspace(-12, 12, 24001, dtype=torch.float64)
    return ((f(z) * torch.exp(-z * z / 2)).sum() * 0.001 / math.sqrt(2 * math.pi)).item()


def nonlinearity(m):
    """Of the MLP branches."""
    block, act = m["block"], ACTIVATIONS[m["activation"]]
    if block["shaped_relu"] and m["activation"] == "relu":
        plus, minus = (1 + block[slope] / math.sqrt(m["width"]) for slope in ["slope_plus", "slope_minus"])
        gain = math.sqrt(2 / (plus**2 + minus**2)) if block["unit_gain"] else 1.0
        return lambda x: gain * (plus * x.clamp(min=0) + minus * x.clamp(max=0))
    if not block["unit_gain"]:
        return act
    exact = {"relu": math.sqrt(2), "identity": 1.0}
    gain = exact.get(m["activation"]) or gaussian_mean(lambda z: act(z) ** 2) ** -0.5
    return lambda x: gain * act(x)


# --- Branches


def attention(m, p, name, x, causal, maps):
    chosen, heads = m["attention"], m["n_heads"]
    b, t, d = x.shape
    size = d // heads
    qkv = linear(p, f"{name}.query key value", x).reshape(b, t, 3, heads, size)
    q, k, v = (qkv[:, :, i].transpose(1, 2) for i in range(3))
    if chosen["qk_norm"]:
        q, k = rms(q, p[f"{name}.query norm.gain"]), rms(k, p[f"{name}.key norm.gain"])
    factor = chosen["inverse_temperature"] / (size if chosen["scale"] == "inverse" else math.sqrt(size))
    if chosen["shaped"]:
        factor /= chosen["shaped_temperature"] * math.sqrt(d)
    logits = factor * (q @ k.transpose(-1, -2))
    if chosen["softcap"] > 0:
        logits = chosen["softcap"] * torch.tanh(logits / chosen["softcap"])
    seen = torch.ones(t, t, dtype=torch.bool).tril() if causal else torch.ones(t, t, dtype=torch.bool)
    weights = torch.softmax(logits.masked_fill(~seen, -math.inf), -1)
    if chosen["shaped"]:
        gains = [chosen[f"{what}_gain"] for what in ["identity", "softmax", "centre"]]
        if chosen["train_gains"]:
            gains = p[f"{name}.shape.gain"]
        uniform = seen / seen.sum(1, keepdim=True).to(x.dtype)
        weights = gains[0] * torch.eye(t, dtype=x.dtype) + gains[1] * weights - gains[2] * uniform
    maps.append(weights)
    return linear(p, f"{name}.project", (weights @ v).transpose(1, 2).reshape(b, t, d))


def mlp_branch(m, p, name, x):
    x = linear(p, f"{name}.expand", x)
    if m["block"]["mlp_input_scale"]:
        x = x * p[f"{name}.input scale.gain"]
    return linear(p, f"{name}.contract", nonlinearity(m)(x))


def residual(m, p, name, h, f, first, branches):
    block, x = m["block"], h
    if first and block["embedding_norm"] == "first-branch":
        x = normalise(m, p, f"{name}.input norm", x)
    if m["norm"].startswith("pre-"):
        x = normalise(m, p, f"{name}.norm", x)
    y = f(x)
    if block["branch_gain"] != "none":
        y = y * p[f"{name}.branch.gain"]
    scaling = {"none": 1.0, "inverse-sqrt-branches": branches**-0.5, "inverse-branches": 1 / branches,
               "inverse-sqrt-blocks": m["depth"] ** -0.5, "inverse-blocks": 1 / m["depth"]}[block["depth_scaling"]]
    h = block["skip_scale"] * h + m["residual_scale"] * scaling * y
    return normalise(m, p, f"{name}.norm", h) if m["norm"] == "post-ln" else h


# --- Networks


def windows(height, width, stride=1):
    """For each window and place in it the pixel it looks at, and whether there is one: [positions, 9] each."""
    pixels, there = [], []
    for i in range(0, height, stride):
        for j in range(0, width, stride):
            around = [(i + di, j + dj) for di in [-1, 0, 1] for dj in [-1, 0, 1]]
            there.append([0 <= r < height and 0 <= c < width for r, c in around])
            pixels.append([r * width + c if ok else 0 for (r, c), ok in zip(around, there[-1])])
    return torch.tensor(pixels), torch.tensor(there)


def convolution(p, name, x, stride=1):
    """x [B, height, width, C]; the kernel [9 C, K] by rows (row, column, channel of the window)."""
    pixels, there = windows(*x.shape[1:3], stride)
    columns = x.flatten(1, 2)[:, pixels] * there.unsqueeze(-1).to(x.dtype)
    y = linear(p, name, columns.flatten(2))
    return y.reshape(x.shape[0], -(-x.shape[1] // stride), -(-x.shape[2] // stride), -1)


def half(x):
    """Means over 2x2 pixels."""
    b, height, width, channels = x.shape
    return x.reshape(b, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def convnet(m, p, x, taps):
    act, is_residual = ACTIVATIONS[m["activation"]], m["kind"] == "residual-conv-net"
    h = convolution(p, "stem", x)
    h = h if is_residual else act(h)
    keep = lambda name, h: taps.update({name: h.flatten(1, 2)})
    keep("stem", h)
    stages = min(m["stages"], m["depth"])
    for layer in range(m["depth"]):
        begins = layer > 0 and layer * stages // m["depth"] != (layer - 1) * stages // m["depth"]
        stride = 2 if begins and m["downsample"] == "stride" else 1
        if begins and m["downsample"] == "pool":
            h = half(h)
        if not is_residual:
            h = act(convolution(p, f"layer {layer + 1}", h, stride))
            keep(f"layer {layer + 1}", h)
            continue
        name = f"block {layer + 1}"
        inner = normalise(m, p, f"{name}.norm", h) if m["norm"].startswith("pre-") else h
        h = (half(h) if stride == 2 else h) + m["residual_scale"] * convolution(p, f"{name}.convolution", act(inner), stride)
        h = normalise(m, p, f"{name}.norm", h) if m["norm"] == "post-ln" else h
        keep(name, h)
    if is_residual:
        h = act(normalise(m, p, "output.norm", h) if has_final_norm(m) else h)
    return linear(p, "output", h.mean((1, 2)))


def shared_layer(m, p, name, h, height, width):
    """A layer of an MLP with masks or ties: h [B, pixels C] to [B, pixels K]."""
    pixels, there = windows(height, width)
    columns = h.reshape(h.shape[0], height * width, -1)[:, pixels] * there.unsqueeze(-1).to(h.dtype)
    columns = columns.flatten(2)
    if m["sharing"] == "shared":
        return linear(p, name, columns).flatten(1)
    # A column of weights for each unit of each pixel.
    units = m["width"] // (height * width)
    weight = p[f"{name}.weight"].reshape(-1, height * width, units)
    y = torch.einsum("bpi,ipu->bpu", columns, weight).flatten(1)
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def patches(x, side):
    b, height, width, channels = x.shape
    x = x.reshape(b, height // side, side, width // side, side, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(b, (height // side) * (width // side), side * side * channels)


def mlp(m, p, x, taps):
    act, h = ACTIVATIONS[m["activation"]], x.flatten(1)
    for layer in range(1, m["depth"] + 1):
        name = f"layer {layer}"
        h = act(linear(p, name, h) if m["sharing"] == "dense" else shared_layer(m, p, name, h, *x.shape[1:3]))
        taps[name] = h
    return linear(p, "output", h)


def stream(m, p, x, taps, maps):
    """Residual MLP and transformers."""
    block, is_mlp = m["block"], m["kind"] == "residual-mlp"
    if is_mlp:
        h = linear(p, "embedding", x.flatten(1))
    elif m["kind"] == "gpt":
        h = p["embedding.tokens"][x]
    else:
        h = linear(p, "embedding", patches(x, m["patch"]) if x.dim() == 4 else x.unsqueeze(-1))
    if not is_mlp and block["positions"]:
        h = h + p["embedding.positions"][: h.shape[1]]
    if block["embedding_norm"] == "stream":
        h = normalise(m, p, "embedding.norm", h)
    taps["embedding"] = h
    causal = {"auto": m["kind"] == "gpt", "causal": True, "bidirectional": False}[m["attention"]["mask"]]
    for number in range(1, m["depth"] + 1):
        name, first = f"block {number}", number == 1
        if is_mlp:
            h = residual(m, p, name, h, lambda z: mlp_branch(m, p, name, z), first, m["depth"])
        else:
            part, branches = f"{name}.attention", 2 * m["depth"]
            h = residual(m, p, part, h, lambda z: attention(m, p, part, z, causal, maps), first, branches)
            taps[f"{name} attention"] = h
            h = residual(m, p, f"{name}.mlp", h, lambda z: mlp_branch(m, p, f"{name}.mlp", z), False, branches)
        taps[name] = h
    if has_final_norm(m):
        h = normalise(m, p, "output.norm", h)
    if m["kind"] == "vision-transformer":
        h = h.mean(1)
    if block["tied_embeddings"] and m["kind"] == "gpt":
        h = h @ p["embedding.tokens"].T
        return (h + p["output.bias"] if "output.bias" in p else h).flatten(0, -2)
    return linear(p, "output", h).flatten(0, -2)


def forward(m, stored, x):
    """Outputs `[rows, outputs]`, the activations of every layer by name, the attention of every attention branch."""
    p, taps, maps = {name: multiplier(m, name) * t for name, t in stored.items()}, {}, []
    if m["kind"] == "mlp":
        return mlp(m, p, x, taps), taps, maps
    if m["kind"] in ["conv-net", "residual-conv-net"]:
        return convnet(m, p, x, taps), taps, maps
    return stream(m, p, x, taps, maps), taps, maps


def loss(l, outputs, y):
    if y.is_floating_point():
        return ((outputs - y.reshape(outputs.shape)) ** 2).mean()
    y = y.flatten()
    outputs, y = outputs[y >= 0], y[y >= 0]
    if l["kind"] == "mse":
        return ((outputs - F.one_hot(y, outputs.shape[1])) ** 2).mean()
    return F.cross_entropy(outputs / l["temperature"], y)


class Flat:
    """Functions of the flat parameter vector: tensors in the order given, each row-major."""

    def __init__(self, m, l, params, x, y):
        self.m, self.l, self.x, self.y = m, l, x, y
        self.shapes = [(name, t.shape) for name, t in params.items()]
        self.w = torch.cat([t.flatten() for t in params.values()])

    def named(self, w):
        parts = w.split([shape.numel() for _, shape in self.shapes])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes, parts)}

    def outputs(self, w):
        return forward(self.m, self.named(w), self.x)[0]

    def loss(self, w):
        return loss(self.l, self.outputs(w), self.y)

    def gradient(self):
        return torch.func.grad(self.loss)(self.w)

    def hessian(self):
        """Dense, column by column: exact products of reverse over reverse."""
        w = self.w.clone().requires_grad_()
        (g,) = torch.autograd.grad(self.loss(w), w, create_graph=True)
        chunks = torch.eye(len(w), dtype=w.dtype).split(64)
        return torch.cat([torch.autograd.grad(g, w, v, retain_graph=True, is_grads_batched=True)[0] for v in chunks])
