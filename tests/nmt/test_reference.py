"""The page about the configuration, against the schema that it is written from."""

from __future__ import annotations

from pathlib import Path

from nmt.config import Config, LanguageModelConfig, Section
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
    assert rows("`model`")[0] == (
        "| `cell` | `rnn`, `gru`, `lstm`, `layer_norm_lstm` | `lstm` |  | Recurrent cell of every layer. |"
    )


def test_sections_of_one_form_share_a_table() -> None:
    assert len(rows("`corpus.train`, `corpus.validation`, `corpus.test`")) == 3


def keys(config: type[Section]) -> list[str]:
    """All keys of a kind of configuration, each with its section's class."""
    schema = config.model_json_schema()
    sections = {"": schema, **schema["$defs"]}
    return [f"{name}.{key}" for name, section in sections.items() for key in section["properties"]]


def test_every_key_of_both_kinds_is_explained_once() -> None:
    """As often as its section's class says: as a row, or by name after `As above:`."""
    page = configuration_reference()
    translation, _, language_model = page.partition("# Configuration of a language model\n")
    for config, text in ((Config, translation), (LanguageModelConfig, language_model)):
        named = [line.removeprefix("| ").partition(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
        named += [word for line in text.splitlines() if line.startswith("As above: ") for word in words(line)]
        assert sorted(named) == sorted(f"`{key.partition('.')[2]}`" for key in keys(config))
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    shared = "| `seed` |", "| `clip_norm` |", "| `character_coverage` |", "| `recurrent_dropout` |", "| `name` |"
    counts = [sum(line.startswith(key) for line in lines) for key in shared]
    assert counts == [4, 1, 1, 1, 1]  # generated text of either kind and samples have seeds of their own


def words(line: str) -> list[str]:
    """What a line names after `As above:`."""
    return line.removeprefix("As above: ").rstrip(".").split(", ")
