"""Is an export whole, will a server take it, and does it still translate as the run that it was made from?

Files against their checksums, the graph against the contract, then, in a second process that knows nothing of this
package: the lines of `samples.json` through every signature, empty batches, and the warm-up requests. What
`score_pairs` and the lower ranks of `nbest` answer is not compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nmt.errors import ExportError
from nmt.saved_model.calls import Arrays, Call, call_apart, texts
from nmt.saved_model.contract import (
    IDS_SIGNATURE,
    N_BEST_SIGNATURE,
    SCORE_SIGNATURE,
    SIGNATURE,
    TOKENS_SIGNATURE,
    Contract,
    check_contract,
    numbered,
)
from nmt.saved_model.info import check_files, read_info, version_folder
from nmt.saved_model.samples import Sample, read_samples
from nmt.saved_model.warm_up import read_warm_up

SIGNATURES = {SIGNATURE, N_BEST_SIGNATURE, SCORE_SIGNATURE, TOKENS_SIGNATURE, IDS_SIGNATURE}
IDS_SIGNATURES = {SIGNATURE, IDS_SIGNATURE}
TOLERANCE = 1e-3  # of log-probabilities, relative to them where they are above 1


class Checked(NamedTuple):
    """What was checked and found in order.

    Attributes:
        folder: the version's folder.
        files: files that match their checksum.
        operations: kinds of operations in the graph.
        signatures: names.
        samples: lines that are translated as the run does.
        requests: warm-up requests that were answered.
    """

    folder: Path
    files: int
    operations: int
    signatures: tuple[str, ...]
    samples: int
    requests: int

    def __str__(self) -> str:
        """In one line."""
        return (
            f"{self.folder}: {self.files} files as they were written; {self.operations} kinds of operations, all of "
            f"them known to servers; signatures {', '.join(self.signatures)}; {self.samples} lines translated as the "
            f"run does; {self.requests} warm-up requests answered"
        )


def check(path: Path) -> Checked:
    """Checks an export.

    Args:
        path: one version's folder, or the folder of versions, of which the highest is taken.

    Raises:
        ExportError: a server would not take it, or it translates otherwise.
        CorruptFileError: a file is missing or does not match its checksum.
    """
    folder = version_folder(path)
    info = read_info(folder)
    files = check_files(folder)
    contract = check_contract(folder, info.with_text)
    samples, warm_up = read_samples(folder), read_warm_up(folder)
    expected = SIGNATURES if info.with_text else IDS_SIGNATURES
    if set(contract.signatures) != expected or not samples or not warm_up:
        raise ExportError(
            f"{folder}: expected the signatures {', '.join(sorted(expected))}, samples and warm-up requests; received "
            f"{', '.join(sorted(contract.signatures))}, {len(samples)} and {len(warm_up)}; export the run again"
        )
    empty = [_empty(name, inputs) for name, inputs in sorted(contract.signatures.items())]
    asked = [_calls(contract, sample) for sample in samples]
    every = [*empty, *(call for calls in asked for call in calls.values()), *warm_up]
    answers = iter(call_apart(folder, every, info.with_text))
    for call in empty:
        _check_rows(folder, call, next(answers), 0)
    for sample, calls in zip(samples, asked, strict=True):
        _check_sample(folder, sample, {name: next(answers) for name in calls})
    for call in warm_up:
        _check_rows(folder, call, next(answers), len(next(iter(call.inputs.values()))))
    return Checked(folder, files, len(contract.operations), tuple(contract.signatures), len(samples), len(warm_up))


def _empty(signature: str, inputs: Sequence[str]) -> Call:
    """A batch without rows."""
    no_ids, no_lengths = np.zeros((0, 1), np.int32), np.zeros(0, np.int32)
    if signature in (IDS_SIGNATURE, SIGNATURE) and "text" not in inputs:
        return Call(signature, {name: no_lengths if name.startswith("length") else no_ids for name in inputs})
    return Call(signature, {name: texts([]) for name in inputs})


def _calls(contract: Contract, sample: Sample) -> dict[str, Call]:
    """The calls that a sample is checked by, by their signatures."""
    text, translation = texts([sample.text]), texts([sample.translation.encode()])
    inputs: dict[str, Arrays] = {
        SIGNATURE: {"text": text},
        N_BEST_SIGNATURE: {"text": text},
        TOKENS_SIGNATURE: {"text": text},
        SCORE_SIGNATURE: {"text": text, "translation": translation},
        IDS_SIGNATURE: ids_inputs([sample]),
    }
    return {
        name: Call(name, inputs[name] if "text" in taken else inputs[IDS_SIGNATURE])
        for name, taken in contract.signatures.items()
        if name in inputs
    }


def ids_inputs(samples: Sequence[Sample]) -> Arrays:
    """Samples as `translate_ids` takes them."""
    inputs = {}
    for i in range(len(samples[0].source_ids)):
        rows = [sample.source_ids[i] for sample in samples]
        token_ids = np.zeros((len(rows), max(1, *map(len, rows))), np.int32)
        for row, ids in zip(token_ids, rows, strict=True):
            row[: len(ids)] = ids
        inputs[numbered("token_ids", i)] = token_ids
        inputs[numbered("length", i)] = np.array([len(ids) for ids in rows], np.int32)
    return inputs


def _check_sample(folder: Path, sample: Sample, answers: Mapping[str, Arrays]) -> None:
    """Every signature's answer to a sample."""
    expected = {
        "translation": sample.translation.encode(),
        "log_prob": sample.log_prob,
        "score": sample.score,
        "cut": sample.cut,
    }
    for signature, outputs in answers.items():
        received = _named_as_the_sample(sample, signature, outputs)
        for name in received:
            if not _same(expected[name], received[name]):
                raise ExportError(
                    f"{folder}: the SavedModel does not translate as the run does: signature {signature}, for "
                    f"{sample.text[:80]!r} expected the {name} {expected[name]!r}, received {received[name]!r}; "
                    f"do not serve it, export the run again or report this"
                )


