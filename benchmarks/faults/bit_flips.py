"""What becomes of a single flipped bit in a checkpoint, an Arrow shard, a subword model or a run's configuration?

    python benchmarks/faults/bit_flips.py [--count 200] [--controls 20] [--seed 1] [--folder FOLDER]

trains a tiny model, then flips one random bit 200 times in the files of each kind and lets everything read them that
does: translation, resume, the prepared corpus, the settings. Allowed are an error of keras-nmt's own, an answer equal
to the undamaged one (the bit did not matter), and for a resume the checkpoint before, with a warning. A signal, another
exception or another answer is a failure. 20 undamaged copies of each kind must be read as they are. At last `nmt train`
itself goes on with one damaged file after the other: to the uninterrupted training's checksum or to an error line. Exit
status 1 after any failure, or if no flip was noticed at all.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import tiny_run
from tiny_run import PREPARED_FOLDER, RUN_FOLDER

from nmt.batches import BatchPlan
from nmt.config import Config, parse_config
from nmt.corpus import PreparedCorpus
from nmt.errors import NmtError
from nmt.optimizers import make_optimizer
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.translation.translator import load_translator

SECONDS_TO_ANSWER = 120.0
RESUME_FROM_STEP = 100
SETTINGS_FILES = [RUN_FOLDER / name for name in ("config.json", "run.json")]
SHARDS = [PREPARED_FOLDER / name for name in ("train.arrow", "validation.arrow")]
SUBWORD_MODELS = [folder / f"{side}.model" for folder in (RUN_FOLDER, PREPARED_FOLDER) for side in ("source", "target")]


@dataclass(frozen=True)
class Answer:
    """What a reader made of the files.

    Attributes:
        kind: `read`, `refused` (an error of keras-nmt's own), `exception` or `killed`.
        text: checksum of what was read, or the error.
    """

    kind: str
    text: str


@dataclass
class Counts:
    """What became of the flips in the files of one kind."""

    refused: int = 0
    unchanged: int = 0
    before: int = 0
    controls: int = 0
    failures: list[str] = field(default_factory=list)


def main() -> int:
    """Flips and reports."""
    parser = tiny_run.arguments_of(__doc__, 200, "flips in the files of each kind")
    parser.add_argument("--controls", type=int, default=20, help="undamaged copies of each kind (default: 20)")
    arguments = parser.parse_args()
    flips = arguments.count or 200
    with tiny_run.scratch(arguments.folder) as folder:
        whole = folder / "whole"
        tiny_run.prepare(whole, tiny_run.settings())
        if (result := tiny_run.train(whole)).status:
            raise SystemExit(f"the undisturbed training failed:\n{result.output}")
        counts = all_kinds(whole, flips, arguments.controls, random.Random(arguments.seed))
        resumed = resume_with_damage(whole, random.Random(arguments.seed))
    return report(counts, resumed, flips, arguments.controls)


def all_kinds(whole: Path, flips: int, controls: int, generator: random.Random) -> dict[str, Counts]:
    """Flips and controls in the files of each kind."""
    step = tiny_run.newest_step(whole / RUN_FOLDER)
    checkpoint = sorted(tiny_run.checkpoint_folder(whole / RUN_FOLDER, step).iterdir())
    kinds = {
        "checkpoint": ([path.relative_to(whole) for path in checkpoint], ["translations", "training_position"]),
        "Arrow shard": (SHARDS, ["batches"]),
        "subword model": (SUBWORD_MODELS, ["translations", "batches"]),
        "run's configuration": (SETTINGS_FILES, ["translations", "run_settings"]),
    }
    reader = ReadingProcess(whole.parent)
    allowed = allowed_answers(whole, reader)
    counts = {}
    for kind, (files, readers) in kinds.items():
        counts[kind] = one_kind(Trials(whole, files, readers, reader, allowed), flips, controls, generator)
        print(f"{kind}: done", flush=True)
    reader.stop()
    return counts


@dataclass(frozen=True)
class Trials:
    """What the trials of one kind of file have in common."""

    whole: Path
    files: list[Path]
    readers: list[str]
    process: ReadingProcess
    allowed: dict[str, dict[Answer, str]]

    def run(self, damage: tuple[Path, int] | None) -> dict[str, Answer]:
        """Lets the readers read a copy of the folder, with one bit flipped or with none."""
        folder = copy_of(self.whole, "damaged")
        if damage is not None:
            flip(folder / damage[0], damage[1])
        return {name: self.process.ask(name, folder) for name in self.readers}


def one_kind(trials: Trials, flips: int, controls: int, generator: random.Random) -> Counts:
    """All trials with files of one kind."""
    counts = Counts()
    for number in range(flips):
        path = trials.files[number % len(trials.files)]
        bit = generator.randrange(8 * (trials.whole / path).stat().st_size)
        verdicts = judge(trials.run((path, bit)), trials.allowed)
        failures = [f"{path}, bit {bit}: {verdict}" for verdict in verdicts if verdict.startswith("failure")]
        counts.failures += failures
        if not failures:
            counts.refused += "refused" in verdicts
            counts.before += "before" in verdicts and "refused" not in verdicts
            counts.unchanged += set(verdicts) == {"unchanged"}
    for _ in range(controls):
        counts.controls += set(judge(trials.run(None), trials.allowed)) == {"unchanged"}
    return counts


def judge(answers: dict[str, Answer], allowed: dict[str, dict[Answer, str]]) -> list[str]:
    """`refused`, `unchanged`, `before` (the checkpoint before, with a warning) or a failure, for each reader."""
    verdicts = []
    for reader, answer in answers.items():
        failure = f"failure of {reader}: {answer.kind} {answer.text}"
        verdicts.append("refused" if answer.kind == "refused" else allowed[reader].get(answer, failure))
    return verdicts


def allowed_answers(whole: Path, reader: ReadingProcess) -> dict[str, dict[Answer, str]]:
    """What each reader may answer: as from the undamaged files, and for a resume as from the checkpoint before."""
    allowed = {name: {reader.ask(name, whole): "unchanged"} for name in READERS}
    broken = [str(answer) for answers in allowed.values() for answer in answers if answer.kind != "read"]
    if broken:
        raise SystemExit(f"the undamaged files cannot be read: {'; '.join(broken)}")
    folder = copy_of(whole, "damaged")
    run = folder / RUN_FOLDER
    (tiny_run.checkpoint_folder(run, tiny_run.newest_step(run)) / "SHA256SUMS").unlink()
    before = reader.ask("training_position", folder)
    if before.kind == "read":
        allowed["training_position"][before] = "before"
    return allowed


def copy_of(whole: Path, name: str) -> Path:
    """A fresh copy of a working folder, prepared corpus included."""
    folder = whole.parent / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    return folder


def flip(path: Path, bit: int) -> None:
    """Flips one bit of a file."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


class ReadingProcess:
    """A process that reads, so that a crash of it can be seen; it stays alive over many trials.

    Args:
        folder: for the file of what it writes.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "reader.log"
        self._start()

    def _start(self) -> None:
        self._ours, theirs = tiny_run.FORK.Pipe()
        self._process = tiny_run.FORK.Process(target=serve, args=(theirs, self._log), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, reader: str, folder: Path) -> Answer:
        """Lets a reader read a working folder."""
        try:
            self._ours.send((reader, folder))
            if self._ours.poll(SECONDS_TO_ANSWER):
                return Answer(*self._ours.recv())
        except (EOFError, OSError):
            pass
        self.stop()
        answer = Answer("killed", f"with exit code {self._process.exitcode}, or no answer")
        self._start()
        return answer

    def stop(self) -> None:
        """Ends the process."""
        self._ours.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def serve(connection: Connection, log: Path) -> None:
    """What the reading process does: answers until the connection is closed."""
    tiny_run.redirect_output(log)
    while True:
        try:
            reader, folder = connection.recv()
        except EOFError:
            return
        try:
            connection.send(("read", READERS[reader](folder)))
        except NmtError as error:
            connection.send(("refused", str(error)))
        except Exception:
            connection.send(("exception", traceback.format_exc()))


def translations(folder: Path) -> str:
    """Translates some lines from the newest checkpoint."""
    translator = load_translator(folder / RUN_FOLDER, "last")
    translator.searcher.run_eagerly = True  # a graph for five lines would take longer than the lines
    found = translator.translate(line.encode() for line in tiny_run.LINES)
    return checksum_of(f"{translation.text}\t{translation.log_prob!r}".encode() for translation in found)


def training_position(folder: Path) -> str:
    """Restores model, optimizer and state as a resumed training does."""
    model = model_to_train()
    notes: list[str] = []
    state = RunFolder(folder / RUN_FOLDER).restore(model, notes.append)
    variables = [*model.variables, *model.optimizer.variables]
    values = (np.asarray(variable).tobytes() for variable in variables)
    return f"{checksum_of([*values, repr(state).encode()])}{', said so' if notes else ''}"


def batches(folder: Path) -> str:
    """Reads the prepared corpus as a training does: a round's batches, the text and the tokens of some lines."""
    corpus = PreparedCorpus(folder / PREPARED_FOLDER)
    parts: list[bytes] = []
    for part in ("train", "validation"):
        for batch in BatchPlan(corpus.tokens(part), 97, seed=1).batches(0):
            parts += [array.tobytes() for array in (batch.source_ids, batch.target_ids, batch.labels, batch.weights)]
        parts.append(repr(corpus.text(part)).encode())
    for tokenizer in corpus.tokenizers():
        parts.append(repr(tokenizer.encode_all(list(tiny_run.LINES))).encode())
    return checksum_of(parts)


def run_settings(folder: Path) -> str:
    """Reads the configuration and the corpus' fingerprint of a run folder."""
    run = RunFolder(folder / RUN_FOLDER)
    return checksum_of([run.config().model_dump_json().encode(), run.corpus_fingerprint().encode()])


READERS: dict[str, Callable[[Path], str]] = {
    reader.__name__: reader for reader in (translations, training_position, batches, run_settings)
}


@cache
def model_to_train() -> Any:
    """One model with an optimizer, into which all checkpoints are restored."""
    config: Config = parse_config(tiny_run.settings())
    vocabulary = config.subword.vocabulary_size
    model = Seq2Seq(config.model, vocabulary, vocabulary)
    optimizer = make_optimizer(config.training)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer)
    return model


