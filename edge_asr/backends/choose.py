"""Find the runtimes that are installed and open a `.pte` with one.

A runtime is a module of this folder that defines `NAME` (what the user types), `PREFERENCE` (the highest of those
installed is taken), `missing()` (None, or one line on what to install) and `load(path, threads)`. Adding one is
adding a file. The modules must import without their runtime: it is imported where it is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, cast

from edge_asr import backends
from edge_asr.backends.program_file import check_program_file
from edge_asr.backends.protocol import Backend
from edge_asr.errors import EdgeAsrError


class Runtime(Protocol):
    """A module of this folder."""

    NAME: str
    PREFERENCE: int

    def missing(self) -> str | None:
        """What to install first, in one line, or None."""

    def load(self, path: Path, threads: int) -> Backend:
        """Load a checked file. Raises EdgeAsrError."""


def runtimes() -> dict[str, Runtime]:
    """All runtimes of this folder by name, the preferred first."""
    modules = (
        importlib.import_module(f"{backends.__name__}.{m.name}") for m in pkgutil.iter_modules(backends.__path__)
    )
    found = [cast(Runtime, module) for module in modules if hasattr(module, "NAME")]
    return {runtime.NAME: runtime for runtime in sorted(found, key=lambda runtime: -runtime.PREFERENCE)}


def open_backend(path: Path | str, threads: int = 1, name: str | None = None) -> Backend:
    """Load a `.pte` with the named runtime, or with the preferred one of those installed.

    Raises EdgeAsrError: unknown or missing runtime; missing, damaged or foreign file.
    """
    if threads < 1:
        raise EdgeAsrError(f"threads must be 1 or more, not {threads}")
    path = Path(path)
    check_program_file(path)
    known = runtimes()
    if name is not None and name not in known:
        raise EdgeAsrError(f"no backend is named '{name}': choose among {', '.join(known)}")
    reasons = []
    for runtime in known.values() if name is None else (known[name],):
        reason = runtime.missing()
        if reason is None:
            return runtime.load(path, threads)
        reasons.append(f"{runtime.NAME}: {reason}")
    raise EdgeAsrError(f"no runtime is installed ({'; '.join(reasons)})")
