"""A trained model for Python programs, from a run folder or a SavedModel: `nmt.load` gives it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from nmt.config import DecodingConfig, changed_decoding
from nmt.errors import ConfigError, DataError
from nmt.run_folder import RunFolder
from nmt.seq2seq_run import load_seq2seq
from nmt.translation.lines import Line, LineTranslator, Translation
from nmt.translation.scoring import PairScorer, Score
from nmt.translation.shortlist import table_for
from nmt.translation.translator import Translator

Texts = Sequence[str]


class TrainedModel(ABC):
    """Translates texts, and scores translations of texts."""

    @abstractmethod
    def translate(
        self,
        texts: Texts,
        *,
        prefixes: Texts | None = None,
        forced_words: Sequence[Texts] | None = None,
        **decoding: Any,
    ) -> list[Translation]:
        """Translates texts, each as one sentence.

        Args:
            texts: the sentences.
            prefixes: what the translation of each one begins with; empty for anything.
            forced_words: words or phrases that the translation of each one has, wherever they fit.
            **decoding: keys of the configuration's section `decoding` that are to differ from the run's, such as
                `beam_size=10` or `samples=20, seed=3`.

        Raises:
            ConfigError: a key or a value of `decoding` is not possible.
            DataError: a prefix or forced words leave no room, a forced word has characters that the model does not
                know, or `decoding` asks for what this model cannot do.
        """

    @abstractmethod
    def score(self, sources: Texts, translations: Texts, *, as_pieces: bool = False, **decoding: Any) -> list[Score]:
        """The log-probability of each translation.

        Args:
            sources: the sentences.
            translations: of each one.
            as_pieces: translations are pieces with a space between, such as `" ".join(hypothesis.pieces)`: their score
                is what search among all tokens reported. Text may be cut into other tokens than search put together.
            **decoding: as in `translate`; `ensemble` and `language_model` count.

        Raises:
            ConfigError: a key or a value of `decoding` is not possible.
            DataError: there are not as many translations as sources.
        """


class TrainedRun(TrainedModel):
    """A run folder's model. A search is compiled when it is asked for first, and kept.

    Args:
        folder: the run folder.
        checkpoint: `best` or `last`.
    """

    def __init__(self, folder: Path, checkpoint: str = "best") -> None:
        self.run = RunFolder(folder)
        self.model, self.source_tokenizer, self.target_tokenizer, self.config = load_seq2seq(folder, checkpoint)
        self._models = {"float32": self.model}  # by precision
        self._translators: dict[str, Translator] = {}
        self._scorers: dict[str, PairScorer] = {}

    def translate(
        self,
        texts: Texts,
        *,
        prefixes: Texts | None = None,
        forced_words: Sequence[Texts] | None = None,
        **decoding: Any,
    ) -> list[Translation]:
        """See `TrainedModel`; translations carry their attention where the model has one."""
        _check_lengths(texts, prefixes=prefixes, forced_words=forced_words)
        translator = self._translator(decoding)
        if forced_words is None:
            return _translate(translator, texts, prefixes)
        lines = [
            Line(text.encode("utf-8", "replace"), i, prefixes[i] if prefixes else "") for i, text in enumerate(texts)
        ]
        # All are read before the first search.
        words = [translator.read_words(line, of) for line, of in zip(lines, forced_words, strict=True)]
        return [translator.translate_with_words(line, of) for line, of in zip(lines, words, strict=True)]

    def score(self, sources: Texts, translations: Texts, *, as_pieces: bool = False, **decoding: Any) -> list[Score]:
        """See `TrainedModel`."""
        _check_lengths(sources, translations=translations)
        scorer = self._scorer(decoding)
        pairs = _encoded_pairs(sources, translations)
        return list(scorer.score(pairs, as_pieces=as_pieces))

    def _translator(self, changes: dict[str, Any]) -> Translator:
        decoding = changed_decoding(self.config, changes, origin="decoding")
        key = _key(decoding)
        if key not in self._translators:
            precision = decoding.precision
            if precision not in self._models:
                self._models[precision] = self.model.in_precision(precision)
            self._translators[key] = Translator(
                self._models[precision],
                self.source_tokenizer,
                self.target_tokenizer,
                decoding,
                with_attention=self.config.model.attention != "none",
                table=table_for(self.run, decoding),
            )
        return self._translators[key].with_seed(decoding.seed)

    def _scorer(self, changes: dict[str, Any]) -> PairScorer:
        translator = self._translator(changes | {"shortlist": 0})
        key = _key(translator.config)
        if key not in self._scorers:
            self._scorers[key] = PairScorer(translator)
        return self._scorers[key]


class TrainedSavedModel(TrainedModel):
    """A SavedModel: how it searches was chosen when it was exported.

    Args:
        folder: one version's folder, or the folder of versions.
    """

    def __init__(self, folder: Path) -> None:
        from nmt.saved_model import load_saved_model

        self.translator = load_saved_model(folder)

    def translate(
        self,
        texts: Texts,
        *,
        prefixes: Texts | None = None,
        forced_words: Sequence[Texts] | None = None,
        **decoding: Any,
    ) -> list[Translation]:
        """See `TrainedModel`; translations carry neither pieces nor attention."""
        self._refuse({"forced_words": forced_words, **decoding})
        _check_lengths(texts, prefixes=prefixes)
        return _translate(self.translator, texts, prefixes)

    def score(self, sources: Texts, translations: Texts, *, as_pieces: bool = False, **decoding: Any) -> list[Score]:
        """See `TrainedModel`; scores carry neither pieces nor their log-probabilities."""
        self._refuse({"as_pieces": as_pieces or None, **decoding})
        _check_lengths(sources, translations=translations)
        pairs = _encoded_pairs(sources, translations)
        return [Score(log_prob, (), (), cut) for log_prob, cut in self.translator.score(pairs)]

    def _refuse(self, options: dict[str, Any]) -> None:
        if asked := [key for key, value in options.items() if value is not None]:
            raise DataError(
                f"{self.translator.folder}: a SavedModel has its search inside; leave out {asked[0]}, or load the run "
                f"folder"
            )


def load_trained_model(path: str | PathLike[str], checkpoint: str = "best") -> TrainedModel:
    """See `nmt.load`."""
    folder = Path(path)
    if checkpoint not in ("best", "last"):
        raise ConfigError(f"checkpoint: expected 'best' or 'last', received {checkpoint!r}")
    if RunFolder(folder).exists:
        return TrainedRun(folder, checkpoint)
    if not folder.is_dir():
        raise DataError(
            f"{folder}: expected a run folder such as runs/quickstart or a SavedModel such as saved_models/quickstart, "
            f"found {'a file' if folder.exists() else 'nothing'}"
        )
    if checkpoint != "best":
        raise DataError(f"{folder}: a SavedModel has one checkpoint; leave out checkpoint, or load the run folder")
    return TrainedSavedModel(folder)


def _key(decoding: DecodingConfig) -> str:
    """What makes one compiled search differ from another; the seed is none of its business."""
    return str(decoding.model_copy(update={"seed": 0}).model_dump_json())


def _translate(translator: LineTranslator, texts: Texts, prefixes: Texts | None) -> list[Translation]:
    for number, prefix in enumerate(prefixes or ()):
        translator.check_prefix(number, prefix)
    return list(translator.translate((text.encode("utf-8", "replace") for text in texts), prefixes=prefixes))


def _check_lengths(texts: Texts, **others: Sequence[Any] | None) -> None:
    """Refuses a string where several are expected, and lists of different lengths."""
    if isinstance(texts, str):
        raise DataError("expected a list of strings, received one string; write [text]")
    for name, values in others.items():
        if values is not None and (isinstance(values, str) or len(values) != len(texts)):
            received = "one string" if isinstance(values, str) else f"{len(values)}"
            raise DataError(f"{name}: expected one for each of the {len(texts)} texts, received {received}")
    if any(isinstance(words, str) for words in others.get("forced_words") or ()):
        raise DataError("forced_words: expected a list of words for each text, received a string; write [[word], ...]")


def _encoded_pairs(sources: Texts, translations: Texts) -> list[tuple[bytes, bytes]]:
    return [
        (source.encode("utf-8", "replace"), target.encode("utf-8", "replace"))
        for source, target in zip(sources, translations, strict=True)
    ]