def checksum_of(parts: Iterable[bytes]) -> str:
    """SHA-256 over byte strings, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part)
    return digest.hexdigest()


def resume_with_damage(whole: Path, generator: random.Random) -> dict[Path, str]:
    """Lets `nmt train` go on with one damaged file after the other; what became of each."""
    half = copy_of(whole, "half")
    shutil.rmtree(half / RUN_FOLDER)
    process = tiny_run.start(half, "train", tiny_run.CONFIGURATION)
    while tiny_run.newest_step(half / RUN_FOLDER) < RESUME_FROM_STEP and process.is_alive():
        time.sleep(0.001)
    process.kill()
    process.join()
    step = tiny_run.newest_step(half / RUN_FOLDER)
    checkpoint = sorted(tiny_run.checkpoint_folder(half / RUN_FOLDER, step).iterdir())
    files = [*(path.relative_to(half) for path in checkpoint), *SHARDS, *SETTINGS_FILES]
    return {path: resume(half, path, generator, tiny_run.checksum(whole / RUN_FOLDER)) for path in files}


def resume(half: Path, path: Path, generator: random.Random, expected: str) -> str:
    """Flips a bit of one file and runs `nmt train`."""
    folder = copy_of(half, "resumed")
    flip(folder / path, generator.randrange(8 * (folder / path).stat().st_size))
    result = tiny_run.train(folder)
    if result.status == 0:
        same = tiny_run.checksum(folder / RUN_FOLDER) == expected
        said = ", said so" if str(path.parent) in result.output else ""
        return f"went on to the same checksum{said}" if same else "failure: ended with another checksum"
    last = (result.output.splitlines() or [""])[-1]
    clean = result.status == 1 and last.startswith("nmt: error:") and "unexpected" not in last
    return f"refused: {last}" if clean else f"failure: exit status {result.status}: {result.output}"


def report(counts: dict[str, Counts], resumed: dict[Path, str], flips: int, controls: int) -> int:
    """Prints the counts; the exit status."""
    print(f"\n{'':20} flips  refused  checkpoint before  unchanged  failures  controls")
    for kind, one in counts.items():
        print(
            f"{kind:20} {flips:5}  {one.refused:7}  {one.before:17}  {one.unchanged:9}  {len(one.failures):8}  "
            f"{one.controls} of {controls}"
        )
    print("\nnmt train with one bit flipped in")
    for path, end in resumed.items():
        print(f"  {path}: {end}")
    failures = [failure for one in counts.values() for failure in one.failures]
    print("".join(f"\n{failure}" for failure in failures[:20]))
    bad = any(
        one.failures or one.controls < controls or not (one.refused or one.before or not flips)
        for one in counts.values()
    )
    return int(bad or any(end.startswith("failure") for end in resumed.values()))


if __name__ == "__main__":
    sys.exit(main())
