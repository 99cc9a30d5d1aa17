"""What is wrong with a configuration, a line a fault: where, what was expected, what was received, the nearest word."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def all_faults(schema: type[BaseModel], values: Mapping[str, Any], error: ValidationError) -> list[str]:
    """The faults found, and those that show when the faulty keys are left out.

    Pydantic compares keys with each other only where each is right by itself. In a section that has lost a key nothing
    is compared: what is missing there is the faulty key.
    """
    faults = _faults(schema, error.errors())
    rest = json.loads(json.dumps(values, default=str))
    wrong = [item for item in error.errors() if item["type"] not in ("missing", "value_error")]
    incomplete = {_remove(rest, item["loc"]) for item in wrong}
    try:
        schema.model_validate_json(json.dumps(rest))
    except ValidationError as later:
        shown = [item for item in later.errors() if not _follows(item, incomplete)]
        faults += [fault for fault in _faults(schema, shown) if fault not in faults]
    return faults


def unknown_keys(schema: type[BaseModel], values: Mapping[str, Any]) -> list[str]:
    """The faults of the keys that the schema does not have; no other fault."""
    try:
        schema.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        return _faults(schema, [item for item in error.errors() if item["type"] == "extra_forbidden"])
    return []


def _remove(values: dict[str, Any], location: Sequence[str | int]) -> tuple[str, ...]:
    """Removes a key, and returns where its section is."""
    path = tuple(map(str, location))
    for depth, section in enumerate(path[:-1]):
        if not isinstance(inner := values.get(section), dict):
            values.pop(section, None)  # a list or a plain value goes as a whole
            return path[:depth]
        values = inner
    values.pop(path[-1], None)
    return path[:-1]


def _follows(item: ErrorDetails, incomplete: Collection[tuple[str, ...]]) -> bool:
    """Whether a fault may come of a key that was removed."""
    return item["type"] == "missing" or (item["type"] == "value_error" and tuple(map(str, item["loc"])) in incomplete)


def _faults(schema: type[BaseModel], items: Iterable[ErrorDetails]) -> list[str]:
    """One line per fault: where, what was expected, what was received, the nearest valid word."""
    faults = []
    for item in items:
        where = ".".join(str(part) for part in item["loc"])
        received, kind, context = item.get("input"), item["type"], item.get("ctx", {})
        if kind == "extra_forbidden":
            valid = list(_section_at(schema, item["loc"][:-1]).model_fields)
            message = f"unknown key; expected one of {', '.join(valid)}.{_nearest(str(item['loc'][-1]), valid)}"
        elif kind == "literal_error":
            valid = _literals(context["expected"])
            message = f"expected one of {', '.join(valid)}; received {received!r}.{_nearest(str(received), valid)}"
        elif kind == "missing":
            message = "expected a value, received none; add the key"
        elif kind == "value_error":
            message = str(context["error"])
        elif kind == "list_type":
            example = received if isinstance(received, str) else "a, b"
            message = f"expected a list such as [{example}]; received {received!r}"
        elif kind == "bool_type":
            message = f"expected true or false; received {received!r}"
        else:
            message = f"{item['msg'].replace('Input should be', 'expected')}; received {received!r}"
        faults.append(f"{where}: {message}" if where else message)
    return faults


def _literals(expected: str) -> list[str]:
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def _nearest(word: str, valid: Sequence[str]) -> str:
    matches = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def _section_at(schema: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel]:
    """The model class in which a key at `location` was looked up."""
    section = schema
    named = False  # whether this part of the location is a name that the user chose
    for part in location:
        if named:
            named = False
            continue
        annotation = section.model_fields[str(part)].annotation
        choices = [annotation, *get_args(annotation)]
        named = any(get_origin(choice) is dict for choice in choices)
        inner = [inner for choice in choices for inner in (choice, *get_args(choice))]
        section = next(choice for choice in inner if isinstance(choice, type) and issubclass(choice, BaseModel))
    return section
