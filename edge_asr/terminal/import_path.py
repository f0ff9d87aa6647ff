"""Modules come from where they are installed, never from the folder that a user happens to work in."""

from __future__ import annotations

import functools
import os
import sys

import edge_asr

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(edge_asr.__file__)))  # holds our packages
LIBRARY = os.path.dirname(os.__file__)  # Python's own modules


@functools.cache  # once: later entries are those of programs that call ours
def leave_out_working_folder() -> None:
    """Take the working folder off the import path: a user's `export.py` or `click.py` there is not ours to run.

    `python -m` puts it there, as does an empty entry of PYTHONPATH, such as a colon at its end. Where our packages lie
    in that folder, it stays.
    """
    if _is_working_folder(ROOT):
        return
    library = sys.path.index(LIBRARY) if LIBRARY in sys.path else len(sys.path)
    # what comes after Python's own modules is of the installation
    sys.path[:library] = [entry for entry in sys.path[:library] if not _is_working_folder(entry)]


def _is_working_folder(entry: str) -> bool:
    try:
        return os.path.samefile(entry or os.curdir, os.curdir)
    except OSError:  # one of them is gone
        return False


def run_module(module: str) -> list[str]:
    """The words that run one of our modules in another process, which does not look into the working folder either."""
    start = f"import runpy, sys; sys.path.insert(0, {ROOT!r}); runpy.run_module({module!r}, None, '__main__', True)"
    return [sys.executable, "-P", "-c", start]
