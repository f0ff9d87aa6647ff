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

from edge_asr.backends.runtime_log import native_stderr_to
from edge_asr.terminal.standard_streams import text_writer

_screen: TextIO | None = None  # the true stderr, while libraries are kept from it


def screen() -> TextIO:
    """Where our own messages go."""
    return _screen or sys.stderr


@contextlib.contextmanager
def quiet_libraries(enabled: bool) -> Iterator[None]:
    """Keep libraries off the screen: what they write to `sys.stderr`, and what C++ writes to file descriptor 2,
    goes nowhere; `screen()` is a copy of the true one.

    Where descriptors cannot be moved (an embedded interpreter), everything stays as it is.
    """
    global _screen
    if not enabled or _screen is not None:
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            sys.stderr.flush()
            copy = text_writer(os.dup(sys.stderr.fileno()), sys.stderr, close=True)
        except (OSError, ValueError, AttributeError):
            yield
            return
        stack.enter_context(contextlib.suppress(OSError))  # closing flushes, and nobody may be reading
        _screen = stack.enter_context(copy)
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(native_stderr_to(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        stack.enter_context(crashes_shown_on(copy))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)
            _screen = None


@contextlib.contextmanager
def crashes_shown_on(file: TextIO) -> Iterator[None]:
    """A crash in native code must not be silent."""
    if faulthandler.is_enabled():
        yield
        return
    faulthandler.enable(file)
    try:
        yield
    finally:
        faulthandler.disable()
