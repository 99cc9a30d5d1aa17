"""Small corpora that a person can count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nmt.config import Config, parse_config

Pairs = Sequence[tuple[str, str]]


@pytest.fixture
def write_tsv(tmp_path: Path) -> Callable[[str, Pairs], Path]:
    """Writes pairs to a TSV file in the test's folder."""

    def write(name: str, pairs: Pairs) -> Path:
        path = tmp_path / name
        path.write_bytes("".join(f"{source}\t{target}\n" for source, target in pairs).encode())
        return path

    return write


@pytest.fixture
def tsv_config(tmp_path: Path) -> Callable[..., Config]:
    """A configuration over `train.tsv`, `validation.tsv` and `test.tsv` with a small character model."""

    def build(subword: dict[str, Any] | None = None, **corpus: Any) -> Config:
        parts = {part: {"tsv": f"{part}.tsv"} for part in ("train", "validation", "test")}
        values = {"root": str(tmp_path), **parts, **corpus}
        values = {key: value for key, value in values.items() if value is not None}
        char = {"model": "char", "vocabulary_size": 100}
        return parse_config({"name": "small", "corpus": values, "subword": char | (subword or {})})

    return build


@pytest.fixture
def animals() -> list[tuple[str, str]]:
    """Sixty different pairs over a small alphabet."""
    colours = {"red": "rot", "blue": "blau", "grey": "grau", "green": "grün"}
    beasts = {"dog": "Hund", "cat": "Katze", "horse": "Pferd", "bird": "Vogel", "mouse": "Maus"}
    deeds = {"runs": "rennt", "sleeps": "schläft", "eats": "frisst"}
    return [
        (f"the {colour} {beast} {deed}", f"{beasts[beast]} {deeds[deed]} {colours[colour]}")
        for colour in colours
        for beast in beasts
        for deed in deeds
    ]
