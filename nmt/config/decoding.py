"""The sections `decoding` and `export`: how translations are searched, here and inside a SavedModel."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nmt.config.section import BeamSize, PenaltyExponent, PositiveInt, Section, TokenLimit


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
    language_model: str | None = Field(
        None,
        description="Run folder of a language model over the target's subwords (text.prepared), which votes in every "
        "step of search, in translation and export: shallow fusion (Gulcehre et al. 2015, section 4.1). Its best "
        "checkpoint is taken; the validations of a training ask the translation model alone.",
    )
    language_model_weight: Annotated[float, Field(ge=0.0)] = Field(
        0.2, description="Weight of its log-probabilities beside the translation model's; 0 searches without it."
    )

    @property
    def asks_language_model(self) -> bool:
        """Whether a language model has a vote."""
        return self.language_model is not None and self.language_model_weight > 0.0


class ExportConfig(Section):
    """The SavedModel."""

    beam_size: BeamSize | None = Field(None, description="Beam size inside the SavedModel; null: decoding.beam_size.")
    length_penalty: PenaltyExponent | None = Field(
        None, description="Length penalty inside the SavedModel; null: decoding.length_penalty."
    )
