"""The model that a command works with."""

from __future__ import annotations

from pathlib import Path

from edge_asr.recognizer import Recognizer
from edge_asr.shipped import BASE, names_size, shipped_checkpoint, shipped_pte
from edge_asr.terminal.screen import notice, stages


def model_or_shipped(model: Path | None) -> Path:
    """The `.pte` at a path; or the shipped one of a size, exported first where the cache lacks it."""
    if model is not None and not names_size(model):
        return model
    with stages("exporting") as progress:
        return shipped_pte(notice, progress, str(model or BASE))


def checkpoint_or_shipped(checkpoint: Path | None) -> Path:
    """The checkpoint at a path, or the shipped one of a size."""
    if checkpoint is not None and not names_size(checkpoint):
        return checkpoint
    return shipped_checkpoint(str(checkpoint or BASE))


def open_model(path: Path, threads: int, backend: str | None = None) -> Recognizer:
    """Load it, which takes seconds where the runtime is ExecuTorch's Python one. Raises EdgeAsrError."""
    with stages("loading") as progress:
        progress(path.name)
        return Recognizer.open(path, threads=threads, backend=backend)
