"""The folder that an export is written into: its name, its lock, and what is swept away."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.export.workspace import NAME, publish, sweep, workspace

HOLD = """
import sys, time
from pathlib import Path
from nmt.export.workspace import workspace
with workspace(Path(sys.argv[1])) as folder:
    print(folder.name, flush=True)
    time.sleep(60)
"""


def test_a_workspace_is_there_until_its_end(tmp_path: Path) -> None:
    with workspace(tmp_path / "models" / "tiny") as folder:
        (folder / "file").touch()
        assert NAME.fullmatch(folder.name) and folder.name.startswith(".tmp-1-")
        assert folder.stat().st_mode & 0o777 == (tmp_path / "models").stat().st_mode & 0o777  # a server may read it
    assert not list((tmp_path / "models" / "tiny").iterdir())


def test_what_was_published_stays(tmp_path: Path) -> None:
    with workspace(tmp_path) as folder:
        (folder / "file").touch()
        assert publish(folder, tmp_path) == tmp_path / "1"
    assert [path.name for path in tmp_path.rglob("*")] == ["1", "file"]


def test_two_exports_write_beside_each_other(tmp_path: Path) -> None:
    with workspace(tmp_path) as first, workspace(tmp_path) as second:
        assert first != second and first.exists()
        assert [publish(second, tmp_path).name, publish(first, tmp_path).name] == ["1", "2"]


def test_only_what_nobody_writes_any_more_is_swept_away(tmp_path: Path) -> None:
    for name in (".tmp-1-0123abcd", ".tmp-notes-x", ".tmp-2-0123", "1"):
        (tmp_path / name).mkdir()
    with workspace(tmp_path) as living:
        sweep(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {living.name, ".tmp-notes-x", ".tmp-2-0123", "1"}


def test_where_the_file_system_knows_no_locks_nothing_is_swept_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / ".tmp-1-0123abcd").mkdir()
    with workspace(tmp_path) as folder:
        publish(folder, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".tmp-1-0123abcd", "1"}


def test_a_folder_that_was_swept_away_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, swept = fcntl.flock, []

    def sweep_once(descriptor: int, operation: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].rmdir()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_once)
    with workspace(tmp_path) as folder:
        assert folder.exists() and folder != swept[0]


@pytest.mark.slow
def test_a_kill_frees_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        sweep(tmp_path)
        assert (tmp_path / name).exists()
        process.kill()
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())
