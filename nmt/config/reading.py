"""A configuration from a YAML file or from plain values, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from nmt.config.experiment import Config
from nmt.config.faults import all_faults
from nmt.errors import ConfigError

MAX_CONFIG_BYTES = 1_000_000


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a YAML file, applies `section.key=value` overrides and checks the result.

    Raises:
        ConfigError: the file cannot be read, or it has faults; the message names every one.
    """
    return parse_config(_apply_overrides(_read_yaml(path), overrides), origin=str(path))


def parse_config(values: Mapping[str, Any], origin: str = "configuration") -> Config:
    """Checks plain values against the schema; `origin` stands before each fault that is found."""
    try:
        return Config.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {fault}" for fault in all_faults(values, error))) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: expected a configuration of at most {MAX_CONFIG_BYTES:,} bytes")
        values = _parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; name a configuration such as configs/quickstart.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable UTF-8 file: {error}") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected sections such as 'name:' and 'corpus:', received {type(values).__name__}")
    return values


def _parse_yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def _apply_overrides(values: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    for override in overrides:
        key, equals, text = override.partition("=")
        if not (equals and key):
            raise ConfigError(f"--set {override}: expected section.key=value, for example --set training.epochs=5")
        *sections, name = key.strip().split(".")
        section = values
        for part in sections:
            if not isinstance(section.get(part), dict):
                section[part] = {}
            section = section[part]
        try:
            section[name] = _parse_yaml(text)
        except YAMLError:
            section[name] = text
    return values
