"""Curvature of a tanh network by other programs: writes curvature.json beside this file.

Products of the Hessian, the GGN and the empirical Fisher by curvlinops-for-pytorch 3.0.1 (cross-entropy; for the squared error the
GGN and the Hessian), the tangent kernel by torch.func's per-example Jacobians, eigenvalues by torch.linalg.eigvalsh;
torch 2.15.0, float64. The network is 5-6-6-3; weights, inputs and direction are sines, so that nothing random is shared.
"""

import json
import pathlib

import torch
from curvlinops import EFLinearOperator, GGNLinearOperator, HessianLinearOperator
from torch import nn
from torch.func import functional_call, jacrev, vmap

torch.set_default_dtype(torch.float64)
sizes, examples = [5, 6, 6, 3], 7


def sines(count, pace, phase):
    return torch.sin(pace * torch.arange(count, dtype=torch.float64) + phase)


# Inputs are stored in float32 by the program that reads them.
x = sines(examples * sizes[0], 0.9, 0.2).float().double().reshape(examples, -1)
labels = torch.tensor([i * i % 3 for i in range(examples)])

layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
model = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])
count = sum(p.numel() for p in model.parameters())
flat, v = 0.8 * sines(count, 1.7, 0.3), sines(count, 1.1, 0.5)


def cut(vector):
    """W and b of each layer in turn, W [fan_in, fan_out] row-major, as PyTorch keeps them: transposed."""
    pieces, at = [], 0
    for a, b in zip(sizes, sizes[1:]):
        pieces.append(vector[at : at + a * b].reshape(a, b).T.contiguous())
        pieces.append(vector[at + a * b : at + a * b + b].clone())
        at += a * b + b
    return pieces


def join(pieces):
    return torch.cat([(p.T if p.dim() == 2 else p).reshape(-1) for p in pieces])


with torch.no_grad():
    for parameter, value in zip(model.parameters(), cut(flat)):
        parameter.copy_(value)
params = dict(model.named_parameters())


def product(operator, direction):
    pieces = operator @ [d.unsqueeze(-1) for d in cut(direction)]
    return join([p.squeeze(-1) for p in pieces]).detach()


found = {}
for name, loss, targets in [
    ("cross-entropy", nn.CrossEntropyLoss(), labels),
    ("mse", nn.MSELoss(), nn.functional.one_hot(labels, 3).double()),
]:
    data = [(x, targets)]
    operators = {"hessian": HessianLinearOperator, "ggn": GGNLinearOperator}
    if name == "cross-entropy":
        operators["empirical_fisher"] = EFLinearOperator
    case = {}
    for kind, make in operators.items():
        operator = make(model, loss, list(model.parameters()), data)
        case[kind] = product(operator, v).tolist()
        if kind != "empirical_fisher":
            dense = torch.stack([product(operator, e) for e in torch.eye(count)], dim=1)
            case[kind + "_eigenvalues"] = torch.linalg.eigvalsh((dense + dense.T) / 2).tolist()
    found[name] = case

detached = {name: p.detach() for name, p in params.items()}
jacobians = vmap(jacrev(lambda p, one: functional_call(model, p, (one,))), in_dims=(None, 0))(detached, x)
rows = torch.cat([j.reshape(examples * sizes[-1], -1) for j in jacobians.values()], dim=1)
found["tangent_kernel"] = (rows @ rows.T).flatten().tolist()

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(found, indent=0) + "\n")
