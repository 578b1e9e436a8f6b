"""Audits `landscope measure` with networks rebuilt from docs/MEASURE.md alone (networks.py, PyTorch in f64).

    python rebuild.py path/to/landscope [seed]

For an MLP, a Pre-LN vision transformer and a GPT it lets the program write initial weights for the seed, makes data of its own,
computes loss, gradient norm, sharpness, trace, top-5 eigenvalues, kurtosis and token cosine, and prints how far the program's numbers are off, relative to
their size. Ends with an error where one is off by more than 1e-9. Needs torch, numpy and safetensors (2.15.0, 2.4.6 and 0.8.0 were used).
"""

import json
import secrets
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import networks

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
TOLERANCE = 1e-9

MODELS = {
    "MLP": """
        [model]
        kind = "mlp"
        width = 12
        depth = 2
        activation = "tanh"
        [input]
        shape = [5]
        [output]
        classes = 3""",
    "Pre-LN vision transformer": """
        [model]
        kind = "vision-transformer"
        width = 8
        depth = 1
        n_heads = 2
        [input]
        shape = [4, 6, 2]
        [output]
        classes = 4""",
    "GPT": """
        [model]
        kind = "gpt"
        width = 8
        depth = 1
        n_heads = 2
        [loss]
        temperature = 1.5
        [input]
        tokens = 6
        vocabulary = 7
        [output]
        classes = 7""",
}


def data(spec, rng):
    examples = 12
    classes = spec["output"]["classes"]
    if "shape" in spec["input"]:
        x = rng.normal(size=[examples, *spec["input"]["shape"]])
        return {"x": x, "y": rng.integers(0, classes, examples)}
    size = [examples, spec["input"]["tokens"]]
    y = rng.integers(0, classes, size)
    # Every third position isn't graded.
    y[:, ::3] = -1
    return {"x": rng.integers(0, spec["input"]["vocabulary"], size), "y": y}


def theirs(program, folder, text, seed, tensors):
    files = {name: str(folder / name) for name in ["model.toml", "weights", "data"]}
    Path(files["model.toml"]).write_text(text)
    save_file(tensors, files["data"])
    run = lambda *arguments: subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout
    run("init", "--model", files["model.toml"], "--seed", str(seed), "--out", files["weights"])
    probes = ["loss", "gradient", "sharpness", "eigenvalues", "trace", "kurtosis", "max-median-ratio", "token-cosine"]
    flags = [flag for probe in probes for flag in ["--probe", probe]]
    report = run("measure", "--model", files["model.toml"], "--weights", files["weights"], "--data", files["data"], "--dtype", "f64",
                 "--test-vectors", "all", "--json", "-", *flags)
    return {one["id"]: one["value"] for one in json.loads(report)["measurements"]}, load_file(files["weights"])


def ours(spec, weights, tensors):
    m, l = networks.settings(spec)
    params = {name: torch.tensor(t, dtype=torch.float64) for name, t in weights.items()}
    x, y = torch.tensor(tensors["x"]), torch.tensor(tensors["y"])
    flat = networks.Flat(m, l, params, x, y)
    eigenvalues = torch.linalg.eigvalsh(flat.hessian()).flip(0)
    taps = networks.forward(m, params, x)[1]
    by_layer = lambda f: {name: f(h).item() for name, h in taps.items()}
    return {
        "loss": flat.loss(flat.w).item(),
        "gradient": flat.gradient().norm().item(),
        "sharpness": eigenvalues[0].item(),
        "eigenvalues": eigenvalues[:5].tolist(),
        "trace": eigenvalues.sum().item(),
        "kurtosis": by_layer(networks.kurtosis),
        "max-median-ratio": by_layer(networks.max_median),
        "token-cosine": by_layer(networks.token_cosine),
    }


def off(found, known):
    """Largest difference, relative to the largest number."""
    if isinstance(known, dict):
        assert list(found) == list(known), f"layers {list(found)} and {list(known)}"
        found, known = list(found.values()), list(known.values())
    found, known = np.atleast_1d(found), np.atleast_1d(known)
    return float(np.abs(found - known).max() / np.abs(known).max())


def main():
    program = str(Path(sys.argv[1]).resolve())
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(2**32)
    print(f"seed {seed}")
    worst = 0.0
    for title, text in MODELS.items():
        spec = tomllib.loads(text)
        tensors = data(spec, np.random.default_rng(seed))
        with tempfile.TemporaryDirectory() as folder:
            found, weights = theirs(program, Path(folder), text, seed, tensors)
        known = ours(spec, weights, tensors)
        print(f"{title}, {sum(t.size for t in weights.values())} parameters")
        for name, value in known.items():
            difference = off(found[name], value)
            worst = max(worst, difference)
            shown = value if isinstance(value, float) else list(value.values())[-1] if isinstance(value, dict) else value[0]
            print(f"  {name:18} {shown:<22.15g} off by {difference:.1e}")
    print(f"largest relative difference {worst:.1e}, allowed {TOLERANCE:.0e}")
    sys.exit(0 if worst <= TOLERANCE else 1)


main()
