"""Trajectories of every optimiser on one small network, in f64: what tests/it/optimizers.rs holds Landscope to.

Run as `python optimizers.py`; writes optimizers.json beside itself, the same bytes every time.
Made with Python 3.11, torch 2.15.0 (CPU), numpy 2.4.6.

The network is x W1 + b1 -> tanh -> W2 -> tanh -> W3 with the mean squared error; matrices are [fan_in, fan_out], weight
decay spares b1. Sizes 5-4-4-3: no gradient's null space has more than one dimension, so that SOAP's bases are unique but
for signs, which cancel. SOAP's epsilon is 1e-4: its second gradient is its first, so that in its basis all but a diagonal is
rounding, which a tiny epsilon would blow up.

Sources
- SGD, Adam, AdamW, RMSprop, gradient clipping, schedules: torch's own. torch.optim.RMSprop's alpha is Landscope's beta2.
- Muon: torch.optim.Muon, its Newton-Schulz iteration in f64 instead of bfloat16 (the one word replaced below).
- Shampoo: Gupta et al. 2018 (arXiv:1802.09568), algorithm 1, with running averages, bias corrections and grafting as in
  Shi et al. 2023 (arXiv:2309.06497), section 3: numpy.
- SOAP: Vyas et al. 2024 (arXiv:2409.11321), algorithms 3 and 4, as in the authors' soap.py (the first update only makes the
  basis), with two differences: epsilon beside the bias-corrected root and decay before the update, both as in AdamW: numpy.
- SAM: Foret et al. 2021 (arXiv:2010.01412), equations 2 and 3, around torch's optimisers; 1e-12 beside the norm as in
  the common implementations.
"""

import inspect
import json
import math
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.optim._muon as torch_muon

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

STEPS = 12
KEPT = [1, 4, 12]
SHAPES = {"w1": (5, 4), "b1": (4,), "w2": (4, 4), "w3": (4, 3)}
MATRICES = ["w1", "w2", "w3"]
DEFAULTS = dict(kind="adam-w", lr=0.02, momentum=0.9, beta2=0.95, epsilon=1e-8, nesterov=False, weight_decay=0.0,
                clip_norm=0.0, sam_rho=0.0, muon_scale="match-adam", grafting="adam", precondition_every=3,
                precondition_longest=512)


def wave(n, phase, size):
    return size * np.sin(1.7 * np.arange(n) + 0.13 * np.arange(n) ** 2 + phase)


START = {name: wave(math.prod(shape), 0.4 + i, 0.7).reshape(shape) for i, (name, shape) in enumerate(SHAPES.items())}
X = wave(8 * 5, 2.2, 1.5).reshape(8, 5)
Y = wave(8 * 3, 0.9, 1.0).reshape(8, 3)


def loss_and_gradient(params):
    """Of numpy arrays, by autograd."""
    w = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    hidden = torch.tanh(torch.tensor(X) @ w["w1"] + w["b1"])
    out = torch.tanh(hidden @ w["w2"]) @ w["w3"]
    loss = torch.mean((out - torch.tensor(Y)) ** 2)
    loss.backward()
    return loss.item(), {name: w[name].grad.numpy().copy() for name in params}


@dataclass
class Problem:
    """Arrays to begin with, in the flattening order; which of them are matrices, decay, lie between hidden layers; and the
    loss with its gradients at given arrays."""

    start: dict
    matrices: list
    decaying: list
    hidden: list
    loss_and_gradient: Callable


PLAIN = Problem(START, MATRICES, MATRICES, ["w2"], loss_and_gradient)


