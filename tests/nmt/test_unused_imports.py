"""What the command line keeps Keras from importing, and what translation does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nmt.cli import unused_imports
from nmt.cli.unused_imports import without_unused_imports

TRANSLATION = """
import sys
from nmt.cli.settings import quiet_start
with quiet_start():
    from nmt.translation.translator import load_translator
print([name for name in ("pandas", "matplotlib", "h5py", "PIL", "pyarrow") if name in sys.modules])
import pandas
import matplotlib.pyplot
print(pandas.DataFrame, matplotlib.pyplot.plot)
"""
CORPUS = """
import sys
from pathlib import Path
from nmt.corpus import PreparedCorpus
corpus = PreparedCorpus(Path(sys.argv[1]))
print(len(corpus.tokens("train")), len(corpus.text("validation")[0]), "pyarrow" in sys.modules, "pandas" in sys.modules)
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


def test_a_corpus_is_read_without_pandas(tiny_corpus: Path) -> None:
    command = [sys.executable, "-c", CORPUS, str(tiny_corpus / "prepared" / "tiny")]
    rows, sentences, *imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(rows) and int(sentences) and imported == ["True", "False"]
