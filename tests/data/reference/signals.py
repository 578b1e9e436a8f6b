"""The statistics of activations, attention and gradients of docs/MEASURE.md, in PyTorch, written from that page.

Activations are [B, tokens, D], or [B, D] for networks without tokens. Needs torch (2.15.0 was used).
"""

import torch
import torch.nn.functional as F

import networks


def rows(h):
    return h.reshape(-1, h.shape[-1])


def sequences(h):
    """Examples are the tokens of one sequence in networks without."""
    return h if h.dim() == 3 else h.unsqueeze(0)


def kurtosis(h):
    s2 = (rows(h) ** 2).mean(0)
    return (s2**2).mean() / s2.mean() ** 2


def max_median(h):
    """The median of an even number of neurons is the mean of the two in the middle."""
    a = rows(h).abs()
    return (a.amax(1) / torch.quantile(a, 0.5, dim=1)).mean()


def token_cosine(h):
    u = F.normalize(sequences(h), dim=-1, eps=0.0).nan_to_num(0.0)
    t = u.shape[1]
    return ((u @ u.transpose(1, 2)).sum((1, 2)) - (u * u).sum((1, 2))).mean() / (t * (t - 1))


def mean_token_distance(h):
    x = sequences(h)
    apart = x - x.mean(1, keepdim=True)
    return (apart.flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)).mean()


def stable_rank(h):
    s = torch.linalg.svdvals(rows(h))
    return (s**2).sum() / s[0] ** 2


def effective_rank(h):
    s = torch.linalg.svdvals(rows(h))
    p = s / s.sum()
    return torch.exp(-torch.special.xlogy(p, p).sum())


def gram(h):
    """Off-diagonal statistics of the input and the feature Gram matrix, of X scaled to a mean square of 1."""
    x = rows(h)
    n, d = x.shape
    x = x / (x**2).mean().sqrt()
    found = {}
    for name, g in [("input", x @ x.T / d), ("feature", x.T @ x / n)]:
        off = g[~torch.eye(len(g), dtype=torch.bool)]
        found |= {f"{name} mean": off.mean(), f"{name} rms": (off**2).mean().sqrt()}
    inputs, features = x @ x.T / d, x.T @ x / n
    found["kurtosis by the identity"] = d / n**2 * (inputs**2).sum() - ((features**2).sum() - (features.diagonal() ** 2).sum()) / d
    return found


def attention_entropy(a):
    """Of weights [B, heads, T, T], a number a head."""
    return -torch.special.xlogy(a, a).sum(-1).mean((0, 2))


def dead_units(h, tanh=False):
    x = rows(h)
    dead = x.abs().amax(0) <= 1e-6 * (x**2).mean().sqrt()
    if tanh:
        dead |= (x.amin(0) >= 0.99) | (x.amax(0) <= -0.99)
    return dead.double().mean()


def int8_error(x, by_channel):
    x = x.reshape(-1, x.shape[-1])
    scale = (x.abs().amax(0) if by_channel else x.abs().max()) / 127
    rounded = torch.where(scale > 0, scale * torch.round(x / scale), 0.0)
    return (rounded - x).norm() / x.norm()


def gradient_roles(m, named):
    """Norms of the gradient by what its tensors do; queries, keys and values are thirds of the columns."""
    squares = {}
    for name, g in named.items():
        kind = name.rsplit(".", 1)[1]
        parts = {role(m, name): g}
        if ".query key value." in name:
            suffix = " bias" if kind == "bias" else ""
            parts = {part + suffix: third for part, third in zip(["query", "key", "value"], g.chunk(3, dim=-1))}
        for part, values in parts.items():
            squares[part] = squares.get(part, 0.0) + (values**2).sum()
    return {name: torch.sqrt(square).item() for name, square in squares.items()}


def role(m, name):
    known = {"embedding.tokens": "embedding", "embedding.positions": "position", "output.weight": "output",
             networks.first_matrix(m): "input"}
    path, kind = name.rsplit(".", 1)
    if name in known:
        return known[name]
    if kind in ["bias", "gain"]:
        return kind
    return path.rsplit(".", 1)[1] if path.startswith("block ") else "hidden"


def signals(m, params, taps, maps, gradient):
    """All values under the ids of `landscope measure`."""
    by_layer = lambda f: {name: f(h).item() for name, h in taps.items()}
    # The layers of these networks are activations themselves, and tanh has a bound.
    bounded = m["kind"] in ["mlp", "conv-net"] and m["activation"] == "tanh"
    scopes = {"per tensor": False, "per channel": True}
    errors = lambda tensors: {f"{name}: {scope}": int8_error(t, by_channel).item()
                              for name, t in tensors.items() for scope, by_channel in scopes.items()}
    return {
        "kurtosis": by_layer(kurtosis),
        "max-median-ratio": by_layer(max_median),
        "token-cosine": by_layer(token_cosine),
        "mean-token-distance": by_layer(mean_token_distance),
        "stable-rank": by_layer(stable_rank),
        "effective-rank": by_layer(effective_rank),
        "gram": {f"{name}: {what}": value.item() for name, h in taps.items() for what, value in gram(h).items()},
        "dead-units": by_layer(lambda h: dead_units(h, bounded)),
        "attention-entropy": {f"block {block} head {head}": value.item() for block, a in enumerate(maps, 1)
                              for head, value in enumerate(attention_entropy(a), 1)},
        "int8-activations": errors(taps),
        "int8-weights": errors({name: t for name, t in params.items() if t.dim() == 2}),
        "gradient-roles": gradient_roles(m, gradient),
    }
