"""A measurement, on a constructed device whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling import figures
from edge_asr.profiling import session as session_module
from edge_asr.profiling.meters.none import NoMeter
from edge_asr.profiling.meters.protocol import Meter
from edge_asr.profiling.report import Report
from edge_asr.profiling.session import Plan, Session, measure
from tests.profiling.constructed import AUDIO_S, PLAN, RECORDINGS, ConstantPower, Constructed, Device, setting

NO_METER = NoMeter("no meter on the target")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LOOK_AROUND_S", 0)


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def pair(device: Device) -> list[Constructed]:
    """The second takes twice the first's time; both log in one place."""
    first = Constructed(setting("gate 0.7"), device)
    return [first, Constructed(setting("gate off"), device, step_ms=(2.0, 6.0), log=first.log)]


def run(device: Device, contenders: list[Constructed], plan: Plan = PLAN, meter: Meter = NO_METER) -> Report:
    return measure(Session(device, contenders, RECORDINGS, plan, meter, "edge-asr profile"))


def test_settings_take_turns_in_going_first(device: Device, pair: list[Constructed]) -> None:
    run(device, pair, replace(PLAN, passes=3))
    on, off = "gate 0.7", "gate off"
    cold = [f"{name} bench" for name in (on, off, off, on)]
    warm = [f"{name} steps" for name in (on, off)]
    passes = [f"{name} pass" for name in (on, off, off, on, on, off)]
    assert pair[0].log == [*cold, *warm, *passes]


def test_latency_is_that_of_the_runtime(device: Device, pair: list[Constructed]) -> None:
    latency = run(device, pair).results[0].latency
    assert latency
    assert latency.warm_step_ms
    assert latency.warm_step_ms.count == 6 * 3 * 2  # passes, recordings, steps: the lead-in is not counted
    assert latency.warm_step_upper_ms
    assert (latency.warm_step_upper_ms.count, latency.warm_step_upper_ms.p50_ms) == (18, 3.0)
    assert latency.warm_step_skipped_ms
    assert latency.warm_step_skipped_ms.p99_ms == 1.0
    assert latency.rtf == pytest.approx(0.004 / AUDIO_S)
    assert latency.cold_load_ms
    assert (latency.cold_load_ms.count, latency.cold_load_ms.p50_ms, latency.cold_load_ms.p99_ms) == (2, 21, 22)
    assert latency.first_step_ms
    assert latency.first_step_ms.mean_ms == 5


def test_the_first_text_waits_for_audio_and_the_last_for_compute_alone(device: Device, pair: list[Constructed]) -> None:
    latency = run(device, pair).results[0].latency
    assert latency
    assert latency.first_partial_ms
    assert latency.first_partial_ms.p50_ms == pytest.approx(1_000 + 3 + 0.25)
    assert latency.end_of_speech_ms
    assert latency.end_of_speech_ms.p50_ms == pytest.approx(3 + 0.25)
    assert latency.end_of_speech_ms.count == 21  # three recordings seven times


def test_memory_is_that_of_fresh_processes(device: Device, pair: list[Constructed]) -> None:
    memory = run(device, pair).results[0].memory
    assert memory.peak_rss_bytes == 20_000_002
    assert (memory.pss_bytes, memory.planned_bytes, memory.packed_bytes) == (18_000_000, 2_000_000, 9_000_000)
    assert memory.growth_bytes == 3_000  # a kilobyte a recording


def test_ratios_are_of_the_first_setting_over_each_other(device: Device, pair: list[Constructed]) -> None:
    ratios = {ratio.quantity: ratio for ratio in run(device, pair).ratios}
    assert ratios["compute"].ratio == pytest.approx(0.5)
    assert ratios["compute"].ci95 == pytest.approx((0.5, 0.5))
    assert (ratios["compute"].of, ratios["compute"].to, ratios["compute"].pairs) == ("gate 0.7", "gate off", 6)
    assert ratios["peak_rss"].ratio == pytest.approx(1, abs=1e-6)
    assert "energy" not in ratios


