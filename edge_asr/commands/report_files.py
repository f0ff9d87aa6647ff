"""Where a report goes besides the screen, and what a reader of those files learns of who measured."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from edge_asr.profiling.anonymous import Anonymizer
from edge_asr.profiling.output import check_writable, write_whole
from edge_asr.profiling.page import page_of
from edge_asr.profiling.report import Report, to_json
from edge_asr.profiling.table import print_report
from edge_asr.terminal.screen import notice, styled_console

STDOUT = "-"
PIPE_WIDTH = 200  # where no terminal limits a table


@dataclass(frozen=True)
class Outputs:
    """What the user asked for."""

    json: str | None  # a path, or STDOUT
    html: Path | None
    anonymous: bool = False

    def check(self) -> None:
        """Raises EdgeAsrError where a file could not be written."""
        for path in self.files():
            check_writable(path)

    def files(self) -> list[Path]:
        named = [] if self.json in (None, STDOUT) else [Path(str(self.json))]
        return named + ([self.html] if self.html else [])

    def keep(self, report: Report | None) -> None:
        """What was measured so far, in the files. Raises EdgeAsrError."""
        if report is not None:
            self._write(self._allowed(report))

    def show(self, report: Report) -> None:
        """On stdout, and in the files; and what those say of the user, where they may be published. Raises
        EdgeAsrError."""
        allowed = self._allowed(report)
        self._write(allowed)
        if self.json == STDOUT:
            click.echo(to_json(allowed), nl=False)
        else:
            print_report(allowed, styled_console(None if sys.stdout.isatty() else PIPE_WIDTH))
        if not self.anonymous and (self.json or self.html):
            tell_what_is_inside(report, report.conditions.target, report.command)

    def _allowed(self, report: Report) -> Report:
        return Anonymizer(report.conditions.target, report.command)(report) if self.anonymous else report

    def _write(self, report: Report) -> None:
        if self.json not in (None, STDOUT):
            write_whole(Path(str(self.json)), to_json(report))
        if self.html:
            write_whole(self.html, page_of(report))


def tell_what_is_inside(report: object, target: str, command: str) -> None:
    """One line on stderr; none where a report names nobody."""
    hide = Anonymizer(target, command)
    hide(report)
    if hide.found:
        notice(f"the report names {' and '.join(hide.found)}; --anonymous leaves that out")
