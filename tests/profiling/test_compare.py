"""`edge-asr compare`: what changed between two reports, and rules that fail a build."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.compare import judge, pair_up
from edge_asr.profiling.quantities import QUANTITIES
from edge_asr.profiling.report import Report, to_json
from edge_asr.profiling.rules import RELATIONS, parse_rule
from tests.outcome import Run
from tests.profiling.reports import make_report, make_result

# --- rules


@pytest.mark.parametrize(
    ("text", "kind", "limit"),
    [
        ("rtf>1.05x", "times", 1.05),
        ("wer>+0.2", "more", 0.2),
        ("wer > + 0.2 points", "more", 0.2),
        ("energy>=-.5", "more", -0.5),
        ("peak_rss>25MB", "is", 25),
        ("peak_rss>25000kB", "is", 25),
        ("cold_load>+0.05s", "more", 50),
        ("step_p99<4", "is", 4),
        ("energy>+0.001J", "more", 1),
        ("kept<=20", "is", 20),
    ],
)
def test_a_rule_is_a_factor_a_difference_or_a_limit(text: str, kind: str, limit: float) -> None:
    rule = parse_rule(text)
    assert (rule.kind, rule.text) == (kind, text)
    assert rule.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("", "is no rule: write a quantity, a relation and a limit"),
        ("rtf", "is no rule"),
        ("rtf=1.05x", "is no rule"),
        ("rtf>", "is no rule"),
        ("rtf>x", "is no rule"),
        ("rtf>1.05x wer>+0.2", "is no rule"),
        ("rtf>nan", "is no rule"),
        ("speed>1.05x", "no quantity is named 'speed': there are compute, rtf, "),
        ("rtf>+1.05x", "a factor has no sign: write 1.05x"),
        ("wer>+5%", "'%' is no unit of wer: write x, points, or none"),
        ("rtf>5ms", "'ms' is no unit of rtf: write x, or none"),
        ("file>1mb", "'mb' is no unit of file: write x, MB, kB, GB, or none"),
        (f"rtf>{'9' * 400}", "the limit is too large"),
    ],
)
def test_what_is_no_rule_is_told(text: str, trouble: str) -> None:
    with pytest.raises(EdgeAsrError) as caught:
        parse_rule(text)
    assert trouble in str(caught.value)


@pytest.mark.parametrize(
    ("text", "before", "after", "broken"),
    [
        ("rtf>1.05x", 0.01, 0.0105, False),  # binary fractions aside, just that
        ("rtf>=1.05x", 0.01, 0.0105, True),
        ("rtf>1.05x", 0.01, 0.01051, True),
        ("wer>+0.2", 2.0, 2.2, False),
        ("wer>=+0.2", 2.0, 2.2, True),
        ("wer>+0.2", 2.0, 2.21, True),
        ("wer>+0.2", 2.0, 1.0, False),
        ("wer>-0.2", 2.0, 1.9, True),
        ("kept<0.5x", 40.0, 19.0, True),
        ("growth>1.1x", 0.0, 0.0, False),
        ("growth>1.1x", 0.0, 0.1, True),
        ("peak_rss>25MB", None, 25.0, False),
        ("peak_rss>25MB", None, 25.1, True),
    ],
)
def test_when_a_rule_is_broken(text: str, before: float | None, after: float, broken: bool) -> None:
    assert parse_rule(text).broken_by(before, after) is broken


numbers = st.floats(0.001, 1e6).map(lambda value: float(f"{value:.6g}"))
units = st.sampled_from([(name, unit) for name, each in QUANTITIES.items() for unit in each.units])
spaces = st.text(" \t", max_size=2)


@given(
    units, st.sampled_from(sorted(RELATIONS)), st.sampled_from(["", "+", "-"]), numbers, st.lists(spaces, min_size=4)
)
def test_what_is_written_is_what_is_read(
    named: tuple[str, str], relation: str, sign: str, number: float, gaps: list[str]
) -> None:
    name, unit = named
    digits = f"{number:.9f}"
    rule = parse_rule(f"{gaps[0]}{name}{gaps[1]}{relation}{gaps[2]}{sign}{digits}{gaps[3]}{unit}")
    assert (rule.quantity.name, rule.relation, rule.kind) == (name, relation, "more" if sign else "is")
    expected = float(digits) * QUANTITIES[name].units[unit] * (-1 if sign == "-" else 1)
    assert math.isclose(rule.limit, expected)


@given(st.text())
def test_any_text_is_a_rule_or_one_line(text: str) -> None:
    try:
        assert parse_rule(text).quantity.name in text
    except EdgeAsrError as error:
        message = str(error)
        assert len(message.splitlines()) == 1


@given(numbers, numbers, st.floats(0, 100))
def test_a_higher_figure_never_mends_a_rule_against_growth(before: float, after: float, more: float) -> None:
    for text in ("rtf>1.05x", "rtf>+0.1", "rtf>3", "rtf>=1.05x"):
        rule = parse_rule(text)
        assert rule.broken_by(before, after + more) or not rule.broken_by(before, after)


@given(numbers, numbers)
def test_a_relation_and_its_opposite_never_agree(before: float, after: float) -> None:
    for limit in ("1.05x", "+0.1", "3"):
        assert parse_rule(f"rtf>{limit}").broken_by(before, after) != parse_rule(f"rtf<={limit}").broken_by(
            before, after
        )


# --- reports


def test_every_quantity_is_found_in_a_report() -> None:
    result = make_result("gate 0.7", mj_per_audio_s=12.5)
    estimated = replace(result.energy, kind="estimate")
    report = make_report(result, replace(make_result("b"), energy=estimated))
    (pair, other) = pair_up(report, report)
    found = {change.quantity: change.before for change in pair.changes}
    assert found == {
        "compute": 1.0,
        "rtf": 0.01,
        "step_p50": 4.0,
        "step_p99": 12.0,
        "cold_load": 30.0,
        "first_result": 40.0,
        "first_partial": None,
        "end_of_speech": 5.0,
        "wer": 2.0,
        "kept": 30.0,
        "peak_rss": 20.0,
        "pss": 19.0,
        "growth": 0.0,
        "energy": 12.5,
        "energy_estimate": None,
        "file": 6.0,
    }
    assert found.keys() == QUANTITIES.keys()
    assert all(change.difference == 0 for change in pair.changes if change.before is not None)
    assert (other.change("energy").before, other.change("energy_estimate").before) == (None, 12.5)


def test_compute_is_that_of_hearing_everything_once() -> None:
    report = make_report(make_result("a"))
    twice = replace(report, protocol=replace(report.protocol, traversals=2))
    (pair,) = pair_up(report, twice)
    assert pair.change("compute").after == 0.5


def test_emulated_time_is_not_measured() -> None:
    report = make_report(make_result("a", rtf=None), emulated=True)
    (pair,) = pair_up(report, report)
    for quantity in ("compute", "rtf", "step_p50", "cold_load"):
        with pytest.raises(EdgeAsrError, match=f"{quantity} of 'a' is not measured in the second report"):
            judge([parse_rule(f"{quantity}>1x")], [pair])


# --- the command


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Report], Path]:
    def write_report(name: str, report: Report) -> Path:
        path = tmp_path / name
        path.write_text(to_json(report))
        return path

    return write_report


Write = Callable[[str, Report], Path]


def test_a_table_tells_the_changes(run: Run, write: Write) -> None:
    a = write("a.json", make_report(make_result("gate 0.7"), make_result("gate off", rtf=0.02)))
    b = write("b.json", make_report(make_result("gate 0.7", rtf=0.011, wer=2.5), make_result("gate off", rtf=0.02)))
    outcome = run("compare", a, b)
    assert (outcome.code, outcome.err) == (0, "")
    rows = [line.split() for line in outcome.out.splitlines()]
    assert ["rtf", "0.01", "0.011", "1.100x"] in rows
    assert ["wer", "(%)", "2", "2.5", "+0.50", "points"] in rows
    assert ["peak_rss", "(MB)", "20", "20", "1.000x"] in rows
    assert ["rtf", "0.02", "0.02", "1.000x"] in rows
    assert "energy" not in outcome.out


def test_a_broken_rule_has_an_exit_code_of_its_own(run: Run, write: Write) -> None:
    a, b = write("a.json", make_report(make_result("x"))), write("b.json", make_report(make_result("x", rtf=0.011)))
    kept = run("compare", a, b, "--fail-if", "rtf>1.2x", "--fail-if", "wer>+0.2")
    assert (kept.code, kept.err) == (0, "")
    assert kept.out.count("held  ") == 2
    broken = run("compare", a, b, "--fail-if", "rtf>1.05x", "--fail-if", "wer>+0.2")
    assert (broken.code, broken.err) == (3, "")
    assert "BROKEN  rtf>1.05x  in x: 0.01 -> 0.011" in broken.out


def test_json(run: Run, write: Write) -> None:
    a, b = write("a.json", make_report(make_result("x"))), write("b.json", make_report(make_result("x", rtf=0.011)))
    outcome = run("compare", a, b, "--fail-if", "rtf>1.05x", "--json")
    assert outcome.code == 3
    answer: dict[str, Any] = outcome.json
    assert answer["broken"] is True
    assert answer["warnings"] == []
    (judgement,) = answer["rules"]
    assert (judgement["setting"], judgement["broken"], judgement["before"], judgement["after"]) == (
        "x",
        True,
        0.01,
        0.011,
    )
    (setting,) = answer["settings"]
    (change,) = [change for change in setting["changes"] if change["quantity"] == "rtf"]
    assert change["ratio"] == pytest.approx(1.1)


def test_what_was_not_measured_is_no_pass(run: Run, write: Write) -> None:
    a, b = write("a.json", make_report(make_result("x"))), write("b.json", make_report(make_result("x", wer=None)))
    run("compare", a, b, "--fail-if", "wer>+0.2").assert_fails("wer of 'x' is not measured in the second report")
    run("compare", b, a, "--fail-if", "wer>+0.2").assert_fails("wer of 'x' is not measured in the first report")
    assert run("compare", b, a, "--fail-if", "wer>3").code == 0  # a limit needs no first
    run("compare", a, a, "--fail-if", "energy>1.1x").assert_fails("energy of 'x' is not measured")


def test_a_setting_that_has_gone_is_no_pass(run: Run, write: Write) -> None:
    """Else a gate would open by itself when a threshold is renamed."""
    a = write("a.json", make_report(make_result("gate 0.7"), make_result("gate off")))
    b = write("b.json", make_report(make_result("gate 0.65", rtf=0.02), make_result("gate off")))
    run("compare", a, b, "--fail-if", "rtf>1.05x").assert_fails("lacks setting 'gate 0.7'", "--setting 'gate 0.7=NAME'")
    shown = run("compare", a, b)
    assert shown.code == 0
    assert "only in" in shown.err
    assert "'gate 0.65'" in shown.err
    assert run("compare", a, b, "--fail-if", "rtf>1.05x", "--setting", "gate off").code == 0
    assert run("compare", a, b, "--fail-if", "rtf>1.05x", "--setting", "gate 0.7=gate 0.65").code == 3


def test_settings_that_are_not_there(run: Run, write: Write) -> None:
    a, b = write("a.json", make_report(make_result("x"))), write("b.json", make_report(make_result("y")))
    run("compare", a, b).assert_fails("no setting is in both reports", "'x'", "'y'", "--setting 'NAME=NAME'")
    run("compare", a, a, "--setting", "z").assert_fails("the first report has no setting 'z': it has 'x'")
    run("compare", a, b, "--setting", "x").assert_fails("the second report has no setting 'x'")


def test_it_warns_where_the_two_may_not_be_comparable(run: Run, write: Write) -> None:
    a = write("a.json", make_report(make_result("x")))
    other = make_report(
        make_result("x"), machine="x86_64", cpu="Xeon", threads=2, recordings_sha256="00" * 32, reasons=("noisy",)
    )
    outcome = run("compare", a, write("b.json", other))
    assert outcome.code == 0
    for part in (
        "different machines: Cortex-A76 (aarch64), then Xeon (x86_64)",
        "different numbers of threads: 1, then 2",
        "different audio",
        "the second report is not fit to quote: noisy",
    ):
        assert part in outcome.err


DIFFERENT: dict[str, dict[str, Any]] = {
    "audio": {"recordings_sha256": "00" * 32},
    "texts": {"references_sha256": "00" * 32},
    "unfinished": {"unfinished": "interrupted", "reasons": ("interrupted",)},
}


@pytest.mark.parametrize("rule", ["rtf>1.05x", "wer>+0.2", "peak_rss>25MB"])
@pytest.mark.parametrize("kind", DIFFERENT)
@pytest.mark.parametrize("turned", [False, True])
def test_reports_of_other_work_are_no_pass(run: Run, write: Write, kind: str, rule: str, turned: bool) -> None:
    """They are shown, but a gate must not open for them, whichever of the two is the odd one."""
    a, b = (
        write("a.json", make_report(make_result("x"))),
        write("b.json", make_report(make_result("x"), **DIFFERENT[kind])),
    )
    first, second = (b, a) if turned else (a, b)
    shown = run("compare", first, second)
    assert shown.code == 0
    assert "rtf" in shown.out
    assert shown.err
    gate = ("compare", first, second, "--fail-if", rule)
    run(*gate).assert_fails("the rules cannot be judged", f"--allow-different {kind}")
    run(*gate, "--json").assert_fails("the rules cannot be judged")
    allowed = run(*gate, "--allow-different", kind)
    assert allowed.code == 0
    assert "held" in allowed.out
    assert allowed.err == shown.err
    others = [other for other in DIFFERENT if other != kind]
    run(*gate, *(word for other in others for word in ("--allow-different", other))).assert_fails(kind)


def test_all_that_differs_is_told_at_once(run: Run, write: Write) -> None:
    a = write("a.json", make_report(make_result("x")))
    b = write("b.json", make_report(make_result("x"), **DIFFERENT["audio"], **DIFFERENT["unfinished"]))
    run("compare", a, b, "--fail-if", "rtf>1x").assert_fails(
        "different audio",
        "the second report is of a run that ended early: interrupted",
        "--allow-different audio --allow-different unfinished",
    )


@pytest.mark.parametrize(
    ("change", "kind", "refused", "judged"),
    [
        ({"cpu": "Xeon"}, "device", ["rtf>1.05x", "peak_rss>1.1x", "energy>1.1x"], ["wer>+1", "kept>+1", "file>1x"]),
        ({"threads": 2}, "device", ["step_p99>+1"], ["step_p99>13", "wer>+1"]),
        ({"target": "ssh:pi@board"}, "device", ["compute>1.1x"], ["wer>3"]),
    ],
)
def test_times_of_another_device_are_no_pass(
    run: Run, write: Write, change: dict[str, Any], kind: str, refused: list[str], judged: list[str]
) -> None:
    """Nor memory, nor energy; accuracy and a limit whatever A was do not depend on A's device."""
    result = make_result("x", mj_per_audio_s=3.0)
    a, b = write("a.json", make_report(result)), write("b.json", make_report(result, **change))
    for rule in refused:
        run("compare", a, b, "--fail-if", rule).assert_fails("measured on different", f"--allow-different {kind}")
        assert run("compare", a, b, "--fail-if", rule, "--allow-different", kind).code == 0
    for rule in judged:
        assert run("compare", a, b, "--fail-if", rule).code == 0


