"""The decoder: one set of layers, two ways through them.

`call` runs over the whole target, for training; `step` takes one token, for search. Both go through `_through`, which
says what each layer is given. They differ in what runs a layer (over all steps, or over one) and in what asks the
memory (for all steps, or for one of each row).

Where no step needs the attention of the step before, `call` runs each layer over the whole target at once: with the
bottom layer asking (Wu et al. 2016, section 3), the top one (Luong et al. 2015), or without attention, where all that
the decoder knows of the source is the final state (Sutskever et al. 2014; Cho et al. 2014). With input feeding (Luong
et al. 2015, section 3.3) or the previous state asking (Bahdanau et al. 2015), it goes step by step. Knows nothing of
search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import keras
from keras import ops

from nmt.attention import make_attention
from nmt.bridge import Bridge
from nmt.cells import make_recurrent, state_sizes, take_step
from nmt.config import ModelConfig
from nmt.dense import Dense
from nmt.dropout import Dropout
from nmt.encoder import Encoding
from nmt.lexical_model import LexicalModel
from nmt.readout import make_readout

State = list[list[Any]]


@dataclass(frozen=True)
class Memory:
    """What the decoder knows of the source.

    Attributes:
        keys: what the attention compares with; (batch, source_length, key_units), None without attention.
        values: what it returns; (batch, source_length, units).
        mask: True where there is a token; (batch, source_length).
        state: the decoder's first state: a list of tensors (batch, units) for each layer, and with input feeding one
            more list, with the last readout.
        summary: what a peeky decoder gets at every step; (batch, decoder_units), else None.
        embedded: the source's embeddings for the lexical model; (batch, source_length, embedding_size), else None.
    """

    keys: Any
    values: Any
    mask: Any
    state: State
    summary: Any = None
    embedded: Any = None

    def take(self, rows: Any) -> Memory:
        """What belongs to some rows of the batch, by their numbers (rows,); without the first state."""
        parts = self.keys, self.values, self.mask, self.summary, self.embedded
        keys, values, mask, summary, embedded = (None if x is None else ops.take(x, rows, axis=0) for x in parts)
        return Memory(keys, values, mask, [], summary, embedded)


class Output(NamedTuple):
    """What the output projection gets.

    Attributes:
        hidden: (..., hidden_units).
        lexical: the lexical model's vector; (..., embedding_size), None without one.
    """

    hidden: Any
    lexical: Any


class Attended(NamedTuple):
    """What the attention found for some queries; all None where nothing was asked yet.

    Attributes:
        context: (..., units).
        weights: (..., source_length).
        lexical: the lexical model's vector; (..., embedding_size), None without one.
    """

    context: Any = None
    weights: Any = None
    lexical: Any = None


Drop = Callable[[int, Any], Any]


class Decoder(keras.layers.Layer):
    """Stacked recurrent layers over the embedded target, with attention to the source.

    Args:
        config: the model's configuration.
        embedding: the target's embedding layer.
        use_cudnn: False keeps cuDNN kernels out of the graph, for export.
    """

    def __init__(self, config: ModelConfig, embedding: Any, use_cudnn: bool | str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.embedding = embedding
        self.scale = config.embedding_size**0.5
        self.dropout = Dropout(config.dropout)
        cell = config.cell, config.decoder_units, config.recurrent_dropout, use_cudnn
        self.recurrent_layers = [make_recurrent(*cell, f"recurrent_{i}") for i in range(config.decoder_layers)]
        self.bridge = Bridge(config, len(state_sizes(self.recurrent_layers[0])), name="bridge")
        self.summary = Dense(config.decoder_units, "tanh", name="summary") if config.peeky else None
        self.attention: Any = None
        if config.attention != "none":
            self.attention = make_attention(config.attention, config.decoder_units, config.attention_heads)
        self.lexical_model: LexicalModel | None = None
        if config.lexical_model:
            self.lexical_model = LexicalModel(config.embedding_size, embedding.input_dim, name="lexical_model")
        self.readout = make_readout(config.readout, config.hidden_units)

    def remember(self, encoding: Encoding) -> Memory:
        """Prepares the memory: keys, first states, and what a peeky decoder gets (Cho et al. 2014, appendix A.1)."""
        state = self.bridge(encoding.states)
        if self.config.input_feeding:
            state = [*state, [_zeros_beside(state[0][0], self.config.hidden_units)]]
        return Memory(
            keys=self.attention.project(encoding.values) if self.attention else None,
            values=encoding.values,
            mask=encoding.mask,
            state=state,
            summary=self.summary(ops.concatenate(encoding.states[-1], axis=-1)) if self.summary else None,
            embedded=encoding.embedded if self.lexical_model else None,
        )

    def build(self, target_shape: Any) -> None:
        """Nothing: the first call creates the variables, and Keras need not trace the layer beforehand."""

    def call(self, target_ids: Any, memory: Memory, training: bool = False) -> Output:
        """Runs over the whole target, which begins with the start of sentence.

        Args:
            target_ids: (batch, target_length).
            memory: of the same batch.
            training: whether dropout is on.

        Returns:
            What becomes logits; (batch, target_length, ...).
        """
        embedded = self.dropout(self.embedding(target_ids) * self.scale, training=training)
        if self.config.is_sequential:
            return self._step_by_step(embedded, memory, training)
        return self._at_once(embedded, memory, training)

    def step(self, token_ids: Any, state: State, memory: Memory) -> tuple[Output, Any, State]:
        """Reads one token: the same layers as `call`, one step.

        Args:
            token_ids: the last token of each row; (rows,).
            state: as in `Memory.state`, for each row.
            memory: of `rows`, or of fewer rows each of which serves as many neighbouring rows of `token_ids`.

        Returns:
            The output (rows, ...), the attention weights (rows, source_length; None without attention), and the new
            state.
        """
        return self._step(self.embedding(token_ids) * self.scale, state, memory, drop=_keep)

    def _at_once(self, embedded: Any, memory: Memory, training: bool) -> Output:
        """Each layer over the whole target; embedded is (batch, target_length, embedding_size)."""

        def run(i: int, inputs: Any) -> Any:
            return self.recurrent_layers[i](inputs, initial_state=memory.state[i], training=training)[0]

        def drop(place: int, outputs: Any) -> Any:
            return self.dropout(outputs, training=training)

        summary = memory.summary
        if summary is not None:
            summary = ops.broadcast_to(summary[:, None, :], (*ops.shape(embedded)[:2], summary.shape[-1]))
        ask = partial(self._ask, memory=memory)
        return self._through(embedded, summary, None, Attended(), run, ask, drop)[0]

    def _step_by_step(self, embedded: Any, memory: Memory, training: bool) -> Output:
        """One step after the other; embedded is (batch, target_length, embedding_size)."""
        if not self.recurrent_layers[0].built:
            self._step(embedded[:, 0], memory.state, memory, _keep)  # makes the variables; a loop cannot
        inputs, sizes = self._with_masks(embedded, training)
        if training and self.config.recurrent_dropout:
            for layer, state in zip(self.recurrent_layers, memory.state, strict=False):
                layer.cell.get_recurrent_dropout_mask(state[0])  # kept by the cell for all steps

        def advance(carry: Any, inputs: Any) -> tuple[Any, Any]:
            embedded, *masks = _cut(inputs, sizes)
            drop = partial(_multiply, masks) if masks else _keep
            output, _, state = self._step(embedded, carry[0], memory, drop, training)
            carry = [state, [part for part in output if part is not None]]
            return carry, carry  # TensorFlow's scan wants results of the carry's structure

        widths = [self.config.hidden_units, *([self.config.embedding_size] if self.lexical_model else [])]
        start = [memory.state, [_zeros_beside(memory.state[0][0], width) for width in widths]]
        _, (_, outputs) = ops.scan(advance, start, _swap_time(inputs))
        for layer in self.recurrent_layers:
            layer.cell.reset_recurrent_dropout_mask()
        hidden, *lexical = (_swap_time(x) for x in outputs)
        return Output(hidden, lexical[0] if lexical else None)

    def _with_masks(self, embedded: Any, training: bool) -> tuple[Any, list[int]]:
        """The embedded target and a mask for each place of dropout and each step, side by side, and their sizes.

        The masks, of 0 or what keeps the mean, are drawn beforehand, because a loop has no random state. All is one
        tensor, because Keras' scan over several fails on TensorFlow where their length is not known (3.15).
        """
        sizes = [self.config.embedding_size]
        if not training or not self.config.dropout:
            return embedded, sizes
        places = [self.config.decoder_units] * self.config.decoder_layers + [self.config.hidden_units]
        ones = ops.ones((*ops.shape(embedded)[:2], sum(places)), dtype=embedded.dtype)
        return _join(embedded, self.dropout(ones, training=True)), sizes + places

    def _step(
        self, embedded: Any, state: State, memory: Memory, drop: Drop, training: bool = False
    ) -> tuple[Output, Any, State]:
        """One step from the embedded token; (rows, embedding_size)."""
        new_state: State = []

        def run(i: int, inputs: Any) -> Any:
            outputs, layer_state = take_step(self.recurrent_layers[i], inputs, state[i], training)
            new_state.append(layer_state)
            return outputs

        ask = partial(self._ask_by_rows, memory=memory)
        summary = None if memory.summary is None else _for_rows(memory.summary, embedded)
        fed = state[-1][0] if self.config.input_feeding else None
        first = Attended()
        if self.attention and self.config.attention_query == "previous":
            first = ask(state[self.config.decoder_layers - 1][0])
        output, weights = self._through(embedded, summary, fed, first, run, ask, drop)
        if self.config.input_feeding:
            new_state.append([output.hidden])
        return output, weights, new_state

    def _through(
        self,
        embedded: Any,
        summary: Any,
        fed: Any,
        attended: Attended,
        run: Callable[[int, Any], Any],
        ask: Callable[[Any], Attended],
        drop: Drop,
    ) -> tuple[Output, Any]:
        """All layers, one above the other.

        Args:
            embedded: the embedded target; (..., embedding_size).
            summary: of the source, for the bottom layer and the readout; (..., decoder_units) or None.
            fed: what input feeding gives the bottom layer; (..., hidden_units) or None.
            attended: what was asked beforehand.
            run: gives the outputs of a layer, by its number and its inputs.
            ask: gives what the attention finds for queries.
            drop: dropout, by the number of the place.

        Returns:
            The output and the attention weights.
        """
        config = self.config
        asks = config.attention_query if self.attention else None
        outputs = embedded
        for i in range(config.decoder_layers):
            beside = [summary, fed] if i == 0 else []
            new = drop(i, run(i, _join(outputs, *beside, attended.context)))
            outputs = outputs + new if config.residual and i > 0 else new
            if i == 0 and asks == "bottom":
                attended = ask(outputs)
        if asks == "top":
            attended = ask(outputs)
        if self.readout is not None:
            last_word = embedded if config.readout == "maxout" else None
            outputs = self.readout(_join(outputs, attended.context, summary, last_word))
            outputs = drop(config.decoder_layers, outputs)
        return Output(outputs, attended.lexical), attended.weights

    def _ask(self, queries: Any, memory: Memory) -> Attended:
        """What the attention finds for queries (batch, queries, units)."""
        context, weights = self.attention(queries, memory.keys, memory.values, memory.mask)
        return Attended(context, weights, self.lexical_model(weights, memory.embedded) if self.lexical_model else None)

    def _ask_by_rows(self, outputs: Any, memory: Memory) -> Attended:
        """One query a row (rows, units); rows of one sentence ask its memory together, so that it is never copied."""
        sentences, rows = ops.shape(memory.values)[0], ops.shape(outputs)[0]
        attended = self._ask(ops.reshape(outputs, (sentences, -1, outputs.shape[-1])), memory)
        return Attended(
            *(None if part is None else ops.reshape(part, (rows, ops.shape(part)[-1])) for part in attended)
        )


def _join(*parts: Any) -> Any:
    """Side by side; what is None is not there."""
    there = [part for part in parts if part is not None]
    return there[0] if len(there) == 1 else ops.concatenate(there, axis=-1)


def _keep(place: int, outputs: Any) -> Any:
    """No dropout."""
    return outputs


def _multiply(masks: list[Any], place: int, outputs: Any) -> Any:
    """Dropout by masks that were drawn beforehand."""
    return outputs * masks[place]


def _zeros_beside(state: Any, units: int) -> Any:
    """Zeros (rows, units) for as many rows as the state has, in its precision."""
    return ops.zeros((ops.shape(state)[0], units), dtype=state.dtype)


def _for_rows(vectors: Any, rows: Any) -> Any:
    """Vectors of sentences (batch, units), each for all rows of its sentence; (rows, units)."""
    batch, units = ops.shape(vectors)[0], vectors.shape[-1]
    of_each = ops.shape(ops.reshape(rows, (batch, -1, rows.shape[-1])))[1]  # a batch may be empty
    return ops.reshape(ops.broadcast_to(vectors[:, None, :], (batch, of_each, units)), (-1, units))


def _cut(vectors: Any, sizes: list[int]) -> list[Any]:
    """Undoes `_join`: (rows, sum of the sizes) to (rows, size) for each."""
    ends = accumulate(sizes)
    return [vectors[:, end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _swap_time(vectors: Any) -> Any:
    """(batch, length, units) to (length, batch, units), and back."""
    return ops.transpose(vectors, (1, 0, 2))
