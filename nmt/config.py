"""The configuration: one YAML file, one experiment.

The schema stands here once, as pydantic models; every default, range and explanation is read from it
(`docs/configuration.md` and the JSON Schema are written from it). Unknown keys are refused, and all faults of a file
are reported together. Knows nothing of models or corpora, and imports neither Keras nor TensorFlow.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from nmt.errors import ConfigError

MAX_CONFIG_BYTES = 1_000_000

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
BeamSize = Annotated[int, Field(ge=1, le=100)]
PenaltyExponent = Annotated[float, Field(ge=0.0)]
TokenLimit = Annotated[int, Field(ge=1, le=10_000)]


class Section(BaseModel):
    """A part of the configuration: immutable, strict about types, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


class TextFiles(Section):
    """Where one part of the corpus lies: two parallel files, or one TSV file. Plain or gzip, UTF-8."""

    source: str | None = Field(None, description="File with one source sentence a line.")
    target: str | None = Field(None, description="File with the translations, line by line.")
    tsv: str | None = Field(
        None, description="File with source, a tab, target on each line; instead of the two others."
    )

    @model_validator(mode="after")
    def _one_form(self) -> TextFiles:
        pair_of_files = self.source is not None and self.target is not None and self.tsv is None
        one_file = self.tsv is not None and self.source is None and self.target is None
        if not (pair_of_files or one_file):
            raise ValueError("expected either both 'source' and 'target', or 'tsv' alone")
        return self


class Synthetic(Section):
    """A corpus that is generated instead of read."""

    kind: Literal["english_korean"] = Field("english_korean", description="Which generator of `data_prep.synthetic`.")
    train: PositiveInt = Field(60_000, description="Pairs of the training part.")
    validation: PositiveInt = Field(1_000, description="Pairs of the validation part.")
    test: PositiveInt = Field(1_000, description="Pairs of the test part.")
    seed: Seed = Field(1, description="The same seed gives the same corpus.")


class Split(Section):
    """The share of the pairs set aside where no validation or test file is given; chosen by a hash of the source."""

    validation: Fraction = Field(0.01, description="Share of the pairs for validation.")
    test: Fraction = Field(0.01, description="Share of the pairs for the test.")

    @model_validator(mode="after")
    def _something_is_left(self) -> Split:
        if self.validation + self.test >= 1.0:
            raise ValueError(
                f"expected shares that leave pairs for training; received {self.validation} for validation and "
                f"{self.test} for test"
            )
        return self


class Filters(Section):
    """What is removed from the training part. Validation and test files are never touched."""

    control_characters: bool = Field(True, description="Drop pairs with a control character (Unicode category Cc).")
    max_characters: PositiveInt = Field(1_000, description="Drop pairs with a longer side, in characters.")
    max_length_ratio: Annotated[float, Field(gt=1.0)] = Field(
        6.0, description="Drop pairs whose longer side has more than this many times the other's characters (plus 10)."
    )
    identical: bool = Field(True, description="Drop pairs whose source equals the target.")
    duplicates: bool = Field(True, description="Keep only the first of identical pairs.")
    held_out: bool = Field(True, description="Drop pairs that also stand in the validation or test part.")
    max_tokens: PositiveInt = Field(200, description="Drop pairs with a longer side, in tokens.")


class CorpusConfig(Section):
    """The text that a model is trained and tested on."""

    root: str = Field(".", description="Folder in which the named files lie; relative to where the command runs.")
    synthetic: Synthetic | None = Field(None, description="Generate a built-in corpus; then no files are named.")
    train: TextFiles | None = Field(None, description="Training part.")
    validation: TextFiles | None = Field(None, description="Validation part; where missing, split off by `split`.")
    test: TextFiles | None = Field(None, description="Test part; where missing, split off by `split`.")
    split: Split = Field(default_factory=Split, description=Split.__doc__)
    filters: Filters = Field(default_factory=Filters, description=Filters.__doc__)

    @model_validator(mode="after")
    def _one_origin(self) -> CorpusConfig:
        files = [part for part in (self.train, self.validation, self.test) if part is not None]
        if self.synthetic is not None and files:
            raise ValueError("expected either 'synthetic' or files, received both")
        if self.synthetic is None and self.train is None:
            raise ValueError("expected 'train' with the training files, or 'synthetic'")
        return self


Normalization = Literal["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity"]


