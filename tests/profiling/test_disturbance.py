"""The profiler measures what it costs itself. The figure is taken by hand, on a quiet machine: see the README."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asr.native.build import Build
from edge_asr.profiling import disturbance
from edge_asr.profiling.contenders import gated
from edge_asr.profiling.disturbance import measure_disturbance
from edge_asr.profiling.program import read_program
from edge_asr.profiling.targets.local import LocalTarget
from tests.profiling.constructed import Constructed, setting
from tests.profiling.constructed import Device as ConstructedDevice


class Disturbed(Constructed):
    """Takes 3 % longer while somebody reads its lines."""

    def run(self, work):  # type: ignore[no-untyped-def]
        if work.bench:
            yield {"compute_s": 0.010 * len(work.recordings)}
        else:
            yield from ({"compute_s": 0.0103} for _ in work.recordings)


def test_the_ratio_is_of_passes_with_over_passes_without() -> None:
    contender = Disturbed(setting("x"), ConstructedDevice())
    found = measure_disturbance(LocalTarget(), contender, (Path("a.wav"), Path("b.wav")), pairs=8)
    assert found.ratio == pytest.approx(1.03)
    assert found.ci95 == pytest.approx((1.03, 1.03))
    assert (found.pairs, found.spread_without) == (8, 0)


def test_the_real_runner_while_it_is_sampled(
    native_build: Build, tiny_pte: Path, beeps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disturbance, "PASS_S", 0.02)
    with LocalTarget() as target:
        target.prepare([tiny_pte], [beeps])
        contender = gated(target, read_program(tiny_pte), 0.9)
        found = measure_disturbance(target, contender, (beeps,), pairs=6)
    assert found.ratio > 0  # on a machine that runs tests nothing closer can be promised
    assert found.ci95
    assert found.samples_hz > 10
