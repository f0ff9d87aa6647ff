"""`edge-asr compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.comparability import KINDS, differences, require_comparable
from edge_asr.profiling.compare import Change, Judgement, Pair, judge, pair_up, read_report, unpaired, unquotable
from edge_asr.profiling.quantities import QUANTITIES
from edge_asr.profiling.rules import Rule, parse_rule
from edge_asr.terminal.options import json_option
from edge_asr.terminal.screen import notice, print_json

BROKEN = 3  # exit code


class RuleType(click.ParamType):
    name = "rule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Rule:
        try:
            return value if isinstance(value, Rule) else parse_rule(value)
        except EdgeAsrError as error:
            self.fail(str(error), param, ctx)


ROWS = "\n".join(f"  {each.name:<16} {each.unit or '-':<3} {each.meaning}" for each in QUANTITIES.values())

HELP = f"""Compare two reports of `edge-asr profile`, setting by setting; a gate for regressions.

A is before, B is after. Settings are paired by name. With --fail-if it exits with {BROKEN} where a rule is broken, and
with 1 where a rule asks for what was not measured, or A and B are not of the same work: that is never a pass.
--allow-different names what may differ all the same:

\b
  audio       the recordings
  texts       their reference texts
  unfinished  a run that was interrupted, or failed
  device      machine, target, threads, CPUs, governor; wer, kept, file and limits do not depend on it
  energy      where energy figures are from

Without --fail-if it shows the comparison, and warns.

\b
A rule is QUANTITY RELATION LIMIT, and says what fails. RELATION is > >= < or <=. LIMIT is one of
  1.05x     a factor: B against 1.05 times A
  +0.2      a difference: B minus A (-0.2 too); percentages in points
  25MB      a limit for B, whatever A is
with a unit or without one; without, the unit below is meant.

\b
Quantities:
{ROWS}

\b
Examples:
  edge-asr compare before.json after.json
  edge-asr compare before.json after.json --fail-if 'rtf>1.05x' --fail-if 'wer>+0.2'
  edge-asr compare a.json b.json --setting 'gate 0.7' --fail-if 'peak_rss>25MB' --json
  edge-asr compare a.json b.json --setting 'gate 0.7=gate 0.65'

Exit codes: 0 no rule broken, 1 failed, 2 wrong usage, {BROKEN} a rule is broken.
"""


@click.command("compare", help=HELP)
@click.argument("before", metavar="A.json", type=click.Path(path_type=Path))
@click.argument("after", metavar="B.json", type=click.Path(path_type=Path))
@click.option(
    "--fail-if", "rules", multiple=True, type=RuleType(), metavar="RULE", help="What must not be. May be repeated."
)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME[=NAME]",
    help="Only this setting; its name in B after = where it is another. May be repeated. Default: all in both.",
)
@click.option(
    "--allow-different",
    "allowed",
    multiple=True,
    type=click.Choice(KINDS),
    help="Judge the rules though A and B differ in this. May be repeated.",
)
@json_option
def command(
    before: Path,
    after: Path,
    rules: tuple[Rule, ...],
    settings: tuple[str, ...],
    allowed: tuple[str, ...],
    as_json: bool,
) -> int:
    old, new = read_report(before), read_report(after)
    different = list(differences(old, new))
    require_comparable(different, rules, allowed)
    pairs = pair_up(old, new, [split_setting(text) for text in settings])
    left_out = ([], []) if settings else unpaired(old, new, pairs)
    if rules and left_out[0]:
        raise EdgeAsrError(
            f"{after}: it lacks setting '{left_out[0][0]}', which the rules are for too: pair it with "
            f"--setting '{left_out[0][0]}=NAME', or name the settings that are meant"
        )
    judgements = judge(rules, pairs)
    warnings = [*(each.text for each in different), *unquotable(old, new)]
    warnings += [
        f"only in {path}: '{name}'" for path, names in zip((before, after), left_out, strict=True) for name in names
    ]
    for warning in warnings:
        notice(warning)
    broken = any(judgement.broken for judgement in judgements)
    if as_json:
        facts = {"settings": [asdict(pair) for pair in pairs], "rules": [asdict(each) for each in judgements]}
        print_json({**facts, "broken": broken, "warnings": warnings})
    else:
        for pair in pairs:
            print_pair(pair)
        for judgement in judgements:
            print_judgement(judgement)
    return BROKEN if broken else 0


def split_setting(text: str) -> tuple[str, str]:
    before, equals, after = text.partition("=")
    return (before.strip(), after.strip() if equals else before.strip())


def print_pair(pair: Pair) -> None:
    """A table of what either report has."""
    name = pair.before if pair.before == pair.after else f"{pair.before} -> {pair.after}"
    rows = [(name, "A", "B", "change")]
    rows += [row_of(change) for change in pair.changes if change.before is not None or change.after is not None]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for number, (label, was, now, change) in enumerate(rows):
        line = f"{label:<{widths[0]}}  {was:>{widths[1]}}  {now:>{widths[2]}}  {change:>{widths[3]}}"
        click.echo(click.style(line, bold=number == 0))
    click.echo()


def row_of(change: Change) -> tuple[str, str, str, str]:
    label = f"{change.quantity}{f' ({change.unit})' if change.unit else ''}"
    return (label, figure(change.before), figure(change.after), change_text(change))


def figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def change_text(change: Change) -> str:
    if change.difference is None:
        return ""
    if change.unit == "%":
        return f"{change.difference:+.2f} points"
    return f"{change.difference:+.3g}" if change.ratio is None else f"{change.ratio:.3f}x"


def print_judgement(judgement: Judgement) -> None:
    said = click.style("BROKEN", fg="red", bold=True) if judgement.broken else click.style("held", fg="green")
    unit = f" {judgement.unit}" if judgement.unit else ""
    was = "" if judgement.before is None else f"{figure(judgement.before)} -> "
    click.echo(f"{said}  {judgement.rule}  in {judgement.setting}: {was}{figure(judgement.after)}{unit}")
