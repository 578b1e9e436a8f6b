"""Time of a slice in PyTorch: the twin of benches/slice.rs.

    python benches/pytorch/slice.py mlp64 3

prints one line of JSON with milliseconds; a third argument gives other points a side than 41, a fourth other threads than
two. The loop that people write: at every point of the grid, set the
parameters in place to `w + a d + b e`, one forward pass over all examples without gradients, loss and accuracy.
"""

import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

from training_step import Vit

EXAMPLES, RADIUS = 1024, 1.0
SIDE = int(sys.argv[3]) if len(sys.argv) > 3 else 41
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 2)
torch.manual_seed(0)


def mlp(fan_in):
    return nn.Sequential(nn.Linear(fan_in, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))


def filter_normalised(parameter):
    """A random direction in which every filter is as long as the parameter's (rows of [out, in]); biases are held."""
    if parameter.dim() < 2:
        return torch.zeros_like(parameter)
    direction = torch.randn_like(parameter)
    return direction * parameter.norm(dim=1, keepdim=True) / direction.norm(dim=1, keepdim=True)


@torch.no_grad()
def slice_of(model, x, labels):
    parameters = list(model.parameters())
    centre = [p.clone() for p in parameters]
    d, e = ([filter_normalised(p) for p in parameters] for _ in range(2))
    line = torch.linspace(-RADIUS, RADIUS, SIDE).tolist()
    losses, accuracies = torch.empty(SIDE, SIDE), torch.empty(SIDE, SIDE)
    for j, b in enumerate(line):
        for i, a in enumerate(line):
            torch._foreach_copy_(parameters, centre)
            torch._foreach_add_(parameters, d, alpha=a)
            torch._foreach_add_(parameters, e, alpha=b)
            outputs = model(x)
            losses[j, i] = F.cross_entropy(outputs, labels)
            accuracies[j, i] = (outputs.argmax(1) == labels).float().mean()
    torch._foreach_copy_(parameters, centre)
    return losses, accuracies


def main():
    case, secs = sys.argv[1], float(sys.argv[2])
    model = {"mlp64": lambda: mlp(64), "mlp784": lambda: mlp(784), "vit": Vit}[case]()
    x = torch.randn(EXAMPLES, 784 if case == "mlp784" else 64)
    labels = torch.arange(EXAMPLES) * 7 % 10
    times, end = [], time.perf_counter() + secs
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        slice_of(model, x, labels)
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    print(json.dumps({"case": case, "slices": len(times), "median_ms": times[len(times) // 2], "min_ms": times[0]}))


main()
