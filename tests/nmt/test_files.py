"""Files and folders that a kill or a full disk leaves whole, and JSON that knows its own checksum."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt.errors import CorruptFileError, StorageError
from nmt.files import json_bytes, read_json, sealed, unsealed, write_file, write_folder

VALUES = {"name": "größe", "rate": 1e-05, "on": True, "none": None, "list": [1, 2.5], "inner": {"b": 1, "a": ""}}


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def disk_full_at(call: int) -> Callable[[int], None]:
    """An `os.fsync` that fails at one of its calls."""
    calls = iter(range(1, 100))

    def fsync(_: int) -> None:
        if next(calls) == call:
            disk_full()

    return fsync


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_and_its_folders_are_made_and_replaced(tmp_path: Path) -> None:
    for data in (b"old", b"new"):
        write_file(tmp_path / "a" / "b" / "file", data)
        assert contents(tmp_path) == {"a/b/file": data}


def test_a_kill_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "file", b"old")
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file_and_says_how_much_it_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "fsync", disk_full)
    expected = r"file: cannot be written \(No space left on device\): expected room for 1,234 bytes, [\d,]+ are free"
    with pytest.raises(StorageError, match=expected):
        write_file(tmp_path / "file", b"x" * 1_234)
    assert contents(tmp_path) == {"file": b"old"}


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"a file")
    with pytest.raises(StorageError, match=r"folder/file: cannot be written"):
        write_file(tmp_path / "folder" / "file", b"")
    assert contents(tmp_path) == {"folder": b"a file"}


def test_a_folder_is_made_and_replaced(tmp_path: Path) -> None:
    write_folder(tmp_path / "x" / "folder", {"a": b"1", "b": b"2"})
    assert contents(tmp_path) == {"x/folder/a": b"1", "x/folder/b": b"2"}
    write_folder(tmp_path / "x" / "folder", {"a": b"3"})
    assert contents(tmp_path) == {"x/folder/a": b"3"}


def test_leftovers_of_a_kill_do_not_get_into_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".tmp-folder").mkdir()
    (tmp_path / ".tmp-folder" / "half").write_bytes(b"")
    write_folder(tmp_path / "folder", {"a": b"1"})
    assert contents(tmp_path) == {"folder/a": b"1"}


@pytest.mark.parametrize("call", [1, 2, 3])  # two files, and the folder that they are in
def test_a_full_disk_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    write_folder(tmp_path / "folder", {"a": b"1", "b": b"2"})
    monkeypatch.setattr(os, "fsync", disk_full_at(call))
    with pytest.raises(StorageError, match=r"folder: cannot be written .* room for 7 bytes"):
        write_folder(tmp_path / "folder", {"a": b"333", "b": b"4444"})
    assert contents(tmp_path) == {"folder/a": b"1", "folder/b": b"2"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_renamed_stays_beside_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one is gone by then."""
    write_folder(tmp_path / "folder", {"a": b"1"})
    monkeypatch.setattr(Path, "rename", disk_full)
    with pytest.raises(StorageError, match="folder: cannot be written"):
        write_folder(tmp_path / "folder", {"a": b"2"})
    assert contents(tmp_path) == {"folder/a": b"1", ".tmp-folder/a": b"2"}


def test_json_is_readable() -> None:
    assert json_bytes({"name": "größe"}) == '{\n  "name": "größe"\n}\n'.encode()


def test_a_sealed_object_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sealed.json"
    path.write_bytes(sealed(VALUES))
    assert unsealed(path) == VALUES
    assert set(read_json(path)) == {*VALUES, "sha256"}


def test_each_flipped_bit_of_a_sealed_object_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    values = {"rate": 1e-05, "on": True, "ü": "", "a": [10]}
    path, data, refused = tmp_path / "sealed.json", sealed(values), 0
    for i in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[i // 8] ^= 1 << i % 8
        path.write_bytes(flipped)
        try:
            received = unsealed(path)
        except CorruptFileError:
            refused += 1
        else:
            assert received == values, bytes(flipped)
    assert refused > 0.99 * 8 * len(data)  # 1e-05 and 1E-05 are one number


@pytest.mark.parametrize("text", ["", "[1", "3", "null", '{"a": 1'])
def test_what_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sealed.json"
    path.write_text(text)
    with pytest.raises(CorruptFileError, match=r"sealed\.json: expected a JSON object"):
        unsealed(path)


@pytest.mark.parametrize("text", ["{}", '{"a": 1}', '{"a": 1, "sha256": null}'])
def test_an_object_without_a_checksum_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sealed.json"
    path.write_text(text)
    with pytest.raises(CorruptFileError, match=r"sealed\.json: the checksum differs from its 'sha256'"):
        unsealed(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=r"sealed\.json: expected a JSON object: .*No such file"):
        unsealed(tmp_path / "sealed.json")
