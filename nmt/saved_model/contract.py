"""What TensorFlow Serving asks of a SavedModel, checked in the file itself, without running it.

The rules and where they come from are in `docs/serving.md`. In short: operations that a stock server on a CPU links,
signatures whose outputs are rows of the batch, and types that JSON can carry.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from nmt.errors import CorruptFileError, ExportError
from nmt.saved_model.allowed_ops import CORE_OPS, TEXT_OPS

SIGNATURE, SCORE_SIGNATURE, N_BEST_SIGNATURE = "serving_default", "score_pairs", "nbest"
TOKENS_SIGNATURE, IDS_SIGNATURE = "tokenize", "translate_ids"
TAG = "serve"
METHOD = "tensorflow/serving/predict"
INPUT_TYPES = {tf.string, tf.int32}
OUTPUT_TYPES = {tf.string, tf.int32, tf.float32, tf.bool}  # JSON carries neither bfloat16 nor half
RESERVED_SUFFIX = "_bytes"  # TensorFlow Serving writes such outputs in base64
MAX_BYTES = 2**31 - 1  # of a protocol buffer


class Contract(NamedTuple):
    """What a SavedModel was found to hold.

    Attributes:
        operations: kinds of operations in its graph.
        signatures: inputs of each signature, by name.
    """

    operations: set[str]
    signatures: dict[str, list[str]]


def check_contract(folder: Path, with_text: bool) -> Contract:
    """Holds a SavedModel to the contract.

    Args:
        folder: the version's folder.
        with_text: whether it may use TF Text, and `serving_default` takes strings.

    Raises:
        ExportError: it names all that a server would not take.
        CorruptFileError: there is no SavedModel, or a damaged one.
    """
    meta_graph = _meta_graph(folder)
    operations, faults = _operations(meta_graph.graph_def, with_text)
    signatures = {name: signature for name, signature in meta_graph.signature_def.items() if not name.startswith("__")}
    if SIGNATURE not in signatures:
        faults.append(f"no signature {SIGNATURE}")
    for name, signature in sorted(signatures.items()):
        faults += [f"signature {name}: {fault}" for fault in _signature_faults(signature)]
    if with_text and SIGNATURE in signatures and (names := sorted(signatures[SIGNATURE].inputs)) != ["text"]:
        faults.append(f"signature {SIGNATURE}: expected the one input text, received {', '.join(names)}")
    if not (folder / "variables" / "variables.index").exists():  # such a version loads, and fails at its first request
        faults.append("no variables/variables.index")
    if faults:
        raise ExportError(
            f"{folder}: expected what TensorFlow Serving runs as it is (see docs/serving.md), received: "
            f"{'; '.join(faults)}; export the run with an unchanged keras-nmt, or report this"
        )
    return Contract(operations, {name: sorted(signature.inputs) for name, signature in signatures.items()})


def numbered(name: str, i: int) -> str:
    """The name of what belongs to source tokenizer `i`, from 0: most exports have one only."""
    return name if i == 0 else f"{name}_{i + 1}"


def _meta_graph(folder: Path) -> Any:
    path = folder / "saved_model.pb"
    try:
        meta_graphs = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    except (OSError, DecodeError) as error:
        raise CorruptFileError(f"{path}: expected a SavedModel ({error}); export the run again") from None
    if len(meta_graphs) != 1 or TAG not in meta_graphs[0].meta_info_def.tags:
        raise CorruptFileError(f"{path}: expected one graph with the tag {TAG}; export the run again")
    return meta_graphs[0]


def _operations(graph: Any, with_text: bool) -> tuple[set[str], list[str]]:
    """All kinds of operations, and what is wrong with the graph."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    operations = {node.op for node in nodes} - functions
    allowed = CORE_OPS | TEXT_OPS if with_text else CORE_OPS
    strangers = ", ".join(sorted(operations - allowed))
    faults = [f"operations that are not known to run everywhere: {strangers}"] if strangers else []
    faults += sorted({f"{node.op} on {node.device}" for node in nodes if "GPU" in node.device})
    faults += sorted(
        f"function {function.signature.name} compiled by XLA"
        for function in graph.library.function
        if function.attr["_XlaMustCompile"].b
    )
    if graph.ByteSize() > MAX_BYTES:
        faults.append(f"a graph of {graph.ByteSize():,} bytes, more than {MAX_BYTES:,}")
    return operations, faults


def _signature_faults(signature: Any) -> list[str]:
    """What a server would not take in one signature."""
    faults = [] if signature.method_name == METHOD else [f"method {signature.method_name!r} instead of {METHOD}"]
    if signature.defaults:  # honoured over gRPC, refused over REST
        faults.append(f"defaults for {', '.join(sorted(signature.defaults))}")
    if not signature.inputs or not signature.outputs:
        faults.append("expected an input and an output")
    for kind, tensors, types in (
        ("input", signature.inputs, INPUT_TYPES),
        ("output", signature.outputs, OUTPUT_TYPES),
    ):
        for name, tensor in sorted(tensors.items()):
            faults += [f"{kind} {name}: {fault}" for fault in _tensor_faults(name, tensor, types)]
    return faults


def _tensor_faults(name: str, tensor: Any, types: set[Any]) -> list[str]:
    faults, shape = [], tensor.tensor_shape
    if (dtype := tf.dtypes.as_dtype(tensor.dtype)) not in types:
        faults.append(f"type {dtype.name}")
    if shape.unknown_rank or not shape.dim or shape.dim[0].size != -1:
        faults.append("its first dimension is not the batch")
    if name.endswith(RESERVED_SUFFIX):
        faults.append(f"a name that ends in {RESERVED_SUFFIX}")
    return faults
