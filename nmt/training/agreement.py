"""Whether configuration, prepared corpus and run folder belong together. Knows nothing of how a training runs."""

from __future__ import annotations

import json

from pydantic import ValidationError

from nmt.config import Config, CorpusConfig, SubwordConfig, differences
from nmt.corpus import PreparedCorpus
from nmt.errors import DataError, TrainingError
from nmt.run_folder import RunFolder

# What a resumed training may change: it alters no step that was taken, and the schedule only through `epochs`. Of the
# corpus, the fingerprint decides.
FREE_KEYS = (
    "corpus.",
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


def check_corpus(config: Config, corpus: PreparedCorpus) -> None:
    """Refuses a corpus that was prepared with other settings.

    Raises:
        TrainingError: names the settings, each with both values.
        DataError: the manifest cannot be understood.
    """
    settings = corpus.manifest["settings"]
    try:
        prepared_corpus = CorpusConfig.model_validate_json(json.dumps(settings["corpus"]))
        prepared_subword = SubwordConfig.model_validate_json(json.dumps(settings["subword"]))
    except (KeyError, TypeError, ValidationError):
        raise DataError(
            f"{corpus.folder}: the manifest is damaged or of another version; run nmt prepare again"
        ) from None
    found = [f"corpus.{line}" for line in differences(prepared_corpus, config.corpus) if not line.startswith("root:")]
    found += [f"subword.{line}" for line in differences(prepared_subword, config.subword)]
    names = list(config.corpus.mixture or ())
    if sorted(corpus.mixture) != sorted(names):
        found.append(f"corpus.mixture: {', '.join(corpus.mixture) or 'none'} -> {', '.join(names) or 'none'}")
    if found:
        raise TrainingError(
            f"{corpus.folder}: the corpus was prepared with other settings ({'; '.join(found)}); run nmt prepare again"
        )


def check_run(run: RunFolder, config: Config, corpus: PreparedCorpus) -> None:
    """Refuses to go on in a run folder of another corpus or of settings that would change its steps.

    Raises:
        TrainingError: names both fingerprints, or the settings, each with both values.
    """
    if run.corpus_fingerprint() != corpus.fingerprint:
        raise TrainingError(
            f"{run.folder}: was trained on the corpus {run.corpus_fingerprint()[:12]}..., but {corpus.folder} is now "
            f"{corpus.fingerprint[:12]}...; remove the run folder or choose another name to train anew"
        )
    changed = [line for line in differences(run.config(), config) if not line.startswith(FREE_KEYS)]
    if changed:
        raise TrainingError(
            f"{run.folder}: was started with other settings ({'; '.join(changed)}); take the old ones to resume, or "
            f"remove the run folder or choose another name to train anew"
        )
