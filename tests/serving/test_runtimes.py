"""Where runtimes come from: out of wheels, once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import runtimes
from runtimes import INSTALLED, TOKENIZER, Unavailable, find_runtime

NEEDED = {
    "tensorflow/libtensorflow_cc.so.2",
    "tensorflow/libtensorflow_framework.so.2",
    "tensorflow/include/tensorflow/c/c_api.h",
    "tensorflow/include/xla/tsl/c/tsl_status.h",
    TOKENIZER,
}
NOT_NEEDED = {
    "tensorflow/__init__.py",
    "tensorflow/python/_pywrap_tensorflow_internal.so",
    "tensorflow/include/tensorflow/core/framework/op.h",
    "tensorflow_text/python/ops/_regex_split_ops.so",
}


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is asked of pip, which gives a wheel with some small files."""
    asked: list[list[str]] = []

    def download(requirements: list[str], folder: Path) -> None:
        asked.append(requirements)
        with zipfile.ZipFile(folder / "all.whl", "w") as archive:
            for name in sorted(NEEDED | NOT_NEEDED):
                archive.writestr(name, name)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(runtimes, "download", download)
    return asked


def test_a_runtime_is_fetched_once(downloads: list[list[str]], tmp_path: Path) -> None:
    first, second = find_runtime("2.19.1"), find_runtime("2.19.1")
    assert first == second
    assert downloads == [["tensorflow-cpu==2.19.1", "tensorflow-text==2.19.0"]]
    assert first.tensorflow == tmp_path / "keras-nmt/runtimes/2.19.1/tensorflow"
    assert first.tokenizer.read_text() == TOKENIZER


def test_only_what_a_c_program_needs_is_kept(downloads: list[list[str]], tmp_path: Path) -> None:
    folder = find_runtime("2.12.1").tensorflow.parent
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == NEEDED
    assert [path.name for path in folder.parent.iterdir()] == ["2.12.1"]


def test_a_failed_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(requirements: list[str], folder: Path) -> None:
        (folder / "half.whl").touch()
        raise Unavailable("no network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(runtimes, "download", refuse)
    with pytest.raises(Unavailable, match="no network"):
        find_runtime("2.15.1")
    assert not list((tmp_path / "keras-nmt" / "runtimes").iterdir())


def test_another_process_may_be_faster(
    downloads: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, theirs = Path.rename, tmp_path / "keras-nmt/runtimes/2.20.0/tensorflow/theirs"

    def come_second(self: Path, target: Path) -> Path:
        theirs.parent.mkdir(parents=True)
        theirs.touch()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", come_second)
    assert find_runtime("2.20.0").tensorflow == theirs.parent
    assert theirs.exists()


def test_the_installed_runtime_is_where_python_has_it(downloads: list[list[str]]) -> None:
    runtime = find_runtime(INSTALLED)
    assert (runtime.tensorflow / "libtensorflow_cc.so.2").exists() and runtime.tokenizer.exists()
    assert not downloads
