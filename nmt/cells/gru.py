"""The gated recurrent unit (Cho et al. 2014, section 2.3).

    z  = σ(W_z x + U_z h + b_z)                          how much of the old state stays
    r  = σ(W_r x + U_r h + b_r)                          how much of it the candidate sees
    h~ = tanh(W x + b + r ⊙ (U h + c))
    h' = z ⊙ h + (1 - z) ⊙ h~

The reset gate stands behind the product U h, as in the first version of the paper and in cuDNN; the last version has
U (r ⊙ h).
"""

from __future__ import annotations

from typing import Any

import keras

from nmt.orthogonal import Orthogonal


def layer(units: int, use_cudnn: bool | str, **options: Any) -> Any:
    """Keras' GRU."""
    return keras.layers.GRU(units, use_cudnn=use_cudnn, recurrent_initializer=Orthogonal, **options)
