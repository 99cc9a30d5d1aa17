from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "speed"))

import protocol
from protocol import Job, Sizes, Stopwatch, peak_memory, read_lines, spread, times_of, write_lines


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_steps_before_the_warm_up_ends_do_not_count() -> None:
    hands = Hands()
    stopwatch = Stopwatch(warm_up_steps=2, seconds=3.0, clock=hands)
    for step, seconds in enumerate([100.0, 150.0, 160.0, 161.0, 163.0]):
        assert not stopwatch.is_done
        hands.seconds = seconds
        stopwatch.stamp(step, 10 * step)
    assert stopwatch.is_done
    assert stopwatch.figures() == {"seconds": 3.0, "steps": 2, "tokens": 20}


def test_stamps_may_be_many_steps_apart() -> None:
    hands = Hands()
    stopwatch = Stopwatch(warm_up_steps=10, seconds=1.0, clock=hands)
    for step in (0, 50, 100):
        stopwatch.stamp(step, 7 * step)
        hands.seconds += 5.0
    assert stopwatch.figures() == {"seconds": 5.0, "steps": 50, "tokens": 350}


def test_what_is_done_in_a_pause_does_not_count() -> None:
    hands = Hands()
    stopwatch = Stopwatch(clock=hands)
    stopwatch.stamp(0, 0)
    hands.seconds += 2.0
    with stopwatch.paused():
        hands.seconds += 30.0
    hands.seconds += 1.0
    stopwatch.stamp(1, 5)
    assert stopwatch.figures()["seconds"] == 3.0


def test_a_validation_after_a_stamp_does_not_count() -> None:
    hands = Hands()
    stopwatch = Stopwatch(clock=hands)
    stopwatch.stamp(0, 0)
    for step in (1, 2):
        hands.seconds += 2.0
        stopwatch.stamp(step, 5 * step)
        hands.seconds += 30.0
        stopwatch.exclude_since_last_stamp()
        assert stopwatch.so_far == {"seconds": 2.0 * step, "steps": step, "tokens": 5 * step}


def test_one_stamp_is_no_measurement() -> None:
    stopwatch = Stopwatch(warm_up_steps=2)
    for step in range(3):
        stopwatch.stamp(step, step)
    with pytest.raises(ValueError, match="expected two stamps after 2 steps of warm-up, received 1"):
        stopwatch.figures()


def test_a_job_goes_through_json_unchanged() -> None:
    job = Job("train", "corpus", "fingerprint", "folder", "scratch", "output", seconds=2.5, sizes=Sizes().widened(2))
    assert Job.from_json(job.to_json()) == job
    assert job.sizes == Sizes(512, 512, 1024, 8000)


def test_lines_are_split_at_newlines_alone(tmp_path: Path) -> None:
    lines = ["a\u2028b", "", "c\x85"]
    write_lines(tmp_path / "new" / "file", lines)
    assert read_lines(tmp_path / "new" / "file") == lines


@pytest.mark.parametrize(("count", "chosen"), [(2, "ad"), (3, "ace"), (6, "abcdef"), (9, "abcdef")])
def test_lines_are_chosen_from_everywhere(count: int, chosen: str) -> None:
    assert spread(list("abcdef"), count) == list(chosen)


def test_a_latency_for_each_line_and_none_for_the_warm_up() -> None:
    called: list[str] = []
    assert len(times_of(called.append, ["a", "b", "c"], warm_up=2)) == 3
    assert called == ["a", "b", "a", "b", "c"]


def test_the_peak_is_the_kernel_s_high_water_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    monkeypatch.setattr(protocol, "STATUS", status)
    status.write_text("VmPeak:\t  9000 kB\nVmHWM:\t    300 kB\nVmRSS:\t    200 kB\n")
    assert peak_memory() == 300 * 1024
    status.write_text("VmRSS:\t    200 kB\n")
    with pytest.raises(OSError, match="expected a line VmHWM"):
        peak_memory()
