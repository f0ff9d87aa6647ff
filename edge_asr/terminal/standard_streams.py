"""stdin, stdout and stderr as a command may find them: closed, non-blocking, or of a small encoding."""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import sys
from collections.abc import Iterator
from typing import TextIO

from edge_asr.errors import EdgeAsrError

STDOUT, STDERR = 1, 2
UNPRINTABLE = re.compile("[\ud800-\udfff]")  # bytes of a name that are not UTF-8, as Python holds them
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text that any UTF-8 reader takes: a byte that is not UTF-8 becomes U+FFFD."""
    return UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """As `printable`; spaces and line ends are one space, and other control characters, which a terminal might obey,
    are U+FFFD."""
    return CONTROL.sub("\ufffd", " ".join(printable(text).split()))


class PatientWriter(io.RawIOBase):
    """A descriptor that may be non-blocking, as Node hands it on: a write waits until there is room."""

    def __init__(self, descriptor: int, close: bool = False) -> None:
        self._descriptor = descriptor
        self._close = close

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        done = 0
        while done < len(view):
            try:
                done += os.write(self._descriptor, view[done:])
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
        return done

    def close(self) -> None:
        if not self.closed and self._close:
            os.close(self._descriptor)
        super().close()


def text_writer(descriptor: int, like: TextIO | None, close: bool = False) -> TextIO:
    """Text into a descriptor, in the encoding of `like`. What cannot be encoded is replaced; lines are written at
    once where `like` does so."""
    raw = PatientWriter(descriptor, close)
    encoding = getattr(like, "encoding", None) or "utf-8"
    immediate = raw.isatty() or getattr(like, "line_buffering", False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="replace", line_buffering=immediate)


@contextlib.contextmanager
def sturdy_streams() -> Iterator[None]:
    """Descriptors 0 to 2 are open, so that no file of ours gets their numbers, and prints to stdout and stderr neither
    fail for want of a character nor lose text where the descriptor does not block.

    Raises EdgeAsrError where stdout is closed: there is nowhere to put the answer.
    """
    occupy_closed()
    if sys.stdout is None:
        sys.stderr = sys.stderr or text_writer(STDERR, None)
        raise EdgeAsrError("stdout is closed: leave it open, or send it to a file or to /dev/null")
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = sturdy(sys.stdout, STDOUT), sturdy(sys.stderr, STDERR)
    try:
        yield
    finally:
        for ours, original in zip((sys.stdout, sys.stderr), before, strict=True):
            if ours is not original:
                with contextlib.suppress(OSError, ValueError):  # told already where it matters
                    ours.flush()
        sys.stdout, sys.stderr = before


def sturdy(stream: TextIO | None, descriptor: int) -> TextIO:
    """A writer to the descriptor in place of Python's own; what a program put there (a capture) stays."""
    if stream is None:
        return text_writer(descriptor, None)
    original = sys.__stdout__ if descriptor == STDOUT else sys.__stderr__
    try:
        is_own = original is not None and stream is original and original.fileno() == descriptor
    except (OSError, ValueError):
        is_own = False
    if not is_own or os.name == "nt":
        return stream
    with contextlib.suppress(OSError):
        stream.flush()
    return text_writer(descriptor, stream)


def occupy_closed() -> None:
    """Open /dev/null for whichever of descriptors 0 to 2 is closed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(nowhere, True)
