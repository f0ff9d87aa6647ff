"""The runner's resampler against soxr: level, place, what lies beyond, and any cut of the input."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
import soxr

from edge_asr.native.build import Build
from tests.native.drivers import NATIVE, compile_driver, sanitizer_environment

RATES = [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 44_099]
TO_HZ = 16_000
KOTLIN = NATIVE.parent.parent / "android_demo/core/src/main/kotlin/org/edge_asr/core/audio/Resampler.kt"
Resample = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def resample(native_build: Build, tmp_path_factory: pytest.TempPathFactory) -> Resample:
    program = compile_driver(native_build, "resample", tmp_path_factory.mktemp("resample"), "src/runner/resampler.cpp")

    def run(samples: np.ndarray, from_hz: int, to_hz: int = TO_HZ, seed: int = 0) -> np.ndarray:
        done = subprocess.run(
            [program, str(from_hz), str(to_hz), str(seed)],
            input=samples.astype("<f4").tobytes(),
            capture_output=True,
            env=sanitizer_environment(),
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return np.frombuffer(done.stdout, "<f4")

    return run


def sine(hz: float, rate_hz: int, samples: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(samples) / rate_hz)


def level_db(samples: np.ndarray) -> float:
    """Of the middle, relative to such a sine: at both ends silence meets sound."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4].astype(np.float64)
    return float(20 * np.log10(np.sqrt((middle**2).mean()) / (0.5 / np.sqrt(2)) + 1e-12))


@pytest.mark.parametrize("rate_hz", RATES)
def test_what_lies_below_the_slope_is_as_soxr_has_it(resample: Resample, rate_hz: int) -> None:
    nyquist_hz = min(rate_hz, TO_HZ) / 2
    samples = sum(sine(part * nyquist_hz, rate_hz, rate_hz) for part in (0.01, 0.13, 0.4, 0.7, 0.85)) / 5
    found, expected = resample(samples, rate_hz), soxr.resample(samples, rate_hz, TO_HZ, "VHQ")
    assert len(found) == -(-len(samples) * TO_HZ // rate_hz)
    count = min(len(found), len(expected))
    assert level_db(found[:count] - expected[:count]) < -70


@pytest.mark.parametrize("rate_hz", [rate_hz for rate_hz in RATES if rate_hz > TO_HZ])
def test_nothing_of_what_lies_beyond_comes_through(resample: Resample, rate_hz: int) -> None:
    for hz in (8_000.0, 8_100.0, 8_600.0, 9_500.0, 10_900.0, rate_hz / 2 - 50):
        if hz < rate_hz / 2:
            assert level_db(resample(sine(hz, rate_hz, rate_hz // 2), rate_hz)) < -60, hz


@pytest.mark.parametrize("rate_hz", [8_000, 11_025])
def test_a_recording_of_fewer_samples_gains_no_image(resample: Resample, rate_hz: int) -> None:
    for hz in (100.0, 1_700.0, 3_300.0):
        out = resample(sine(hz, rate_hz, rate_hz), rate_hz)[:TO_HZ]
        spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out)), TO_HZ))
        assert spectrum[rate_hz // 2 + 1 :].max() < spectrum.max() / 1_000


@pytest.mark.parametrize("rate_hz", RATES)
def test_how_the_samples_are_cut_changes_nothing(resample: Resample, rate_hz: int) -> None:
    samples = np.random.default_rng(9).uniform(-1, 1, 9_000)
    whole = resample(samples, rate_hz)
    for seed in (1, 2, 3):
        np.testing.assert_array_equal(resample(samples, rate_hz, seed=seed), whole)


def test_what_does_not_change_stays_where_it_was(resample: Resample) -> None:
    for rate_hz in (*RATES, 1_000, 767_999):
        out = resample(np.full(rate_hz, 0.25), rate_hz)
        np.testing.assert_allclose(out[len(out) // 4 : len(out) // 2], 0.25, atol=1e-5)


def test_there_is_no_second_without_its_samples(resample: Resample) -> None:
    for rate_hz in (*RATES, 1_000):
        for count in (0, 1, 2, 3, 100, 1_001):
            assert len(resample(np.zeros(count), rate_hz)) == -(-count * TO_HZ // rate_hz)


def test_the_filter_is_the_apps() -> None:
    ours = (NATIVE / "src" / "runner" / "resampler.cpp").read_text()
    theirs = KOTLIN.read_text()
    for name, kotlin in (("ZeroCrossings", "ZERO_CROSSINGS"), ("Kaiser", "KAISER"), ("Middle", "MIDDLE")):
        (here,) = re.findall(rf"k{name} = ([\d.]+);", ours)
        (there,) = re.findall(rf"{kotlin} = ([\d._]+)", theirs)
        assert float(here) == float(there), name
    assert "kMostPhases = 1024;" in ours
    assert "MOST_PHASES = 1_024" in theirs
