"""What an open window costs, on a display of its own (Xvfb): start-up, training beside it, and rest.

    cargo build --release
    python benches/window.py --rounds 3

Prints one line of JSON for each question:

- `start`: seconds from the start of the program to a mapped window, and to the first picture in it (medians).
- `training`: steps a second without probes, in the window and headless, in turns; medians, and the median over rounds of
  their ratio. `draws_s` is processor time a second of the thread that draws, `rasterises_s` that of the threads of a
  software rasteriser, which a graphics card would spare.
- `idle`: processor time of the paused window over ten seconds, as a share of one core.

Needs Xvfb, xdotool and ImageMagick's `import` (Debian: apt-get install xvfb xdotool imagemagick).
"""

import argparse
import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/landscope"
TICK = os.sysconf("SC_CLK_TCK")
# A window without probes trains the default network.
QUIET = ["--probe-budget", "0", "--steps", "1000000"]


def display():
    number = 400 + os.getpid() % 200
    server = subprocess.Popen(
        ["Xvfb", f":{number}", "-screen", "0", "1700x1100x24", "-nolisten", "tcp", "-noreset"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not pathlib.Path(f"/tmp/.X11-unix/X{number}").exists():
        time.sleep(0.05)
    return server, f":{number}"


class Window:
    """The program in a window, with a state folder of its own."""

    def __init__(self, name, arguments):
        self.home = tempfile.TemporaryDirectory()
        self.env = dict(os.environ, DISPLAY=name, XDG_STATE_HOME=self.home.name, XDG_RUNTIME_DIR=self.home.name)
        self.env.pop("WAYLAND_DISPLAY", None)
        self.started = time.monotonic()
        self.process = subprocess.Popen([PROGRAM, *arguments], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def xdotool(self, *arguments):
        done = subprocess.run(["xdotool", *arguments], env=self.env, capture_output=True, text=True)
        return done.stdout.strip()

    def waiting(self):
        """For loops that wait: whether to go on; an error after a minute or when the program has ended."""
        if self.process.poll() is not None:
            raise SystemExit(f"the program ended with {self.process.returncode}: {self.process.stderr.read().strip()}")
        if time.monotonic() - self.started > 60:
            self.close()
            raise SystemExit("nothing happened for a minute")
        return True

    def mapped(self):
        """Waits for the window; its id."""
        while self.waiting():
            found = self.xdotool("search", "--onlyvisible", "--name", "^Landscope$")
            if found:
                return found.splitlines()[0]
            time.sleep(0.01)

    def painted(self, id):
        """Waits until the window has more than one colour."""
        while self.waiting():
            picture = subprocess.run(["import", "-silent", "-window", id, "-crop", "400x60+0+0", "-format", "%k", "info:"],
                                     env=self.env, capture_output=True, text=True).stdout.strip()
            if picture.isdigit() and int(picture) > 8:
                return
            time.sleep(0.01)

    def newest_step(self):
        for path in pathlib.Path(self.home.name).glob("landscope/*.landscope"):
            try:
                with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as file:
                    return file.execute("SELECT max(step) FROM scalar").fetchone()[0] or 0
            except sqlite3.Error:
                return 0
        return 0

    def cpu_secs(self):
        """Processor seconds so far of each thread, by name."""
        found = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            text = (task / "stat").read_text()
            name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
            found[name] = found.get(name, 0.0) + (int(rest[11]) + int(rest[12])) / TICK
        return found

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.home.cleanup()


def start(name):
    window = Window(name, QUIET)
    id = window.mapped()
    mapped = time.monotonic() - window.started
    window.painted(id)
    painted = time.monotonic() - window.started
    window.close()
    return mapped, painted


def beside(name, secs):
    """Steps a second in the window, and who worked how much."""
    window = Window(name, QUIET)
    window.painted(window.mapped())
    while window.waiting() and window.newest_step() < 50:
        time.sleep(0.2)
    time.sleep(2.0)
    before, cpu, begun = window.newest_step(), window.cpu_secs(), time.monotonic()
    time.sleep(secs)
    after, used, took = window.newest_step(), window.cpu_secs(), time.monotonic() - begun
    window.close()
    spent = {name: (used[name] - cpu.get(name, 0.0)) / took for name in used}
    draws = spent.get("landscope", 0.0)
    rasterises = sum(v for k, v in spent.items() if k.startswith("llvmpipe"))
    return (after - before) / took, draws, rasterises


def headless(secs):
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    with tempfile.TemporaryDirectory() as out:
        command = [PROGRAM, "run", "--json", "--out", out, "--probe-budget", "0", "--steps", str(int(200 * secs))]
        lines = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip().splitlines()
    return json.loads(lines[-1])["steps_per_sec"]


def idle(name):
    window = Window(name, QUIET)
    id = window.mapped()
    window.painted(id)
    time.sleep(3.0)
    window.xdotool("windowfocus", id)
    time.sleep(0.5)
    window.xdotool("key", "space")
    time.sleep(3.0)
    paused = window.newest_step()
    before = sum(window.cpu_secs().values())
    time.sleep(10.0)
    share = (sum(window.cpu_secs().values()) - before) / 10.0
    rests = window.newest_step() == paused
    window.close()
    return share if rests else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=10.0)
    options = parser.parse_args()
    server, name = display()
    try:
        starts = [start(name) for _ in range(options.rounds + 1)][1:]
        print(json.dumps({"question": "start", "mapped_s": round(statistics.median(s[0] for s in starts), 3),
                          "painted_s": round(statistics.median(s[1] for s in starts), 3)}), flush=True)
        pairs = [(beside(name, options.secs), headless(options.secs)) for _ in range(options.rounds)]
        print(json.dumps({"question": "training",
                          "window_steps_s": round(statistics.median(w[0] for w, _ in pairs), 1),
                          "headless_steps_s": round(statistics.median(h for _, h in pairs), 1),
                          "ratio": round(statistics.median(w[0] / h for w, h in pairs), 3),
                          "draws_s": round(statistics.median(w[1] for w, _ in pairs), 3),
                          "rasterises_s": round(statistics.median(w[2] for w, _ in pairs), 3)}), flush=True)
        shares = [idle(name) for _ in range(options.rounds)]
        print(json.dumps({"question": "idle", "share_of_a_core": statistics.median(shares)}), flush=True)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
