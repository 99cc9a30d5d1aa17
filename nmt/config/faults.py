"""What is wrong with a configuration, a line a fault: where, what was expected, what was received, the nearest word."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError


def all_faults(schema: type[BaseModel], values: Mapping[str, Any], error: ValidationError) -> list[str]:
    """The faults found, and those that show when the faulty keys are left out.

    Pydantic compares keys with each other only where each is right by itself.
    """
    faults = _faults(schema, error)
    rest = json.loads(json.dumps(values, default=str))
    for item in error.errors():
        if item["type"] not in ("missing", "value_error"):
            _remove(rest, item["loc"])
    try:
        schema.model_validate_json(json.dumps(rest))
    except ValidationError as later:
        faults += [fault for fault in _faults(schema, later, missing=False) if fault not in faults]
    return faults


def _remove(values: dict[str, Any], location: Sequence[str | int]) -> None:
    *sections, key = map(str, location)
    for section in sections:
        if not isinstance(inner := values.get(section), dict):
            key = section  # a list or a plain value goes as a whole
            break
        values = inner
    values.pop(key, None)


def _faults(schema: type[BaseModel], error: ValidationError, missing: bool = True) -> list[str]:
    """One line per fault: where, what was expected, what was received, the nearest valid word."""
    faults = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        received, kind, context = item.get("input"), item["type"], item.get("ctx", {})
        if kind == "extra_forbidden":
            valid = list(_section_at(schema, item["loc"][:-1]).model_fields)
            message = f"unknown key; expected one of {', '.join(valid)}.{_nearest(str(item['loc'][-1]), valid)}"
        elif kind == "literal_error":
            valid = _literals(context["expected"])
            message = f"expected one of {', '.join(valid)}; received {received!r}.{_nearest(str(received), valid)}"
        elif kind == "missing" and not missing:
            continue
        elif kind == "missing":
            message = "expected a value, received none; add the key"
        elif kind == "value_error":
            message = str(context["error"])
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
