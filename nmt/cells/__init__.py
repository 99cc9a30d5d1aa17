"""Recurrent cells: what happens to the state at one step of a sequence.

Each cell is a file named as `model.cell` names it, and defines `layer(units, **options)`: a Keras recurrent layer with
that cell. The layer walks a whole sequence; its `.cell` takes one step, for search, unless the layer has a method
`search_step(inputs, state)` that does so faster. Knows nothing of encoder and decoder.

    rnn.py                tanh of input and state
    gru.py                two gates, one state
    lstm.py               three gates and a cell state beside the output
    layer_norm_lstm.py    the same, with normalized sums
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import keras


def make_recurrent(
    cell: str, units: int, recurrent_dropout: float, use_cudnn: bool | str, name: str, backwards: bool = False
) -> Any:
    """A recurrent layer that returns its outputs at every step and its final states.

    Args:
        cell: a file of this folder.
        units: size of the state.
        recurrent_dropout: share of the state's units that are dropped on the way to the next step, the same at all
            steps of a sequence (Gal & Ghahramani 2016, section 4); Keras' own cells have a mask for each gate.
        use_cudnn: False keeps cuDNN kernels out of the graph, for export.
        name: of the layer.
        backwards: whether it reads from the last step to the first; its outputs are in reading order.
    """
    layer = import_module(f"nmt.cells.{cell}").layer(
        units,
        use_cudnn=use_cudnn,
        recurrent_dropout=recurrent_dropout,
        return_sequences=True,
        return_state=True,
        go_backwards=backwards,
        name=name,
    )
    if keras.backend.backend() == "tensorflow":
        layer.supports_jit = False  # its XLA has no gradient for a loop of unknown length; Keras' LSTM says so itself
    return layer


def state_sizes(layer: Any) -> list[int]:
    """Sizes of the tensors that make a recurrent layer's state: two for an LSTM, one for a GRU."""
    sizes = layer.cell.state_size
    return list(sizes) if isinstance(sizes, list | tuple) else [sizes]


def take_step(layer: Any, inputs: Any, state: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
    """One step of a recurrent layer; inputs (rows, units) to outputs (rows, units) and the new state."""
    if not layer.built:
        layer.build((None, None, inputs.shape[-1]))  # so that its cell's variables bear its name
    if not training and hasattr(layer, "search_step"):
        outputs, new_state = layer.search_step(inputs, state)
        return outputs, new_state
    outputs, new_state = layer.cell(inputs, state, training=training)
    return outputs, list(new_state) if isinstance(new_state, list | tuple) else [new_state]