def test_a_device_that_becomes_slower_does_not_move_the_ratio(device: Device, pair: list[Constructed]) -> None:
    for contender in pair:
        contender.drift = 0.02
    report = run(device, pair, replace(PLAN, passes=10))
    (compute,) = [ratio for ratio in report.ratios if ratio.quantity == "compute"]
    assert compute.ratio == pytest.approx(0.5, rel=0.01)
    assert not report.verdict.quotable
    assert "gate 0.7: its passes spread by" in report.verdict.reasons[0]


def test_accuracy_is_of_the_same_texts(device: Device, pair: list[Constructed]) -> None:
    report = run(device, pair)
    accuracy = report.results[0].accuracy
    assert accuracy
    assert (accuracy.wer, accuracy.substitutions, accuracy.words) == (25, 1, 4)
    (change,) = report.wer_changes
    assert (change.of, change.to, change.points) == ("gate 0.7", "gate off", 0)


def test_without_texts_there_is_no_accuracy(device: Device, pair: list[Constructed]) -> None:
    silent = replace(RECORDINGS, texts=None)
    report = measure(Session(device, pair, silent, PLAN, NO_METER, "edge-asr profile"))
    assert [result.accuracy for result in report.results] == [None, None]
    assert report.wer_changes == ()
    assert any("no reference texts" in note for note in report.notes)


def test_short_recordings_are_heard_again_until_a_pass_is_long_enough(device: Device, pair: list[Constructed]) -> None:
    """12 ms of compute go over the recordings; 0.1 s are wanted of the fastest setting."""
    report = run(device, pair, replace(PLAN, pass_s=0.1))
    assert report.protocol.traversals == 9
    assert report.results[0].audio_s == 3 * AUDIO_S
    assert report.results[0].passes[0].compute_s == pytest.approx(9 * 0.012)
    assert report.results[0].passes[0].cpu_s == pytest.approx(9 * 0.012)


def test_the_order_of_passes_is_told(device: Device, pair: list[Constructed]) -> None:
    results = run(device, pair, replace(PLAN, passes=3)).results
    assert [each.order for each in results[0].passes] == [0, 3, 4]
    assert [each.order for each in results[1].passes] == [1, 2, 5]


def test_texts_that_change_from_pass_to_pass_are_told(device: Device, pair: list[Constructed]) -> None:
    pair[0].text_of_pass = {5: "SOMETHING ELSE"}  # two cold starts, the warm-up, then passes
    assert any("gate 0.7: the text was not the same" in note for note in run(device, pair).notes)


# energy


def test_without_a_meter_there_is_no_figure(device: Device, pair: list[Constructed]) -> None:
    for result in run(device, pair).results:
        assert (result.energy.kind, result.energy.reason) == ("not measured", "no meter on the target")
        assert (result.energy.joules, result.energy.mj_per_audio_s) == (None, None)
        assert [each.joules for each in result.passes] == [None] * 6


class Rising(ConstantPower):
    """5 W at rest, 7 W while passes run."""

    def window(self, begin_s: float, end_s: float):  # type: ignore[no-untyped-def]
        window = super().window(begin_s, end_s)
        return window if window.seconds < 1e-6 else replace(window, joules=7.0 * window.seconds)


def test_energy_is_above_idle_and_for_a_second_of_audio(device: Device, pair: list[Constructed]) -> None:
    """Passes of 12 ms on 6 s of audio, 2 W above idle."""
    meter = Rising(device)
    report = run(device, pair, meter=meter)
    energy = report.results[0].energy
    assert (meter.started, meter.stopped) == (True, True)
    assert energy.kind == "measured"
    assert energy.idle_w == pytest.approx(5)
    assert energy.mj_per_audio_s == pytest.approx(1e3 * 2 * 0.012 / 6)
    assert energy.joules == pytest.approx(6 * 2 * 0.012)
    (ratio,) = [ratio for ratio in report.ratios if ratio.quantity == "energy"]
    assert ratio.ratio == pytest.approx(0.5)


