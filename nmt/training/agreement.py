"""Whether configuration, prepared corpus and run folder belong together. Knows nothing of how a training runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from nmt.config import (
    Config,
    CorpusConfig,
    LanguageModelConfig,
    Section,
    SubwordConfig,
    TextConfig,
    TextSubwordConfig,
    differences,
)
from nmt.corpus import PreparedCorpus
from nmt.errors import DataError, TrainingError
from nmt.prepared_text import PreparedText
from nmt.run_folder import RunFolder

# What a resumed training may change: it alters no step that was taken, and the schedule only through `epochs`. Of the
# corpus or text, the fingerprint decides.
FREE_KEYS = (
    "corpus.",
    "text.",
    "training.epochs",
    "training.minutes",
    "training.patience",
    "training.minimum_gain",
    "training.skip_limit",
    "training.save_every_",
    "training.keep_last",
    "training.keep_best_checkpoints",
    "training.tensorboard",
    "decoding.",
    "export.",
)
AnySection = TypeVar("AnySection", bound=Section)


class Prepared(Protocol):
    """A prepared corpus or a prepared text."""

    folder: Path

    @property
    def fingerprint(self) -> str:
        """One checksum over settings and files."""


def check_corpus(config: Config, corpus: PreparedCorpus) -> None:
    """Refuses a corpus that was prepared with other settings.

    Raises:
        TrainingError: names the settings, each with both values.
        DataError: the manifest cannot be understood.
    """
    settings = corpus.manifest["settings"]
    prepared = _section(CorpusConfig, settings, "corpus", corpus), _section(SubwordConfig, settings, "subword", corpus)
    places = ("root:", "prepared:")  # say where the corpus lies, not what it is
    found = [f"corpus.{line}" for line in differences(prepared[0], config.corpus) if not line.startswith(places)]
    found += [f"subword.{line}" for line in differences(prepared[1], config.subword)]
    names = list(config.corpus.mixture or ())
    if sorted(corpus.mixture) != sorted(names):
        found.append(f"corpus.mixture: {', '.join(corpus.mixture) or 'none'} -> {', '.join(names) or 'none'}")
    _refuse(found, corpus)


def check_text(config: LanguageModelConfig, text: PreparedText) -> None:
    """Refuses a text that was prepared with other settings; a side of a prepared corpus is taken as it is.

    Raises:
        TrainingError: names the settings, each with both values.
        DataError: the manifest cannot be understood.
    """
    if config.text.prepared is not None:
        return
    prepared_text = _section(TextConfig, text.settings, "text", text)
    prepared_subword = _section(TextSubwordConfig, text.settings, "subword", text)
    found = [f"text.{line}" for line in differences(prepared_text, config.text) if not line.startswith("root:")]
    _refuse(found + [f"subword.{line}" for line in differences(prepared_subword, config.subword)], text)


def check_run(run: RunFolder, started_with: Section, config: Section, corpus: Prepared) -> None:
    """Refuses to go on in a run folder of another corpus or of settings that would change its steps.

    Args:
        run: the run folder.
        started_with: the configuration that it holds.
        config: the one to go on with.
        corpus: what there is to learn from.

    Raises:
        TrainingError: names both fingerprints, or the settings, each with both values.
    """
    if run.corpus_fingerprint() != corpus.fingerprint:
        raise TrainingError(
            f"{run.folder}: was trained on the corpus {run.corpus_fingerprint()[:12]}..., but {corpus.folder} is now "
            f"{corpus.fingerprint[:12]}...; remove the run folder or choose another name to train anew"
        )
    changed = [line for line in differences(started_with, config) if not line.startswith(FREE_KEYS)]
    if changed:
        raise TrainingError(
            f"{run.folder}: was started with other settings ({'; '.join(changed)}); take the old ones to resume, or "
            f"remove the run folder or choose another name to train anew"
        )


def _section(kind: type[AnySection], settings: Mapping[str, Any], key: str, corpus: Prepared) -> AnySection:
    """A section of the settings in a manifest, with the defaults of keys that an older one lacks."""
    try:
        return kind.model_validate_json(json.dumps(settings[key]))
    except (KeyError, TypeError, ValidationError):
        raise DataError(
            f"{corpus.folder}: the manifest is damaged or of another version; run nmt prepare again"
        ) from None


def _refuse(found: list[str], corpus: Prepared) -> None:
    if found:
        raise TrainingError(
            f"{corpus.folder}: the corpus was prepared with other settings ({'; '.join(found)}); run nmt prepare again"
        )
