"""The section `model`: the encoder-decoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nmt.config.section import Fraction, PositiveInt, Section


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
