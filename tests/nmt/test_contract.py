"""What TensorFlow Serving asks of a SavedModel: each rule broken in a graph that nobody runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from nmt.errors import CorruptFileError, ExportError
from nmt.saved_model.allowed_ops import CORE_OPS, TEXT_OPS
from nmt.saved_model.contract import METHOD, Contract, check_contract

Change = Callable[[Any], object]


def add_tensor(tensors: Any, name: str, dtype: Any, sizes: list[int] | None) -> None:
    tensors[name].dtype = dtype.as_datatype_enum
    if sizes is None:
        tensors[name].tensor_shape.unknown_rank = True
    for size in sizes or []:
        tensors[name].tensor_shape.dim.add(size=size)


def good_graph() -> Any:
    """A meta graph that keeps every rule."""
    meta_graph = saved_model_pb2.SavedModel().meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.graph_def.node.add(op="MatMul")
    meta_graph.graph_def.library.function.add().node_def.add(op="SentencepieceOp")
    signature = meta_graph.signature_def["serving_default"]
    signature.method_name = METHOD
    add_tensor(signature.inputs, "text", tf.string, [-1])
    add_tensor(signature.outputs, "translation", tf.string, [-1])
    add_tensor(signature.outputs, "scores", tf.float32, [-1, 5])
    meta_graph.signature_def["__saved_model_init_op"].outputs["init"].name = "NoOp"
    return meta_graph


def check(folder: Path, meta_graph: Any, with_text: bool = True) -> Contract:
    (folder / "variables").mkdir(exist_ok=True)
    (folder / "variables" / "variables.index").touch()
    saved_model = saved_model_pb2.SavedModel(meta_graphs=[meta_graph])
    (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    return check_contract(folder, with_text)


def test_a_graph_that_keeps_the_rules(tmp_path: Path) -> None:
    assert check(tmp_path, good_graph()) == Contract({"MatMul", "SentencepieceOp"}, {"serving_default": ["text"]})


def add_output(name: str, dtype: Any, sizes: list[int] | None) -> Change:
    return lambda graph: add_tensor(graph.signature_def["serving_default"].outputs, name, dtype, sizes)


def add_input(name: str, dtype: Any, sizes: list[int] | None) -> Change:
    return lambda graph: add_tensor(graph.signature_def["serving_default"].inputs, name, dtype, sizes)


def compile_a_function(graph: Any) -> None:
    graph.graph_def.library.function.add().attr["_XlaMustCompile"].b = True


def add_default(graph: Any) -> None:
    graph.signature_def["serving_default"].defaults["text"].dtype = tf.string.as_datatype_enum


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        *((lambda graph, op=op: graph.graph_def.node.add(op=op), f"not known to run everywhere: {op}") for op in
          ("CudnnRNNV3", "PyFunc", "EagerPyFunc", "XlaLaunch", "RandomUniform", "FastSentencepieceTokenize")),
        (lambda graph: graph.graph_def.node.add(op="MatMul", device="/device:GPU:0"), "MatMul on /device:GPU:0"),
        (compile_a_function, "compiled by XLA"),
        (lambda graph: graph.signature_def.pop("serving_default"), "no signature serving_default"),
        (add_input("beam_size", tf.int32, [-1]), "expected the one input text, received beam_size, text"),
        (add_default, "defaults for text"),
        (lambda graph: setattr(graph.signature_def["serving_default"], "method_name", ""), "method ''"),
        (lambda graph: graph.signature_def["serving_default"].outputs.clear(), "expected an input and an output"),
        (add_output("total", tf.float32, []), "output total: its first dimension is not the batch"),
        (add_output("fixed", tf.float32, [8]), "output fixed: its first dimension is not the batch"),
        (add_output("any", tf.float32, None), "output any: its first dimension is not the batch"),
        (add_output("half", tf.bfloat16, [-1]), "output half: type bfloat16"),
        (add_output("long", tf.int64, [-1]), "output long: type int64"),
        (add_output("raw_bytes", tf.string, [-1]), "a name that ends in _bytes"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_named(tmp_path: Path, change: Change, fault: str) -> None:
    graph = good_graph()
    change(graph)
    with pytest.raises(ExportError, match="expected what TensorFlow Serving runs as it is") as error:
        check(tmp_path, graph)
    assert fault in str(error.value)


def test_an_export_of_token_ids_holds_no_operation_of_tf_text(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not known to run everywhere: SentencepieceOp"):
        check(tmp_path, good_graph(), with_text=False)


def test_missing_variables_are_found(tmp_path: Path) -> None:
    check(tmp_path, good_graph())
    (tmp_path / "variables" / "variables.index").unlink()
    with pytest.raises(ExportError, match=r"no variables/variables\.index"):
        check_contract(tmp_path, with_text=True)


def test_what_is_no_saved_model_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=r"saved_model\.pb: expected a SavedModel"):
        check_contract(tmp_path, with_text=True)
    (tmp_path / "saved_model.pb").write_bytes(b"not a graph")
    with pytest.raises(CorruptFileError, match=r"saved_model\.pb: expected a SavedModel"):
        check_contract(tmp_path, with_text=True)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(CorruptFileError, match="expected one graph with the tag serve"):
        check_contract(tmp_path, with_text=True)


def test_the_lists_of_operations_hold_nothing_that_a_server_lacks() -> None:
    parts = ("Cudnn", "PyFunc", "Xla", "RandomUniform", "Multinomial", "Iterator")
    assert not [name for name in CORE_OPS | TEXT_OPS if any(part in name for part in parts)]
    assert all("entencepiece" in name for name in TEXT_OPS) and not CORE_OPS & TEXT_OPS
