"""What the command line keeps Keras from importing, and what translation does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nmt.cli import unused_imports
from nmt.cli.unused_imports import without_unused_imports

TRANSLATION = """
import sys
from nmt.cli.settings import quiet_start
with quiet_start():
    from nmt.translation.translator import load_translator
print([name for name in ("pandas", "matplotlib", "pyarrow") if name in sys.modules])
import pandas
import matplotlib.pyplot
print(pandas.DataFrame, matplotlib.pyplot.plot)
"""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A package that is imported, and one that is not."""
    names = "json", "this"
    assert names[0] in sys.modules and names[1] not in sys.modules
    monkeypatch.setattr(unused_imports, "UNUSED", names)
    return names


def test_inside_a_package_is_missing_unless_it_was_there(names: tuple[str, str]) -> None:
    there, hidden = names
    before = sys.modules[there]
    with without_unused_imports():
        assert sys.modules[there] is before
        with pytest.raises(ImportError):
            __import__(hidden)
    assert sys.modules[there] is before and hidden not in sys.modules


def test_afterwards_it_is_found_whatever_happened_inside(names: tuple[str, str]) -> None:
    with pytest.raises(ZeroDivisionError), without_unused_imports():
        raise ZeroDivisionError
    assert names[1] not in sys.modules


def test_translation_imports_neither_what_keras_would_nor_the_corpus_reader() -> None:
    """And who wants them later gets them."""
    result = subprocess.run([sys.executable, "-c", TRANSLATION], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found, later = result.stdout.splitlines()
    assert found == "[]"
    assert "DataFrame" in later
