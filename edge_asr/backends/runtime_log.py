"""What ExecuTorch prints to file descriptor 2, kept from the user's terminal."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

logger = logging.getLogger(__name__)

# file descriptor 2 and `sys.stderr` are the process's: two threads that lead them away would swap them
_lock = threading.Lock()


@contextmanager
def quiet_stderr() -> Iterator[TextIO]:
    """Lead what C++ prints to file descriptor 2 into this module's debug log; one thread at a time does.

    Yields the file that takes it meanwhile.
    """
    with _lock, tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as captured:
        _flush_stderr()
        try:
            with native_stderr_to(captured):
                try:
                    yield captured
                finally:
                    _flush_stderr()
        finally:
            captured.seek(0)
            for line in captured.read().splitlines():
                logger.debug("%s", line)


@contextmanager
def native_stderr_to(file: TextIO) -> Iterator[None]:
    """Lead file descriptor 2 to another file."""
    before = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _flush_stderr() -> None:
    if sys.stderr is not None:  # as in a program without a terminal on Windows
        sys.stderr.flush()
