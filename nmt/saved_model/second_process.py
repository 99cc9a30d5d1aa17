"""Answers calls of a SavedModel in a process of its own, which imports TensorFlow and TF Text alone.

Started by `nmt.saved_model.calls` as a script:

    python -P second_process.py SAVED_MODEL [--text] < calls > answers

The calls are a JSON list of `{"signature": ..., "inputs": {name: array}}`, the answers the last line of the output: a
JSON list of `{name: array}`. An array is `{"dtype": ..., "shape": [...], "values": [...]}`, flat, strings in base64.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import numpy as np
import tensorflow as tf


def main() -> None:
    """Answers the calls on standard input."""
    calls = json.load(sys.stdin)
    if "--text" in sys.argv:
        import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)
    model = tf.saved_model.load(sys.argv[1])
    answers = []
    for number, call in enumerate(calls, start=1):
        try:
            answers.append(answer(model, call))
        except Exception as error:  # whatever it is, the caller learns which call it was
            inputs = {name: array["values"][:3] for name, array in call["inputs"].items()}
            reason = " ".join(str(error).split())[:500] or type(error).__name__
            sys.exit(f"call {number} of {len(calls)}, signature {call['signature']}, {str(inputs)[:200]}: {reason}")
    print(json.dumps(answers))


def answer(model: Any, call: dict[str, Any]) -> dict[str, Any]:
    """A signature's answer."""
    inputs = {name: tensor_of(array) for name, array in call["inputs"].items()}
    outputs = model.signatures[call["signature"]](**inputs)
    return {name: array_of(output.numpy()) for name, output in outputs.items()}


def tensor_of(array: dict[str, Any]) -> Any:
    """The tensor that an array stands for."""
    is_text = array["dtype"] == "string"
    values = [base64.b64decode(value) for value in array["values"]] if is_text else array["values"]
    return tf.reshape(tf.constant(values, array["dtype"]), array["shape"])


def array_of(output: np.ndarray) -> dict[str, Any]:
    """A tensor as it is written into JSON."""
    values = output.reshape(-1).tolist()
    if output.dtype != object:
        return {"dtype": output.dtype.name, "shape": output.shape, "values": values}
    return {
        "dtype": "string",
        "shape": output.shape,
        "values": [base64.b64encode(value).decode() for value in values],
    }


if __name__ == "__main__":
    main()
