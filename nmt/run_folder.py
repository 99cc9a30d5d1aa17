"""A training's folder.

    runs/NAME/
      config.json                   the resolved configuration, with a checksum of itself
      run.json                      format version, kind of model, the corpus' fingerprint and sizes, checksums of
                                    subword models
      source.model target.model     the subword models: the folder is all that translation needs; a language model has
                                    text.model in their place
      checkpoints/00001200/         the newest few and the best (see `nmt.checkpoints`)
      translation_table.safetensors of `nmt shortlist`, where somebody asked for it (see `nmt.translation_table`)
      metrics.jsonl report.json

`last` is the newest checkpoint, and its state says which one is `best`. Knows nothing of how a training runs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from nmt.checkpoints import Tensors, TrainingState, is_whole, load_state, restore, write_checkpoint
from nmt.config import Config, LanguageModelConfig, parse_config, parse_language_model_config
from nmt.corpus import PreparedCorpus
from nmt.errors import CorruptFileError, DataError
from nmt.files import ASIDE, OLD, read_json, removing, sealed, unsealed, write_file
from nmt.tokenizer import Tokenizer

RUN_FORMAT = 3
TRANSLATION, LANGUAGE_MODEL = "translation", "language_model"
SUBWORD_FILES = {TRANSLATION: ("source.model", "target.model"), LANGUAGE_MODEL: ("text.model",)}
MODELS = {TRANSLATION: "a translation model", LANGUAGE_MODEL: "a language model"}
COMMANDS = {TRANSLATION: "nmt train, translate, evaluate and export", LANGUAGE_MODEL: "nmt lm train, sample and score"}
DAMAGED = "damaged-"


class RunFolder:
    """One training's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints_folder = folder / "checkpoints"

    @property
    def exists(self) -> bool:
        """Whether a training was started here."""
        return (self.folder / "run.json").exists()

    @property
    def kind(self) -> str:
        """What is trained here: `translation` or `language_model`."""
        return str(self._identity()["kind"])

    def create(
        self,
        config: Config | LanguageModelConfig,
        fingerprint: str,
        tokenizers: Sequence[Tokenizer],
        corpus_pairs: Mapping[str, int] | None = None,
    ) -> None:
        """Writes what does not change during the training; `run.json` comes last and marks the folder as whole.

        Args:
            config: says by its class what is trained.
            fingerprint: of the prepared corpus.
            tokenizers: source and target of a translation model, the one of a language model.
            corpus_pairs: pairs of each part of the corpus, for the model card of an export.
        """
        kind = LANGUAGE_MODEL if isinstance(config, LanguageModelConfig) else TRANSLATION
        models = dict(zip(SUBWORD_FILES[kind], (tokenizer.model for tokenizer in tokenizers), strict=True))
        for name, model in models.items():
            write_file(self.folder / name, model)
        self.write_config(config)
        checksums = {name: hashlib.sha256(model).hexdigest() for name, model in models.items()}
        identity = {
            "format": RUN_FORMAT,
            "kind": kind,
            "corpus_fingerprint": fingerprint,
            "subword_models": checksums,
            "corpus_pairs": dict(corpus_pairs or {}),
        }
        write_file(self.folder / "run.json", sealed(identity))

    def write_config(self, config: Config | LanguageModelConfig) -> None:
        """Writes the resolved configuration."""
        write_file(self.folder / "config.json", sealed(config.model_dump(mode="json")))

    def config(self) -> Config:
        """The configuration that a translation model was trained with.

        Raises:
            DataError: there is no run, or it is that of a language model.
            CorruptFileError: the file does not match its checksum.
        """
        return parse_config(*self._settings(TRANSLATION))

    def language_model_config(self) -> LanguageModelConfig:
        """The configuration that a language model was trained with.

        Raises:
            DataError: there is no run, or it is that of a translation model.
            CorruptFileError: the file does not match its checksum.
        """
        return parse_language_model_config(*self._settings(LANGUAGE_MODEL))

    def corpus_fingerprint(self) -> str:
        """Fingerprint of the prepared corpus that the folder was made with."""
        return str(self._identity()["corpus_fingerprint"])

    def corpus_pairs(self) -> dict[str, int]:
        """Pairs of each part of that corpus; empty where the folder does not know them."""
        return {str(part): int(pairs) for part, pairs in self._identity().get("corpus_pairs", {}).items()}

    def corpus(self, otherwise: str = "") -> PreparedCorpus:
        """The prepared corpus that a translation model was trained on.

        Args:
            otherwise: what the user can do without it, for the error.

        Raises:
            DataError: it is missing, or is no longer the one that the run was trained on.
            CorruptFileError: it does not match its checksums.
        """
        folder, otherwise = self.config().prepared_folder, f", or {otherwise}" if otherwise else ""
        if not folder.is_dir():
            raise DataError(
                f"{self.folder}: looked for the corpus that it was trained on in {folder.resolve()}, found nothing; "
                f"run nmt prepare with the run's configuration ({self.folder / 'config.json'}){otherwise}"
            )
        corpus = PreparedCorpus(folder)
        if corpus.fingerprint != self.corpus_fingerprint():
            raise DataError(
                f"{self.folder}: was trained on the corpus {self.corpus_fingerprint()[:12]}..., but {corpus.folder} is "
                f"now {corpus.fingerprint[:12]}...; prepare the corpus with the run's settings, train again{otherwise}"
            )
        return corpus

    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """The source's and the target's tokenizer of a translation model."""
        self._expect(TRANSLATION)
        source, target = (self._tokenizer(name) for name in SUBWORD_FILES[TRANSLATION])
        return source, target

    def tokenizer(self) -> Tokenizer:
        """The tokenizer of a language model."""
        self._expect(LANGUAGE_MODEL)
        return self._tokenizer(*SUBWORD_FILES[LANGUAGE_MODEL])

    def steps(self) -> list[int]:
        """Steps of the checkpoints that are there, oldest first."""
        if not self.checkpoints_folder.is_dir():
            return []
        return sorted(int(path.name) for path in self.checkpoints_folder.iterdir() if path.name.isdigit())

    def best_steps(self) -> list[int]:
        """Steps of the best checkpoints that are there, best first, as the newest one knows them.

        Raises:
            DataError: there is no checkpoint yet.
        """
        there = set(self.steps())
        best = load_state(self.checkpoint("last")).best
        return [one.step for one in best if one.step in there]

    def checkpoint(self, which: str) -> Path:
        """Folder of the `best` or `last` checkpoint; before the first validation the last is the best.

        Raises:
            DataError: there is none yet.
        """
        steps = self.steps()
        if not steps:
            raise DataError(f"{self.folder}: expected a checkpoint, found none yet; train it first")
        last = self.checkpoint_at(steps[-1])
        best = load_state(last).best if which == "best" else ()
        if not best:
            return last
        if best[0].step not in steps:
            raise DataError(
                f"{self.checkpoint_at(best[0].step)}: the best checkpoint is missing; use --checkpoint last"
            )
        return self.checkpoint_at(best[0].step)

    def checkpoint_at(self, step: int) -> Path:
        """Folder of the checkpoint of a step."""
        return self.checkpoints_folder / f"{step:08d}"

    def sweep(self) -> None:
        """Removes what a kill left of an unfinished file or checkpoint; one that lacked its last rename gets it."""
        for path in self.folder.glob(f"{ASIDE}*"):
            path.unlink()
        for path in self.checkpoints_folder.glob(f"{OLD}*"):
            shutil.rmtree(path)
        for path in self.checkpoints_folder.glob(f"{ASIDE}*"):
            target = self.checkpoints_folder / path.name.removeprefix(ASIDE)
            if is_whole(path) and not target.exists():
                path.rename(target)
            else:
                shutil.rmtree(path)

    def save(
        self, model: keras.Model, state: TrainingState, average: Tensors | None = None, keep_last: int = 1
    ) -> Path:
        """Writes the checkpoint of `state.step`; only the newest `keep_last` and the best of the state stay.

        Raises:
            StorageError: the disk is full or cannot be written; the checkpoints before stay.
        """
        target = self.checkpoint_at(state.step)
        write_checkpoint(target, state, model.variables, model.optimizer, average)
        self.prune(state, keep_last)
        return target

    def prune(self, state: TrainingState, keep_last: int) -> None:
        """Removes all checkpoints but the newest `keep_last` and the best of the state."""
        kept = {best.step for best in state.best} | set(self.steps()[-keep_last:])
        for step in self.steps():
            if step not in kept:
                with removing(self.checkpoint_at(step)):
                    pass

    def save_weights(self, model: keras.Model, state: TrainingState) -> Path:
        """Writes a checkpoint that translates, and that nobody can train on."""
        write_checkpoint(self.checkpoint_at(state.step), state, model.variables)
        return self.checkpoint_at(state.step)

    def restore(self, model: keras.Model, say: Callable[[str], None] = lambda text: None) -> TrainingState:
        """Loads the newest whole checkpoint into model and optimizer; a fresh state where there is none.

        Damaged ones are renamed to `damaged-STEP`, and `say` is told.

        Raises:
            CorruptFileError: there are checkpoints, and none is whole.
        """
        damage: dict[int, CorruptFileError] = {}
        for step in reversed(self.steps()):
            try:
                state = restore(self.checkpoint_at(step), model)
            except CorruptFileError as error:
                damage[step] = error
                continue
            for damaged, reason in damage.items():
                self.set_aside(damaged)
                say(f"{reason}; it is {DAMAGED}{damaged:08d} now, going on from step {step:,} instead")
            return replace(state, best=tuple(best for best in state.best if best.step in self.steps()))
        if damage:
            newest = next(iter(damage.values()))
            raise CorruptFileError(
                f"{self.checkpoints_folder}: none of {len(damage)} checkpoints is whole ({newest}); put a copy back, "
                f"or remove the run folder to train anew"
            )
        return TrainingState()

    def set_aside(self, step: int) -> None:
        """Renames a checkpoint that nobody shall use to `damaged-STEP`."""
        aside = self.checkpoints_folder / f"{DAMAGED}{step:08d}"
        shutil.rmtree(aside, ignore_errors=True)
        self.checkpoint_at(step).rename(aside)

    def _settings(self, kind: str) -> tuple[dict[str, Any], str]:
        """The values of `config.json`, and where they stand."""
        self._expect(kind)
        path = self.folder / "config.json"
        return unsealed(path), str(path)

    def _expect(self, kind: str) -> None:
        """Refuses the folder of another kind of model."""
        if (received := self.kind) != kind:
            raise DataError(
                f"{self.folder}: expected the run folder of {MODELS[kind]}, received that of {MODELS[received]}: it is "
                f"for {COMMANDS[received]}; name another one"
            )

    def _tokenizer(self, name: str) -> Tokenizer:
        path = self.folder / name
        try:
            model = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: expected a SentencePiece model: {error.strerror}") from None
        if hashlib.sha256(model).hexdigest() != self._identity()["subword_models"][name]:
            raise CorruptFileError(
                f"{path}: the checksum differs from run.json; the file was changed or damaged, copy it anew from the "
                f"prepared corpus"
            )
        return Tokenizer(model, origin=str(path))

    def _identity(self) -> dict[str, Any]:
        path = self.folder / "run.json"
        if not self.exists:
            raise DataError(f"{self.folder}: expected a run folder with run.json; train it first")
        received = read_json(path).get("format")  # before the checksum, which format 1 had not
        if received != RUN_FORMAT:
            raise DataError(
                f"{path}: expected run format {RUN_FORMAT}, received {received}; train again, or use the version of "
                f"keras-nmt that wrote it"
            )
        return unsealed(path)
