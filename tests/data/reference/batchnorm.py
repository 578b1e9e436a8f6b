"""Values of ConvNets with batch normalisation, from PyTorch's own operations in f64, for `tests/it/batch_norm.rs`.

    python batchnorm.py            # writes batchnorm.json beside this file

Made with Python 3.11, torch 2.15.0. Formulas: docs/CONVNETS.md. For each policy of the statistics: the loss, its gradient, the
product of its Hessian with a fixed vector, and the Hessian's largest eigenvalue; all flattened in the order of the parameters.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
EPSILON = 1e-5
HERE = pathlib.Path(__file__).parent

PLAIN = """batch_size = 4
[model]
kind = "conv-net"
width = 3
depth = 2
stages = 2
downsample = "pool"
activation = "tanh"
batch_norm = true
[input]
shape = [4, 4, 2]
[output]
classes = 3
"""

RESIDUAL = """batch_size = 4
[model]
kind = "residual-conv-net"
width = 3
depth = 2
stages = 2
downsample = "stride"
activation = "gelu"
residual_scale = 0.7
batch_norm = true
[loss]
temperature = 1.3
[input]
shape = [4, 4, 2]
[output]
classes = 3
"""

# Name and shape of each parameter, in the order of the flat vector.
PLAIN_SHAPES = [(18, 3), (3,), (3,), (27, 3), (3,), (3,), (27, 3), (3,), (3,), (3, 3), (3,)]
RESIDUAL_SHAPES = [(18, 3), (3,), (3,), (3,), (27, 3), (3,), (3,), (3,), (27, 3), (3,), (3,), (3,), (3, 3), (3,)]


def wave(count, scale, pace, start):
    return scale * torch.sin(pace * torch.arange(count, dtype=torch.float64) + start)


def rounded(values):
    """13 significant digits: those beyond aren't the same on all machines."""
    numbers = values.tolist()
    short = lambda number: float(f"{number:.12e}")
    return [short(number) for number in numbers] if isinstance(numbers, list) else short(numbers)


def unflatten(w, shapes):
    parts = torch.split(w, [math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


def convolution(x, weight, bias=None, stride=1):
    channels, outputs = weight.shape[0] // 9, weight.shape[1]
    kernel = weight.reshape(3, 3, channels, outputs).permute(3, 2, 0, 1)
    return F.conv2d(x, kernel, bias, stride=stride, padding=1)


class Norm:
    """Batch normalisation with the batch's statistics, or with given ones, in turn; notes those it used."""

    def __init__(self, given=None):
        self.given, self.used = given, []

    def __call__(self, x, gain, bias):
        if self.given is None:
            self.used.append((x.mean((0, 2, 3)).detach(), x.var((0, 2, 3), unbiased=False).detach()))
            return F.batch_norm(x, None, None, gain, bias, training=True, eps=EPSILON)
        mean, variance = self.given[len(self.used)]
        self.used.append(None)
        return F.batch_norm(x, mean, variance, gain, bias, training=False, eps=EPSILON)


def plain(w, x, norm):
    p = iter(unflatten(w, PLAIN_SHAPES))
    h = torch.tanh(norm(convolution(x, next(p)), next(p), next(p)))
    h = torch.tanh(norm(convolution(h, next(p)), next(p), next(p)))
    h = F.avg_pool2d(h, 2)
    h = torch.tanh(norm(convolution(h, next(p)), next(p), next(p)))
    return h.mean((2, 3)) @ next(p) + next(p)


def residual(w, x, norm):
    p = iter(unflatten(w, RESIDUAL_SHAPES))
    act = lambda z: F.gelu(z, approximate="tanh")
    h = convolution(x, next(p), next(p))
    h = h + 0.7 * convolution(act(norm(h, next(p), next(p))), next(p), next(p))
    h = F.avg_pool2d(h, 2) + 0.7 * convolution(act(norm(h, next(p), next(p))), next(p), next(p), stride=2)
    h = act(norm(h, next(p), next(p)))
    return h.mean((2, 3)) @ next(p) + next(p)


def table(network, shapes, temperature, examples=6, minibatch=4):
    total = sum(math.prod(shape) for shape in shapes)
    w0, v = wave(total, 0.4, 1.3, 0.5), wave(total, 1.0, 0.7, 0.1)
    x = wave(examples * 32, 1.0, 0.9, 0.2).reshape(examples, 4, 4, 2).permute(0, 3, 1, 2)
    y = torch.tensor([(i * i + 1) % 3 for i in range(examples)])
    loss = lambda w, norm, x, y: F.cross_entropy(network(w, x, norm) / temperature, y)
    noting = Norm()
    loss(w0, noting, x, y)

    def batch(w):
        parts = zip(x.split(minibatch), y.split(minibatch))
        return sum(len(y) / examples * loss(w, Norm(), x, y) for x, y in parts)

    found = {}
    policies = {
        "batch": batch,
        "recomputed": lambda w: loss(w, Norm(), x, y),
        "frozen": lambda w: loss(w, Norm(noting.used), x, y),
    }
    for name, f in policies.items():
        w = w0.clone().requires_grad_()
        value = f(w)
        (gradient,) = torch.autograd.grad(value, w)
        hessian = torch.autograd.functional.hessian(f, w0)
        found[name] = {
            "loss": rounded(value),
            "gradient": rounded(gradient),
            "product": rounded(hessian @ v),
            "sharpness": rounded(torch.linalg.eigvalsh(hessian)[-1]),
        }
    return found


def main():
    values = {
        "plain": {"model": PLAIN, **table(plain, PLAIN_SHAPES, 1.0)},
        "residual": {"model": RESIDUAL, **table(residual, RESIDUAL_SHAPES, 1.3)},
    }
    # A line a policy.
    text = json.dumps(values).replace('"batch": {', '\n"batch": {').replace('"recomputed": {', '\n"recomputed": {')
    text = text.replace('"frozen": {', '\n"frozen": {').replace('"residual": {', '\n"residual": {')
    (HERE / "batchnorm.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
