"""A report on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from edge_asr.profiling import figures
from edge_asr.profiling.report import Report

OPERATORS_SHOWN = 15
WIDEST = 10_000  # where no limit is meant


def print_report(report: Report, console: Console) -> None:
    """The figures of each setting side by side, what they mean for one another, and whether they may be quoted."""
    line(console, figures.title(report), "bold")
    line(console, figures.circumstances(report), "dim")
    console.print()
    for table in tables_of(report, console):
        console.print(table)
    console.print()
    for comparison in figures.comparisons(report):
        line(console, str(comparison), "bold")
    for said in figures.stage_lines(report):
        line(console, f"a step of {said}")
    for said in figures.energy_lines(report):
        line(console, said)
    print_operators(report, console)
    verdict, *reasons = figures.verdict_lines(report)
    line(console, verdict, "green" if report.verdict.quotable else "bold red")
    for reason in reasons:
        line(console, f"  {reason}", "red")
    for note in report.notes:
        line(console, f"note: {note}", "dim")


def tables_of(report: Report, console: Console) -> Iterator[Table]:
    """One, or as many as it takes for none to be wider than the terminal."""
    rows = figures.rows(report)
    names = [result.setting.name for result in report.results]
    wide = console.options.update(width=WIDEST)
    first = 0
    while first < len(names):
        last = first + 1
        table = table_of(rows, names, range(first, last))
        while last < len(names):
            wider = table_of(rows, names, range(first, last + 1))
            if Measurement.get(console, wide, wider).maximum > console.width:
                break
            table, last = wider, last + 1
        yield table
        first = last


def table_of(rows: Sequence[figures.Row], names: Sequence[str], columns: Sequence[int]) -> Table:
    """Of some of the settings."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("", style="dim", no_wrap=True)
    for column in columns:
        table.add_column(Text(names[column]), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.label, row.unit, *(Text(row.values[column]) for column in columns))
    return table


def print_operators(report: Report, console: Console) -> None:
    """The longest of each setting, where they were asked for."""
    for result in report.results:
        operators = result.latency.operators_ms if result.latency else None
        if not operators:
            continue
        whole_ms = sum(operators.values())
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, title=f"operators, {result.setting.name}", title_justify="left"
        )
        table.add_column("operator")
        table.add_column("ms a step", justify="right")
        table.add_column("share", justify="right")
        for name, taken_ms in list(operators.items())[:OPERATORS_SHOWN]:
            table.add_row(Text(name), f"{taken_ms:.3f}", f"{taken_ms / whole_ms:.1%}")
        console.print(table)


def line(console: Console, text: str, style: str = "") -> None:
    """Wrapped on a terminal, whole in a pipe."""
    console.print(Text(text, style), soft_wrap=not console.is_terminal)