def test_energy_of_another_source_is_no_pass(run: Run, write: Write) -> None:
    result = make_result("x", mj_per_audio_s=3.0)
    other = replace(result, energy=replace(result.energy, source="log:ppk.csv"))
    a, b = write("a.json", make_report(result)), write("b.json", make_report(other))
    run("compare", a, b, "--fail-if", "energy>1.1x").assert_fails("energy from different sources")
    assert run("compare", a, b, "--fail-if", "energy>1.1x", "--allow-different", "energy").code == 0
    assert run("compare", a, b, "--fail-if", "rtf>1.1x", "--fail-if", "energy>4").code == 0


def test_an_anonymous_report_is_of_a_host_like_the_other(run: Run, write: Write) -> None:
    reports = {name: make_report(make_result("x"), target=name) for name in ("ssh:USER@HOST", "ssh:pi@board", "local")}
    hidden, named, local = (write(f"{number}.json", report) for number, report in enumerate(reports.values()))
    assert run("compare", hidden, named, "--fail-if", "rtf>1x").err == ""
    run("compare", local, hidden, "--fail-if", "rtf>1x").assert_fails("different targets")


def test_a_report_that_does_not_know_its_texts_is_no_pass(run: Run, write: Write) -> None:
    """As an older edge-asr wrote it; one without accuracy has no texts to know."""
    unknown = write("a.json", make_report(make_result("x"), references_sha256=None))
    bare = write("b.json", make_report(make_result("x", wer=None), references_sha256=None))
    run("compare", unknown, unknown, "--fail-if", "rtf>1x").assert_fails("lacks a hash of its reference texts")
    assert run("compare", bare, bare, "--fail-if", "rtf>1x").code == 0


