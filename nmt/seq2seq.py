"""The translation model: encoder, decoder and output projection.

It computes what training and search need, and knows neither of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from nmt.blockwise_loss import ProjectingModel, Projection
from nmt.config import ModelConfig
from nmt.decoder import Decoder, Memory
from nmt.encoder import Encoder
from nmt.precision import layers_of
from nmt.tokenizer import END_ID
from nmt.zeros import begin_with_zeros


class TargetEmbedding(keras.layers.ReversibleEmbedding):
    """Embedding and output projection, one matrix or two.

    Args:
        hidden_units: size of what is projected; where both share weights, the embedding's size.
        *sizes: vocabulary and units of the embedding.
        **options: as of Keras' ReversibleEmbedding.
    """

    def __init__(self, hidden_units: int, *sizes: int, **options: Any) -> None:
        super().__init__(*sizes, **options)
        self.hidden_units = hidden_units

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights; Keras' own layer has a projection of the embedding's size alone."""
        keras.layers.Embedding.build(self, input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.hidden_units, self.input_dim),
                initializer=self.embeddings_initializer,
                name="reverse_embeddings",
            )

    @property
    def projection(self) -> Any:
        """The variable that `call` with `reverse` reads."""
        return self.embeddings if self.tie_weights else self.reverse_embeddings


