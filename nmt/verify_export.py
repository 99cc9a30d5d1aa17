"""Runs a SavedModel in a process of its own that imports TensorFlow and TF Text and nothing of this package.

Started by `nmt.export` as a script:

    python -P verify_export.py SAVED_MODEL < request > answer

The request is JSON: `lines` in base64, `batch_size`. The answer is the last line of the output, JSON: of each line
`translation` in base64, `log_prob`, `score` and `cut`.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)


def main() -> None:
    """Answers the request on standard input."""
    request = json.load(sys.stdin)
    lines = [base64.b64decode(line) for line in request["lines"]]
    model = tf.saved_model.load(sys.argv[1])
    run = model.signatures["serving_default"]
    check_empty_batch(run(text=tf.constant([], tf.string)))
    answer = []
    for start in range(0, len(lines), request["batch_size"]):
        answer += rows(run(text=tf.constant(lines[start : start + request["batch_size"]])))
    print(json.dumps(answer))


def check_empty_batch(outputs: dict[str, Any]) -> None:
    """A batch without rows has outputs without rows."""
    shapes = {name: output.shape.as_list() for name, output in outputs.items()}
    if any(shape != [0] for shape in shapes.values()):
        sys.exit(f"a batch without lines: expected outputs of shape [0], received {shapes}")


def rows(outputs: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of one batch, line by line."""
    columns = (outputs[name].numpy().tolist() for name in ("translation", "log_prob", "score", "cut"))
    return [
        {"translation": base64.b64encode(translation).decode(), "log_prob": log_prob, "score": score, "cut": cut}
        for translation, log_prob, score, cut in zip(*columns, strict=True)
    ]


if __name__ == "__main__":
    main()
