"""The log for TensorBoard, read back record by record."""

from __future__ import annotations

import json
import math
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from nmt.progress import MetricsLog, Progress, Round
from nmt.tensorboard_log import TensorBoardLog

ROOT = Path(__file__).parents[2]


def progress(step: int, loss: float = 2.0) -> Progress:
    return Progress(
        step=step,
        total_steps=100,
        epoch=1,
        loss=loss,
        tokens_per_second=1000.0,
        learning_rate=0.25,
        gradient_norm=0.5,
        clipped_share=0.75,
        skipped=3,
        seconds_left=9.0,
    )


def validation(step: int, bleu: float = 30.5) -> Round:
    return Round(step=step, epoch=1, loss=1.5, perplexity=4.5, bleu=bleu, chrf=55.0, is_best=True, seconds=2.0)


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3720, appendix B.4, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """How a record masks its checksum."""
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(run: Path) -> Iterator[Event]:
    """Events of all files: each record is a length, its checksum, the data, their checksum."""
    for path in sorted((run / "tensorboard").glob("*tfevents*")):
        data = path.read_bytes()
        while data:
            length, checksum = struct.unpack("<QI", data[:12])
            assert checksum == masked(data[:8])
            record = data[12 : 12 + length]
            assert struct.unpack("<I", data[12 + length : 16 + length]) == (masked(record),)
            yield Event.FromString(record)
            data = data[16 + length :]


def curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by tag."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(run):
        for scalar in event.summary.value:
            found.setdefault(scalar.tag, []).append((event.step, scalar.simple_value))
    return found


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def said() -> list[str]:
    return []


def test_the_checksum_is_the_published_one() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_figures_are_read_back_by_their_tags(tmp_path: Path, said: list[str]) -> None:
    log = TensorBoardLog(tmp_path, said.append)
    log.write("steps", progress(50))
    log.write("validation", validation(60))
    found = curves(tmp_path)  # before it is closed: a kill loses nothing
    log.close()
    assert found == curves(tmp_path)
    assert found["training/loss"] == [(50, 2.0)] and found["training/clipped_share"] == [(50, 0.75)]
    assert found["validation/bleu"] == [(60, 30.5)] and found["validation/chrf"] == [(60, 55.0)]
    assert {tag.partition("/")[2] for tag in found if tag.startswith("validation")} == {
        "epoch", "loss", "perplexity", "bleu", "chrf", "seconds",
    }  # fmt: skip
    assert not said


def test_a_file_begins_with_its_version_and_forgets_what_was_read(tmp_path: Path, said: list[str]) -> None:
    TensorBoardLog(tmp_path, said.append).close()
    version, start = events(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert start.session_log.status == SessionLog.START and start.step == 0


def test_figures_that_are_not_finite_are_left_out(tmp_path: Path, said: list[str]) -> None:
    log = TensorBoardLog(tmp_path, said.append)
    log.write("steps", progress(50, loss=math.nan))
    log.write("steps", progress(100))
    log.close()
    assert curves(tmp_path)["training/loss"] == [(100, 2.0)]
    assert len(curves(tmp_path)["training/learning_rate"]) == 2


def test_a_resumed_run_shows_no_step_twice(tmp_path: Path, said: list[str]) -> None:
    path = tmp_path / "metrics.jsonl"
    logs = MetricsLog(path, 0, 0), TensorBoardLog(tmp_path, said.append)
    for log in logs:
        log.write("steps", progress(50, loss=5.0))
        log.write("steps", progress(100, loss=4.0))
        log.write("validation", validation(100, bleu=10.0))
        log.write("steps", progress(150, loss=3.0))
    # Killed, never closed; the checkpoint is that of step 100, before its validation.
    logs = MetricsLog(path, 100, 0), TensorBoardLog(tmp_path, said.append)
    for log in logs:
        log.write("validation", validation(100, bleu=11.0))
        log.write("steps", progress(150, loss=2.0))
    logs[1].close()
    found = curves(tmp_path)
    assert found["training/loss"] == [(50, 5.0), (100, 4.0), (150, 2.0)]
    assert found["validation/bleu"] == [(100, 11.0)]


def test_a_log_that_is_switched_on_late_shows_the_whole_run(tmp_path: Path, said: list[str]) -> None:
    lines = [{"event": "steps", "step": 50, "loss": 5.0}, {"event": "validation", "step": 50, "chrf": None}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    TensorBoardLog(tmp_path, said.append).close()
    assert curves(tmp_path) == {"training/loss": [(50, 5.0)]}


def test_other_files_of_the_folder_stay(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "notes.txt").touch()
    TensorBoardLog(tmp_path, said.append).close()
    assert (tmp_path / "tensorboard" / "notes.txt").exists()


def test_a_full_disk_ends_the_log_and_not_the_training(tmp_path: Path, said: list[str]) -> None:
    metrics, log = MetricsLog(tmp_path / "metrics.jsonl", 0, 0), TensorBoardLog(tmp_path, said.append)
    for each in (metrics, log):
        each.write("steps", progress(50))
    (file,) = (tmp_path / "tensorboard").iterdir()
    with disk_full_at(file.stat().st_size + 7):
        log.write("steps", progress(100))
        log.write("steps", progress(150))
        log.close()
    assert len(said) == 1 and "the TensorBoard log ends here (File too large); the training goes on" in said[0]
    metrics.write("steps", progress(100))
    TensorBoardLog(tmp_path, said.append).close()  # whole again at the next start
    assert curves(tmp_path)["training/loss"] == [(50, 2.0), (100, 2.0)] and len(said) == 1


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "tensorboard").touch()
    log = TensorBoardLog(tmp_path, said.append)
    log.write("steps", progress(50))
    log.close()
    assert len(said) == 1 and "File exists" in said[0]


def test_the_writer_is_imported_late_and_brings_no_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nmt.tensorboard_log import TensorBoardLog; "
        "early = 'tensorboardX' in sys.modules; TensorBoardLog(Path(sys.argv[1]), print).close(); "
        "print(early, sorted({'tensorflow', 'keras', 'torch', 'tensorboard'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert result.stdout == "False []\n", result.stderr
