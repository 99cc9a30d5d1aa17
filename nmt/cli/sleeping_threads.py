"""TensorFlow's threads, told to sleep while there is no work for them, where there are two cores at most.

By default a thread that has nothing to do looks for work in a loop for a while before it sleeps, so that it begins
sooner. A recurrent network makes threads wait at every step, and where two of them share a core, as those of a virtual
machine may without knowing, the one that looks for work slows down the one that has some. It was measured on two cores
alone, so with more of them everything stays as it is. Only a program may decide this, so the command line does, not
the library.
"""

from __future__ import annotations

import os
import sys

MOST_CORES = 2


def let_threads_sleep() -> None:
    """Does nothing where TensorFlow is not imported or has begun to work, or where there are more cores."""
    if "tensorflow" not in sys.modules or _cores() > MOST_CORES:
        return
    import tensorflow as tf
    from tensorflow.python.eager import context  # nothing public tells whether it has begun

    if context.context_safe() is not None:
        return
    config = tf.compat.v1.ConfigProto()
    config.experimental.disable_thread_spinning = True
    # The one public way to hand a configuration to eager execution is to begin it again.
    tf.compat.v1.disable_eager_execution()
    try:
        tf.compat.v1.enable_eager_execution(config=config)
    except ValueError:  # somebody has made a graph
        context.default_execution_mode = context.EAGER_MODE


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
