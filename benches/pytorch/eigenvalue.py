"""Time to the largest Hessian eigenvalue by PyHessian's power iteration: the twin of benches/eigenvalue.rs.

    python benches/pytorch/eigenvalue.py cold 3 2

reads the problem that `cargo bench --bench eigenvalue` left in target/eigenvalue.bin. PyHessian stops when the value changes by
less than 1e-3 between two iterations, which leaves residuals of about 1e-2; here its own loop (its products, its
normalisation, its random start) goes on until the residual |Hv - value v| is 1e-3 of the value. PyHessian knows no warm start, so
`cold` and `warm` are the same.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn as nn
from pyhessian import hessian
from pyhessian.utils import group_product, hessian_vector_product, normalization

torch.set_num_threads(int(sys.argv[3]) if len(sys.argv) > 3 else 2)
torch.manual_seed(0)
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES, FANS = 1024, [(64, 256), (256, 256), (256, 10)]


def problem():
    numbers = torch.from_numpy(np.fromfile(ROOT / "target/eigenvalue.bin", dtype="<f4").copy())
    at = 0

    def take(*shape):
        nonlocal at
        size = int(np.prod(shape))
        at += size
        return numbers[at - size:at].view(*shape)

    layers = []
    for fan_in, fan_out in FANS:
        layer = nn.Linear(fan_in, fan_out)
        with torch.no_grad():
            layer.weight.copy_(take(fan_in, fan_out).t())
            layer.bias.copy_(take(fan_out))
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1]), take(EXAMPLES, 64), take(EXAMPLES).long()


def search(model, x, y):
    # PyHessian's constructor makes the gradient's graph.
    h = hessian(model, nn.CrossEntropyLoss(), data=(x, y), cuda=False)
    v = normalization([torch.randn(p.size()) for p in h.params])
    for products in range(1, 5001):
        model.zero_grad()
        hv = hessian_vector_product(h.gradsH, h.params, v)
        value = group_product(hv, v).item()
        residual = sum(((a - value * b) ** 2).sum() for a, b in zip(hv, v)).sqrt().item()
        if residual <= 1e-3 * abs(value):
            break
        v = normalization(hv)
    return value, products


def main():
    secs = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    model, x, y = problem()
    times, end = [], time.perf_counter() + secs
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        value, products = search(model, x, y)
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    print(json.dumps({"case": sys.argv[1], "searches": len(times), "median_ms": times[len(times) // 2], "min_ms": times[0],
                      "products": products, "value": value}))


main()
