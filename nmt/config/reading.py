"""A configuration from a YAML file or from plain values, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from nmt.config.decoding import DecodingConfig
from nmt.config.experiment import Config
from nmt.config.faults import all_faults, unknown_keys
from nmt.config.language_model import LanguageModelConfig
from nmt.config.section import Section
from nmt.errors import ConfigError

MAX_CONFIG_BYTES = 1_000_000

Checked = TypeVar("Checked", bound=Section)


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a translation's YAML file, applies `section.key=value` overrides and checks the result.

    Where `corpus.prepared` names a prepared corpus, the sections `corpus` and `subword` are those it was made with.

    Raises:
        ConfigError: the file cannot be read, is a language model's, or has faults; the message names every one.
    """
    values = _read(path, overrides)
    if "text" in values:
        raise ConfigError(
            f"{path}: expected a translation's configuration, with the section 'corpus'; received a language model's, "
            f"with 'text'; nmt lm train, sample and score take it"
        )
    return parse_config(_with_prepared(values, str(path)), origin=str(path))


def load_language_model_config(path: Path, overrides: Sequence[str] = ()) -> LanguageModelConfig:
    """Reads a language model's YAML file, applies `section.key=value` overrides and checks the result.

    Raises:
        ConfigError: the file cannot be read, is a translation's, or has faults; the message names every one.
    """
    values = _read(path, overrides)
    if "text" not in values and "corpus" in values:
        raise ConfigError(
            f"{path}: expected a language model's configuration, with the section 'text'; received a translation's, "
            f"with 'corpus'; nmt train takes it"
        )
    return parse_language_model_config(values, origin=str(path))


def load_any_config(path: Path, overrides: Sequence[str] = ()) -> Config | LanguageModelConfig:
    """Reads a YAML file of either kind; one with the section `text` is a language model's.

    Raises:
        ConfigError: the file cannot be read, or it has faults; the message names every one.
    """
    values, origin = _read(path, overrides), str(path)
    if "text" in values:
        return parse_language_model_config(values, origin)
    return parse_config(_with_prepared(values, origin), origin)


def parse_config(values: Mapping[str, Any], origin: str = "configuration") -> Config:
    """Checks a translation's plain values; `origin` stands before each fault that is found."""
    return _checked(Config, values, origin)


def parse_language_model_config(values: Mapping[str, Any], origin: str = "configuration") -> LanguageModelConfig:
    """Checks a language model's plain values; `origin` stands before each fault that is found."""
    return _checked(LanguageModelConfig, values, origin)


def changed_decoding(
    config: Config, changes: Mapping[str, Any], overrides: Sequence[str] = (), origin: str = "command line"
) -> DecodingConfig:
    """A run's way to search, with some keys changed.

    Args:
        config: the run's configuration.
        changes: values by their keys in the section `decoding`; None changes nothing.
        overrides: more of them, each as `decoding.key=value`.
        origin: stands before each fault that is found.

    Raises:
        ConfigError: a value or a combination is not possible, or an override is of another section.
    """
    values = config.model_dump(mode="json")
    if strangers := [text for text in overrides if not text.strip().startswith("decoding.")]:
        raise ConfigError(
            f"{origin}: --set {strangers[0]}: a trained model can only be searched in another way; expected "
            f"decoding.key=value, such as decoding.beam_size=10"
        )
    given: dict[str, Any] = {"decoding": {key: value for key, value in changes.items() if value is not None}}
    given = _apply_overrides(given, overrides)["decoding"]
    values["decoding"] |= given
    if values["decoding"]["samples"] and (searched := sorted({"beam_size", "n_best", "diversity_groups"} & set(given))):
        raise ConfigError(
            f"{origin}: samples: expected either sampling or a search with a beam, received {searched[0]} too; leave "
            f"it out, or search with samples: 0"
        )
    return parse_config(values, origin).decoding


def _checked(schema: type[Checked], values: Mapping[str, Any], origin: str) -> Checked:
    try:
        return schema.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {fault}" for fault in all_faults(schema, values, error))) from None


def _with_prepared(values: dict[str, Any], origin: str) -> dict[str, Any]:
    """Puts the settings of the corpus that `corpus.prepared` names in the place of the file's."""
    corpus = values.get("corpus")
    folder = corpus.get("prepared") if isinstance(corpus, dict) else None
    if not isinstance(folder, str):
        return values
    if faults := unknown_keys(Config, values):  # those of the sections that are replaced would pass
        raise ConfigError("\n".join(f"{origin}: {fault}" for fault in faults))
    settings = _prepared_settings(Path(folder) / "manifest.json", f"{origin}: corpus.prepared")
    return values | {"corpus": settings["corpus"] | {"prepared": folder}, "subword": settings["subword"]}


def _prepared_settings(manifest: Path, where: str) -> dict[str, dict[str, Any]]:
    try:
        settings = json.loads(manifest.read_text(encoding="utf-8"))["settings"]
        if "text" in settings:
            raise ConfigError(
                f"{where}: expected a prepared translation corpus in {manifest.parent}, received running text; name "
                f"the folder of a translation corpus"
            )
        return {section: dict(settings[section]) for section in ("corpus", "subword")}
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{where}: expected the folder of a prepared corpus, found no {manifest}; run nmt prepare with that "
            f"corpus' own configuration first, or correct the name"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{where}: expected {manifest} to hold the settings of a translation corpus, but it does not "
            f"({type(error).__name__}: {error}); run nmt prepare again with that corpus' own configuration"
        ) from None


def _read(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    return _apply_overrides(_read_yaml(path), overrides)


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
