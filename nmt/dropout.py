"""Dropout (Srivastava et al. 2014) that draws 16 random bits a number on TensorFlow, whose own draws 32 of them."""

from __future__ import annotations

from typing import Any

import keras

LEVELS = 2**16


class Dropout(keras.layers.Dropout):
    """Keras' Dropout, whose rate is rounded to a multiple of 1 / 65,536 on TensorFlow."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """In training, sets a share of the numbers to 0 and scales the others up, so that the mean stays.

        On TensorFlow a number that is not finite stays so, dropped or not.
        """
        threshold = round(self.rate * LEVELS)
        draws = training and 0 < threshold < LEVELS and self.noise_shape is None
        if not draws or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training)
        import tensorflow as tf

        seed, count = tf.cast(self.seed_generator.next(), tf.int32), tf.size(inputs)
        pairs = tf.random.stateless_uniform([(count + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32)
        bits = tf.reshape(tf.reshape(tf.bitcast(pairs, tf.uint16), [-1])[:count], tf.shape(inputs))
        scaled = inputs * tf.constant(LEVELS / (LEVELS - threshold), inputs.dtype)
        # A product with 0 or 1, and that of the gradient, takes less time than a choice between numbers and one zero.
        return scaled * tf.cast(bits >= tf.constant(threshold, tf.uint16), inputs.dtype)
