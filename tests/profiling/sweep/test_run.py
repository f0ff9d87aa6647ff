"""Passes: interleaved, kept one by one, and taken up again where they ended."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.anonymous import Anonymizer
from edge_asr.profiling.report import Energy
from edge_asr.profiling.sweep import run as run_module
from edge_asr.profiling.sweep.journal import NAME, Circumstances, EnergyRecord, Journal, key_of
from edge_asr.profiling.sweep.run import take_passes, traversals_of, turned
from tests.profiling.reports import make_report
from tests.profiling.sweep.fakes import CIRCUMSTANCES, FakeContender, journal, recordings, session


def contenders(log: list[str]) -> list[FakeContender]:
    return [FakeContender(name, log) for name in ("off", "half", "low")]


def test_every_round_has_every_setting_once(tmp_path: Path) -> None:
    log: list[str] = []
    take_passes(session(), contenders(log), recordings(), 6, journal(tmp_path))
    rounds = [log[start : start + 3] for start in range(0, len(log), 3)]
    assert len(rounds) == 6
    assert all(sorted(each) == ["half", "low", "off"] for each in rounds)


def test_nobody_always_follows_the_same_setting() -> None:
    settings = [FakeContender(name, []) for name in "ABCD"]
    orders = ["".join(each.setting.name for each in turned(settings, number)) for number in range(8)]
    assert {order[0] for order in orders} == set("ABCD")
    before = {order[order.index("C") - 1] for order in orders if order[0] != "C"}
    assert len(before) > 1


def test_the_first_recording_warms_up_and_is_not_counted(tmp_path: Path) -> None:
    """It costs 100 s here, where others cost 0.5."""
    log: list[str] = []
    each, kept = FakeContender("off", log), journal(tmp_path)
    take_passes(session(), [each], recordings(), 1, kept)
    assert [path.name for path in each.asked[-1].recordings] == ["one.wav", "one.wav", "two.wav"]
    assert kept.passes[0].compute_s == pytest.approx(1.0)
    assert kept.passes[0].texts == ("ONE TWO", "THREE FOUR")


def test_short_recordings_are_heard_again_and_counted_once(tmp_path: Path) -> None:
    each, kept, short = FakeContender("off", []), journal(tmp_path), recordings(audio_s=50.0)
    assert traversals_of(short) == 3
    take_passes(session(), [each], short, 1, kept)
    assert len(each.asked[-1].recordings) == 1 + 3 * 2
    record = kept.passes[0]
    assert (record.compute_s, record.frames, record.kept_frames, len(record.texts)) == (pytest.approx(1.0), 200, 80, 2)


@pytest.mark.parametrize("at", [0, 1, 3])
def test_an_interruption_loses_no_finished_pass_and_repeats_none_but_the_references(tmp_path: Path, at: int) -> None:
    """Which has one beside each that is taken later: a ratio pairs passes of one go."""
    log: list[str] = []
    first = contenders(log)
    first[1].interrupted_at = at
    with pytest.raises(KeyboardInterrupt):
        take_passes(session(), first, recordings(), 4, journal(tmp_path))
    finished = len(log)
    kept = journal(tmp_path)
    assert len(kept.passes) == finished
    take_passes(session(), contenders(log), recordings(), 4, kept)
    taken = {each.setting.name: [r for r in kept.passes if r.key == key_of(each.setting)] for each in first}
    assert all({record.number for record in passes} == set(range(4)) for passes in taken.values())
    assert len(taken["half"]) == len(taken["low"]) == 4
    later = kept.session
    beside = {record.number for record in taken["off"] if record.session == later}
    assert beside >= {r.number for name in ("half", "low") for r in taken[name] if r.session == later}
    assert len(taken["off"]) <= 5
    assert {record.session for record in kept.passes} == ({0, 1} if finished else {0})


def test_nothing_is_run_where_nothing_is_missing(tmp_path: Path) -> None:
    take_passes(session(), contenders([]), recordings(), 2, journal(tmp_path))
    again = contenders([])
    take_passes(session(), again, recordings(), 2, journal(tmp_path))
    assert not any(each.asked for each in again)


def test_a_setting_that_is_added_later_runs_beside_the_reference_alone(tmp_path: Path) -> None:
    take_passes(session(), contenders([]), recordings(), 2, journal(tmp_path))
    log: list[str] = []
    take_passes(session(), [*contenders(log), FakeContender("new", log)], recordings(), 2, journal(tmp_path))
    assert sorted(log) == ["new", "new", "off", "off"]


def test_a_setting_that_fails_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    log: list[str] = []
    settings, kept, this = contenders(log), journal(tmp_path), session()
    settings[1].fails_at = 1
    take_passes(this, settings, recordings(), 4, kept)
    assert (log.count("off"), log.count("half"), log.count("low")) == (4, 1, 4)
    assert this.failures == {"half": "the board caught fire"}


def test_a_runtime_that_loses_a_recording_has_failed(tmp_path: Path) -> None:
    log: list[str] = []
    settings, kept, this = contenders(log), journal(tmp_path), session()
    settings[2].lost = 1
    take_passes(this, settings, recordings(), 2, kept)
    assert this.failures == {"low": "it heard 1 of 2 recordings"}
    assert len(kept.passes) == 4


def test_a_line_that_a_crash_cut_off_is_taken_again(tmp_path: Path) -> None:
    take_passes(session(), contenders([]), recordings(), 2, journal(tmp_path))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-20])
    log: list[str] = []
    take_passes(session(), contenders(log), recordings(), 2, journal(tmp_path))
    assert len(log) == 1
    assert len(journal(tmp_path).passes) == 6


def test_another_set_of_recordings_does_not_go_into_the_same_folder(tmp_path: Path) -> None:
    journal(tmp_path).close()
    other = Circumstances("1" * 64, "local", 1, None)
    with pytest.raises(EdgeAsrError, match="holds a sweep with other recordings"):
        Journal(tmp_path, other)
    with pytest.raises(EdgeAsrError, match=r"other threads \(1, not 2\): name another folder"):
        Journal(tmp_path, Circumstances(CIRCUMSTANCES.recordings_sha256, "local", 2, None))


def test_a_file_of_something_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("my shopping list\n")
    with pytest.raises(EdgeAsrError, match="not the passes of a sweep"):
        journal(tmp_path)
    assert (tmp_path / NAME).read_text() == "my shopping list\n"


def test_energy_is_kept_and_read_again(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    energy = Energy("measured", "rapl:package-0", None, 12.5, 3.0, 0.1, 4.0, 10.0, 900)
    kept.add(EnergyRecord("k", 0, 7, energy))
    assert journal(tmp_path).energies == [EnergyRecord("k", 0, 7, energy)]


class SteadyMeter:
    """4 W at rest, and 6 W when it is asked for a span that is not one of rest."""

    name, kind, covers, problem, automatic = "steady", "measured", "the board", None, True

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.idle: list[tuple[float, float]] = []

    def start(self, files: object) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def align(self, busy: object, idle: list[run_module.Span]) -> None:
        self.idle = [(span.begin_s, span.end_s) for span in idle]

    def window(self, begin_s: float, end_s: float) -> object:
        from edge_asr.profiling.meters.protocol import Window

        seconds = end_s - begin_s
        watts = 4.0 if (begin_s, end_s) in self.idle else 6.0
        return Window(watts * seconds, seconds, 10, 10 / seconds, 0.0)


@pytest.mark.parametrize("interrupted", [False, True])
def test_energy_is_of_the_passes_above_rest_also_of_those_before_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    monkeypatch.setattr(run_module, "IDLE_S", 0.001)
    ticks = itertools.count()
    this, meter = session(), SteadyMeter()
    this.meter = meter  # type: ignore[assignment]
    monkeypatch.setattr(this.target, "clock_s", lambda: float(next(ticks)))
    settings, kept = contenders([]), journal(tmp_path)
    if interrupted:
        settings[0].interrupted_at = 2
        with pytest.raises(KeyboardInterrupt):
            take_passes(this, settings, recordings(), 4, kept)
    else:
        take_passes(this, settings, recordings(), 4, kept)
    assert meter.calls == ["start", "stop"]
    assert len(kept.energies) == 3
    for record in kept.energies:
        assert record.energy.mj_per_audio_s == pytest.approx(1e3 * 2.0 / 120.0)  # 2 W above rest, 1 s, 120 s of audio
        assert record.energy.idle_w == pytest.approx(4.0)


def test_an_anonymous_journal_says_of_a_host_only_how_it_was_reached(tmp_path: Path) -> None:
    """Its conditions and the reasons of its meter too; and it is gone on with like any other."""
    at = Circumstances("0" * 64, "ssh:jane@board", 1, None)
    energy = Energy("not measured", None, "ssh:jane@board: jane@board has gone", None, None, None, None, None, None)
    for _ in range(2):
        kept = Journal(tmp_path, at, Anonymizer(at.target, "edge-asr sweep"))
        kept.set_conditions(make_report(target=at.target).conditions)
        kept.add(EnergyRecord("key", kept.session, 1, energy))
        kept.close()
    text = kept.path.read_text()
    assert "jane" not in text
    assert "board" not in text
    assert text.count("ssh:USER@HOST") == 5
    with pytest.raises(EdgeAsrError, match="holds a sweep with other target"):
        Journal(tmp_path, at)