def test_two_settings_of_one_name_are_no_report(run: Run, write: Write) -> None:
    """Whichever came last would be judged."""
    a = write("a.json", make_report(make_result("x")))
    b = write("b.json", make_report(make_result("x", rtf=1.0), make_result("x")))
    run("compare", a, b, "--fail-if", "rtf>1.05x").assert_fails("b.json: not a profile: two of its settings", "'x'")
    run("compare", a, b).assert_fails("b.json")


def test_files_that_are_no_reports(run: Run, write: Write, tmp_path: Path) -> None:
    a = write("a.json", make_report(make_result("x")))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text('{"format": "other"}')
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    run("compare", a, tmp_path / "absent.json").assert_fails("absent.json: no such report")
    run("compare", tmp_path / "broken.json", a).assert_fails("broken.json: not a profile")
    run("compare", tmp_path / "other.json", a).assert_fails("other.json: not a profile")
    run("compare", tmp_path / "binary.json", a).assert_fails("binary.json: cannot be read")
    run("compare", tmp_path, a).assert_fails("cannot be read")
    run("compare", a, a, "--fail-if", "speed>2x").assert_fails("no quantity is named 'speed'", code=2)


def test_help_teaches_every_quantity(run: Run) -> None:
    outcome = run("compare", "--help")
    assert all(f"  {name} " in outcome.out for name in QUANTITIES)
    assert "1.05x" in outcome.out
