"""Warm-up requests: what TensorFlow Serving runs before a version takes its first request.

A TFRecord file of `PredictionLog`, at most 1,000 records; one that fails makes the server refuse the version, so the
file is also a check by the server itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from nmt.errors import CorruptFileError
from nmt.saved_model.calls import Call
from nmt.saved_model.info import EXTRA

WARM_UP_FILE = f"{EXTRA}/tf_serving_warmup_requests"  # TensorFlow Serving looks for this name


def write_warm_up(folder: Path, name: str, calls: Sequence[Call]) -> None:
    """Writes calls as warm-up requests.

    Args:
        folder: the version's folder.
        name: of the model; a server replaces it by its own.
        calls: at most 1,000.
    """
    path = folder / WARM_UP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in calls:
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=name, signature_name=signature),
                inputs={key: tf.make_tensor_proto(values) for key, values in inputs.items()},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def read_warm_up(folder: Path) -> list[Call]:
    """The calls that the file asks for.

    Raises:
        CorruptFileError: it is missing or damaged.
    """
    path = folder / WARM_UP_FILE
    try:
        records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    except tf.errors.OpError as error:
        reason = str(error).strip().splitlines()[0]
        raise CorruptFileError(f"{path}: expected warm-up requests ({reason}); export the run again") from None
    try:
        return [_call(prediction_log_pb2.PredictionLog.FromString(record).predict_log.request) for record in records]
    except (DecodeError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path}: expected warm-up requests ({error}); export the run again") from None


def _call(request: predict_pb2.PredictRequest) -> Call:
    """A request as it is called here."""
    inputs = {name: tf.make_ndarray(values) for name, values in request.inputs.items()}
    return Call(request.model_spec.signature_name, inputs)
