"""The whole configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from nmt.config.corpus import CorpusConfig, SubwordConfig
from nmt.config.decoding import DecodingConfig, ExportConfig
from nmt.config.model import ModelConfig
from nmt.config.section import Section
from nmt.config.training import TranslationTraining

ExperimentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Config(Section):
    """One experiment, from text files to SavedModel."""

    name: ExperimentName = Field(
        description="Names the prepared corpus `prepared/NAME` and the run folder `runs/NAME`."
    )
    corpus: CorpusConfig = Field(description=CorpusConfig.__doc__)
    subword: SubwordConfig = Field(default_factory=SubwordConfig, description=SubwordConfig.__doc__)
    model: ModelConfig = Field(default_factory=ModelConfig, description=ModelConfig.__doc__)
    training: TranslationTraining = Field(default_factory=TranslationTraining, description=TranslationTraining.__doc__)
    decoding: DecodingConfig = Field(default_factory=DecodingConfig, description=DecodingConfig.__doc__)
    export: ExportConfig = Field(default_factory=ExportConfig, description=ExportConfig.__doc__)

    @model_validator(mode="after")
    def _sections_agree(self) -> Config:
        if self.model.tie_embeddings == "all" and not self.subword.shared:
            raise ValueError("model.tie_embeddings: 'all' needs a shared subword model; set subword.shared: true")
        frozen = set(self.training.freeze)
        if self.model.tie_embeddings == "all" and frozen >= {"encoder", "decoder"} and len(frozen) > 2:
            raise ValueError(
                "training.freeze: with tie_embeddings: all, source and target embedding are one; expected a part that "
                "is left to learn, received all of them"
            )
        if self.training.subword_sampling is not None and self.subword.model == "char":
            raise ValueError(
                "training.subword_sampling: characters can be cut in one way only; leave it out or take subword.model: "
                "unigram"
            )
        if strangers := set(self.training.weights) - set(self.corpus.mixture or ()):
            names = ", ".join(self.corpus.mixture or ()) or "there are none"
            raise ValueError(f"training.weights: expected names of corpus.mixture ({names}); received {min(strangers)}")
        return self

    @property
    def prepared_folder(self) -> Path:
        """Where `nmt prepare` writes, or what `corpus.prepared` names; relative to where the command runs."""
        return Path("prepared") / self.name if self.corpus.prepared is None else Path(self.corpus.prepared)

    @property
    def run_folder(self) -> Path:
        """Where `nmt train` writes, relative to where the command runs."""
        return Path("runs") / self.name
