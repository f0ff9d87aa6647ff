"""Reports with figures that a test names, and plain ones elsewhere."""

from __future__ import annotations

from edge_asr.profiling.report import (
    Accuracy,
    Conditions,
    Distribution,
    Energy,
    Latency,
    MeasurementProtocol,
    Memory,
    Pass,
    Report,
    Setting,
    SettingResult,
    Snapshot,
    Verdict,
)


def spread(p50_ms: float) -> Distribution:
    return Distribution(100, p50_ms, p50_ms, 2 * p50_ms, 3 * p50_ms)


def make_result(
    name: str,
    *,
    rtf: float | None = 0.01,
    wer: float | None = 2.0,
    kept_frames: int | None = 30,
    peak_rss_bytes: int | None = 20_000_000,
    mj_per_audio_s: float | None = None,
    file_bytes: int = 6_000_000,
    step_ms: float | None = 4.0,
) -> SettingResult:
    """100 s of audio in 100 frames; without a real-time factor, emulated."""
    steps = None if step_ms is None else spread(step_ms)
    latency = None
    if rtf is not None:
        latency = Latency(
            spread(30.0), spread(40.0), spread(9.0), steps, None, None, None, spread(5.0), rtf, None, None
        )
    measured = mj_per_audio_s is not None
    return SettingResult(
        setting=Setting(name, "edge-asr-run", "executorch 1.5.1", "model.pte", "cd" * 32, "int8", 0.7),
        audio_s=100.0,
        frames=100,
        kept_frames=kept_frames,
        upper_runs=None,
        steps=50,
        latency=latency,
        memory=Memory(file_bytes, 2_000_000, 7_000_000, peak_rss_bytes, 19_000_000, 0),
        energy=Energy(
            "measured" if measured else "not measured",
            "rapl:package-0" if measured else None,
            None if measured else "there is no meter",
            None if mj_per_audio_s is None else mj_per_audio_s / 10,
            mj_per_audio_s,
            None,
            None,
            None,
            None,
        ),
        accuracy=None if wer is None else Accuracy(wer, (wer - 1, wer + 1), 1, 1, 0, 100),
        passes=tuple(Pass(order, 100 * (rtf or 0.01), None, None) for order in range(3)),
    )


def make_report(
    *results: SettingResult,
    target: str = "local",
    machine: str = "aarch64",
    cpu: str = "Cortex-A76",
    threads: int = 1,
    emulated: bool = False,
    recordings_sha256: str = "ef" * 32,
    references_sha256: str | None = "ab" * 32,
    unfinished: str | None = None,
    reasons: tuple[str, ...] = (),
) -> Report:
    snapshot = Snapshot("performance", (2_400.0,), {"cpu": 50.0}, False, 0.1, 0.0)
    return Report(
        created_utc="2026-01-01T00:00:00+00:00",
        command="edge-asr profile",
        conditions=Conditions(
            target, emulated, machine, cpu, 4, "Linux 6.1", None, threads, None, snapshot, snapshot, {"edge_asr": "1"}
        ),
        protocol=MeasurementProtocol(1, 3, 1, 5, True, 0.0, 10, recordings_sha256, references_sha256),
        results=results,
        ratios=(),
        wer_changes=(),
        verdict=Verdict(not reasons, reasons, 0.01, unfinished),
    )