def rates(spec, schedule):
    """The learning rate of each step, by torch's schedulers."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=spec["lr"])
    kind, warmup = schedule["kind"], schedule["warmup_steps"]
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warmup, 1.0, warmup - 1)
    fall = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, 1),
        "warmup": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, 1),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS - 1 - warmup),
        "linear": lambda: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, STEPS - 1 - warmup),
    }[kind]
    if kind == "constant":
        return [spec["lr"]] * STEPS
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall()], [warmup])
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


class Torch:
    """torch's optimisers on the arrays; Muon for hidden matrices when the kind says so."""

    def __init__(self, spec, problem):
        self.spec, start = spec, problem.start
        # torch's matrices are [fan_out, fan_in], which matters to Muon alone.
        self.turned = problem.hidden if spec["kind"] == "muon" else []
        self.tensors = {name: torch.nn.Parameter(torch.tensor(self.turn(name, value).copy())) for name, value in start.items()}
        decay, lr = spec["weight_decay"], spec["lr"]
        betas, epsilon = (spec["momentum"], spec["beta2"]), spec["epsilon"]
        rest = [name for name in start if name not in self.turned]
        still = [name for name in rest if name not in problem.decaying]
        groups = [{"params": [self.tensors[n] for n in rest if n in problem.decaying], "weight_decay": decay},
                  {"params": [self.tensors[n] for n in still], "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        if spec["kind"] == "sgd":
            self.optimizers = [torch.optim.SGD(groups, lr, spec["momentum"], nesterov=spec["nesterov"])]
        elif spec["kind"] == "adam":
            self.optimizers = [torch.optim.Adam(groups, lr, betas, epsilon)]
        elif spec["kind"] == "adam-w":
            self.optimizers = [torch.optim.AdamW(groups, lr, betas, epsilon)]
        elif spec["kind"] == "rms-prop":
            self.optimizers = [torch.optim.RMSprop(groups, lr, spec["beta2"], epsilon, momentum=spec["momentum"])]
        elif spec["kind"] == "muon":
            scale = {"match-adam": "match_rms_adamw", "spectral": "original"}[spec["muon_scale"]]
            muon = torch.optim.Muon([self.tensors[n] for n in self.turned], lr, decay, spec["momentum"], spec["nesterov"],
                                    adjust_lr_fn=scale)
            self.optimizers = [muon, torch.optim.AdamW(groups, lr, betas, epsilon)]

    def turn(self, name, value):
        return value.T if name in self.turned else value

    def params(self):
        return {name: self.turn(name, tensor.detach().numpy().copy()) for name, tensor in self.tensors.items()}

    def step(self, gradients, lr):
        for name, tensor in self.tensors.items():
            tensor.grad = torch.tensor(self.turn(name, gradients[name]).copy())
        if self.spec["clip_norm"] > 0:
            torch.nn.utils.clip_grad_norm_(self.tensors.values(), self.spec["clip_norm"])
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()


source = inspect.getsource(torch_muon._zeropower_via_newtonschulz)
exec(source.replace("torch.bfloat16", "torch.float64"), torch_muon.__dict__)


def eigh_descending(m):
    values, vectors = np.linalg.eigh(m)
    return values[::-1], vectors[:, ::-1]


class Kronecker:
    """What Shampoo and SOAP have in common: moments, and AdamW for what is no matrix."""

    def __init__(self, spec, problem):
        self.spec, self.problem, self.t = spec, problem, 0
        self.w = {name: value.copy() for name, value in problem.start.items()}
        self.m = {name: np.zeros(value.shape) for name, value in problem.start.items()}
        self.v = {name: np.zeros(value.shape) for name, value in problem.start.items()}
        # One factor a side; None where it is too long.
        self.factors = {name: [np.zeros((n, n)) if n <= spec["precondition_longest"] else None for n in problem.start[name].shape]
                        for name in problem.matrices}
        self.derived = {name: [None, None] for name in problem.matrices}

    def params(self):
        return {name: value.copy() for name, value in self.w.items()}

    def gather(self, name, g):
        beta = self.spec["beta2"]
        for side, outer in enumerate([g @ g.T, g.T @ g]):
            if self.factors[name][side] is not None:
                self.factors[name][side] = beta * self.factors[name][side] + (1 - beta) * outer

    def corrections(self):
        return 1 - self.spec["momentum"] ** self.t, 1 - self.spec["beta2"] ** self.t

    def average(self, name, g):
        b1, b2 = self.spec["momentum"], self.spec["beta2"]
        self.m[name] = b1 * self.m[name] + (1 - b1) * g
        self.v[name] = b2 * self.v[name] + (1 - b2) * g**2

    def adam(self, name):
        c1, c2 = self.corrections()
        return self.m[name] / c1 / (np.sqrt(self.v[name] / c2) + self.spec["epsilon"])

    def move(self, name, direction, lr):
        if name in self.problem.decaying:
            self.w[name] *= 1 - lr * self.spec["weight_decay"]
        self.w[name] -= lr * direction


class Shampoo(Kronecker):
    def step(self, gradients, lr):
        self.t += 1
        c1, c2 = self.corrections()
        for name, g in gradients.items():
            self.average(name, g)
            direction = adam = self.adam(name)
            if name in self.problem.matrices:
                self.gather(name, g)
                sides = [s for s in (0, 1) if self.factors[name][s] is not None]
                if (self.t - 1) % self.spec["precondition_every"] == 0:
                    for side in sides:
                        values, u = eigh_descending(self.factors[name][side] / c2)
                        roots = (np.maximum(values, 0) + self.spec["epsilon"]) ** (-1 / (2 * len(sides)))
                        self.derived[name][side] = (u * roots) @ u.T
                direction = self.m[name] / c1
                if 0 in sides:
                    direction = self.derived[name][0] @ direction
                if 1 in sides:
                    direction = direction @ self.derived[name][1]
                if self.spec["grafting"] == "adam":
                    direction = direction * np.linalg.norm(adam) / np.linalg.norm(direction)
            self.move(name, direction, lr)


class Soap(Kronecker):
    started = False

    def into(self, name, x):
        left, right = self.derived[name]
        x = x if left is None else left.T @ x
        return x if right is None else x @ right

    def out_of(self, name, x):
        left, right = self.derived[name]
        x = x if left is None else left @ x
        return x if right is None else x @ right.T

    def step(self, gradients, lr):
        if not self.started:
            self.started = True
            for name in self.problem.matrices:
                self.gather(name, gradients[name])
                self.derived[name] = [None if f is None else eigh_descending(f)[1] for f in self.factors[name]]
            return
        self.t += 1
        for name, g in gradients.items():
            if name not in self.problem.matrices:
                self.average(name, g)
                self.move(name, self.adam(name), lr)
                continue
            self.average(name, self.into(name, g))
            self.move(name, self.out_of(name, self.adam(name)), lr)
            self.gather(name, g)
            if self.t % self.spec["precondition_every"] == 0:
                first = self.out_of(name, self.m[name])
                for side, factor in enumerate(self.factors[name]):
                    if factor is None:
                        continue
                    q = self.derived[name][side]
                    order = np.argsort(-np.diag(q.T @ factor @ q), kind="stable")
                    self.v[name] = np.take(self.v[name], order, axis=side)
                    self.derived[name][side] = np.linalg.qr(factor @ q[:, order])[0]
                self.m[name] = self.into(name, first)


def train(problem, spec, lrs, kept_at):
    """Losses before each of the updates, and the flat parameters after those of `kept_at`."""
    optimizer = {"shampoo": Shampoo, "soap": Soap}.get(spec["kind"], Torch)(spec, problem)
    losses, kept = [], []
    for step, lr in enumerate(lrs, start=1):
        params = optimizer.params()
        loss, gradients = problem.loss_and_gradient(params)
        losses.append(loss)
        if spec["sam_rho"] > 0:
            norm = math.sqrt(sum(np.sum(g**2) for g in gradients.values()))
            uphill = {n: params[n] + spec["sam_rho"] * gradients[n] / (norm + 1e-12) for n in params}
            gradients = problem.loss_and_gradient(uphill)[1]
        optimizer.step(gradients, lr)
        if step in kept_at:
            params = optimizer.params()
            kept.append(np.concatenate([params[n].ravel() for n in params]).tolist())
    return losses, kept


def run(name, schedule=None, **changes):
    spec = DEFAULTS | changes
    schedule = schedule or {"kind": "constant", "warmup_steps": 4}
    losses, kept = train(PLAIN, spec, rates(spec, schedule), KEPT)
    print(f"{name:28} {losses[0]:.4f} -> {losses[-1]:.4f}")
    return {"name": name, "optimizer": spec, "schedule": schedule, "losses": losses, "params": kept}


if __name__ == "__main__":
    cases = [
        run("sgd", kind="sgd", momentum=0.0, lr=0.2),
        run("sgd momentum decay", kind="sgd", lr=0.1, weight_decay=0.05),
        run("sgd nesterov clip", kind="sgd", lr=0.1, nesterov=True, weight_decay=0.05, clip_norm=0.3),
        run("adam decay", kind="adam", weight_decay=0.1, epsilon=1e-4),
        run("adamw", kind="adam-w", weight_decay=0.3),
        run("adamw warm-up", {"kind": "warmup", "warmup_steps": 4}, kind="adam-w"),
        run("adamw cosine clip", {"kind": "cosine", "warmup_steps": 4}, kind="adam-w", weight_decay=0.3, clip_norm=0.2,
            epsilon=1e-2),
        run("sgd linear", {"kind": "linear", "warmup_steps": 3}, kind="sgd", lr=0.2),
        run("rmsprop", kind="rms-prop", momentum=0.0, epsilon=1e-6),
        run("rmsprop momentum decay", kind="rms-prop", momentum=0.5, weight_decay=0.1),
        run("muon", kind="muon", weight_decay=0.3, momentum=0.8),
        run("muon nesterov spectral", kind="muon", nesterov=True, muon_scale="spectral", lr=0.05),
        run("shampoo", kind="shampoo", weight_decay=0.3),
        run("shampoo own length", kind="shampoo", grafting="none", epsilon=1e-4, precondition_every=1, lr=0.05),
        run("shampoo short sides", kind="shampoo", precondition_longest=4, momentum=0.5),
        run("soap", kind="soap", weight_decay=0.3, epsilon=1e-4),
        run("soap short sides", kind="soap", precondition_longest=3, precondition_every=1, epsilon=1e-4),
        run("sam sgd", kind="sgd", sam_rho=0.1, lr=0.1, momentum=0.5),
        run("sam adamw", kind="adam-w", sam_rho=0.3, weight_decay=0.3),
    ]
    start = np.concatenate([START[n].ravel() for n in SHAPES]).tolist()
    answer = {"steps": STEPS, "kept": KEPT, "start": start, "x": X.ravel().tolist(), "y": Y.ravel().tolist(), "cases": cases}
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(answer, indent=None).replace('{"name"', '\n{"name"') + "\n")
