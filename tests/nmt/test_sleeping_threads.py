"""TensorFlow's configuration before and after its first operation, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
from nmt.cli import sleeping_threads
from nmt.cli.settings import quiet_start

sleeping_threads._cores = lambda: int(sys.argv[2])
sleeping_threads.let_threads_sleep()
assert "tensorflow" not in sys.modules
if sys.argv[1] == "command":
    with quiet_start():
        import keras
        from nmt.training import train_language_model
import tensorflow as tf
import keras
from tensorflow.python.eager import context

begin = {
    "operation": lambda: tf.zeros(()),
    "variable": lambda: tf.Variable(0.0),
    "function": lambda: tf.function(lambda x: x + 1).get_concrete_function(tf.TensorSpec(())),
    "graph": tf.compat.v1.get_default_graph,
}
if sys.argv[1] in begin:
    begin[sys.argv[1]]()
    sleeping_threads.let_threads_sleep()

def check():
    eager.append(tf.executing_eagerly() and float(tf.constant(1.0) + keras.ops.ones(())) == 2.0)

eager = []
check()
other = threading.Thread(target=check)
other.start()
other.join()
assert eager == [True, True]
print(context.context().config.experimental.disable_thread_spinning)
"""


def sleeps(mode: str, cores: int = 2) -> bool:
    """Whether threads do; TensorFlow tells only inside."""
    command = [sys.executable, "-c", PROGRAM, mode, str(cores)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "True"


def test_threads_of_a_command_sleep() -> None:
    assert sleeps("command")


@pytest.mark.thorough
def test_with_more_cores_and_for_the_library_nothing_changes() -> None:
    assert not sleeps("command", cores=3)
    assert not sleeps("library")


@pytest.mark.thorough
@pytest.mark.parametrize("first", ["operation", "variable", "function", "graph"])
def test_what_has_begun_goes_on_as_it_was(first: str) -> None:
    assert not sleeps(first)
