"""The sections `corpus` and `subword`: the text, and how it is cut into tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nmt.config.section import Fraction, PositiveInt, Section, Seed

CorpusName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


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

    kind: Literal["english_korean", "addition", "dates", "reversal"] = Field(
        "english_korean", description="What is generated: sentences of a small grammar, or an exercise."
    )
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
                f"expected shares that leave something for training; received {self.validation} for validation and "
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
    prepared: str | None = Field(
        None,
        description="Take this prepared corpus, such as `prepared/multi30k-en-de`, whatever the rest of this section "
        "and `subword` say.",
    )
    synthetic: Synthetic | None = Field(None, description="Generate a built-in corpus; then no files are named.")
    train: TextFiles | None = Field(None, description="Training part.")
    mixture: dict[CorpusName, TextFiles] | None = Field(
        None, description="Training part from several corpora, each under its name; then `train` is not named."
    )
    validation: TextFiles | None = Field(None, description="Validation part; where missing, split off by `split`.")
    test: TextFiles | None = Field(None, description="Test part; where missing, split off by `split`.")
    split: Split = Field(default_factory=Split, description=Split.__doc__)
    filters: Filters = Field(default_factory=Filters, description=Filters.__doc__)

    @model_validator(mode="after")
    def _one_origin(self) -> CorpusConfig:
        named = {name for name in ("train", "mixture", "validation", "test") if getattr(self, name)}
        if self.synthetic is not None and named:
            raise ValueError("expected either 'synthetic' or files, received both")
        if named >= {"train", "mixture"}:
            raise ValueError("expected either 'train' or 'mixture', received both; move the files of 'train' there")
        if self.synthetic is None and not named & {"train", "mixture"}:
            raise ValueError("expected 'train' or 'mixture' with the training files, or 'synthetic'")
        return self


Normalization = Literal["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity"]


class SubwordModel(Section):
    """What every SentencePiece model has."""

    model: Literal["unigram", "bpe", "char"] = Field("unigram", description="Kind of subword model.")
    vocabulary_size: Annotated[int, Field(ge=8)] = Field(
        4_000, description="Pieces of each subword model; for `char` an upper limit."
    )
    character_coverage: Annotated[float, Field(ge=0.98, le=1.0)] = Field(
        1.0, description="Share of the training text's characters that get a piece of their own."
    )


class SubwordConfig(SubwordModel):
    """The SentencePiece models that turn text into token ids."""

    shared: bool = Field(True, description="One subword model for both sides instead of one a side.")
    source_normalization: Normalization = Field(
        "nmt_nfkc", description="Normalization inside the source's model; names ending in `_cf` also lower-case."
    )
    target_normalization: Normalization = Field("nmt_nfkc", description="Normalization inside the target's model.")
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
