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
from nmt.saved_model.contract import METHOD, check_contract
from nmt.saved_model.signatures import signatures_of

Change = Callable[[Any], object]


def add_tensor(tensors: Any, name: str, dtype: Any, sizes: list[int] | None) -> None:
    tensors[name].name = "node:0"
    tensors[name].dtype = dtype if isinstance(dtype, int) else dtype.as_datatype_enum
    tensors[name].tensor_shape.Clear()
    if sizes is None:
        tensors[name].tensor_shape.unknown_rank = True
    for size in sizes or []:
        tensors[name].tensor_shape.dim.add(size=size)


def good_graph(with_text: bool = True, source_tokenizers: int = 1) -> Any:
    """A meta graph that keeps every rule."""
    meta_graph = saved_model_pb2.SavedModel().meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.graph_def.versions.min_consumer = 12
    meta_graph.graph_def.node.add(op="MatMul", name="node")
    meta_graph.graph_def.library.function.add().node_def.add(op="SentencepieceOp" if with_text else "Pad")
    for name, (inputs, outputs) in signatures_of(with_text, source_tokenizers).items():
        signature = meta_graph.signature_def[name]
        signature.method_name = METHOD
        for tensors, expected in ((signature.inputs, inputs), (signature.outputs, outputs)):
            for key, (kind, rank) in expected.items():
                add_tensor(tensors, key, getattr(tf, kind), [-1] * rank)
    meta_graph.signature_def["__saved_model_init_op"].outputs["init"].name = "NoOp"
    return meta_graph


def check(folder: Path, meta_graph: Any, with_text: bool = True, source_tokenizers: int = 1) -> set[str]:
    (folder / "variables").mkdir(exist_ok=True)
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (folder / "variables" / name).touch()
    saved_model = saved_model_pb2.SavedModel(meta_graphs=[meta_graph])
    (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    return check_contract(folder, with_text, source_tokenizers)


def test_a_graph_that_keeps_the_rules(tmp_path: Path) -> None:
    assert check(tmp_path, good_graph()) == {"MatMul", "SentencepieceOp"}
    assert check(tmp_path, good_graph(False, 2), with_text=False, source_tokenizers=2) == {"MatMul", "Pad"}


def add_output(name: str, dtype: Any, sizes: list[int] | None) -> Change:
    return lambda graph: add_tensor(graph.signature_def["serving_default"].outputs, name, dtype, sizes)


def add_input(name: str, dtype: Any, sizes: list[int] | None) -> Change:
    return lambda graph: add_tensor(graph.signature_def["serving_default"].inputs, name, dtype, sizes)


def compile_a_function(graph: Any) -> None:
    function = graph.graph_def.library.function.add()
    function.signature.name = "inner"
    function.attr["_XlaMustCompile"].b = True


def compile_a_call(graph: Any) -> None:
    graph.graph_def.node.add(op="PartitionedCall", name="call").attr["_XlaMustCompile"].b = True


def add_default(graph: Any) -> None:
    graph.signature_def["serving_default"].defaults["text"].dtype = tf.string.as_datatype_enum


def rename_tensor(graph: Any) -> None:
    graph.signature_def["serving_default"].inputs["text"].name = "elsewhere:0"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        *((lambda graph, op=op: graph.graph_def.node.add(op=op), f"not known to run everywhere: {op}") for op in
          ("CudnnRNNV3", "PyFunc", "EagerPyFunc", "XlaLaunch", "RandomUniform", "FastSentencepieceTokenize")),
        (lambda graph: graph.graph_def.node.add(op="MatMul", device="/device:GPU:0"), "MatMul on /device:GPU:0"),
        (compile_a_function, "inner compiled by XLA"),
        (compile_a_call, "call compiled by XLA"),
        (lambda graph: setattr(graph.graph_def.versions, "min_consumer", 13), "for consumers from version 13 on"),
        (lambda graph: graph.signature_def.pop("serving_default"), "no signature serving_default"),
        (lambda graph: graph.signature_def.pop("nbest"), "no signature nbest"),
        (lambda graph: graph.signature_def["other"], "an unknown signature other"),
        (lambda graph: graph.signature_def["__other"], "an unknown signature __other"),
        (add_input("beam_size", tf.int32, [-1]), "signature serving_default: input beam_size: not known"),
        (add_input("text", tf.int32, [-1]), "input text: expected string of rank 1, received int32 of rank 1"),
        (rename_tensor, "input text: the graph has no tensor 'elsewhere:0'"),
        (add_default, "defaults for text"),
        (lambda graph: setattr(graph.signature_def["serving_default"], "method_name", ""), "method ''"),
        (lambda graph: graph.signature_def["serving_default"].outputs.pop("cut"), "output cut: missing"),
        (add_output("raw_bytes", tf.string, [-1]), "output raw_bytes: not known"),
        (add_output("score", tf.float32, []), "output score: expected float32 of rank 1, received float32 of rank 0"),
        (add_output("score", tf.float32, [8]), "output score: its first dimension is not the batch"),
        (add_output("score", tf.float32, None), "output score: expected float32 of rank 1, received any rank"),
        (add_output("score", tf.bfloat16, [-1]), "score: expected float32 of rank 1, received type 14 of rank 1"),
        (add_output("score", 9_999, [-1]), "output score: expected float32 of rank 1, received type 9999 of rank 1"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_named(tmp_path: Path, change: Change, fault: str) -> None:
    graph = good_graph()
    change(graph)
    with pytest.raises(ExportError, match="expected what TensorFlow Serving runs as it is") as error:
        check(tmp_path, graph)
    assert fault in str(error.value)


def test_an_export_of_token_ids_holds_no_operation_of_tf_text(tmp_path: Path) -> None:
    graph = good_graph(with_text=False)
    graph.graph_def.node.add(op="SentencepieceOp")
    with pytest.raises(ExportError, match="not known to run everywhere: SentencepieceOp"):
        check(tmp_path, graph, with_text=False)


def test_the_number_of_source_tokenizers_is_part_of_the_contract(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="signature translate_ids: input length_2: missing"):
        check(tmp_path, good_graph(), source_tokenizers=2)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("variables.index", r"no variables/variables\.index"),
        ("variables.data-00000-of-00001", r"no variables/variables\.data"),
    ],
)
def test_missing_variables_are_found(tmp_path: Path, name: str, fault: str) -> None:
    check(tmp_path, good_graph())
    (tmp_path / "variables" / name).unlink()
    with pytest.raises(ExportError, match=fault):
        check_contract(tmp_path, with_text=True)


@pytest.mark.parametrize(("with_text", "tokenizers"), [(True, 1), (True, 2), (False, 1), (False, 2)])
def test_the_signatures_keep_the_rules_of_tensorflow_serving(with_text: bool, tokenizers: int) -> None:
    """Rows of a batch, types that JSON carries, no name that means base64, and one input for strings."""
    signatures = signatures_of(with_text, tokenizers)
    tensors = [(name, tensor) for one in signatures.values() for of in one for name, tensor in of.items()]
    assert all(tensor.rank >= 1 and tensor.type in {"string", "int32", "float32", "bool"} for _, tensor in tensors)
    assert not [name for name, _ in tensors if name.endswith("_bytes")]
    assert all(signature.inputs and signature.outputs for signature in signatures.values())
    if with_text:
        assert signatures["serving_default"].inputs == {"text": ("string", 1)}
    assert len(signatures["translate_ids"].inputs) == 2 * tokenizers


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
