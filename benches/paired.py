"""Runs our benchmarks and their PyTorch twins in turns and prints medians, minima and ratios.

    cargo bench --no-run
    python benches/paired.py --python /path/to/python/with/torch --rounds 7 training_step mlp vit gpt

In turns, because machines are noisy: both sides then meet the same noise. The ratio printed is the median over rounds
of (ours / PyTorch's), and the ratio of the minima beside it.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def binary(name):
    """The newest executable that `cargo bench --no-run` made for this benchmark."""
    built = [p for p in (ROOT / "target/release/deps").glob(f"{name}-*") if p.suffix == "" and p.is_file()]
    if not built:
        sys.exit(f"no benchmark {name}: run `cargo bench --no-run` first")
    return max(built, key=lambda p: p.stat().st_mtime)


def run(command):
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="such as training_step")
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--python", default=sys.executable, help="a Python that can import torch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--secs", default="2", help="seconds of each measurement")
    options = parser.parse_args()
    ours, twin = binary(options.bench), ROOT / f"benches/pytorch/{options.bench}.py"
    print(f"{'case':12} {'ours ms':>16} {'PyTorch ms':>16} {'ratio':>7} {'of minima':>9}   (median / minimum)")
    for case in options.cases:
        a, b = [], []
        for _ in range(options.rounds):
            a.append(run([str(ours), case, options.secs]))
            b.append(run([options.python, str(twin), case, options.secs]))
        ratio = statistics.median(x["median_ms"] / y["median_ms"] for x, y in zip(a, b))
        mid = lambda xs: statistics.median(x["median_ms"] for x in xs)
        least = lambda xs: min(x["min_ms"] for x in xs)
        print(
            f"{case:12} {mid(a):8.3f} {least(a):7.3f} {mid(b):8.3f} {least(b):7.3f} {ratio:7.2f} {least(a) / least(b):9.2f}",
            flush=True,
        )


main()
