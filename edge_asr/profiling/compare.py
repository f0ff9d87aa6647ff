"""Two reports, setting by setting: what has changed, and whether a rule is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.quantities import QUANTITIES
from edge_asr.profiling.report import Report, SettingResult, from_json
from edge_asr.profiling.rules import Rule


@dataclass(frozen=True)
class Change:
    """Of one quantity of one setting."""

    quantity: str
    unit: str
    before: float | None  # None where it was not measured
    after: float | None
    difference: float | None
    ratio: float | None  # None too where it was 0 before


@dataclass(frozen=True)
class Pair:
    """One setting in both reports."""

    before: str  # its name in the first
    after: str  # and in the second
    changes: tuple[Change, ...]

    def change(self, quantity: str) -> Change:
        return next(change for change in self.changes if change.quantity == quantity)


@dataclass(frozen=True)
class Judgement:
    """One rule on one setting."""

    rule: str
    setting: str  # its name in the second report
    broken: bool
    before: float | None
    after: float
    unit: str


def read_report(path: Path) -> Report:
    """Raises EdgeAsrError that names the file."""
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EdgeAsrError(f"{path}: no such report: `edge-asr profile --json {path}` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise EdgeAsrError(f"{path}: cannot be read as a report ({error})") from None
    except EdgeAsrError as error:
        raise EdgeAsrError(f"{path}: {error}") from None


def pair_up(before: Report, after: Report, chosen: Sequence[tuple[str, str]] = ()) -> list[Pair]:
    """The chosen settings (name before, name after), or all that have one name in both. Raises EdgeAsrError."""
    old = {result.setting.name: result for result in before.results}
    new = {result.setting.name: result for result in after.results}
    names = list(chosen) or [(name, name) for name in old if name in new]
    for name, results, which in [item for a, b in names for item in ((a, old, "first"), (b, new, "second"))]:
        if name not in results:
            raise EdgeAsrError(f"the {which} report has no setting '{name}': it has {listed(results)}")
    if not names:
        raise EdgeAsrError(
            f"no setting is in both reports: the first has {listed(old)}, the second {listed(new)}: pair them with "
            f"--setting 'NAME=NAME'"
        )
    return [Pair(a, b, tuple(changes(before, old[a], after, new[b]))) for a, b in names]


def listed(results: dict[str, SettingResult]) -> str:
    return ", ".join(f"'{name}'" for name in results) or "none"


def unpaired(before: Report, after: Report, pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    """Settings that are left out: of the first report, and of the second."""
    seen_before, seen_after = {pair.before for pair in pairs}, {pair.after for pair in pairs}
    return (
        [result.setting.name for result in before.results if result.setting.name not in seen_before],
        [result.setting.name for result in after.results if result.setting.name not in seen_after],
    )


def changes(before: Report, old: SettingResult, after: Report, new: SettingResult) -> Iterator[Change]:
    for quantity in QUANTITIES.values():
        was, now = quantity.read(before, old), quantity.read(after, new)
        difference = ratio = None
        if was is not None and now is not None:
            difference = now - was
            ratio = now / was if was else None
        yield Change(quantity.name, quantity.unit, was, now, difference, ratio)


def judge(rules: Sequence[Rule], pairs: Sequence[Pair]) -> list[Judgement]:
    """Every rule on every pair. Raises EdgeAsrError where a rule asks for what was not measured: that is no pass."""
    judgements = []
    for rule in rules:
        for pair in pairs:
            change = pair.change(rule.quantity.name)
            if change.after is None:
                raise unmeasured(rule, pair.after, "second")
            if change.before is None and rule.needs_before:
                raise unmeasured(rule, pair.before, "first")
            broken = rule.broken_by(change.before, change.after)
            judgements.append(Judgement(rule.text, pair.after, broken, change.before, change.after, change.unit))
    return judgements


def unmeasured(rule: Rule, setting: str, which: str) -> EdgeAsrError:
    return EdgeAsrError(
        f"{rule.text}: {rule.quantity.name} of '{setting}' is not measured in the {which} report: measure it, or name "
        "the settings that are meant with --setting"
    )


def unquotable(before: Report, after: Report) -> Iterator[str]:
    """Which of the two is too noisy, and why."""
    for which, report in (("first", before), ("second", after)):
        if not report.verdict.quotable:
            yield f"the {which} report is not fit to quote: {'; '.join(report.verdict.reasons)}"
