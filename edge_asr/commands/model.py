"""The model that a command works with."""

from __future__ import annotations

from pathlib import Path

from edge_asr.commands.screen import notice, stages
from edge_asr.recognizer import Recognizer
from edge_asr.shipped import shipped_pte


def model_or_shipped(model: Path | None) -> Path:
    """The named `.pte`, or the shipped one, exported first where the cache lacks it."""
    if model is not None:
        return model
    with stages("exporting") as progress:
        return shipped_pte(notice, progress)


def open_model(path: Path, threads: int, backend: str | None = None) -> Recognizer:
    """Load it, which takes seconds where the runtime is ExecuTorch's Python one. Raises EdgeAsrError."""
    with stages("loading") as progress:
        progress(path.name)
        return Recognizer.open(path, threads=threads, backend=backend)
