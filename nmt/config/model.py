"""The section `model`: the encoder-decoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nmt.config.section import Fraction, PositiveInt, Section

Cell = Literal["rnn", "gru", "lstm", "layer_norm_lstm"]  # each is a file of nmt/cells
AttentionName = Literal["none", "additive", "dot", "general", "scaled", "multi_head"]  # but `none`, of nmt/attention


class ModelConfig(Section):
    """The encoder-decoder."""

    cell: Cell = Field("lstm", description="Recurrent cell of every layer.")
    embedding_size: PositiveInt = Field(256, description="Units of the embeddings.")
    encoder_layers: PositiveInt = Field(2, description="Stacked encoder layers.")
    encoder_units: PositiveInt = Field(256, description="Units of an encoder layer, per direction.")
    bidirectional: bool = Field(True, description="Encoder layers that read the source in both directions ...")
    bidirectional_layers: Literal["all", "bottom"] = Field(
        "all", description="... all of them, or the bottom one alone (Wu et al. 2016, section 3.2)."
    )
    reverse_source: bool = Field(
        False, description="Let the encoder read the words last to first (Sutskever et al. 2014, section 3.3)."
    )
    decoder_layers: PositiveInt = Field(2, description="Stacked decoder layers.")
    decoder_units: PositiveInt = Field(512, description="Units of a decoder layer.")
    residual: bool = Field(
        False,
        description="Add a layer's input to its output, from the second layer on and where both have the same size (Wu "
        "et al. 2016, section 3.1).",
    )
    bridge: Literal["dense", "copy", "zero"] = Field(
        "dense",
        description="How the decoder gets the encoder's final state: a dense layer for each of its states, `copy` from "
        "layer to layer, or `zero`: not at all.",
    )
    peeky: bool = Field(
        False,
        description="Give the encoder's final state to the decoder at every step and to its output, not only at the "
        "start (Cho et al. 2014).",
    )
    attention: AttentionName = Field(
        "general", description="How the decoder asks the encoder's outputs; with `none` it gets the final state alone."
    )
    attention_heads: PositiveInt = Field(4, description="Heads of `multi_head`.")
    attention_query: Literal["bottom", "top", "previous"] = Field(
        "bottom",
        description="What asks: the `bottom` decoder layer, for the layers above (Wu et al. 2016); the `top` one, for "
        "the readout (Luong et al. 2015); or the top one's state at the `previous` step, for all layers, step by step "
        "(Bahdanau et al. 2015).",
    )
    input_feeding: bool = Field(
        False,
        description="Hand the readout of each step to the next one, step by step (Luong et al. 2015, section 3.3).",
    )
    lexical_model: bool = Field(
        False,
        description="Let the source words that are attended to vote for target words, past the decoder (Nguyen & "
        "Chiang 2018, section 4).",
    )
    readout: Literal["tanh", "maxout", "none"] = Field(
        "tanh",
        description="What stands before the output projection: a layer over output and context (Luong et al. 2015, eq. "
        "5), one over the last word too, of which the larger of two units counts (Bahdanau et al. 2015, A.2.2), or "
        "nothing.",
    )
    readout_units: PositiveInt | None = Field(
        None,
        description="Units of the readout; null for as many as the embedding has, which tied embeddings need.",
    )
    tie_embeddings: Literal["none", "target", "all"] = Field(
        "target",
        description="Which embeddings share weights: `target` ties the target's with the output projection, `all` the "
        "source's too (needs a shared subword model).",
    )
    dropout: Fraction = Field(0.2, description="Dropout on embeddings and on the outputs of every layer.")
    recurrent_dropout: Fraction = Field(
        0.0,
        description="Dropout on the state that goes from step to step, the same mask at each (Gal & Ghahramani 2016).",
    )

    @property
    def memory_units(self) -> int:
        """Size of the encoder's outputs, both directions together."""
        return self.layer_units(self.encoder_layers - 1)

    @property
    def hidden_units(self) -> int:
        """Size of the decoder's outputs, which the output projection gets."""
        return self.decoder_units if self.readout == "none" else self.readout_units or self.embedding_size

    @property
    def is_sequential(self) -> bool:
        """Whether a step of the decoder needs the attention of the step before, so that it cannot run at once."""
        return self.attention != "none" and (self.input_feeding or self.attention_query == "previous")

    def reads_both_ways(self, layer: int) -> bool:
        """Whether an encoder layer is bidirectional."""
        return self.bidirectional and (self.bidirectional_layers == "all" or layer == 0)

    def layer_units(self, layer: int) -> int:
        """Size of an encoder layer's outputs, both directions together."""
        return self.encoder_units * (2 if self.reads_both_ways(layer) else 1)

    @model_validator(mode="after")
    def _sizes_fit(self) -> ModelConfig:
        if self.attention == "dot" and self.memory_units != self.decoder_units:
            raise ValueError(
                f"attention 'dot' compares vectors of one size; expected decoder_units: {self.memory_units}, received "
                f"{self.decoder_units}; change it or take attention: general"
            )
        if self.attention == "multi_head" and self.decoder_units % self.attention_heads:
            nearest = self.decoder_units // self.attention_heads * self.attention_heads or self.attention_heads
            raise ValueError(
                f"attention 'multi_head' divides decoder_units among its heads; expected a multiple of "
                f"{self.attention_heads}, received {self.decoder_units}; take decoder_units: {nearest}"
            )
        if self.tie_embeddings != "none" and self.hidden_units != self.embedding_size:
            key, other = ("decoder_units", "readout: tanh or ") if self.readout == "none" else ("readout_units", "")
            raise ValueError(
                f"tie_embeddings '{self.tie_embeddings}' makes one matrix of embedding and output projection, and with "
                f"readout: {self.readout} their widths differ; expected {key}: {self.embedding_size}, received "
                f"{self.hidden_units}; change it, or take {other}tie_embeddings: none"
            )
        if self.bridge == "copy":
            self._check_copy()
        return self

    def _check_copy(self) -> None:
        if self.encoder_layers != self.decoder_layers:
            raise ValueError(
                f"bridge 'copy' hands each encoder layer's state to one decoder layer; expected decoder_layers: "
                f"{self.encoder_layers}, received {self.decoder_layers}; change it or take bridge: dense"
            )
        sizes = [self.layer_units(layer) for layer in range(self.encoder_layers)]
        if set(sizes) != {self.decoder_units}:
            raise ValueError(
                f"bridge 'copy' needs states of one size; expected encoder layers (both directions together) and "
                f"decoder_units of {self.memory_units}, received {sizes} and {self.decoder_units}; change them or take "
                f"bridge: dense"
            )

    @model_validator(mode="after")
    def _the_source_reaches_the_decoder(self) -> ModelConfig:
        if self.bridge == "zero" and self.peeky:
            raise ValueError(
                "peeky hands the encoder's final state to every step, and with bridge: zero the decoder gets none; "
                "take bridge: dense or peeky: false"
            )
        if self.bridge == "zero" and self.attention == "none":
            raise ValueError(
                "with bridge: zero and attention: none the decoder learns nothing of the source; take bridge: dense or "
                "attention: general"
            )
        return self

    @model_validator(mode="after")
    def _attention_has_its_parts(self) -> ModelConfig:
        if self.attention == "none" and (self.input_feeding or self.lexical_model):
            key = "input_feeding" if self.input_feeding else "lexical_model"
            query = " with attention_query: top" if self.input_feeding and self.attention_query == "bottom" else ""
            raise ValueError(f"{key} needs attention; take attention: general{query}, or {key}: false")
        if self.input_feeding and self.attention_query == "bottom":
            raise ValueError(
                "input_feeding waits for the attention of the step before, and attention_query: bottom is the form "
                "that waits for none; take attention_query: top or input_feeding: false"
            )
        return self

    @model_validator(mode="after")
    def _the_readout_is_there_where_it_is_needed(self) -> ModelConfig:
        if self.readout != "none":
            return self
        if self.readout_units:
            raise ValueError(
                f"readout: none has no units; expected readout_units: null, received {self.readout_units}; change it, "
                f"or take readout: tanh"
            )
        if self.peeky:
            raise ValueError("peeky needs a readout that gets the final state; take readout: tanh or peeky: false")
        layers_above = self.decoder_layers - 1 if self.attention_query == "bottom" else 0
        if self.attention != "none" and self.attention_query != "previous" and not layers_above:
            other = "previous" if self.input_feeding or self.decoder_layers == 1 else "bottom"
            raise ValueError(
                f"with attention_query: {self.attention_query} and decoder_layers: {self.decoder_layers} the readout "
                f"alone gets the context, and readout: none has no place for it; take readout: tanh or "
                f"attention_query: {other}"
            )
        return self
