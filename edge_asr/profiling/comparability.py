"""Whether two reports are of the same work under the same conditions: what differs, and which rules that spoils."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.anonymous import HIDDEN, hidden_target
from edge_asr.profiling.report import Report
from edge_asr.profiling.rules import Rule

AUDIO, TEXTS, UNFINISHED = "audio", "texts", "unfinished"  # spoil every rule
DEVICE, ENERGY = "device", "energy"  # spoil rules that compare what a device takes, or its energy
KINDS = (AUDIO, TEXTS, UNFINISHED, DEVICE, ENERGY)
OF_ANY_DEVICE = ("wer", "kept", "file")  # quantities that are the same on every device
ENERGIES = ("energy", "energy_estimate")


@dataclass(frozen=True)
class Difference:
    """Why two reports should not be compared."""

    kind: str  # of KINDS, as --allow-different names it
    text: str  # one line

    def spoils(self, rule: Rule) -> bool:
        """A limit for B alone needs no A; but it needs the whole of the same work."""
        if self.kind in (AUDIO, TEXTS, UNFINISHED):
            return True
        if not rule.needs_before:
            return False
        return rule.quantity.name in ENERGIES if self.kind == ENERGY else rule.quantity.name not in OF_ANY_DEVICE


def require_comparable(differences: Sequence[Difference], rules: Sequence[Rule], allowed: Sequence[str]) -> None:
    """Raises EdgeAsrError where a difference that is not allowed spoils a rule."""
    spoiling = [each for each in differences if each.kind not in allowed and any(map(each.spoils, rules))]
    if spoiling:
        kinds = dict.fromkeys(each.kind for each in spoiling)
        option = " ".join(f"--allow-different {kind}" for kind in kinds)
        reasons = "; ".join(each.text for each in spoiling)
        raise EdgeAsrError(f"the rules cannot be judged: {reasons}: measure both alike, or allow it ({option})")


def differences(before: Report, after: Report) -> Iterator[Difference]:
    """Those that matter, the gravest first."""
    if before.protocol.recordings_sha256 != after.protocol.recordings_sha256:
        yield Difference(AUDIO, "measured with different audio")
    yield from different_texts(before, after)
    for which, report in (("first", before), ("second", after)):
        if report.verdict.unfinished is not None:
            yield Difference(
                UNFINISHED, f"the {which} report is of a run that ended early: {report.verdict.unfinished}"
            )
    was, now = before.conditions, after.conditions
    for what, a, b in (
        ("machines", f"{was.cpu} ({was.machine})", f"{now.cpu} ({now.machine})"),
        ("targets", *told_apart(was.target, now.target)),
        ("numbers of threads", str(was.threads), str(now.threads)),
        ("CPUs", was.cpus or "any", now.cpus or "any"),
        ("governors", was.before.governor or "unknown", now.before.governor or "unknown"),
    ):
        if a != b:
            yield Difference(DEVICE, f"measured on different {what}: {a}, then {b}")
    was_by, now_by = energy_sources(before), energy_sources(after)
    if was_by and now_by and was_by != now_by:
        yield Difference(ENERGY, f"energy from different sources: {was_by}, then {now_by}")


def different_texts(before: Report, after: Report) -> Iterator[Difference]:
    """A report that has accuracy and no hash is of an edge-asr that did not write one."""
    for which, report in (("first", before), ("second", after)):
        if report.protocol.references_sha256 is None and any(result.accuracy for result in report.results):
            yield Difference(TEXTS, f"the {which} report lacks a hash of its reference texts (an older edge-asr)")
            return
    if before.protocol.references_sha256 != after.protocol.references_sha256:
        yield Difference(TEXTS, "measured with different reference texts")


def told_apart(was: str, now: str) -> tuple[str, str]:
    """An anonymous report does not say which host it is of, but how it was reached."""
    return (hidden_target(was), hidden_target(now)) if {was, now} & set(HIDDEN.values()) else (was, now)


def energy_sources(report: Report) -> str:
    return ", ".join(sorted({result.energy.source for result in report.results if result.energy.source}))
