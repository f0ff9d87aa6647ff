"""What a report says of energy: idle subtracted, per second of audio, with an interval that holds the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.energy import Idle, energy_of, half_width, idle_of, subtract_idle
from edge_asr.profiling.meters.none import NoMeter
from edge_asr.profiling.meters.protocol import Span, Window
from edge_asr.profiling.report import EnergyKind
from edge_asr.profiling.targets.protocol import Files

IDLE = (Span(0, 10), Span(40, 50))
PASSES = (Span(10, 20), Span(20, 30), Span(30, 40))


@dataclass
class KnownPower:
    """A meter of a power that a test gives, W over s."""

    watts: Callable[[float], float]
    dies_at_s: float = 100.0
    name: str = "known"
    covers: str = "everything"
    kind: EnergyKind = "measured"
    problem: str | None = None
    automatic: bool = True
    uncertainty_j: float = 0.1
    asked: list[Span] = field(default_factory=list)

    def start(self, files: Files) -> None: ...

    def stop(self) -> None: ...

    def align(self, busy: Sequence[Span], idle: Sequence[Span]) -> None: ...

    def window(self, begin_s: float, end_s: float) -> Window:
        if end_s > self.dies_at_s:
            raise EdgeAsrError("known: samples end too early")
        seconds = end_s - begin_s
        joules = self.watts((begin_s + end_s) / 2) * seconds
        return Window(joules, seconds, int(10 * seconds), 10.0, self.uncertainty_j)


def load(time_s: float) -> float:
    return 3.0 if 10 <= time_s < 40 else 1.0


def test_idle_is_subtracted_and_energy_is_per_second_of_audio():
    done = energy_of(KnownPower(load), PASSES, IDLE, audio_s=5)
    energy = done.energy
    assert done.joules == pytest.approx((20, 20, 20))
    assert (energy.kind, energy.source, energy.reason) == ("measured", "known (everything)", None)
    assert energy.joules == pytest.approx(60)
    assert energy.mj_per_audio_s == pytest.approx(4000)
    assert energy.idle_w == pytest.approx(1)
    assert (energy.sample_hz, energy.samples) == (pytest.approx(10), 300)


def test_the_uncertainty_has_the_sampling_and_idle_in_it():
    energy = energy_of(KnownPower(load), PASSES, IDLE, audio_s=5).energy
    sampling_j = 0.1 * 3**0.5 / 3
    idle_j = (0.1 * 2**0.5 / 20) * 10
    assert energy.uncertainty_mj_per_audio_s == pytest.approx(1e3 * (sampling_j**2 + idle_j**2) ** 0.5 / 5)


def test_passes_that_differ_are_less_certain():
    energy = energy_of(KnownPower(lambda s: {15: 3.0, 25: 4.0, 35: 5.0}.get(s, 1.0)), PASSES, IDLE, audio_s=10).energy
    assert energy.mj_per_audio_s == pytest.approx(3000)
    assert energy.uncertainty_mj_per_audio_s == pytest.approx(4.303 * 1000 / 3**0.5, rel=0.01)


def test_idle_that_drifted_is_less_certain():
    steady = idle_of([Window(10, 10, 100, 10, 0.1), Window(10, 10, 100, 10, 0.1)])
    drifted = idle_of([Window(8, 10, 100, 10, 0.1), Window(12, 10, 100, 10, 0.1)])
    assert (steady.watts, drifted.watts) == (1, 1)
    assert drifted.uncertainty_w > 10 * steady.uncertainty_w


@given(st.floats(0, 50), st.floats(0, 50), st.floats(0.1, 1000))
def test_subtracting_idle_leaves_what_was_added(idle_w: float, added_w: float, seconds: float):
    window = Window((idle_w + added_w) * seconds, seconds, 100, 10, 0)
    joules, _ = subtract_idle(window, Idle(idle_w, 0.0))
    assert joules == pytest.approx(added_w * seconds, abs=1e-6)


@given(st.floats(0, 50), st.floats(-10, 10))
def test_what_idle_takes_does_not_matter(idle_w: float, shift_w: float):
    """The same shift of all power leaves energy above idle as it was."""
    plain = energy_of(KnownPower(lambda s: idle_w + load(s)), PASSES, IDLE, audio_s=5)
    shifted = energy_of(KnownPower(lambda s: idle_w + load(s) + shift_w), PASSES, IDLE, audio_s=5)
    assert shifted.joules == pytest.approx(plain.joules, abs=1e-6)


def test_a_meter_that_died_leaves_the_passes_it_saw():
    done = energy_of(KnownPower(load, dies_at_s=35), PASSES, IDLE[:1], audio_s=5)
    assert done.joules == (pytest.approx(20), pytest.approx(20), None)
    assert done.energy.mj_per_audio_s == pytest.approx(4000)
    assert done.energy.joules == pytest.approx(40)
    assert done.energy.reason == "of 2 of 3 passes: known: samples end too early"


def test_a_single_pass_of_several_is_no_figure():
    done = energy_of(KnownPower(load, dies_at_s=25), PASSES, IDLE[:1], audio_s=5)
    assert done.joules == (pytest.approx(20), None, None)
    assert (done.energy.kind, done.energy.mj_per_audio_s) == ("not measured", None)
    assert done.energy.reason == "known: samples end too early"


def test_idle_that_was_not_covered_is_no_figure():
    done = energy_of(KnownPower(load, dies_at_s=45), PASSES, IDLE, audio_s=5)
    assert (done.energy.kind, done.energy.reason) == ("not measured", "idle: known: samples end too early")
    assert done.joules == (None, None, None)


def test_without_idle_there_is_no_figure():
    assert energy_of(KnownPower(load), PASSES, (), audio_s=5).energy.reason == (
        "idle: it was not measured what the device takes at rest"
    )


def test_no_meter_is_no_figure():
    energy = energy_of(NoMeter("no meter on the target"), PASSES, IDLE, audio_s=5).energy
    assert (energy.kind, energy.reason) == ("not measured", "no meter on the target")
    assert (energy.joules, energy.mj_per_audio_s, energy.source, energy.samples) == (None, None, None, None)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_the_interval_of_a_mean_covers_it_at_its_rate(count: int):
    random = np.random.default_rng(count)
    draws = random.normal(10, 2, (2000, count))
    covered = sum(abs(np.mean(values) - 10) <= half_width(values.tolist()) for values in draws)
    assert covered == pytest.approx(1900, abs=30)