def test_a_meter_that_dies_leaves_the_rest_of_the_report(device: Device, pair: list[Constructed]) -> None:
    report = run(device, pair, meter=Rising(device, dies_at_s=device.now_s))
    assert report.results[1].latency
    assert report.results[1].energy.kind == "not measured"
    assert "the meter died" in (report.results[1].energy.reason or "")


def test_a_log_that_cannot_be_aligned_says_so(device: Device, pair: list[Constructed]) -> None:
    report = run(device, pair, meter=ConstantPower(device, refuses_to_align="the load is not to be seen in the log"))
    assert {result.energy.reason for result in report.results} == {"the load is not to be seen in the log"}


# what ends early


def test_what_was_measured_before_a_failure_is_kept(device: Device, pair: list[Constructed]) -> None:
    pair[1].fails_after = 13  # a pass is a lead-in of three recordings, and three more: in its third
    meter = Rising(device)
    session = Session(device, pair, RECORDINGS, PLAN, meter, "edge-asr profile")
    with pytest.raises(EdgeAsrError, match="the device has gone"):
        list(session.run())
    report = session.report("it failed: the device has gone")
    assert report
    assert [len(result.passes) for result in report.results] == [3, 2]
    assert report.protocol.passes == 2
    assert not report.verdict.quotable
    assert report.verdict.reasons[0] == "it failed: the device has gone"
    assert meter.stopped
    assert report.results[0].energy.kind == "measured"


def test_before_the_first_pass_there_is_nothing_to_report(device: Device, pair: list[Constructed]) -> None:
    session = Session(device, pair, RECORDINGS, PLAN, NO_METER, "edge-asr profile")
    assert session.report() is None


def test_a_session_that_is_given_up_stops_its_meter(device: Device, pair: list[Constructed]) -> None:
    meter = Rising(device)
    session = Session(device, pair, RECORDINGS, PLAN, meter, "edge-asr profile")
    rounds = session.run()
    next(rounds)
    assert not meter.stopped
    rounds.close()
    assert meter.stopped


def test_a_runner_that_hears_less_than_it_was_given_is_noticed(device: Device, pair: list[Constructed]) -> None:
    class Lazy(Constructed):
        def run(self, work):  # type: ignore[no-untyped-def]
            items: Iterator[dict[str, object]] = super().run(work)
            yield from items if work.bench or work.steps else list(items)[:-1]

    with pytest.raises(EdgeAsrError, match="5 of 6 recordings"):
        run(device, [Lazy(setting("gate 0.7"), device)])


# the verdict


def test_a_steady_measurement_may_be_quoted(device: Device, pair: list[Constructed]) -> None:
    verdict = run(device, pair).verdict
    assert (verdict.quotable, verdict.reasons) == (True, ())
    assert verdict.spread == pytest.approx(0)


def test_few_passes_may_not(device: Device, pair: list[Constructed]) -> None:
    verdict = run(device, pair, replace(PLAN, passes=2)).verdict
    assert verdict.reasons == ("2 pass(es) are too few for an interval (at least 6)",)


def test_emulated_time_means_nothing(device: Device, pair: list[Constructed]) -> None:
    device.emulated = True
    report = run(device, pair)
    assert [result.latency for result in report.results] == [None, None]
    assert (report.ratios, report.results[0].passes, report.results[0].memory.peak_rss_bytes) == ((), (), None)
    assert report.verdict.reasons == ("emulated: time means nothing",)
    assert report.results[0].accuracy


# in words


def test_an_estimated_ratio_is_called_one(device: Device, pair: list[Constructed]) -> None:
    measured = run(device, pair, meter=Rising(device))
    (said,) = figures.comparisons(measured)
    assert "50% less energy (0.500" in str(said)
    estimated = run(device, pair, meter=Rising(device, kind="estimate"))
    (said,) = figures.comparisons(estimated)
    assert "50% less energy by estimate (0.500" in str(said)
    assert all("ESTIMATE, not measured" in line for line in figures.energy_lines(estimated))
    (row,) = [row for row in figures.rows(estimated) if row.label.startswith("energy")]
    assert row.label == "energy (estimate)"
    assert all("(estimate)" in value for value in row.values)
