"""What commands show besides their result: progress and notices, on stderr and only where a person looks."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from edge_asr.json_text import json_text, without_infinities
from edge_asr.terminal.quiet import screen
from edge_asr.terminal.standard_streams import one_line, printable

Advance = Callable[[float], None]


def takes_escapes(stream: TextIO) -> bool:
    """Whether a terminal is behind it that redraws lines, and nobody asked for plain text (TERM=dumb, NO_COLOR)."""
    return stream.isatty() and not wants_plain_text()


def wants_plain_text() -> bool:
    """See no-color.org; a terminal without a name (TERM) is one without escapes, but on Windows."""
    named = os.environ.get("TERM", "") not in ("", "dumb", "unknown") or os.name == "nt"
    return bool(os.environ.get("NO_COLOR")) or not named


def styled_console(width: int | None = None) -> Console:
    """stdout for tables and styles, which are left out where plain text is wanted."""
    return Console(highlight=False, width=width, color_system=None if wants_plain_text() else "auto")


def message(line: str) -> None:
    """One line for the person, on stderr, above a progress bar where there is one. Lost where nobody reads it."""
    clear = "\r\x1b[K" if takes_escapes(screen()) else ""
    with contextlib.suppress(OSError):
        print(f"{clear}{one_line(line)}", file=screen(), flush=True)


def notice(line: str) -> None:
    """A message that names the program."""
    message(f"edge-asr: {line}")


def print_json(value: Any) -> None:
    """One object on one line of stdout. What JSON has no number for (an infinite rate) is null. Where stdout is not
    UTF-8, other characters than ASCII are escaped."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    line = printable(json_text(without_infinities(value)))
    print(json_text(json.loads(line), ascii_only=True) if ascii_only else line, flush=True)


@contextmanager
def progress_bar(description: str, total: float | None) -> Iterator[Advance]:
    """A bar that is advanced by the given amount; nothing where stderr is no terminal."""
    what = TextColumn("{task.description}", markup=False)
    with progress_of(what, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeLeftColumn()) as progress:
        task = progress.add_task(description, total=total)
        yield lambda amount: progress.advance(task, amount)


@contextmanager
def stages(description: str) -> Iterator[Callable[[str], None]]:
    """A spinner that shows the stage it is told; nothing where stderr is no terminal."""
    with progress_of(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()) as progress:
        task = progress.add_task(description, total=None)
        yield lambda stage: progress.update(task, description=f"{description}: {stage}")


class StageBar:
    """A bar for work of several stages."""

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._description = description
        self._task = progress.add_task(description, total=None)

    def expect(self, total: float) -> None:
        """How much `advance` will add up to."""
        self._progress.update(self._task, total=total)

    def stage(self, text: str) -> None:
        self._progress.update(self._task, description=f"{self._description}: {text}")

    def advance(self, amount: float) -> None:
        self._progress.advance(self._task, amount)

    def hide(self) -> None:
        """Before something is printed."""
        self._progress.stop()


@contextmanager
def working(description: str) -> Iterator[StageBar]:
    """A bar with the stage it is told; nothing where stderr is no terminal."""
    with progress_of(
        TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), TimeLeftColumn()
    ) as progress:
        yield StageBar(progress, description)


def progress_of(*columns: ProgressColumn) -> Progress:
    """It vanishes when it is done, and leaves stdout and what libraries write to stderr alone."""
    console = Console(file=screen(), highlight=False)
    return Progress(
        *columns,
        console=console,
        transient=True,
        disable=not takes_escapes(screen()),
        redirect_stdout=False,
        redirect_stderr=False,
    )


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Labels and values in two columns, on stdout. Lines are never cut, whatever the width."""
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        click.echo(f"{click.style(label.ljust(width), dim=True)}  {value}")
