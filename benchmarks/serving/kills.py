"""Does anybody ever see half an export?

    python benchmarks/serving/kills.py RUN [--kills 50] [--seed 1]

exports RUN again and again, each time killed (SIGKILL) at a random moment, while a second process looks for new
numbered folders every ten milliseconds, as a server does every second, loads each at once and translates with it.
Prints how many exports were killed, how many versions appeared, and how many of them failed to load or translated
otherwise; exit status 1 if there is any, or if litter is left once an export went through.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = [b"one line", b"", b"another line of a few words"]


def main() -> int:
    """Exports, kills and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if os.environ.get("NMT_WATCH"):
        return watch(arguments.run)

    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "versions"
        started = time.monotonic()
        export(arguments.run, target).wait()
        whole = time.monotonic() - started
        watcher = subprocess.Popen(
            [sys.executable, __file__, str(target)],
            env={**os.environ, "NMT_WATCH": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdout is not None and watcher.stdout.readline() == "ready\n"
        killed = 0
        while killed < arguments.kills:
            process = export(arguments.run, target)
            try:
                process.wait(timeout=moments.uniform(0.0, 1.1 * whole))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        export(arguments.run, target).wait()  # sweeps what the killed ones left
        answer, _ = watcher.communicate("stop\n")
        seen = json.loads(answer)
        litter = [path.name for path in target.iterdir() if not path.name.isdecimal()]
    bad = seen["failed"] + seen["differing"]
    print(
        f"{killed} exports killed, each within {1.1 * whole:.0f} s; {seen['loaded']} versions appeared and were loaded "
        f"at once: {seen['failed']} failed, {seen['differing']} translated otherwise; left behind: "
        f"{', '.join(litter) or 'nothing'}"
    )
    return int(bool(bad or litter))


def export(run: Path, target: Path) -> subprocess.Popen[bytes]:
    """An export that runs beside this process."""
    command = [sys.executable, "-m", "nmt", "export", str(run), str(target)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def watch(target: Path) -> int:
    """Loads every numbered folder as it appears, until a line comes; imports TensorFlow and TF Text alone."""
    import threading

    import tensorflow as tf
    import tensorflow_text  # noqa: F401

    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stopped.set()), daemon=True).start()
    expected: list[bytes] | None = None
    seen: set[str] = set()
    counts = {"loaded": 0, "failed": 0, "differing": 0}
    while True:
        is_last_look = stopped.is_set()
        for name in sorted(path.name for path in target.iterdir() if path.name.isdecimal() and path.name not in seen):
            seen.add(name)
            counts["loaded"] += 1
            try:
                model = tf.saved_model.load(str(target / name))
                answer = model.signatures["serving_default"](text=tf.constant(LINES))["translation"].numpy().tolist()
            except Exception as error:
                print(f"version {name}: {error}", file=sys.stderr)
                counts["failed"] += 1
                continue
            if expected is None:
                expected = answer
                print("ready", flush=True)
            counts["differing"] += int(answer != expected)
        if is_last_look:
            print(json.dumps(counts))
            return 0
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
