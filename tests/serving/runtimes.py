"""The TensorFlow runtimes that `serve.c` is built for: the installed one, and older ones out of their wheels.

Of a wheel only the libraries, the C headers and TF Text's tokenizer are kept, about 0.7 GB of each version, in
`$XDG_CACHE_HOME/keras-nmt/runtimes/VERSION`; a second time needs no network. Nothing of them is imported: no Python of
theirs has to fit the one that runs here. Knows neither the C program nor SavedModels.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

INSTALLED = metadata.version("tensorflow")
TEXT_OF = {"2.20.0": "2.20.1", "2.19.1": "2.19.0", "2.15.1": "2.15.0", "2.12.1": "2.12.1"}  # TensorFlow's to TF Text's
VERSIONS = (INSTALLED, *TEXT_OF)
TOKENIZER = "tensorflow_text/python/ops/_sentencepiece_tokenizer.so"
KEPT = re.compile(
    rf"tensorflow/libtensorflow_(cc|framework)\.so\.2|{re.escape(TOKENIZER)}"
    r"|tensorflow/include/(tensorflow/(c|core/platform|tsl)|tsl|xla/tsl)/.*\.h"
)
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_24_x86_64", "manylinux_2_27_x86_64")


class Unavailable(Exception):
    """What a test needs and this machine does not have; the message says which."""


class Runtime(NamedTuple):
    """TensorFlow's C library.

    Attributes:
        version: TensorFlow's.
        tensorflow: folder with `libtensorflow_cc.so.2` and `include`.
        tokenizer: TF Text's library of SentencePiece operations.
    """

    version: str
    tensorflow: Path
    tokenizer: Path


def find_runtime(version: str) -> Runtime:
    """The installed runtime, or one of `VERSIONS` from the cache, into which it is fetched once.

    Raises:
        Unavailable: it is not in the cache and cannot be fetched.
    """
    if version == INSTALLED:
        text = _package("tensorflow_text").parent / TOKENIZER
        return Runtime(version, _package("tensorflow"), text)
    folder = cache_folder() / "runtimes" / version
    if not folder.exists():
        _fetch(version, folder)
    return Runtime(version, folder / "tensorflow", folder / TOKENIZER)


def cache_folder() -> Path:
    """Where runtimes and built programs are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras-nmt"


def _package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"expected {name} to be installed")
    return Path(spec.submodule_search_locations[0])


def _fetch(version: str, folder: Path) -> None:
    """Downloads and unpacks a version beside its folder, and renames: nobody meets half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".tmp-"))
    try:
        download([f"tensorflow-cpu=={version}", f"tensorflow-text=={TEXT_OF[version]}"], aside)
        unpack(aside.glob("*.whl"), aside / "unpacked")
        (aside / "unpacked").rename(folder)
    except OSError:
        if not folder.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def download(requirements: list[str], folder: Path) -> None:
    """Downloads wheels for Python 3.11, whatever Python runs here.

    Raises:
        Unavailable: there is no network, or no wheel for this machine.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Unavailable(f"{requirements[0]} is fetched for Linux on x86_64 alone")
    tags = [argument for name in PLATFORMS for argument in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    command += ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", *tags, "--dest", str(folder)]
    process = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    if process.returncode:
        last = (process.stderr.strip() or "it said nothing").splitlines()[-1]
        raise Unavailable(f"pip cannot download {' '.join(requirements)}: {last}")


def unpack(wheels: Iterable[Path], folder: Path) -> None:
    """Takes out of wheels what a C program needs."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if KEPT.fullmatch(name)])
