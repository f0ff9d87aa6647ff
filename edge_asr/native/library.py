"""Where libedge_asr.so is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import LIBRARY, build_folder, is_build
from edge_asr.native.target import target_here

LIBRARY_VARIABLE = "EDGE_ASR_NATIVE_LIBRARY"


@dataclass(frozen=True)
class Library:
    """A library that is there."""

    path: Path
    origin: str  # how it was found: LIBRARY_VARIABLE, or `cache`


def find_library() -> Library | None:
    """$EDGE_ASR_NATIVE_LIBRARY, else the build of the present sources in the cache folder, else None.

    Raises EdgeAsrError where the variable names no file.
    """
    named = os.environ.get(LIBRARY_VARIABLE)
    if named:
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise EdgeAsrError(f"{path}: no such library: mend or unset {LIBRARY_VARIABLE}")
        return Library(path, LIBRARY_VARIABLE)
    here = target_here()
    if here is None:
        return None
    try:
        folder = build_folder(here)
    except EdgeAsrError:  # there is no cache folder, hence nothing in it
        return None
    return Library(folder / LIBRARY, "cache") if is_build(folder) else None
