"""What TensorFlow Serving asks of a SavedModel, checked in the file itself, without running it.

The rules and where they come from are in `docs/serving.md`. In short: operations that a stock server on a CPU links,
and the signatures of `nmt.saved_model.signatures`, no more and no less.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from nmt.errors import CorruptFileError, ExportError
from nmt.saved_model.allowed_ops import CORE_OPS, TEXT_OPS
from nmt.saved_model.signatures import Signature, Tensor, signatures_of

TAG = "serve"
METHOD = "tensorflow/serving/predict"
BEFORE_ALL = "__saved_model_init_op"  # what a loader runs by itself
OLDEST_CONSUMER = 12  # of graphs; TensorFlow writes 12 since 0.12, and a server older than a graph's refuses it
TYPE_NAMES = {
    types_pb2.DT_STRING: "string",
    types_pb2.DT_INT32: "int32",
    types_pb2.DT_FLOAT: "float32",
    types_pb2.DT_BOOL: "bool",
}
COMPILED = "_XlaMustCompile"


def check_contract(folder: Path, with_text: bool, source_tokenizers: int = 1) -> set[str]:
    """Holds a SavedModel to the contract.

    Args:
        folder: the version's folder.
        with_text: whether it takes strings, and may use TF Text.
        source_tokenizers: how many different ones its models read with.

    Returns:
        The kinds of operations in its graph.

    Raises:
        ExportError: it names all that a server would not take.
        CorruptFileError: there is no SavedModel, or a damaged one.
    """
    meta_graph = _meta_graph(folder)
    operations, faults = _operations(meta_graph.graph_def, with_text)
    nodes = {node.name for node in meta_graph.graph_def.node}
    received = {name: signature for name, signature in meta_graph.signature_def.items() if name != BEFORE_ALL}
    expected = signatures_of(with_text, source_tokenizers)
    for name in sorted(expected.keys() | received.keys()):
        if name not in received or name not in expected:
            faults.append(f"{'no' if name in expected else 'an unknown'} signature {name}")
            continue
        faults += [f"signature {name}: {fault}" for fault in _signature_faults(received[name], expected[name], nodes)]
    faults += _missing_variables(folder)
    if faults:
        raise ExportError(
            f"{folder}: expected what TensorFlow Serving runs as it is (see docs/serving.md), received: "
            f"{'; '.join(faults)}; export the run with an unchanged keras-nmt, or report this"
        )
    return operations


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
    functions = graph.library.function
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    operations = {node.op for node in nodes} - {function.signature.name for function in functions}
    allowed = CORE_OPS | TEXT_OPS if with_text else CORE_OPS
    strangers = ", ".join(sorted(operations - allowed))
    faults = [f"operations that are not known to run everywhere: {strangers}"] if strangers else []
    faults += sorted({f"{node.op} on {node.device}" for node in nodes if "GPU" in node.device})
    compiled = [function.signature.name for function in functions if function.attr[COMPILED].b]
    compiled += [node.name for node in nodes if COMPILED in node.attr and node.attr[COMPILED].b]
    faults += sorted(f"{name} compiled by XLA" for name in compiled)
    if graph.versions.min_consumer > OLDEST_CONSUMER:
        faults.append(f"a graph for consumers from version {graph.versions.min_consumer} on, not {OLDEST_CONSUMER}")
    return operations, faults


def _signature_faults(received: Any, expected: Signature, nodes: set[str]) -> list[str]:
    """What a server, or its callers, would not take in one signature."""
    faults = [] if received.method_name == METHOD else [f"method {received.method_name!r} instead of {METHOD}"]
    if received.defaults:  # honoured over gRPC, refused over REST
        faults.append(f"defaults for {', '.join(sorted(received.defaults))}")
    faults += [f"input {fault}" for fault in _tensor_faults(received.inputs, expected.inputs, nodes)]
    faults += [f"output {fault}" for fault in _tensor_faults(received.outputs, expected.outputs, nodes)]
    return faults


def _tensor_faults(received: Mapping[str, Any], expected: Mapping[str, Tensor], nodes: set[str]) -> list[str]:
    faults = [f"{name}: missing" for name in sorted(expected.keys() - received.keys())]
    faults += [f"{name}: not known" for name in sorted(received.keys() - expected.keys())]
    for name in sorted(received.keys() & expected.keys()):
        tensor, shape = received[name], received[name].tensor_shape
        found = Tensor(TYPE_NAMES.get(tensor.dtype, f"type {tensor.dtype}"), len(shape.dim))
        if shape.unknown_rank or found != expected[name]:
            faults.append(f"{name}: expected {expected[name]}, received {'any rank' if shape.unknown_rank else found}")
        elif shape.dim[0].size != -1:
            faults.append(f"{name}: its first dimension is not the batch")
        if tensor.name.partition(":")[0] not in nodes:
            faults.append(f"{name}: the graph has no tensor {tensor.name!r}")
    return faults


def _missing_variables(folder: Path) -> list[str]:
    """Files without which a version loads, and fails at its first request."""
    patterns = ("variables.index", "variables.data-*-of-*")
    return [f"no variables/{pattern}" for pattern in patterns if not list((folder / "variables").glob(pattern))]