def _named_as_the_sample(sample: Sample, signature: str, outputs: Arrays) -> dict[str, object]:
    """The outputs that a sample knows, by its names."""
    if signature == N_BEST_SIGNATURE:
        best = {"translation": "translations", "log_prob": "log_probs", "score": "scores"}
        return {name: outputs[plural][0, 0] for name, plural in best.items()}
    if signature == SCORE_SIGNATURE:  # a text may be cut into other tokens than those that it was made of
        return {}
    if signature == TOKENS_SIGNATURE:
        same = _ids(outputs) == sample.source_ids[0]
        return {"cut": bool(outputs["cut"][0])} if same else {"translation": f"tokens {_ids(outputs)}"}
    if "translation" in outputs:
        return {name: outputs[name][0] for name in ("translation", "log_prob", "score", "cut")}
    same = _ids(outputs) == sample.target_ids
    figures = {name: outputs[name][0] for name in ("log_prob", "score")}
    return figures if same else {"translation": f"tokens {_ids(outputs)}"}


def _ids(outputs: Arrays) -> list[int]:
    """The token ids of the only row."""
    return [int(i) for i in outputs["token_ids"][0, : outputs["length"][0]]]


def _same(expected: object, received: object) -> bool:
    if isinstance(expected, float):
        return abs(expected - float(received)) <= TOLERANCE * max(1.0, abs(expected))  # type: ignore[arg-type]
    return bool(expected == received)


def _check_rows(folder: Path, call: Call, outputs: Arrays, rows: int) -> None:
    """Every output has a row for each of the batch."""
    if wrong := [f"{name} {output.shape}" for name, output in outputs.items() if output.shape[:1] != (rows,)]:
        raise ExportError(
            f"{folder}: signature {call.signature}: expected outputs of {rows} rows, received {', '.join(wrong)}; "
            f"do not serve it, export the run again or report this"
        )
