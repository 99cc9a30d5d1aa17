"""How large is an export, how long does it take to load, and what does the warm-up give?

    python benchmarks/serving/load_time.py EXPORT FILE [--rounds 5]

In fresh processes that import TensorFlow and TF Text alone, in turns: load, then the first, second and third call with
one line of FILE, once as it is and once after the warm-up requests were answered. Prints medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("export", type=Path, help="a version's folder, or the folder of versions")
    parser.add_argument("file", type=Path, help="source text, one sentence a line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--once", choices=("cold", "warm"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    line = arguments.file.read_bytes().split(b"\n")[0]
    if arguments.once:
        print(json.dumps(measure(arguments.export, line, arguments.once == "warm")))
        return 0

    from nmt.saved_model import version_folder  # here alone: the processes that are timed import nothing of nmt

    export = version_folder(arguments.export)
    size = sum(path.stat().st_size for path in export.rglob("*") if path.is_file())
    print(f"size: {size / 1e6:.1f} MB")
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(arguments.rounds):
        for how, figures in found.items():
            command = [sys.executable, __file__, str(export), str(arguments.file), "--once", how]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            figures.append(json.loads(answer.splitlines()[-1]))
    for how, figures in found.items():
        medians = {name: statistics.median(one[name] for one in figures) for name in figures[0]}
        print(f"{how}: " + ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in medians.items()))
    return 0


def measure(folder: Path, line: bytes, is_warm: bool) -> dict[str, float]:
    """Seconds of loading and of the first calls."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401

    times: dict[str, float] = {}

    def timed(name: str, call: object) -> object:
        started = time.perf_counter()
        result = call()  # type: ignore[operator]
        times[name] = time.perf_counter() - started
        return result

    model = timed("load", lambda: tf.saved_model.load(str(folder)))
    signatures = model.signatures  # type: ignore[attr-defined]
    if is_warm:
        from tensorflow_serving.apis import prediction_log_pb2

        def warm_up() -> None:
            path = str(folder / "assets.extra" / "tf_serving_warmup_requests")
            for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
                request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
                inputs = {name: tf.constant(tf.make_ndarray(values)) for name, values in request.inputs.items()}
                signatures[request.model_spec.signature_name](**inputs)

        timed("warm-up", warm_up)
    for name in ("first call", "second", "third"):
        timed(name, lambda: signatures["serving_default"](text=tf.constant([line])))
    return times


if __name__ == "__main__":
    sys.exit(main())
