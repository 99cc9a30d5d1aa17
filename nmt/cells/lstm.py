"""Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).

    i = σ(W_i x + U_i h + b_i)       f = σ(W_f x + U_f h + b_f)       o = σ(W_o x + U_o h + b_o)
    c' = f ⊙ c + i ⊙ tanh(W_c x + U_c h + b_c)
    h' = o ⊙ tanh(c')

The forget gate's bias starts at 1 (Jozefowicz et al. 2015, section 2.2), so that a new model remembers.
"""

from __future__ import annotations

from typing import Any

import keras


def layer(units: int, use_cudnn: bool | str, **options: Any) -> Any:
    """Keras' LSTM."""
    return keras.layers.LSTM(units, use_cudnn=use_cudnn, **options)
