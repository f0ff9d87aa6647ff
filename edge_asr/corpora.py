"""Where the corpora lie. They are never part of the package; tools take the folder from here."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "EDGE_ASR_DATA"
AN4_TEST = Path("an4/test.jsonl")


def data_folder() -> Path | None:
    """The folder that $EDGE_ASR_DATA names, if it does."""
    named = os.environ.get(DATA_VARIABLE)
    return Path(named).expanduser() if named else None


def an4_test_manifest() -> Path | None:
    """AN4's test manifest, where the corpus is found."""
    folder = data_folder()
    manifest = folder / AN4_TEST if folder else None
    return manifest if manifest and manifest.is_file() else None