class SubwordConfig(Section):
    """The SentencePiece models that turn text into token ids."""

    model: Literal["unigram", "bpe", "char"] = Field("unigram", description="Kind of subword model.")
    vocabulary_size: Annotated[int, Field(ge=8)] = Field(
        4_000, description="Pieces of each subword model; for `char` an upper limit."
    )
    shared: bool = Field(True, description="One subword model for both sides instead of one a side.")
    source_normalization: Normalization = Field(
        "nmt_nfkc", description="Normalization inside the source's model; names ending in `_cf` also lower-case."
    )
    target_normalization: Normalization = Field("nmt_nfkc", description="Normalization inside the target's model.")
    character_coverage: Annotated[float, Field(ge=0.98, le=1.0)] = Field(
        1.0, description="Share of the training text's characters that get a piece of their own."
    )
    minimum_coverage: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.95, description="Stop where a subword model covers a smaller share of the validation part's characters."
    )

    @model_validator(mode="after")
    def _one_normalization_if_shared(self) -> SubwordConfig:
        if self.shared and self.source_normalization != self.target_normalization:
            raise ValueError(
                f"a shared subword model has one normalization; received source_normalization "
                f"'{self.source_normalization}' and target_normalization '{self.target_normalization}'; "
                f"make them equal or set shared: false"
            )
        return self


class ModelConfig(Section):
    """The encoder-decoder."""

    cell: Literal["lstm", "gru"] = Field("lstm", description="Recurrent cell of every layer.")
    embedding_size: PositiveInt = Field(256, description="Units of the embeddings.")
    encoder_layers: PositiveInt = Field(2, description="Stacked encoder layers.")
    encoder_units: PositiveInt = Field(256, description="Units of an encoder layer, per direction.")
    bidirectional: bool = Field(True, description="Encoder layers that read the source in both directions.")
    decoder_layers: PositiveInt = Field(2, description="Stacked decoder layers.")
    decoder_units: PositiveInt = Field(512, description="Units of a decoder layer.")
    attention: Literal["none", "dot", "general", "additive"] = Field(
        "general", description="How the decoder asks the encoder's outputs; with `none` it gets the final state alone."
    )
    tie_embeddings: Literal["none", "target", "all"] = Field(
        "target",
        description="Which embeddings share weights: `target` ties the target's with the output projection, `all` the "
        "source's too (needs a shared subword model).",
    )
    dropout: Fraction = Field(0.2, description="Dropout on embeddings and on the outputs of every layer.")

    @property
    def memory_units(self) -> int:
        """Size of the encoder's outputs, both directions together."""
        return self.encoder_units * (2 if self.bidirectional else 1)

    @model_validator(mode="after")
    def _dot_needs_equal_sizes(self) -> ModelConfig:
        if self.attention == "dot" and self.memory_units != self.decoder_units:
            raise ValueError(
                f"attention 'dot' compares vectors of one size; expected decoder_units: {self.memory_units}, received "
                f"{self.decoder_units}; change it or take attention: general"
            )
        return self


class TrainingConfig(Section):
    """How the model is trained."""

    seed: Seed = Field(1, description="Seed of initial weights, batch order and dropout: same seed, same weights.")
    epochs: PositiveInt = Field(20, description="Rounds over the training part, at most.")
    batch_tokens: PositiveInt = Field(1_600, description="Tokens of a batch on its longer side, padding included.")
    learning_rate: Annotated[float, Field(gt=0.0)] = Field(0.001, description="Adam's learning rate at its peak.")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(400, description="Steps over which the learning rate rises.")
    schedule: Literal["constant", "inverse_square_root", "cosine"] = Field(
        "cosine", description="How the learning rate falls after the warm-up; `cosine` reaches 0 after all epochs."
    )
    clip_norm: Annotated[float, Field(gt=0.0)] = Field(1.0, description="Gradients are scaled to this global norm.")
    label_smoothing: Fraction = Field(0.1, description="Probability taken from the right token, spread over all.")
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32", description="Arithmetic of the training steps; weights and translation stay float32."
    )
    keep_best: Literal["loss", "bleu"] = Field(
        "bleu", description="Validation figure that chooses the best checkpoint and stops the training."
    )
    patience: PositiveInt = Field(5, description="Rounds without a better figure before the training stops.")
    save_every_steps: PositiveInt | None = Field(
        None, description="Also write the last checkpoint every so many steps, not only after each round."
    )


