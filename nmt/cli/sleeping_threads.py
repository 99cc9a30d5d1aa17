"""TensorFlow's threads, told to sleep while there is no work for them.

By default a thread that has nothing to do looks for work in a loop for a while before it sleeps, so that it begins
sooner. A recurrent network makes threads wait at every step, and where two of them share a core, the one that looks for
work slows down the one that has some. Only a program may decide this, so the command line does, not the library.
"""

from __future__ import annotations

import sys
from contextlib import suppress


def let_threads_sleep() -> None:
    """Does nothing where TensorFlow is not imported, or has started its threads already."""
    if "tensorflow" not in sys.modules:
        return
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto()
    config.experimental.disable_thread_spinning = True
    # The one public way to hand a configuration to eager execution is to begin it again.
    tf.compat.v1.disable_eager_execution()
    with suppress(ValueError, AttributeError):  # it has begun in earnest; TensorFlow 2.21 fails to put that into words
        tf.compat.v1.enable_eager_execution(config=config)
    if not tf.executing_eagerly():
        tf.compat.v1.disable_eager_execution()
        tf.compat.v1.enable_eager_execution()
