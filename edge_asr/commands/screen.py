"""What commands show besides their result: progress and notices, on stderr and only where a person looks."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from edge_asr.shipped import shipped_pte

Advance = Callable[[float], None]


def stderr_console() -> Console:
    return Console(stderr=True, highlight=False)


def notice(line: str) -> None:
    """One line for the person, wherever stderr leads."""
    print(f"edge-asr: {line}", file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One object on one line of stdout. What JSON has no number for (an infinite rate) is null."""
    print(json.dumps(without_infinities(value), ensure_ascii=False, allow_nan=False), flush=True)


def without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_infinities(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinities(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def progress_bar(description: str, total: float | None) -> Iterator[Advance]:
    """A bar that is advanced by the given amount; nothing where stderr is no terminal."""
    console = stderr_console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeLeftColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        yield lambda amount: progress.advance(task, amount)


@contextmanager
def stages(description: str) -> Iterator[Callable[[str], None]]:
    """A spinner that shows the stage it is told; nothing where stderr is no terminal."""
    console = stderr_console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=None)
        yield lambda stage: progress.update(task, description=f"{description}: {stage}")


def model_or_shipped(model: Path | None) -> Path:
    """The named `.pte`, or the shipped one, exported first where the cache lacks it."""
    if model is not None:
        return model
    with stages("exporting") as progress:
        return shipped_pte(notice, progress)