class Seq2Seq(ProjectingModel):
    """A recurrent encoder-decoder over token ids.

    Args:
        config: the model's configuration.
        source_vocabulary_size: pieces of the source's subword model.
        target_vocabulary_size: pieces of the target's; with `tie_embeddings: all` the same.
        precision: the Keras dtype policy of every layer.
        use_cudnn: False keeps cuDNN kernels out of the graph, for export.
        random_weights: False for a model that gets its weights before it is used (see `nmt.zeros`).
    """

    def __init__(
        self,
        config: ModelConfig,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        precision: str = "float32",
        use_cudnn: bool | str = "auto",
        random_weights: bool = True,
    ) -> None:
        super().__init__(dtype=precision, name="seq2seq")
        self.config = config
        self._use_cudnn = use_cudnn
        with layers_of(precision):
            initializer = keras.initializers.RandomNormal(stddev=config.embedding_size**-0.5)
            self.target_embedding = TargetEmbedding(
                config.hidden_units,
                target_vocabulary_size,
                config.embedding_size,
                tie_weights=config.tie_embeddings != "none",
                embeddings_initializer=initializer,
                reverse_dtype=keras.dtype_policies.get(precision).compute_dtype,  # else always float32
                name="target_embedding",
            )
            self.source_embedding = (
                self.target_embedding
                if config.tie_embeddings == "all"
                else keras.layers.Embedding(
                    source_vocabulary_size,
                    config.embedding_size,
                    embeddings_initializer=keras.initializers.RandomNormal(stddev=config.embedding_size**-0.5),
                    name="source_embedding",
                )
            )
            self.encoder = Encoder(config, self.source_embedding, use_cudnn, name="encoder")
            self.decoder = Decoder(config, self.target_embedding, use_cudnn, name="decoder")
        if not random_weights:
            begin_with_zeros(self)
        ids = np.full((1, 2), END_ID, np.int32)
        with keras.name_scope(self.name, caller=self):  # the projection's, too, shall bear its name
            self.logits({"source_ids": ids, "target_ids": ids})

    def build(self, shapes: Any) -> None:
        """Nothing: the first call creates the variables, and Keras need not trace the model beforehand."""

    def call(self, inputs: dict[str, Any], training: bool = False) -> tuple[Any, ...]:
        """What becomes the logits of every target position, given all tokens before it.

        Args:
            inputs: `source_ids` (batch, source_length) and `target_ids` (batch, target_length), as in `Batch`.
            training: whether dropout is on.

        Returns:
            What `project` takes: `hidden` (batch, target_length, hidden_units), and with a lexical model its vector
            (batch, target_length, embedding_size).
        """
        memory = self.remember(inputs["source_ids"], training=training)
        output = self.decoder(inputs["target_ids"], memory=memory, training=training)
        return tuple(part for part in output if part is not None)

    def logits(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Logits of every target position (batch, target_length, target_vocabulary_size); arguments as of `call`."""
        return self.project(*self(inputs, training=training))

    def in_precision(self, precision: str) -> Seq2Seq:
        """A model with the same weights, rounded, whose layers have another dtype policy; itself where it has that."""
        if self.dtype_policy.name == precision:
            return self
        sizes = self.source_embedding.input_dim, self.target_embedding.input_dim
        other = Seq2Seq(self.config, *sizes, precision=precision, use_cudnn=self._use_cudnn, random_weights=False)
        for variable, value in zip(other.variables, self.variables, strict=True):
            variable.assign(ops.cast(value, variable.dtype))
        return other

    def output_projection(self) -> Projection:
        """What makes logits of what `call` returns, for the loss."""
        lexical = self.decoder.lexical_model
        variables = [self.target_embedding.projection, *(lexical.projection.variables if lexical else [])]
        return Projection(self.project, variables, self.target_embedding.input_dim)

    def remember(self, source_ids: Any, training: bool = False) -> Memory:
        """Encodes the source for the decoder; source_ids are (batch, source_length)."""
        return self.decoder.remember(self.encoder(source_ids, training=training))

    def step(
        self, token_ids: Any, state: Any, memory: Memory, project: Callable[..., Any] | None = None
    ) -> tuple[Any, Any, Any]:
        """One step of search (see `Decoder.step`).

        Args:
            token_ids: as of the decoder, like what follows.
            state: likewise.
            memory: likewise.
            project: what makes logits of the output: None is `self.project` (see `ChosenProjection`).

        Returns:
            Log-probabilities of the next token (rows, target_vocabulary_size, or what `project` gives) in float32, the
            attention weights (rows, source_length; None without attention), and the new state.
        """
        output, weights, state = self.decoder.step(token_ids, state, memory)
        logits = (project or self.project)(*output)
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1), weights, state

    def project(self, hidden: Any, lexical: Any = None) -> Any:
        """Logits (..., target_vocabulary_size) of the parts of an `Output`."""
        logits = self.target_embedding(hidden, reverse=True)
        if self.decoder.lexical_model is None:
            return logits
        return logits + self.decoder.lexical_model.logits(lexical)


class ChosenProjection:
    """As `Seq2Seq.project`, to the logits of some tokens alone.

    Picking columns of a matrix takes longer than a step of search, so of untied weights a copy is kept, transposed.

    Args:
        model: whose weights it takes as they are now.
    """

    def __init__(self, model: Seq2Seq) -> None:
        embedding, lexical_model = model.target_embedding, model.decoder.lexical_model
        tied = embedding.tie_weights
        rows = embedding.embeddings if tied else ops.transpose(embedding.projection)  # (vocabulary, hidden_units)
        self._parts = [(rows, None)]
        if lexical_model is not None:
            self._parts.append((ops.transpose(lexical_model.projection.kernel), lexical_model.projection.bias))

    def to(self, token_ids: Any) -> Callable[..., Any]:
        """What makes logits (..., tokens) of the parts of an `Output`, for token ids (tokens,)."""
        picked = [[x if x is None else ops.take(x, token_ids, axis=0) for x in part] for part in self._parts]

        def project(*vectors: Any) -> Any:
            there = [vector for vector in vectors if vector is not None]
            return sum(_logits(vector, *part) for vector, part in zip(there, picked, strict=True))

        return project


def _logits(vectors: Any, rows: Any, bias: Any) -> Any:
    """Vectors (..., units) by rows (tokens, units), in the vectors' precision; (..., tokens)."""
    logits = ops.matmul(vectors, ops.transpose(ops.cast(rows, vectors.dtype)))
    return logits if bias is None else logits + ops.cast(bias, vectors.dtype)
