"""TensorFlow's configuration before and after its first operation, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from nmt.cli.settings import quiet_start
from nmt.cli.sleeping_threads import let_threads_sleep

let_threads_sleep()
assert "tensorflow" not in sys.modules
if sys.argv[1] == "command":
    with quiet_start():
        import keras
        from nmt.training import train_language_model
import tensorflow as tf
import keras
from tensorflow.python.eager import context

if sys.argv[1] == "late":
    tf.zeros(())
    let_threads_sleep()
assert tf.executing_eagerly() and float(tf.constant(1.0) + keras.ops.ones(())) == 2.0
print(context.context().config.experimental.disable_thread_spinning)
"""


def sleeps(mode: str) -> bool:
    """Whether threads do; TensorFlow tells only inside."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "True"


def test_threads_of_a_command_sleep() -> None:
    assert sleeps("command")


def test_the_library_alone_leaves_them_and_what_has_begun_goes_on_as_it_was() -> None:
    assert not sleeps("library")
    assert not sleeps("late")
