"""Signals that end a command: SIGINT (Ctrl-C), SIGTERM and SIGHUP."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any

Handler = Callable[[int, FrameType | None], None]

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
EXIT_CODE_BASE = 128  # shells count the signal on top of it


def exit_code(number: int) -> int:
    """130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
    return EXIT_CODE_BASE + number


class EndedBySignal(KeyboardInterrupt):
    """SIGTERM or SIGHUP, raised where Ctrl-C raises KeyboardInterrupt."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def signal_of(error: BaseException) -> int:
    """The signal behind an error of the kind of KeyboardInterrupt."""
    return error.number if isinstance(error, EndedBySignal) else int(signal.SIGINT)


@contextlib.contextmanager
def all_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP raise EndedBySignal: what Ctrl-C keeps or clears away, they do too."""

    def end(number: int, frame: FrameType | None) -> None:
        raise EndedBySignal(number)

    before = _handle([number for number in ENDING if number != signal.SIGINT], end)
    try:
        yield
    finally:
        _restore(before)


class InputEnd:
    """While it is entered, the first of the signals ends the input, and the second ends the process at once.

    A signal that is ignored (nohup, a job in the background of a script) stays ignored.
    """

    def __init__(self) -> None:
        self.signal: int | None = None  # the first one that came
        self._wake: tuple[int, int] | None = None
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    def wait(self, descriptor: int) -> bool:
        """Wait until the descriptor has bytes, or has ended. False where a signal ends the input."""
        if os.name == "nt":  # has no poll for files
            return self.signal is None
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if self._wake is not None:
            poll.register(self._wake[0], select.POLLIN)
        while self.signal is None:
            ready = dict(poll.poll())
            if self._wake is not None and self._wake[0] in ready:
                os.read(self._wake[0], 64)  # a signal, perhaps of another kind
            elif descriptor in ready:
                return True
        return False

    def __enter__(self) -> InputEnd:
        if threading.current_thread() is not threading.main_thread():
            return self  # only the main thread may handle signals
        self._wake = os.pipe()
        for end in self._wake:
            os.set_blocking(end, False)
        # the interpreter writes to it the moment a signal comes, also just before a wait begins
        self._wakeup_before = signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        self._before = _handle(ENDING, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _restore(self._before)
        if self._wake is not None:
            signal.set_wakeup_fd(self._wakeup_before)
            for end in self._wake:
                os.close(end)
            self._wake = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)


def _handle(numbers: Iterable[int], handler: Handler) -> dict[int, Any]:
    """Handle those that are not ignored; returns the handlers before. Only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handled = [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    return {number: signal.signal(number, handler) for number in handled}


def _restore(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
