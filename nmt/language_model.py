"""The language model: the probability of each token of a text, given all tokens before it.

Embedding, stacked recurrent layers, output projection (Mikolov et al. 2010; Zaremba et al. 2014). It computes what
training, scoring and search need, and knows none of them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from nmt.blockwise_loss import ProjectingModel, Projection
from nmt.cells import make_recurrent, state_sizes, take_step
from nmt.config import LanguageModelSizes
from nmt.dropout import Dropout
from nmt.precision import layers_of
from nmt.tokenizer import END_ID, START_ID
from nmt.zeros import begin_with_zeros

State = list[list[Any]]


class LanguageModel(ProjectingModel):
    """A recurrent language model over token ids.

    A text is its lines one after the other, each followed by the end of sentence: a line begins after an end of
    sentence, and the first one with a state of zeros.

    There are three ways through the same layers: `call` for training, which keeps the state from call to call; `read`
    for scoring, which is given a state and returns the next; `step` for search, which reads one token.

    Args:
        sizes: the model's configuration.
        vocabulary_size: pieces of the subword model.
        streams: rows that `call` reads side by side.
        precision: the Keras dtype policy of every layer.
        use_cudnn: False keeps cuDNN kernels out of the graph, for export.
        random_weights: False for a model that gets its weights before it is used (see `nmt.zeros`).
    """

    def __init__(
        self,
        sizes: LanguageModelSizes,
        vocabulary_size: int,
        streams: int,
        precision: str = "float32",
        use_cudnn: bool | str = "auto",
        random_weights: bool = True,
    ) -> None:
        super().__init__(dtype=precision, name="language_model")
        self.sizes = sizes
        self.streams = streams
        self.scale = sizes.embedding_size**0.5
        with layers_of(precision):
            self.embedding = keras.layers.ReversibleEmbedding(
                vocabulary_size,
                sizes.embedding_size,
                embeddings_initializer=keras.initializers.RandomNormal(stddev=sizes.embedding_size**-0.5),
                reverse_dtype=keras.dtype_policies.get(precision).compute_dtype,  # else always float32
                name="embedding",
            )
            self.dropout = Dropout(sizes.dropout)
            cell = sizes.cell, sizes.units, sizes.recurrent_dropout, use_cudnn
            self.recurrent_layers = [make_recurrent(*cell, f"recurrent_{i}") for i in range(sizes.layers)]
            self.projection = None if sizes.tie_embeddings else keras.layers.Dense(vocabulary_size, name="projection")
        if not random_weights:
            begin_with_zeros(self)
        self.carried_state = self._make_carried_state()
        self._create_variables()

    def build(self, shapes: Any) -> None:
        """Nothing: the first call creates the variables, and Keras need not trace the model beforehand."""

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """What becomes the logits of the next token at every position; the state that is left stays for the next call.

        The gradient ends where the state comes in: that is truncated back-propagation through time (Williams & Peng
        1990). The state is in variables of the model, so a checkpoint holds it.

        Args:
            inputs: `token_ids` (streams, length), and `carry` (streams,): 1 goes on from the state that the last call
                left, 0 starts from zero.
            training: whether dropout is on.

        Returns:
            For `project`; (streams, length, units).
        """
        goes_on = ops.expand_dims(inputs["carry"], 1) > 0.0  # (streams, 1)
        # A step that was not finite and was skipped must not spoil those after it, so its state is left behind.
        state = [
            [ops.where(goes_on & ops.isfinite(part), part, 0.0) for part in (variable.value for variable in layer)]
            for layer in self.carried_state
        ]
        outputs, state = self._run(inputs["token_ids"], state, training)
        for variables, tensors in zip(self.carried_state, state, strict=True):
            for variable, tensor in zip(variables, tensors, strict=True):
                variable.assign(ops.cast(tensor, "float32"))
        return outputs

    def logits(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Logits of the next token at every position (streams, length, vocabulary_size).

        Arguments and what becomes of the state as in `call`; `read` leaves the model as it is.
        """
        return self.project(self(inputs, training=training))

    def output_projection(self) -> Projection:
        """What makes logits of what `call` returns, for the loss."""
        variables = self.projection.variables if self.projection else [self.embedding.embeddings]
        return Projection(self.project, variables, self.embedding.input_dim)

    def first_state(self, rows: int) -> State:
        """The state before a text: for each layer a list of zeros (rows, units)."""
        sizes = [state_sizes(layer) for layer in self.recurrent_layers]
        return [[ops.zeros((rows, size), dtype=self.compute_dtype) for size in layer] for layer in sizes]

    def read(self, token_ids: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """Reads some tokens of each row.

        Args:
            token_ids: (rows, length).
            state: as of `first_state`, or as the last call returned it.
            training: whether dropout is on.

        Returns:
            Logits of the token after each one (rows, length, vocabulary_size), and the state after the last.
        """
        outputs, state = self._run(token_ids, state, training)
        return self.project(outputs), state

    def _run(self, token_ids: Any, state: State, training: bool) -> tuple[Any, State]:
        """The top layer's outputs (rows, length, units), and the state after the last token."""
        outputs = self.dropout(self.embedding(token_ids) * self.scale, training=training)
        new_state = []
        for i, layer in enumerate(self.recurrent_layers):
            hidden, *layer_state = layer(outputs, initial_state=state[i], training=training)
            new_state.append(layer_state)
            outputs = self._with_residual(i, outputs, self.dropout(hidden, training=training))  # (rows, length, units)
        return outputs, new_state

    def step(self, token_ids: Any, state: State) -> tuple[Any, None, State]:
        """Reads one token of each row: the same layers as `read`, one step.

        Args:
            token_ids: the last token of each row; (rows,). The start of sentence is read as an end of sentence, since
                that is what stands before a line of running text.
            state: as in `read`.

        Returns:
            Log-probabilities of the next token (rows, vocabulary_size) in float32, None in the place of attention
            weights, and the new state.
        """
        token_ids = ops.where(ops.equal(token_ids, START_ID), END_ID, token_ids)
        outputs = self.embedding(token_ids) * self.scale  # (rows, embedding_size)
        new_state = []
        for i, layer in enumerate(self.recurrent_layers):
            hidden, layer_state = take_step(layer, outputs, state[i])
            new_state.append(layer_state)
            outputs = self._with_residual(i, outputs, hidden)
        return ops.log_softmax(ops.cast(self.project(outputs), "float32"), axis=-1), None, new_state

    def _with_residual(self, i: int, inputs: Any, outputs: Any) -> Any:
        """What layer `i` hands on: its outputs, and with `residual` its inputs too, from the second layer on."""
        return outputs + inputs if self.sizes.residual and i else outputs

    def project(self, outputs: Any) -> Any:
        """(..., units) to logits (..., vocabulary_size)."""
        return self.embedding(outputs, reverse=True) if self.projection is None else self.projection(outputs)

    def _make_carried_state(self) -> State:
        """Variables (streams, units) for each layer's state."""
        return [
            [self._make_state(size, f"state_{i}_{part}") for part, size in enumerate(state_sizes(layer))]
            for i, layer in enumerate(self.recurrent_layers)
        ]

    def _make_state(self, size: int, name: str) -> Any:
        shape = self.streams, size
        return self.add_weight(shape=shape, initializer="zeros", dtype="float32", trainable=False, name=name)

    def _create_variables(self) -> None:
        """Calls every layer once, and leaves no trace in the state."""
        token_ids = np.full((self.streams, 2), END_ID, np.int32)
        with keras.name_scope(self.name, caller=self):  # the projection's, too, shall bear its name
            self.logits({"token_ids": token_ids, "carry": np.zeros(self.streams, np.float32)})
        for variable in (variable for layer in self.carried_state for variable in layer):
            variable.assign(ops.zeros(variable.shape))