class DecodingConfig(Section):
    """How translations are searched."""

    beam_size: BeamSize = Field(5, description="Hypotheses kept alive; 1 is greedy search.")
    length_penalty: PenaltyExponent = Field(
        0.6,
        description="Exponent of GNMT's length penalty (Wu et al. 2016, eq. 14); 0 compares plain log-probabilities.",
    )
    max_length: TokenLimit = Field(200, description="Tokens of a translation, at most.")
    max_length_ratio: Annotated[float, Field(gt=0.0, le=100.0)] = Field(
        3.0, description="Tokens of a translation, at most, per source token (plus 10)."
    )
    max_source_tokens: TokenLimit = Field(200, description="A longer source is cut, with a warning.")
    max_source_bytes: Annotated[int, Field(ge=1, le=2**20)] = Field(
        4_096, description="A longer line is cut before it is tokenized."
    )
    batch_size: PositiveInt = Field(64, description="Lines translated together.")


class ExportConfig(Section):
    """The SavedModel."""

    beam_size: BeamSize | None = Field(None, description="Beam size inside the SavedModel; null: decoding.beam_size.")
    length_penalty: PenaltyExponent | None = Field(
        None, description="Length penalty inside the SavedModel; null: decoding.length_penalty."
    )


class Config(Section):
    """One experiment, from text files to SavedModel."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        description="Names the prepared corpus `prepared/NAME` and the run folder `runs/NAME`."
    )
    corpus: CorpusConfig = Field(description=CorpusConfig.__doc__)
    subword: SubwordConfig = Field(default_factory=SubwordConfig, description=SubwordConfig.__doc__)
    model: ModelConfig = Field(default_factory=ModelConfig, description=ModelConfig.__doc__)
    training: TrainingConfig = Field(default_factory=TrainingConfig, description=TrainingConfig.__doc__)
    decoding: DecodingConfig = Field(default_factory=DecodingConfig, description=DecodingConfig.__doc__)
    export: ExportConfig = Field(default_factory=ExportConfig, description=ExportConfig.__doc__)

    @model_validator(mode="after")
    def _sections_agree(self) -> Config:
        if self.model.tie_embeddings == "all" and not self.subword.shared:
            raise ValueError("model.tie_embeddings: 'all' needs a shared subword model; set subword.shared: true")
        return self

    @property
    def prepared_folder(self) -> Path:
        """Where `nmt prepare` writes, relative to where the command runs."""
        return Path("prepared") / self.name

    @property
    def run_folder(self) -> Path:
        """Where `nmt train` writes, relative to where the command runs."""
        return Path("runs") / self.name


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
        raise ConfigError("\n".join(f"{origin}: {fault}" for fault in _all_faults(values, error))) from None


def differences(old: BaseModel, new: BaseModel) -> list[str]:
    """Names the keys in which two configurations differ, each as `key: old -> new`."""
    before, after = _flatten(old.model_dump(mode="json")), _flatten(new.model_dump(mode="json"))
    keys = [*after, *(key for key in before if key not in after)]
    return [f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


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


def _all_faults(values: Mapping[str, Any], error: ValidationError) -> list[str]:
    """The faults found, and those that show when the faulty keys are left out.

    Pydantic compares keys with each other only where each is right by itself.
    """
    faults = _faults(error)
    rest = json.loads(json.dumps(values, default=str))
    for item in error.errors():
        if item["type"] not in ("missing", "value_error"):
            _remove(rest, item["loc"])
    try:
        Config.model_validate_json(json.dumps(rest))
    except ValidationError as later:
        faults += [fault for fault in _faults(later, missing=False) if fault not in faults]
    return faults


def _remove(values: dict[str, Any], location: Sequence[str | int]) -> None:
    *sections, key = location
    for section in sections:
        values = values.get(str(section), {})
    values.pop(str(key), None)


def _faults(error: ValidationError, missing: bool = True) -> list[str]:
    """One line per fault: where, what was expected, what was received, the nearest valid word."""
    faults = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        received, kind, context = item.get("input"), item["type"], item.get("ctx", {})
        if kind == "extra_forbidden":
            valid = list(_section_at(item["loc"][:-1]).model_fields)
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


def _section_at(location: Sequence[str | int]) -> type[BaseModel]:
    """The model class in which a key at `location` was looked up."""
    section: type[BaseModel] = Config
    for part in location:
        annotation = section.model_fields[str(part)].annotation
        choices = [annotation, *get_args(annotation)]
        section = next(choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel))
    return section
