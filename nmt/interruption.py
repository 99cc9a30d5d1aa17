"""SIGTERM and Ctrl-C as a wish that the training asks for between two steps, instead of an exception anywhere.

Knows nothing of trainings.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

SIGNALS = signal.SIGTERM, signal.SIGINT


class Interruption:
    """Notes a signal while the block runs, so that the work inside can come to a good end.

    A second signal raises KeyboardInterrupt at once. The handlers from before are back after the block. A signal that
    was ignored before, as SIGINT in the background of a shell script, stays ignored. Outside the main thread, where
    Python allows no handlers, it notes nothing.

        with Interruption() as interruption:
            while not interruption.received:
                step()

    Attributes:
        received: name of the signal that came, as `SIGTERM`; None while there was none.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._handlers_before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers_before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        while self._handlers_before:
            number, handler = self._handlers_before.popitem()
            # None stands for a handler of another language's code, which Python cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
