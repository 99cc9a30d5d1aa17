"""The configuration of a recurrent language model: the section `text` instead of a translation's `corpus`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nmt.config.corpus import Normalization, Split, SubwordModel
from nmt.config.experiment import ExperimentName
from nmt.config.model import Cell
from nmt.config.section import Fraction, PositiveInt, Section, Seed
from nmt.config.training import LanguageModelTraining


class Brackets(Section):
    """Lines of nested brackets that are generated instead of read; a line is balanced, and lines are independent."""

    characters: PositiveInt = Field(1_000_000, description="Characters of the training part, at least.")
    held_out_characters: PositiveInt = Field(
        50_000, description="Characters of the validation part, and of the test part."
    )
    depth: PositiveInt = Field(8, description="Brackets that are open at once, at most.")
    line_length: Annotated[int, Field(ge=2)] = Field(64, description="Characters of a line, at most.")
    seed: Seed = Field(1, description="The same seed gives the same text.")


class TextSplit(Split):
    """The share of the text set aside where no validation or test file is given; blocks of lines, chosen by a hash."""

    validation: Fraction = Field(0.05, description="Share of the text for validation.")
    test: Fraction = Field(0.05, description="Share of the text for the test.")


class TextConfig(Section):
    """The running text that a language model is trained and tested on. Plain or gzip, UTF-8."""

    root: str = Field(".", description="Folder in which the named files lie; relative to where the command runs.")
    train: list[str] | None = Field(None, description="Files of the training part, read one after the other.")
    validation: list[str] | None = Field(None, description="Validation part; where missing, split off by `split`.")
    test: list[str] | None = Field(None, description="Test part; where missing, split off by `split`.")
    split: TextSplit = Field(default_factory=TextSplit, description=TextSplit.__doc__)
    synthetic: Brackets | None = Field(None, description="Generate nested brackets; then no files are named.")
    prepared: str | None = Field(
        None,
        description="Folder of a prepared translation corpus: the sentences of its `side` are the text, and that "
        "side's subword model is taken.",
    )
    side: Literal["source", "target"] = Field("target", description="Side of `prepared` that is read.")

    @model_validator(mode="after")
    def _files_are_named(self) -> TextConfig:
        for name in ("train", "validation", "test"):
            if getattr(self, name) == []:
                raise ValueError(f"{name}: expected names of files, received an empty list")
        return self

    @model_validator(mode="after")
    def _held_out_parts_have_lines(self) -> TextConfig:
        for name in ("validation", "test"):
            if self.train is not None and getattr(self, name) is None and getattr(self.split, name) == 0.0:
                default = TextSplit.model_fields[name].default
                raise ValueError(
                    f"split.{name}: expected a share above 0, because no files are named for the {name} part; received "
                    f"0; take {default}, or name files in '{name}'"
                )
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> TextConfig:
        origins = [name for name in ("train", "synthetic", "prepared") if getattr(self, name) is not None]
        if len(origins) != 1:
            received = " and ".join(f"'{name}'" for name in origins) or "none"
            raise ValueError(f"expected one of 'train', 'synthetic' and 'prepared'; received {received}")
        held_out = [name for name in ("validation", "test") if getattr(self, name) is not None]
        if held_out and self.train is None:
            raise ValueError(f"expected '{held_out[0]}' beside 'train' only; received it beside '{origins[0]}'")
        return self


class TextSubwordConfig(SubwordModel):
    """The SentencePiece model that turns text into token ids; that of `text.prepared` is taken where it is given."""

    normalization: Normalization = Field(
        "identity",
        description="Normalization inside the model; `identity` keeps the text as it is, every space too, and names "
        "ending in `_cf` also lower-case.",
    )


class LanguageModelSizes(Section):
    """The recurrent language model."""

    cell: Cell = Field("lstm", description="Recurrent cell of every layer.")
    embedding_size: PositiveInt = Field(256, description="Units of the embeddings.")
    layers: PositiveInt = Field(2, description="Stacked layers.")
    units: PositiveInt = Field(512, description="Units of a layer.")
    residual: bool = Field(
        False,
        description="Add a layer's input to its output, from the second layer on (Wu et al. 2016, section 3.1).",
    )
    tie_embeddings: bool = Field(
        False,
        description="Share weights between embedding and output projection (Press & Wolf 2017); `units` is then "
        "`embedding_size`.",
    )
    dropout: Fraction = Field(0.2, description="Dropout on embeddings and on the outputs of every layer.")
    recurrent_dropout: Fraction = Field(
        0.0,
        description="Dropout on the state that goes from step to step, the same mask at each (Gal & Ghahramani 2016).",
    )

    @model_validator(mode="after")
    def _tied_widths_are_equal(self) -> LanguageModelSizes:
        if self.tie_embeddings and self.units != self.embedding_size:
            raise ValueError(
                f"tie_embeddings makes one matrix of embedding and output projection, and here their widths differ; "
                f"expected units: {self.embedding_size}, received {self.units}; change it or take tie_embeddings: false"
            )
        return self


class LanguageModelConfig(Section):
    """One language model, from text to run folder."""

    name: ExperimentName = Field(
        description="Names the prepared corpus `prepared/NAME` and the run folder `runs/NAME`."
    )
    text: TextConfig = Field(description=TextConfig.__doc__)
    subword: TextSubwordConfig = Field(default_factory=TextSubwordConfig, description=TextSubwordConfig.__doc__)
    model: LanguageModelSizes = Field(default_factory=LanguageModelSizes, description=LanguageModelSizes.__doc__)
    training: LanguageModelTraining = Field(
        default_factory=LanguageModelTraining, description=LanguageModelTraining.__doc__
    )

    @property
    def prepared_folder(self) -> Path:
        """Where `nmt prepare` writes, or what `text.prepared` names; relative to where the command runs."""
        return Path("prepared") / self.name if self.text.prepared is None else Path(self.text.prepared)

    @property
    def run_folder(self) -> Path:
        """Where `nmt lm train` writes, relative to where the command runs."""
        return Path("runs") / self.name
