"""Averages of checkpoints whose weights are all one number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from nmt.averaging import average, choose_steps, mean_weights
from nmt.checkpoints import SEED_SUFFIX, Best, TrainingState, load_weights, write_checkpoint
from nmt.cli.average_command import average as average_command
from nmt.errors import CorruptFileError, DataError, TrainingError
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import Tokenizer
from nmt.translation.translator import load_translator
from nmt.translation_table import TranslationTable, read_translation_table

BEST = (Best(30, [0.9]), Best(10, [0.8]), Best(20, [0.7]))
VALUES = {10: 1.0, 20: 2.0, 30: 6.0}


@pytest.fixture(scope="module")
def model(tiny_config: Any, tokenizers: tuple[Tokenizer, Tokenizer]) -> Seq2Seq:
    """Receives the values that a test wants to save."""
    return Seq2Seq(tiny_config().model, *(tokenizer.size for tokenizer in tokenizers))


@pytest.fixture
def run(tmp_path: Path, tiny_config: Any, tokenizers: tuple[Tokenizer, Tokenizer], model: Seq2Seq) -> RunFolder:
    """Three checkpoints; from best to worst they are 30, 10, 20."""
    folder = RunFolder(tmp_path / "runs" / "tiny")
    folder.create(tiny_config(), "f" * 64, tokenizers)
    for step, value in VALUES.items():
        fill(model, value)
        folder.save_weights(model, TrainingState(step=step, best=BEST))
    return folder


def fill(model: keras.Model, value: float) -> None:
    """Sets all weights to one number, and the seeds to 7."""
    for variable in model.variables:
        number = 7 if variable.path.endswith(SEED_SUFFIX) else value
        variable.assign(np.full(variable.shape, number, variable.dtype))


def weights(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(v) for v in model.variables if not v.path.endswith(SEED_SUFFIX)]


def only_value(folder: Path, model: Seq2Seq) -> float:
    """The number that all weights of a run's best checkpoint are."""
    fill(model, -1.0)
    load_weights(RunFolder(folder).checkpoint("best"), model)
    (value,) = {float(value) for weight in weights(model) for value in weight.flat}
    return value


@pytest.mark.parametrize(
    ("which", "count", "steps", "mean"),
    [
        ("best", 2, [10, 30], 3.5),
        ("best", None, [10, 20, 30], 3.0),
        ("last", 2, [20, 30], 4.0),
        ("last", 3, [10, 20, 30], 3.0),
    ],
)
def test_the_mean_of_the_chosen(
    run: RunFolder, model: Seq2Seq, tmp_path: Path, which: Any, count: int | None, steps: list[int], mean: float
) -> None:
    target = average(run.folder, which, count, tmp_path / "new" / "average")
    assert only_value(target, model) == mean
    assert RunFolder(target).steps() == [30]
    made_of = json.loads((target / "average.json").read_text(encoding="utf-8"))
    assert made_of == {"run": str(run.folder), "which": which, "steps": steps}


def test_the_best_that_are_gone_are_not_counted(run: RunFolder, model: Seq2Seq, tmp_path: Path) -> None:
    run.checkpoint_at(10).rename(tmp_path / "away")
    assert only_value(average(run.folder, "best", 2, tmp_path / "average"), model) == 4.0


def test_sums_are_float64(run: RunFolder, model: Seq2Seq) -> None:
    for step, value in ((10, 1e8), (20, 1.0), (30, -1e8)):  # in float32, 1e8 + 1 is 1e8
        fill(model, value)
        run.save_weights(model, TrainingState(step=step))
    assert all((weight == np.float32(1 / 3)).all() for weight in weights(mean_weights(run, [10, 20, 30])))


def test_the_order_does_not_matter(run: RunFolder, model: Seq2Seq) -> None:
    for step, value in ((10, 1e30), (20, -1e30), (30, 1.0)):  # in float64, 1e30 + 1 is 1e30
        fill(model, value)
        run.save_weights(model, TrainingState(step=step))
    for steps in ([10, 20, 30], [30, 10, 20]):
        assert all((weight == np.float32(1 / 3)).all() for weight in weights(mean_weights(run, steps)))


def test_moving_averages_go_in_where_there_are_any(run: RunFolder, model: Seq2Seq) -> None:
    fill(model, 1.0)
    moving = {variable.path: np.full(variable.shape, 8.0, np.float32) for variable in model.trainable_variables}
    write_checkpoint(run.checkpoint_at(30), TrainingState(step=30), model.variables, average=moving)
    assert all((weight == 5.0).all() for weight in weights(mean_weights(run, [20, 30])))


