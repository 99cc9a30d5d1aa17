"""Adam, and the length of a gradient, in as few passes over the memory as the backend can. Knows no configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, whose update reads and writes the memory once on TensorFlow, where Keras' own has a dozen passes."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable and both of its moments (Kingma & Ba 2015, section 2, the efficient form)."""
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,  # Keras hands its backend's own variable over
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=ops.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=ops.cast(gradient, variable.dtype),
        )


def global_norm(gradients: Sequence[Any]) -> Any:
    """The Euclidean length of all gradients together (Pascanu et al. 2013, algorithm 1)."""
    if keras.backend.backend() != "tensorflow":
        return ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))
    import tensorflow as tf

    return tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(gradient) for gradient in gradients]))
