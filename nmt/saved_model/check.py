"""Is an export whole, will a server take it, and does it still translate as the run that it was made from?

Files against their checksums, the graph against the contract, then, in a second process that knows nothing of this
package: the lines of `samples.json` through every signature, empty batches, and the warm-up requests.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nmt.errors import ExportError
from nmt.saved_model.answers import answer_to, call_of, difference, empty_call, settled
from nmt.saved_model.calls import Arrays, Call, call_apart
from nmt.saved_model.contract import check_contract
from nmt.saved_model.info import check_files, read_info, version_folder
from nmt.saved_model.samples import Sample, read_samples
from nmt.saved_model.signatures import signatures_of
from nmt.saved_model.warm_up import read_warm_up

ADVICE = "do not serve it, export the run again or report this"


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
    operations = check_contract(folder, info.with_text, info.source_tokenizers)
    samples, warm_up = read_samples(folder), read_warm_up(folder)
    if not samples or not warm_up or any(len(sample.source_ids) != info.source_tokenizers for sample in samples):
        raise ExportError(
            f"{folder}: expected warm-up requests, and samples for {info.source_tokenizers} source tokenizers, "
            f"received {len(warm_up)} requests and {len(samples)} samples; export the run again"
        )
    signatures = signatures_of(info.with_text, info.source_tokenizers)
    empty = [empty_call(name, signature) for name, signature in signatures.items()]
    asked = [(sample, name, signature) for sample in samples for name, signature in signatures.items()]
    calls = [call_of(name, signature, sample) for sample, name, signature in asked]
    answers = iter(call_apart(folder, [*empty, *calls, *warm_up], info.with_text))
    for call in empty:
        _check_rows(folder, call, next(answers), 0)
    for (sample, name, signature), call in zip(asked, calls, strict=True):
        answer = next(answers)
        _check_rows(folder, call, answer, 1)
        expected = answer_to(name, signature, sample, info.n_best)
        _check_answer(folder, sample, name, *(settled(name, sample, one) for one in (expected, answer)))
    for call in warm_up:
        _check_rows(folder, call, next(answers), len(next(iter(call.inputs.values()))))
    return Checked(folder, files, len(operations), tuple(signatures), len(samples), len(warm_up))


def _check_answer(folder: Path, sample: Sample, signature: str, expected: Arrays, received: Arrays) -> None:
    """A signature's answer to a sample."""
    for name in expected:
        if unlike := difference(expected[name], received[name]):
            raise ExportError(
                f"{folder}: the SavedModel does not translate as the run does: signature {signature}, for "
                f"{sample.line[:80]!r}, {name}: {unlike}; {ADVICE}"
            )


def _check_rows(folder: Path, call: Call, outputs: Arrays, rows: int) -> None:
    """Every output has a row for each of the batch."""
    if wrong := [f"{name} {output.shape}" for name, output in outputs.items() if output.shape[:1] != (rows,)]:
        raise ExportError(
            f"{folder}: signature {call.signature}: expected outputs of {rows} rows, received {', '.join(wrong)}; "
            f"{ADVICE}"
        )
