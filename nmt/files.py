"""Files that a kill or a full disk leaves whole: written aside, flushed, renamed. Knows nothing of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nmt.errors import CorruptFileError, StorageError

ASIDE = ".tmp-"  # not yet in place
OLD = ".old-"  # on its way out
SEAL = "sha256"


def write_file(path: Path, data: bytes) -> None:
    """Replaces a file at once: whoever reads it finds the old content or the new.

    Raises:
        StorageError: the disk is full or cannot be written; the old file stays.
    """
    aside = path.parent / f"{ASIDE}{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flushed(aside, data)
        aside.replace(path)
        flush(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise not_written(path, len(data), error) from None


def write_flushed(path: Path, data: bytes) -> None:
    """Writes a new file, which is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Replaces a folder of files; a kill leaves the old one, or the new one whole beside it.

    Raises:
        StorageError: the disk is full or cannot be written; the old folder stays, or the new one beside it.
    """
    aside = folder.parent / f"{ASIDE}{folder.name}"
    size = sum(map(len, files.values()))
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, data in files.items():
            write_flushed(aside / name, data)
        flush(aside)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise not_written(folder, size, error) from None
    try:
        with removing(folder):
            aside.rename(folder)
            flush(folder.parent)
    except OSError as error:  # the new one stays: the old one may be gone
        raise not_written(folder, size, error) from None


@contextmanager
def removing(folder: Path) -> Iterator[None]:
    """Removes a folder by renaming it first, so that nobody meets a half of it; the block runs in between."""
    old = folder.parent / f"{OLD}{folder.name}"
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(old)
    yield
    shutil.rmtree(old, ignore_errors=True)


def flush(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk: a rename lasts."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def not_written(path: Path, size: int, error: OSError) -> StorageError:
    """The error for something of `size` bytes that could not be written."""
    place = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    return StorageError(
        f"{path}: cannot be written ({error.strerror}): expected room for {size:,} bytes, {free:,} are free; free disk "
        f"space and run the same command again"
    )


def json_bytes(values: Any) -> bytes:
    """Readable JSON."""
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        CorruptFileError: it cannot be read, or is none.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CorruptFileError(f"{path}: expected a JSON object: {error}") from None


def sealed(values: dict[str, Any]) -> bytes:
    """A JSON object that carries a checksum of its other values, for `unsealed`."""
    return json_bytes({**values, SEAL: _seal(values)})


def unsealed(path: Path) -> dict[str, Any]:
    """Reads a JSON object that `sealed` made.

    Raises:
        CorruptFileError: it cannot be read, or its values do not match the checksum.
    """
    values = read_json(path)
    if values.pop(SEAL, None) != _seal(values):
        raise CorruptFileError(
            f"{path}: the checksum differs from its '{SEAL}'; the file was changed or damaged, take it from a copy of "
            f"the folder"
        )
    return values


def _seal(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
