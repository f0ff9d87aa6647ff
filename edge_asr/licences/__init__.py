"""Licence texts of what our binaries contain: the bundle and the Android app take all of them along.

A file is named after the component. The texts are those that the component itself is distributed with.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def licence_texts() -> list[Path]:
    """One file for each component."""
    return sorted(FOLDER.glob("*.txt"))