def test_seeds_are_no_mean(run: RunFolder) -> None:
    seeds = [v for v in mean_weights(run, [10, 20]).variables if v.path.endswith(SEED_SUFFIX)]
    assert seeds
    assert not any(keras.ops.convert_to_numpy(seed).any() for seed in seeds)


def test_the_average_translates_and_nobody_trains_on(run: RunFolder, model: Seq2Seq, tmp_path: Path) -> None:
    target = average(run.folder, "last", 2, tmp_path / "average")
    assert len(load_translator(target).translate_texts(["one two", ""])) == 2
    assert RunFolder(target).config() == run.config()
    assert RunFolder(target).corpus_fingerprint() == "f" * 64
    with pytest.raises(TrainingError, match=r"received weights alone, an average for example"):
        RunFolder(target).restore(model)


@pytest.mark.parametrize(
    ("which", "count", "message"),
    [
        ("best", 4, r"expected 4 best checkpoints to average, found 3; average .* --last.*keep_best_checkpoints: 4 or"),
        ("last", 5, r"expected 5 last checkpoints to average, found 3; average .* --best.*keep_last: 5 or more"),
        ("last", 1, "expected 2 last checkpoints to average, found 1"),
    ],
)
def test_too_few(run: RunFolder, tmp_path: Path, which: Any, count: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        average(run.folder, which, count, tmp_path / "average")
    assert not (tmp_path / "average").exists()


def test_one_checkpoint_is_no_average(run: RunFolder, model: Seq2Seq) -> None:
    run.save_weights(model, TrainingState(step=40, best=(BEST[0],)))
    with pytest.raises(DataError, match=r"expected 2 best checkpoints to average, found 1; .*: 2 or more"):
        choose_steps(run, "best", None)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a run folder with run\.json"):
        average(tmp_path / "nothing", "best", None, tmp_path / "average")


def test_a_folder_with_files_is_left_alone(run: RunFolder, model: Seq2Seq, tmp_path: Path) -> None:
    for target in (run.folder, run.folder / "run.json"):
        with pytest.raises(DataError, match="expected a new or an empty folder, found files"):
            average(run.folder, "last", 2, target)
    (tmp_path / "empty").mkdir()
    assert only_value(average(run.folder, "last", 2, tmp_path / "empty"), model) == 4.0


def test_an_interruption_leaves_nothing(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunFolder, "save_weights", _killed)
    with pytest.raises(KeyboardInterrupt):
        average(run.folder, "last", 2, tmp_path / "place" / "average")
    assert not list((tmp_path / "place").iterdir())


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_a_kill_left_is_no_part_of_the_next(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / ".tmp-average" / "checkpoints" / "00000099").mkdir(parents=True)
    target = average(run.folder, "last", 2, tmp_path / "average")
    assert RunFolder(target).steps() == [30]
    assert not (tmp_path / ".tmp-average").exists()


def test_a_damaged_checkpoint_is_named(run: RunFolder, tmp_path: Path) -> None:
    path = run.checkpoint_at(20) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptFileError, match=r"00000020/model\.safetensors: the checksum differs"):
        average(run.folder, "last", 2, tmp_path / "average")
    assert not (tmp_path / "average").exists()


@pytest.mark.parametrize(
    ("options", "mean", "place"),
    [([], 3.0, "tiny-average"), (["--last", "2"], 4.0, "tiny-average"), (["--best", "2", "--output", "x"], 3.5, "x")],
)
def test_command(
    run: RunFolder, model: Seq2Seq, monkeypatch: pytest.MonkeyPatch, options: list[str], mean: float, place: str
) -> None:
    monkeypatch.chdir(run.folder.parent)
    result = command("tiny", *options)
    assert (result.exit_code, result.stdout) == (0, f"{place}\n")
    assert only_value(Path(place), model) == mean


def test_command_in_the_run_folder(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.folder)
    assert command(".").stdout == f"{run.folder}-average\n"


@pytest.mark.parametrize("options", [["--last", "2", "--best", "2"], ["--last", "1"], ["--best", "0"]])
def test_wrong_usage(options: list[str]) -> None:
    assert command("tiny", *options).exit_code == 2


def command(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(average_command)
    return CliRunner().invoke(app, list(arguments))


def test_the_average_keeps_the_translation_table(run: RunFolder, tmp_path: Path) -> None:
    table = TranslationTable(np.zeros((2, 1), np.int32), np.ones((2, 1), np.float32), np.ones(3, np.float32), "f" * 64)
    table.write(run.folder)
    target = average(run.folder, "last", 2, tmp_path / "average")
    assert read_translation_table(target).checksum == table.checksum
