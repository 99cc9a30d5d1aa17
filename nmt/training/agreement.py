"""Whether configuration, prepared corpus and run folder belong together. Knows nothing of how a training runs."""

from __future__ import annotations

import json
from typing import Any

from nmt.config import Config, CorpusConfig, SubwordConfig, differences
from nmt.corpus import PreparedCorpus
from nmt.errors import TrainingError
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
    """
    settings = corpus.manifest["settings"]
    sections: list[tuple[Any, Any]] = [(CorpusConfig, config.corpus), (SubwordConfig, config.subword)]
    found = []
    for (model, now), name in zip(sections, ("corpus", "subword"), strict=True):
        before = model.model_validate_json(json.dumps(settings[name]))
        found += [f"{name}.{line}" for line in differences(before, now)]
    if found := [line for line in found if not line.startswith("corpus.root")]:
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
