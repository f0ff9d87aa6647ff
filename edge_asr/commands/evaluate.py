"""`edge-asr evaluate`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import click

from edge_asr.commands.model import model_or_shipped, open_model
from edge_asr.commands.options import backend_option, json_option, model_option, threads_option, threshold_option
from edge_asr.commands.screen import print_json, print_rows, progress_bar
from edge_asr.contract import NEVER_SKIP
from edge_asr.evaluation import Decoded, Evaluation, decode, score
from edge_asr.manifest import read_manifest
from edge_asr.shipped import file_sha256


@click.command("evaluate")
@click.argument("manifest", type=click.Path(path_type=Path))
@model_option
@threshold_option
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N utterances.")
@threads_option
@backend_option
@click.option(
    "--hypotheses",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what was heard in each utterance, one JSON object a line.",
)
@json_option
def command(
    manifest: Path,
    model: Path | None,
    threshold: float | None,
    limit: int | None,
    threads: int,
    backend: str | None,
    hypotheses: Path | None,
    as_json: bool,
) -> None:
    """Word error rate and compute of a model on a manifest.

    MANIFEST has one JSON object a line with `audio_filepath` (relative to the manifest) and `text`. Each utterance
    is streamed through the very .pte that is measured, whose hash is part of the answer.

    \b
    wer, cer           percent of the reference words, characters; wer_ci95 is a 95 % bootstrap interval
                       over utterances
    compute_s, rtf     seconds inside the model, and the same per second of audio
    kept_frame_ratio   share of the frames that went through the upper layers: 1 with --threshold off
    upper_runs         how often the upper layers ran

    To compare two settings, take the same --threads, and a quiet machine for the times. For the speed of the gate
    use `python -m edge_asr.profiling.gate_benchmark`, which interleaves both.

    \b
    Examples:
      edge-asr evaluate an4/test.jsonl
      edge-asr evaluate an4/test.jsonl --threshold off --json
      edge-asr evaluate an4/test.jsonl --model mine.pte --limit 20 --hypotheses heard.jsonl
    """
    utterances = read_manifest(manifest)[:limit]
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(hypotheses.open("w", encoding="utf-8")) if hypotheses else None
        path = model_or_shipped(model)
        recognizer = stack.enter_context(open_model(path, threads, backend))
        advance = stack.enter_context(progress_bar("evaluating", len(utterances)))
        value = recognizer.metadata.default_threshold if threshold is None else threshold
        decoded: list[Decoded] = []
        for item in decode(recognizer, utterances, value):
            decoded.append(item)
            if file:
                file.write(hypothesis_line(item))
            advance(1)
    evaluation = score(decoded, value)
    model_sha256 = file_sha256(path)
    if as_json:
        ran = {"backend": recognizer.backend_name, "threads": threads, "model_sha256": model_sha256}
        print_json({**dataclasses.asdict(evaluation), **ran})
    else:
        on = f"{threads} thread(s), backend {recognizer.backend_name}"
        print_evaluation(evaluation, on, f"{path.name} (sha256 {model_sha256[:12]}…)")


def hypothesis_line(item: Decoded) -> str:
    entry = {
        "audio_filepath": str(item.utterance.audio),
        "text": item.utterance.text,
        "hypothesis": item.result.text,
        **dataclasses.asdict(item.result.counters),
    }
    return json.dumps(entry, ensure_ascii=False) + "\n"


def print_evaluation(evaluation: Evaluation, ran_on: str, model: str) -> None:
    gate = "off" if evaluation.threshold >= NEVER_SKIP else f"{evaluation.threshold:g}"
    low, high = evaluation.wer_ci95
    errors = f"{evaluation.substitutions} sub, {evaluation.deletions} del, {evaluation.insertions} ins"
    kept = f"{evaluation.kept_frame_ratio:.1%} of {evaluation.frames} frames kept"
    print_rows(
        [
            ("WER", f"{evaluation.wer:.2f} %  (95 % interval {low:.1f} to {high:.1f}; {errors})"),
            ("CER", f"{evaluation.cer:.2f} %"),
            ("audio", f"{evaluation.audio_s:.1f} s, {evaluation.utterances} utterances, {evaluation.words} words"),
            ("compute", f"{evaluation.compute_s:.2f} s on {ran_on}, RTF {evaluation.rtf:.4f}"),
            ("gate", f"threshold {gate}, {kept}, {evaluation.upper_runs} upper runs in {evaluation.steps} steps"),
            ("model", model),
        ]
    )
