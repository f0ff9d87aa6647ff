"""`edge-asr evaluate`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edge_asr.audio import AS_RECORDED
from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.evaluation import Compared, Decoded, Evaluation, ModelAtThreshold, compare, decode, score
from edge_asr.file_hash import file_sha256
from edge_asr.json_text import json_text
from edge_asr.manifest import read_manifest
from edge_asr.rate_text import interval_text, rate_text
from edge_asr.recognizer import Recognizer
from edge_asr.terminal.model import model_or_shipped, open_model
from edge_asr.terminal.options import (
    Finite,
    Threshold,
    backend_option,
    json_option,
    model_option,
    threads_option,
    threshold_option,
)
from edge_asr.terminal.screen import print_json, print_rows, progress_bar
from edge_asr.terminal.signals import all_like_ctrl_c
from edge_asr.terminal.standard_streams import printable

SLOWEST, FASTEST = 0.5, 2.0


@dataclass(frozen=True)
class Named:
    """A setting, as the command line names it."""

    name: str
    model: Path | None  # a .pte or a shipped size; None for the model that is evaluated
    threshold: float | None  # None for what the file recommends


class NamedType(click.ParamType):
    """`mine.pte`, `small@off`, `@0.7`."""

    name = "setting"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Named:
        if isinstance(value, Named):
            return value
        model, at, threshold = str(value).rpartition("@")
        if not at or Path(value).is_file():  # a path may have an @ too
            if not value:
                self.fail("name a .pte, a shipped size, or @ and a threshold", param, ctx)
            return Named(value, Path(value), None)
        return Named(value, Path(model) if model else None, Threshold().convert(threshold, param, ctx))


class Speeds(click.ParamType):
    """`0.9,1,1.1`."""

    name = "speeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        speeds = tuple(self.one(part.strip(), param, ctx) for part in str(value).split(","))
        if len(set(speeds)) < len(speeds):
            self.fail(f"{value!r} names a speed twice", param, ctx)
        return speeds

    def one(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            speed = float(text)
        except ValueError:
            speed = float("nan")
        if not SLOWEST <= speed <= FASTEST:
            self.fail(f"{text!r} is not a speed from {SLOWEST:g} to {FASTEST:g}", param, ctx)
        return speed


@click.command("evaluate")
@click.argument("manifest", type=click.Path(path_type=Path))
@model_option
@threshold_option
@click.option(
    "--against",
    multiple=True,
    type=NamedType(),
    metavar="[PTE|SIZE][@T]",
    help="Another .pte, or a shipped size, that hears the same: at threshold T (or @off), else at what the file "
    "recommends. @T alone is the model itself. May be repeated.",
)
@click.option(
    "--speeds",
    type=Speeds(),
    default=(AS_RECORDED,),
    metavar="S,S,...",
    help="Each utterance is heard at each of these speeds, resampled, pitch and all. Default: 1, as recorded.",
)
@click.option(
    "--gain",
    "gain_db",
    type=Finite(-120, 60),
    default=0.0,
    metavar="DB",
    help="Each utterance is heard louder by so many dB, or quieter, clipped and rounded as 16 bits are. Default: 0.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N utterances.")
@threads_option
@backend_option
@click.option(
    "--hypotheses",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what was heard in each utterance, one JSON object a line for each speed and each setting.",
)
@json_option
def command(
    manifest: Path,
    model: Path | None,
    threshold: float | None,
    against: tuple[Named, ...],
    speeds: tuple[float, ...],
    gain_db: float,
    limit: int | None,
    threads: int,
    backend: str | None,
    hypotheses: Path | None,
    as_json: bool,
) -> None:
    """Word error rate and compute of a model on a manifest, and its difference to others.

    MANIFEST has one JSON object a line with `audio_filepath` (relative to the manifest) and `text`. Each utterance
    is streamed through the very .pte that is measured, whose hash is part of the answer.

    \b
    wer, cer           percent of the reference words, characters; wer_ci95 is a 95 % bootstrap interval
                       over utterances
    compute_s, rtf     seconds inside the model, and the same per second of audio
    kept_frame_ratio   share of the frames that went through the upper layers: 1 with --threshold off
    upper_runs         how often the upper layers ran
    against            the same for each --against, and wer_difference: WER of the model minus that of this one,
                       in points, negative where the model is better; wer_difference_ci95 is paired, over utterances

    With more --speeds, words and errors are those of all copies of the utterances: more evidence from few recordings.
    But the copies of one are not independent. The intervals are over utterances as ever: copies are drawn together.

    To compare two settings, take --against rather than two runs: it pairs what both heard, which takes the difficulty
    of the utterances out of the difference. For times, take one setting a run, as those that take turns find colder
    caches, and a quiet machine; for the speed of the gate, `python -m edge_asr.profiling.gate_benchmark`.

    \b
    Examples:
      edge-asr evaluate an4/test.jsonl
      edge-asr evaluate an4/test.jsonl --threshold off --json
      edge-asr evaluate an4/test.jsonl --model mine.pte --limit 20 --hypotheses heard.jsonl
      edge-asr evaluate an4/test.jsonl --against @off                     what the gate costs
      edge-asr evaluate an4/test.jsonl --gain -30                         from a far microphone
      edge-asr evaluate dev.jsonl --model mine.pte --against base --against small@0.9 --speeds 0.9,1,1.1
    """
    utterances = read_manifest(manifest)[:limit]
    if against and not any(utterance.text for utterance in utterances):
        raise EdgeAsrError(f"{manifest}: its texts have no words: there is no word error rate for --against to compare")
    with contextlib.ExitStack() as stack:
        stack.enter_context(all_like_ctrl_c())
        file = stack.enter_context(hypotheses.open("w", encoding="utf-8")) if hypotheses else None
        asked = [Named("", model, threshold), *(dataclasses.replace(a, model=a.model or model) for a in against)]
        settings = open_settings(stack, asked, threads, backend)
        heard: dict[ModelAtThreshold, list[Decoded]] = {setting: [] for setting in settings}
        advance = stack.enter_context(progress_bar("evaluating", len(heard) * len(speeds) * len(utterances)))
        for item in decode(list(heard), utterances, speeds, gain_db):
            heard[item.setting].append(item)
            if file:
                file.write(hypothesis_line(item))
            advance(1)
    ours, *theirs = [heard[setting] for setting in settings]
    evaluation = score(ours)
    compared = [
        Compared(named.name, score(other), compare(other, ours), file_sha256(setting.model))
        for named, setting, other in zip(against, settings[1:], theirs, strict=True)
    ]
    backend_name, model_sha256 = settings[0].recognizer.backend_name, file_sha256(settings[0].model)
    if as_json:
        ran = {"backend": backend_name, "threads": threads, "model_sha256": model_sha256}
        print_json({**dataclasses.asdict(evaluation), **ran, "against": [each.as_dict() for each in compared]})
    else:
        on = f"{threads} thread(s), backend {backend_name}"
        print_evaluation(evaluation, on, f"{settings[0].model.name} (sha256 {model_sha256[:12]}…)", compared)


def open_settings(
    stack: contextlib.ExitStack, asked: Sequence[Named], threads: int, backend: str | None
) -> list[ModelAtThreshold]:
    """Each file is loaded once, whatever its thresholds. Raises EdgeAsrError."""
    paths = [model_or_shipped(named.model) for named in asked]
    loaded: dict[Path, Recognizer] = {}
    for path in dict.fromkeys(paths):
        loaded[path] = stack.enter_context(open_model(path, threads, backend))
    return [
        ModelAtThreshold(
            model=path,
            recognizer=loaded[path],
            threshold=loaded[path].metadata.default_threshold if named.threshold is None else named.threshold,
        )
        for named, path in zip(asked, paths, strict=True)
    ]


def hypothesis_line(item: Decoded) -> str:
    entry = {
        "audio_filepath": str(item.utterance.audio),
        "text": item.utterance.text,
        "hypothesis": item.result.text,
        "speed": item.speed,
        "gain_db": item.gain_db,
        "model": str(item.setting.model),
        "threshold": item.setting.threshold,
        **dataclasses.asdict(item.result.counters),
    }
    return printable(json_text(entry)) + "\n"


def print_evaluation(evaluation: Evaluation, ran_on: str, model: str, compared: Sequence[Compared]) -> None:
    interval = interval_text(evaluation.wer_ci95)
    errors = f"{evaluation.substitutions} sub, {evaluation.deletions} del, {evaluation.insertions} ins"
    kept = f"{evaluation.kept_frame_ratio:.1%} of {evaluation.frames} frames kept"
    runs = f"{evaluation.upper_runs} upper runs in {evaluation.steps} steps"
    speeds = ", ".join(f"{speed:g}" for speed in evaluation.speeds)
    at = "" if evaluation.speeds == (AS_RECORDED,) else f" at speed {speeds}"
    at += f", {evaluation.gain_db:+g} dB" if evaluation.gain_db else ""
    print_rows(
        [
            ("WER", f"{rate_text(evaluation.wer, 2)} %  (95 % interval {interval}; {errors})"),
            ("CER", f"{rate_text(evaluation.cer, 2)} %"),
            ("audio", f"{evaluation.audio_s:.1f} s, {evaluation.utterances} utterances{at}, {evaluation.words} words"),
            ("compute", f"{evaluation.compute_s:.2f} s on {ran_on}, RTF {evaluation.rtf:.4f}"),
            ("gate", f"threshold {shown_threshold(evaluation)}, {kept}, {runs}"),
            ("model", model),
            *(("against", shown(each)) for each in compared),
        ]
    )


def shown(compared: Compared) -> str:
    evaluation, difference = compared.evaluation, compared.difference
    least, most = difference.wer_ci95
    gate = f"threshold {shown_threshold(evaluation)}, {evaluation.kept_frame_ratio:.1%} kept"
    change = f"model minus this {difference.wer:+.2f} points ({least:+.1f} to {most:+.1f})"
    wer = f"{rate_text(evaluation.wer, 2)} % ({interval_text(evaluation.wer_ci95)})"
    return f"{compared.name}: WER {wer}, {gate}; {change}"


def shown_threshold(evaluation: Evaluation) -> str:
    return "off" if evaluation.threshold >= NEVER_SKIP else f"{evaluation.threshold:g}"
