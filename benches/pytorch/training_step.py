"""Time of one training step in PyTorch eager: the twin of benches/training_step.rs.

    python benches/pytorch/training_step.py vit 3 2

measures for 3 seconds on 2 threads and prints one line of JSON with milliseconds; fused optimisers, as they are PyTorch's fastest here.
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


class Mlp(nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
        )

    def forward(self, x):
        return self.layers(x)


class Block(nn.Module):
    """Pre-LN attention and MLP branches."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.project(mixed.transpose(1, 2).reshape(b, t, d))
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))


class Vit(nn.Module):
    """The default network at depth 4: 2x2 patches of an 8x8 picture, width 32, 4 heads."""

    def __init__(self, width=32, depth=4, heads=4):
        super().__init__()
        self.embed, self.positions = nn.Linear(4, width), nn.Parameter(0.02 * torch.randn(16, width))
        self.blocks = nn.Sequential(*[Block(width, heads, False) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        b = x.shape[0]
        patches = x.view(b, 4, 2, 4, 2).permute(0, 1, 3, 2, 4).reshape(b, 16, 4)
        x = self.blocks(self.embed(patches) + self.positions)
        return self.head(self.norm(x).mean(1))


class Gpt(nn.Module):
    def __init__(self, vocabulary=96, length=64, width=128, depth=4, heads=4):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(*[Block(width, heads, True) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, ids):
        x = self.blocks(self.tokens(ids) + self.positions)
        return self.head(self.norm(x)).flatten(0, 1)


class ConvNet(nn.Module):
    """A stem and `depth` 3x3 convolutions, the mean over positions, a linear readout."""

    def __init__(self, width=32, depth=4, norm=False):
        super().__init__()
        channels = [1] + [width] * (depth + 1)
        convolutions = [nn.Conv2d(a, b, 3, padding=1, bias=not norm) for a, b in zip(channels, channels[1:])]
        # Ours has no running averages.
        after = lambda: (nn.BatchNorm2d(width, track_running_stats=False), nn.ReLU()) if norm else (nn.ReLU(),)
        self.layers = nn.Sequential(*[layer for c in convolutions for layer in (c, *after())])
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.layers(x).mean((2, 3)))


def setting(case):
    if case in ("conv8", "conv16", "conv8bn", "conv16bn", "conv8-last", "conv16-last"):
        # Channels last is the layout of our own; PyTorch's default is channels first.
        layout = torch.channels_last if case.endswith("-last") else torch.contiguous_format
        side = 8 if "conv8" in case else 16
        model, x = ConvNet(norm="bn" in case).to(memory_format=layout), torch.randn(64, 1, side, side).to(memory_format=layout)
        return model, torch.optim.SGD(model.parameters(), lr=1e-2, fused=True), x, torch.arange(64) * 7 % 10
    if case == "mlp":
        model = Mlp()
        return model, torch.optim.SGD(model.parameters(), lr=1e-2, fused=True), torch.randn(128, 64), torch.arange(128) * 7 % 10
    if case == "vit":
        model = Vit()
        return model, adamw(model), torch.randn(64, 8, 8), torch.arange(64) * 7 % 10
    if case == "gpt":
        model = Gpt()
        return model, adamw(model), torch.arange(1024).view(16, 64) * 31 % 8191 % 96, torch.arange(1024) * 37 % 8191 % 96
    sys.exit(f"unknown case {case}: give mlp, vit, gpt, conv8, conv16, conv8bn, conv16bn, conv8-last or conv16-last")


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01, fused=True)


def main():
    case = sys.argv[1] if len(sys.argv) > 1 else "vit"
    secs = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    model, optimizer, x, y = setting(case)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(20):
        loss = step()
    assert math.isfinite(loss)
    cpu = time.process_time()
    times, end = [], time.perf_counter() + secs
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    cpu_ms = (time.process_time() - cpu) * 1e3 / len(times)
    times.sort()
    found = {"median_ms": times[len(times) // 2], "min_ms": times[0], "cpu_ms": cpu_ms}
    print(json.dumps({"case": case, "steps": len(times)} | {key: round(ms, 4) for key, ms in found.items()}))


if __name__ == "__main__":
    main()
