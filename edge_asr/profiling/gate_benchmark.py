"""What the gate saves: the same file with the gate on and off, interleaved.

Usage: python -m edge_asr.profiling.gate_benchmark MANIFEST --model MODEL.pte [--threshold T] [--repeat 5]
    [--backend NAME] [--json]
"""

from __future__ import annotations

from pathlib import Path

import click

from edge_asr.audio import read_audio
from edge_asr.file_hash import file_sha256
from edge_asr.manifest import read_manifest
from edge_asr.metrics import WerDifference, wer_difference
from edge_asr.profiling.gate_comparison import compare_gate
from edge_asr.profiling.prediction import SpeedUp, speed_up_text
from edge_asr.terminal.model import model_or_shipped, open_model
from edge_asr.terminal.options import backend_option, json_option, model_option, threshold_option
from edge_asr.terminal.process import run
from edge_asr.terminal.screen import print_json, print_rows, progress_bar


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("manifest", type=click.Path(path_type=Path))
@model_option
@threshold_option
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N utterances.")
@click.option("--repeat", type=click.IntRange(min=1), default=5, show_default=True, help="Passes of each kind.")
@backend_option
@json_option
def command(
    manifest: Path,
    model: Path | None,
    threshold: float | None,
    limit: int | None,
    repeat: int,
    backend: str | None,
    as_json: bool,
) -> None:
    """Time a manifest with the gate on and off, from the same file, on one thread, beside what the gate does to WER.

    The two settings alternate recording by recording. Compute is the wall clock inside the model's steps; a pass is
    its sum over the manifest. Printed are the medians over the passes, the median of the passes' ratios, and the
    lowest and highest ratio; the speed-up beside the one that the skipped work predicts, which is the upper stack's
    share of an ungated step times the share of frames skipped; and the difference in WER, gate on minus off, with the
    95 % interval of a paired bootstrap over utterances. Run it on a quiet machine: where the lowest and the highest
    ratio lie far apart, do not quote it.
    """
    utterances = read_manifest(manifest)[:limit]
    path = model_or_shipped(model)
    with open_model(path, 1, backend) as recognizer, progress_bar("timing", repeat) as advance:
        recordings = [read_audio(utterance.audio, recognizer.metadata.sample_rate_hz) for utterance in utterances]
        value = recognizer.metadata.default_threshold if threshold is None else threshold
        comparison = compare_gate(recognizer, recordings, value, repeat, advance)
    references = [utterance.text for utterance in utterances]
    change = None
    if any(references):
        change = wer_difference(references, comparison.ungated_texts, comparison.gated_texts)
    if as_json:
        facts = {
            **comparison.to_dict(),
            "wer_change": change.wer if change else None,
            "wer_change_ci95": change.wer_ci95 if change else None,
        }
        ran = {"threads": 1, "backend": recognizer.backend_name, "model_sha256": file_sha256(path)}
        print_json({**facts, "utterances": len(utterances), **ran})
        return
    spread = f"{comparison.ratio_low:.3f} to {comparison.ratio_high:.3f} over {repeat} passes"
    saved = SpeedUp(comparison.speed_up, comparison.predicted_speed_up)
    print_rows(
        [
            ("gate on", f"{comparison.gated_s:.3f} s (threshold {comparison.threshold:g})"),
            ("gate off", f"{comparison.ungated_s:.3f} s"),
            ("ratio", f"{comparison.ratio:.3f} ({spread}): {comparison.saved:.1%} less compute"),
            ("speed-up", speed_up_text(saved)),
            ("WER", wer_text(change)),
            ("kept frames", f"{comparison.kept_frame_ratio:.1%}"),
            ("audio", f"{comparison.audio_s:.1f} s, {len(utterances)} utterances"),
            ("ran on", f"one thread, backend {recognizer.backend_name}"),
        ]
    )


def wer_text(change: WerDifference | None) -> str:
    if change is None:
        return "the manifest has no reference words"
    return f"{change.wer:+.2f} points (95 % interval {change.wer_ci95[0]:+.1f} to {change.wer_ci95[1]:+.1f})"


if __name__ == "__main__":
    raise SystemExit(run(command, "gate_benchmark"))
