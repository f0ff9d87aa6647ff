"""A screen free of the warnings and log lines of libraries."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def quiet_libraries(enabled: bool) -> Iterator[None]:
    """Keep warnings and the log lines of C++ libraries off the screen, and our own stderr on it.

    C++ writes to file descriptor 2 itself. So descriptor 2 leads nowhere, and `sys.stderr` writes to a copy of the
    true one. Where descriptors cannot be moved (an embedded interpreter), everything stays as it is.
    """
    if not enabled:
        yield
        return
    previous_stderr, disabled_level = sys.stderr, logging.root.manager.disable
    try:
        true_stderr = open_copy_of_stderr()
    except (OSError, ValueError):
        yield
        return
    devnull = os.open(os.devnull, os.O_WRONLY)
    restore = os.dup(2)
    os.dup2(devnull, 2)
    os.close(devnull)
    sys.stderr = true_stderr
    crashes_shown = faulthandler.is_enabled()
    if not crashes_shown:
        faulthandler.enable(true_stderr)  # a crash in native code must not be silent
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if not crashes_shown:
            faulthandler.disable()
        logging.disable(disabled_level)
        with contextlib.suppress(OSError):
            true_stderr.flush()
        sys.stderr = previous_stderr
        os.dup2(restore, 2)
        os.close(restore)
        with contextlib.suppress(OSError):
            true_stderr.close()


def open_copy_of_stderr() -> TextIO:
    sys.stderr.flush()
    return open(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
