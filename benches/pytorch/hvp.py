"""Time of one exact Hessian-vector product in PyTorch eager, the graph of the gradient kept: the twin of benches/hvp.rs.

    python benches/pytorch/hvp.py vit 3 2

measures for 3 seconds on 2 threads and prints one line of JSON with milliseconds. Attention is composed, as PyTorch's
fused one can't be differentiated twice.
"""

import json
import math
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[3]) if len(sys.argv) > 3 else 2)
torch.manual_seed(0)


class Block(nn.Module):
    """Pre-LN attention and MLP branches."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / math.sqrt(d // self.heads)).softmax(-1)
        x = x + self.project((weights @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))


class Vit(nn.Module):
    """The default network: 2x2 patches of an 8x8 picture, width 32, depth 4, 4 heads."""

    def __init__(self, width=32, depth=4, heads=4):
        super().__init__()
        self.embed, self.positions = nn.Linear(4, width), nn.Parameter(0.02 * torch.randn(16, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        b = x.shape[0]
        patches = x.view(b, 4, 2, 4, 2).permute(0, 1, 3, 2, 4).reshape(b, 16, 4)
        return self.head(self.norm(self.blocks(self.embed(patches) + self.positions)).mean(1))


def setting(case):
    if case == "mlp":
        gelu = lambda: nn.GELU(approximate="tanh")
        model = nn.Sequential(nn.Linear(64, 256), gelu(), nn.Linear(256, 256), gelu(), nn.Linear(256, 10))
        return model, torch.randn(128, 64)
    if case == "vit":
        return Vit(), torch.randn(128, 8, 8)
    sys.exit(f"unknown case {case}: give mlp or vit")


def main():
    case = sys.argv[1] if len(sys.argv) > 1 else "vit"
    secs = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    model, x = setting(case)
    params = list(model.parameters())
    loss = F.cross_entropy(model(x), torch.arange(128) * 7 % 10)
    gradients = torch.autograd.grad(loss, params, create_graph=True)
    v = [torch.randn_like(p) for p in params]

    def product():
        return torch.autograd.grad(gradients, params, grad_outputs=v, retain_graph=True)

    for _ in range(5):
        found = product()
    assert all(h.isfinite().all() for h in found)
    times, end = [], time.perf_counter() + secs
    while time.perf_counter() < end:
        start = time.perf_counter()
        product()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    found = {"median_ms": times[len(times) // 2], "min_ms": times[0]}
    print(json.dumps({"case": case, "products": len(times)} | {key: round(ms, 4) for key, ms in found.items()}))


main()
