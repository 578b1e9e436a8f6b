"""Time to the top eigenvalue of the traced tangent kernel of 256 examples in torch.func: the twin of benches/ntk.rs.

    python benches/pytorch/ntk.py mlp 3

prints one line of JSON with milliseconds; two threads; a third argument gives other numbers of examples. Three ways, and `median_ms` is that
of the fastest:

- `jacobian`: Jacobian contraction, the first way of torch.func's tutorial on tangent kernels: vmap of jacrev over examples, an einsum a
  parameter that takes the trace, and torch.linalg.eigvalsh;
- `columns`: the same contraction from the batched vjp of an output at a time, so that less is held;
- `products`: no kernel, power iteration with Theta v = sum over outputs o of J_o J_o' v by vjp and jvp, vmapped over outputs, until the
  relative residual is 1e-3.

The tutorial's second way, kernel-vector products for every pair of examples, is slower than the first by far for 10 outputs.
"""

import json
import sys
import time

import torch
import torch.nn as nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.func import functional_call, jacrev, jvp, vjp, vmap

case, secs = sys.argv[1], float(sys.argv[2])
N, C = int(sys.argv[3]) if len(sys.argv) > 3 else 256, 10
sys.argv = sys.argv[:1]  # the module below reads them, too

from training_step import Vit

torch.set_num_threads(2)
torch.manual_seed(0)


def mlp():
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, C))


model = {"mlp": mlp, "vit": Vit}[case]()
params = {name: p.detach() for name, p in model.named_parameters()}
x = torch.randn(N, 64)


def f(params, x):
    return functional_call(model, params, (x,))


def f_one(params, x):
    return f(params, x.unsqueeze(0)).squeeze(0)


def jacobian():
    rows = vmap(jacrev(f_one), (None, 0))(params, x)
    kernel = sum(torch.einsum("Naf,Maf->NM", j, j) for j in (r.flatten(2) for r in rows.values()))
    return torch.linalg.eigvalsh(kernel)[-1].item()


def columns():
    def gradient(params, x, cotangent):
        return vjp(lambda p: f_one(p, x), params)[1](cotangent)[0]

    kernel = torch.zeros(N, N)
    for e in torch.eye(C):
        for g in vmap(gradient, (None, 0, None))(params, x, e).values():
            g = g.flatten(1)
            kernel += g @ g.T
    return torch.linalg.eigvalsh(kernel)[-1].item()


@sdpa_kernel(SDPBackend.MATH)  # PyTorch's fused attention has no forward derivative
def products():
    def along(e, v):
        # J_o' v, then J_o of it.
        g = vjp(lambda p: f(p, x), params)[1](v[:, None] * e)[0]
        return jvp(lambda p: f(p, x) @ e, (params,), (g,))[1]

    v = torch.randn(N)
    v /= v.norm()
    for _ in range(200):
        product = vmap(along, (0, None))(torch.eye(C), v).sum(0)
        value = v @ product
        if (product - value * v).norm() < 1e-3 * value:
            break
        v = product / product.norm()
    return value.item()


def measure(way):
    times, end = [], time.perf_counter() + secs / 3
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        value = way()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return {"median_ms": times[len(times) // 2], "min_ms": times[0], "value": value}


def main():
    ways = {way.__name__: measure(way) for way in (jacobian, columns, products)}
    best = min(ways, key=lambda way: ways[way]["median_ms"])
    print(json.dumps({"case": case, "way": best, **ways[best], "ways": ways}))


with torch.no_grad():
    main()
