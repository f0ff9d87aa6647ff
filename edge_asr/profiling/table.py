"""A report on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_asr.profiling import figures
from edge_asr.profiling.report import Report

OPERATORS_SHOWN = 15


def print_report(report: Report, console: Console) -> None:
    """The figures of each setting side by side, what they mean for one another, and whether they may be quoted."""
    line(console, figures.title(report), "bold")
    line(console, figures.circumstances(report), "dim")
    console.print()
    console.print(table_of(report))
    console.print()
    for said in figures.comparisons(report):
        line(console, said, "bold")
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


def table_of(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("", style="dim", no_wrap=True)
    for result in report.results:
        table.add_column(Text(result.setting.name), justify="right", no_wrap=True)
    for row in figures.rows(report):
        table.add_row(row.label, row.unit, *map(Text, row.values))
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
