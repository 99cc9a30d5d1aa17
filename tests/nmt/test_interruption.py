"""Signals to the own process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from nmt.interruption import SIGNALS, Interruption


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Python's own handlers, wherever the tests run: a background job of a shell ignores SIGINT."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_the_work_goes_on(number: signal.Signals) -> None:
    done = []
    with Interruption() as interruption:
        assert interruption.received is None
        os.kill(os.getpid(), number)
        done.append("the step")
    assert done == ["the step"]
    assert interruption.received == number.name


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_ends_the_work_at_once(first: signal.Signals, second: signal.Signals) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        os.kill(os.getpid(), first)
        done.append("the step")
        os.kill(os.getpid(), second)
        done.append("the next step")
    assert done == ["the step"]
    assert interruption.received == first.name
    assert_default_handlers()


def test_the_handlers_from_before_are_back() -> None:
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert_default_handlers()
    with pytest.raises(ZeroDivisionError), Interruption():
        1 / 0  # noqa: B018
    assert_default_handlers()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
    assert interruption.received is None
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_outside_the_main_thread_nothing_changes() -> None:
    seen = []

    def work() -> None:
        with Interruption() as interruption:
            seen.append((interruption.received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, signal.SIG_DFL)]


def assert_default_handlers() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
