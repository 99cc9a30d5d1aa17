"""`docs/configuration.md`, written from the configuration's schema. Knows nothing but that schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nmt.config import Config, LanguageModelConfig, Section

INTRODUCTION = """\
# Configuration

One YAML file describes one experiment. This page is written from the schema by `nmt config schema --markdown`; `nmt
config check CONFIG` names all faults of a file at once; `--set section.key=value` overrides one on the command line.
"""
LANGUAGE_MODELS = """\
# Configuration of a language model

A file with the section `text`, where a translation's has `corpus`, is a language model's: `nmt lm train` takes it.
What means the same as in a translation's is explained above.
"""
HEADING = "| key | type | default | range | explanation |\n| --- | --- | --- | --- | --- |\n"
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

Schema = dict[str, Any]
Rows = dict[str, str]


def configuration_reference() -> str:
    """The page, in Markdown: one table a section, every key once."""
    translation, language_model = _sections(Config), _sections(LanguageModelConfig)
    above = {place: _rows(schema) for places, schema in translation for place in places}
    return "\n".join(
        [
            INTRODUCTION,
            *(_table(places, schema, {}) for places, schema in translation),
            LANGUAGE_MODELS,
            *(_table(places, schema, above.get(places[0], {})) for places, schema in language_model),
        ]
    )


def _sections(config: type[Section]) -> list[tuple[list[str], Schema]]:
    """Each section and the places where it stands, depth first; the file itself, first, has the place ''."""
    schema = config.model_json_schema()
    definitions: dict[str, Schema] = schema["$defs"]
    places = _places(schema, definitions)
    return [([""], schema), *((places[name], definitions[name]) for name in places)]


def _places(schema: Schema, definitions: dict[str, Schema], path: str = "") -> dict[str, list[str]]:
    """Each section's class and the places where it stands."""
    found: dict[str, list[str]] = {}
    for key, item in schema["properties"].items():
        if name := _section_name(item):
            place = f"{path}{key}"
            for section, places in ({name: [place]} | _places(definitions[name], definitions, f"{place}.")).items():
                found.setdefault(section, []).extend(places)
    return found


def _table(places: list[str], schema: Schema, above: Rows) -> str:
    """A section's table; keys that stand above in the same words are only named, but for sections of their own."""
    items, rows = schema["properties"], _rows(schema)
    shared = [key for key in rows if rows[key] == above.get(key) and not _section_name(items[key])]
    table = HEADING + "".join(row for key, row in rows.items() if key not in shared)
    if shared:
        table += f"\nAs above: {', '.join(f'`{key}`' for key in shared)}.\n"
    if places == [""]:
        return table
    title = ", ".join(f"`{place}`" for place in places) + (" of a language model" if above else "")
    return f"## {title}\n\n{schema['description']}\n\n{table}"


def _rows(schema: Schema) -> Rows:
    required = schema.get("required", ())
    return {key: _row(key, item, key in required) for key, item in schema["properties"].items()}


def _row(key: str, item: Schema, required: bool) -> str:
    choices = item.get("anyOf", [item])
    kinds = " or ".join(_kind(choice) for choice in choices)
    bounds = ", ".join(bound for choice in choices for bound in _bounds(choice))
    default = "required" if required else _default(item)
    explanation = " ".join(item.get("description", "See below.").split())
    return f"| `{key}` | {kinds} | {default} | {bounds} | {explanation} |\n"


def _kind(choice: Schema) -> str:
    if "$ref" in choice:
        return "section"
    if "enum" in choice:
        return ", ".join(f"`{value}`" for value in choice["enum"])
    if "const" in choice:
        return f"`{choice['const']}`"
    if choice["type"] == "array":
        return f"list of {_kind(choice['items'])}"
    if choice["type"] == "object":
        values = choice.get("additionalProperties") or next(iter(choice["patternProperties"].values()))
        return f"{_kind(values)} for each name"
    return str(choice["type"])


def _bounds(choice: Schema) -> Iterator[str]:
    yield from (f"{sign} {choice[bound]:,}" for bound, sign in BOUNDS.items() if bound in choice)
    if "pattern" in choice:
        yield f"`{choice['pattern']}`"


def _default(item: Schema) -> str:
    if _section_name(item) and item.get("default") is None:
        return "null" if "default" in item else "its own"
    value = item.get("default")
    return "null" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _section_name(item: Schema) -> str | None:
    choices = [item, *item.get("anyOf", ())]
    return next((str(choice["$ref"]).rpartition("/")[2] for choice in choices if "$ref" in choice), None)
