"""Modules come from where they are installed, never from the folder that a user happens to work in."""

from __future__ import annotations

import functools
import os
import sys

import edge_asr

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(edge_asr.__file__)))  # holds our packages


@functools.cache  # once: a second time it would take what the user put there
def leave_out_working_folder() -> None:
    """Take the working folder off the import path: a user's `export.py` or `click.py` there is not ours to run.

    `python -m` puts it there, as does an empty entry of PYTHONPATH. Where our packages lie in that folder, it stays.
    """
    try:
        if os.path.samefile(os.curdir, ROOT):
            return
        ran_as_module = getattr(sys.modules.get("__main__"), "__spec__", None) is not None
        if ran_as_module and sys.path and not sys.flags.safe_path and os.path.samefile(sys.path[0] or ".", os.curdir):
            del sys.path[0]
    except OSError:  # an entry, or the working folder, is gone
        pass
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.curdir)]


def run_module(module: str) -> list[str]:
    """The words that run one of our modules in another process, which does not look into the working folder either."""
    start = f"import runpy, sys; sys.path.insert(0, {ROOT!r}); runpy.run_module({module!r}, None, '__main__', True)"
    return [sys.executable, "-P", "-c", start]
