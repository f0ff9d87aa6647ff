"""Development WER of a model at each threshold, and the threshold that it speaks for."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer
import torch
from torch import Tensor

from edge_asr.contract import NEVER_SKIP
from edge_asr.ctc import collapse
from edge_asr.model.gated import GatedCtc
from edge_asr.sound.level import change_level
from edge_asr.tokens import Tokens
from edge_asr.training.batches import pad
from edge_asr.training.config import TrainingConfig
from edge_asr.training.data import Example

Results = dict[str, dict[str, float]]  # threshold, or `intermediate` for that head -> `wer` in percent, `kept` frames

BATCH = 20  # utterances


def evaluate(
    model: GatedCtc,
    tokens: Tokens,
    examples: Sequence[Example],
    training: TrainingConfig,
    speeds: Sequence[float],
    gains_db: Sequence[float],
) -> Results:
    """WER and kept frames at each of `dev_thresholds`, as a stream would decode; of all utterances at each of the
    speeds, which are among `dev_speeds`, and of the levels."""
    thresholds = training.dev_thresholds
    device = next(model.parameters()).device
    hypotheses: dict[float, list[str]] = {threshold: [] for threshold in thresholds}
    early: list[str] = []
    kept = dict.fromkeys(thresholds, 0)
    frames = 0
    numbers = [training.dev_speeds.index(speed) for speed in speeds]
    order = [(e.waves[number], gain_db, e.text) for gain_db in gains_db for number in numbers for e in examples]
    order.sort(key=lambda said: len(said[0]))
    for start in range(0, len(order), BATCH):
        waves = [change_level(wave / 32_768, gain_db) for wave, gain_db, _ in order[start : start + BATCH]]
        batch = pad(waves, [()] * len(waves), model.spec.frame_samples)
        frames += int(batch.frames.sum())
        for threshold in thresholds:
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
                samples, counts = batch.samples.to(device), batch.frames.to(device)
                mel = model.features(samples, counts, model.spec.chunk_frames)
                levels = torch.full(batch.frames.shape, threshold, device=device)
                output = model(mel, counts, levels, model.spec.chunk_frames)
            hypotheses[threshold] += texts(output.final, batch.frames, tokens)
            kept[threshold] += int(output.keep.sum())
        early += texts(output.intermediate, batch.frames, tokens)
    references = [text for *_, text in order]
    results = {
        f"{threshold:g}": {
            "wer": 100 * jiwer.wer(references, hypotheses[threshold]),
            "kept": kept[threshold] / frames,
        }
        for threshold in thresholds
    }
    return results | {"intermediate": {"wer": 100 * jiwer.wer(references, early), "kept": 0.0}}


def texts(log_probs: Tensor, frames: Tensor, tokens: Tokens) -> list[str]:
    """log_probs [N, T, V], of which `frames` [N] count -> the likeliest path of each as text."""
    best = log_probs.argmax(dim=-1).cpu()
    return [
        tokens.to_text(collapse(row[:count].tolist(), tokens.blank_id))
        for row, count in zip(best, frames.tolist(), strict=True)
    ]


def trained_thresholds(training: TrainingConfig) -> tuple[float, ...]:
    """Those that the model is trained for: a static one knows no gate."""
    return training.dev_thresholds if training.gate_probability else (NEVER_SKIP,)


def wer_in_use(results: Results, training: TrainingConfig) -> float:
    """The mean WER over the gated thresholds, or that of never skipping where training did not: a model is chosen for
    how it is used."""
    gated = [t for t in trained_thresholds(training) if t < NEVER_SKIP] or [NEVER_SKIP]
    return sum(results[f"{t:g}"]["wer"] for t in gated) / len(gated)


def choose_threshold(results: Results, training: TrainingConfig) -> float:
    """The one that skips most among those whose WER is at most `threshold_cost` above the best one's."""
    thresholds = trained_thresholds(training)
    limit = min(results[f"{t:g}"]["wer"] for t in thresholds) + training.threshold_cost
    return min(t for t in thresholds if results[f"{t:g}"]["wer"] <= limit)
