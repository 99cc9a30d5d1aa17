"""The page about the configuration, against the schema that it is written from."""

from __future__ import annotations

from pathlib import Path

from nmt.config import Config
from nmt.reference import configuration_reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def rows(heading: str) -> list[str]:
    """The table rows under a heading of the generated page."""
    section = configuration_reference().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_docs_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == configuration_reference(), (
        "write it anew: nmt config schema --markdown > docs/configuration.md"
    )


def test_every_section_is_there_once() -> None:
    page = configuration_reference()
    for section in Config.model_fields.keys() - {"name"}:
        assert page.count(f"## `{section}`\n") == 1


def test_row_has_type_default_range_and_explanation() -> None:
    assert "| `beam_size` | integer | `5` | ≥ 1, ≤ 100 | Hypotheses kept alive; 1 is greedy search. |" in rows(
        "`decoding`"
    )
    assert rows("`model`")[0] == "| `cell` | `lstm`, `gru` | `lstm` |  | Recurrent cell of every layer. |"


def test_sections_of_one_form_share_a_table() -> None:
    assert len(rows("`corpus.train`, `corpus.validation`, `corpus.test`")) == 3
