"""Calls of a SavedModel's signatures, answered in a process that knows nothing of this package."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nmt.errors import ExportError

TIMEOUT = 3_600.0  # seconds; a large model on a slow machine needs some minutes
SCRIPT = Path(__file__).with_name("second_process.py")

Arrays = Mapping[str, np.ndarray]


class Call(NamedTuple):
    """A request.

    Attributes:
        signature: which.
        inputs: arrays by name, batch first; strings as arrays of bytes objects.
    """

    signature: str
    inputs: Arrays


def texts(lines: Sequence[bytes]) -> np.ndarray:
    """Strings as a signature takes them; (lines,) of objects, since numpy's own strings lose a NUL at the end."""
    array = np.empty(len(lines), object)
    array[:] = lines
    return array


def call_apart(folder: Path, calls: Sequence[Call], with_text: bool = True) -> list[Arrays]:
    """Answers calls in a process that imports TensorFlow alone, with text TF Text too, and sees no GPU.

    Raises:
        ExportError: the process failed, and the message has what it said last; or it did not end.
    """
    request = [{"signature": signature, "inputs": _written(inputs)} for signature, inputs in calls]
    # -P: no module beside the script is found
    command = [sys.executable, "-P", str(SCRIPT), str(folder), *(["--text"] if with_text else [])]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        process = subprocess.run(
            command,
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExportError(
            f"{folder}: expected answers to {len(calls)} calls within {TIMEOUT:g} seconds, received none; look at what "
            f"else runs on this machine, and export the run again"
        ) from None
    if process.returncode:
        last = (process.stderr.strip() or "it said nothing").splitlines()[-1]
        raise ExportError(
            f"{folder}: the SavedModel did not run in a second process (exit status {process.returncode}): {last}; "
            f"do not serve it, export the run again or report this"
        )
    answers = json.loads(process.stdout.splitlines()[-1])
    return [{name: _read(array) for name, array in answer.items()} for answer in answers]


def _written(arrays: Arrays) -> dict[str, Any]:
    """Arrays as `second_process` reads them."""
    written = {}
    for name, array in arrays.items():
        is_text, values = array.dtype == object, array.reshape(-1).tolist()
        written[name] = {
            "dtype": "string" if is_text else array.dtype.name,
            "shape": array.shape,
            "values": [base64.b64encode(value).decode() for value in values] if is_text else values,
        }
    return written


def _read(array: Mapping[str, Any]) -> np.ndarray:
    """An array as `second_process` writes it."""
    if array["dtype"] == "string":
        return texts([base64.b64decode(value) for value in array["values"]]).reshape(array["shape"])
    return np.array(array["values"], array["dtype"]).reshape(array["shape"])
