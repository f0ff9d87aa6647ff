"""What skipping should save, and what of that it does."""

from __future__ import annotations

from dataclasses import dataclass

from edge_asr.profiling.report import Ratio, Report, SettingResult


@dataclass(frozen=True)
class SpeedUp:
    """Compute with the gate off over that with it on."""

    seen: float
    predicted: float  # where a frame skipped saves its share of the upper stack, and nothing is spent on that

    @property
    def realised(self) -> float:
        """Of what was predicted. Blocks that run before they are full, and the gate itself, make it less than 1."""
        return self.seen / self.predicted


def speed_up_text(saved: SpeedUp) -> str:
    predicted = f"{saved.predicted:.2f}×, of which {saved.realised:.0%} is realised"
    return f"{saved.seen:.2f}×; the skipped work predicts {predicted}"


def predicted_speed_up(share: float, kept_frame_ratio: float) -> float:
    """Of a step with the gate off, `share` of the compute is the upper stack's; with it on, only kept frames
    cost that."""
    return 1 / (1 - share * (1 - kept_frame_ratio))


def upper_share(with_upper_ms: float, without_ms: float) -> float:
    """Of the compute of a step with the gate off, from the median of these and of steps that were spared it."""
    return max(0.0, 1 - without_ms / with_upper_ms)


def speed_up(report: Report, ratio: Ratio) -> SpeedUp | None:
    """Of one setting over another whose compute the ratio gives: None where they are not one file with the gate on
    and off, or where no step was spared the upper stack."""
    gated, ungated = (by_name(report, name) for name in (ratio.of, ratio.to))
    if gated.setting.model_sha256 is None or gated.setting.model_sha256 != ungated.setting.model_sha256:
        return None
    if not gated.frames or gated.kept_frames is None or ungated.kept_frames != ungated.frames:
        return None
    without = gated.latency.warm_step_skipped_ms if gated.latency else None
    with_upper = ungated.latency.warm_step_ms if ungated.latency else None
    if without is None or with_upper is None:
        return None
    share = upper_share(with_upper.p50_ms, without.p50_ms)
    return SpeedUp(1 / ratio.ratio, predicted_speed_up(share, gated.kept_frames / gated.frames))


def by_name(report: Report, name: str) -> SettingResult:
    return next(result for result in report.results if result.setting.name == name)
