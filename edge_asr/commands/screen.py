"""What commands show besides their result: progress and notices, on stderr and only where a person looks."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn

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


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Labels and values in two columns, on stdout. Lines are never cut, whatever the width."""
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        click.echo(f"{click.style(label.ljust(width), dim=True)}  {value}")
