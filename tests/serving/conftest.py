"""Exports with random weights, and the runtimes that the C program runs them in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "nmt"))  # the runs with random weights are those of the other tests

from native import NativeModel, build
from random_runs import TINY_EXPORT, save_run, train_subwords
from runtimes import INSTALLED, VERSIONS, Runtime, Unavailable, find_runtime

from nmt.config import parse_config
from nmt.export import export

CONFIG = {**TINY_EXPORT, "decoding": {**TINY_EXPORT["decoding"], "beam_size": 2}, "export": {}}


def found_or_skipped(version: str) -> Runtime:
    """A runtime with the program built for it; the test is skipped where this machine lacks what that takes."""
    try:
        runtime = find_runtime(version)
        build(runtime)
    except Unavailable as reason:
        pytest.skip(str(reason))
    return runtime


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with random weights, and with different subword models on the two sides."""
    source, target = train_subwords("unigram"), train_subwords("char")
    return save_run(tmp_path_factory.mktemp("run"), parse_config(CONFIG), source, target, seed=5)


@pytest.fixture(scope="session")
def export_folder(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    return export(run_folder, tmp_path_factory.mktemp("saved_models") / "tiny")


@pytest.fixture(scope="session")
def installed() -> Runtime:
    """The installed runtime."""
    return found_or_skipped(INSTALLED)


@pytest.fixture(scope="session", params=VERSIONS)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each runtime."""
    return found_or_skipped(request.param)


@pytest.fixture(scope="session")
def oldest() -> Runtime:
    """The oldest runtime that a server may have."""
    return found_or_skipped(VERSIONS[-1])


@pytest.fixture(scope="module")
def native(export_folder: Path, installed: Runtime) -> Iterator[NativeModel]:
    """The export, loaded by the C program in the installed runtime."""
    with NativeModel(export_folder, installed) as model:
        yield model
