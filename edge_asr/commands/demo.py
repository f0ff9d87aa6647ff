"""`edge-asr demo`."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape

from edge_asr.audio import read_audio
from edge_asr.commands.live_text import LiveText
from edge_asr.corpora import DATA_VARIABLE, an4_test_manifest
from edge_asr.demo import RECORDING, TEXT
from edge_asr.file_hash import file_sha256
from edge_asr.manifest import read_manifest
from edge_asr.profiling import memory
from edge_asr.profiling.gate_comparison import GateComparison, compare_gate
from edge_asr.recognizer import Counters, Recognizer
from edge_asr.terminal.model import model_or_shipped, open_model
from edge_asr.terminal.options import backend_option, json_option, model_option, threshold_option
from edge_asr.terminal.screen import print_json, progress_bar, stages, styled_console, takes_escapes

AN4_UTTERANCES = 5  # spread evenly over the test manifest, not chosen
REPEAT = 5  # interleaved passes with the gate on and off
BLOCK_S = 0.1  # of audio between two updates of the screen
KEPT, SKIPPED = "█", "·"
STRIP_FRAMES = 100  # of a line of the strip


@dataclass(frozen=True)
class TranscribedRecording:
    """One recording, transcribed."""

    audio: str
    reference: str
    text: str
    keep: str  # one character a frame: KEPT or SKIPPED
    counters: Counters


@click.command("demo")
@model_option
@threshold_option
@backend_option
@json_option
def command(model: Path | None, threshold: float | None, backend: str | None, as_json: bool) -> None:
    """See it work: text as it arrives, what the gate skipped, and what that saved.

    Transcribes a bundled recording (synthetic speech) and, where EDGE_ASR_DATA names the folder of the corpora,
    five utterances of AN4's test split, spread evenly over it.

    \b
    The strip below a text has a character for each 40 ms frame:
      █  went through the upper layers
      ·  skipped them: the lower layers were sure that it holds nothing
    Times are medians of interleaved runs of the same file on one thread, with the gate on and off.
    Memory is the peak of a fresh process that transcribes the bundled recording.

    \b
    Examples:
      edge-asr demo
      EDGE_ASR_DATA=../shared/data edge-asr demo
      edge-asr demo --json
    """
    path = model_or_shipped(model)
    console = styled_console()
    manifest = an4_test_manifest()
    utterances = read_manifest(manifest) if manifest else []
    utterances = utterances[:: max(1, len(utterances) // AN4_UTTERANCES)][:AN4_UTTERANCES]
    with open_model(path, 1, backend) as recognizer:
        value = recognizer.metadata.default_threshold if threshold is None else threshold
        show = None if as_json else console
        if show:
            show.print(
                f"[bold]{escape(str(path))}[/]  {path.stat().st_size / 1e6:.2f} MB {recognizer.metadata.precision}, "
                f"backend {recognizer.backend_name}\n"
            )
            show.print("[bold]the bundled recording[/] (synthetic speech)")
        heard = [hear(recognizer, RECORDING, TEXT, value, show)]
        if show:
            note = (
                "AN4 test utterances" if utterances else f"AN4: not found; {DATA_VARIABLE} names the corpora's folder"
            )
            show.print(f"[bold]{note}[/]")
        heard += [hear(recognizer, u.audio, u.text, value, show) for u in utterances]
        rate_hz = recognizer.metadata.sample_rate_hz
        recordings = [read_audio(path, rate_hz) for path in (RECORDING, *(u.audio for u in utterances))]
        with progress_bar("gate on and off", REPEAT) as advance:
            comparison = compare_gate(recognizer, recordings, value, REPEAT, advance)
    with stages("measuring memory in a fresh process"):
        use = memory.measure(path, RECORDING, recognizer.backend_name)
    if as_json:
        print_json(facts(path, recognizer, heard, comparison, use))
    else:
        print_summary(console, comparison, use)


def hear(
    recognizer: Recognizer, audio: Path, reference: str, threshold: float, console: Console | None
) -> TranscribedRecording:
    """Transcribe one recording; on a terminal at the pace of speech, with the text as it arrives."""
    rate_hz = recognizer.metadata.sample_rate_hz
    samples = read_audio(audio, rate_hz)
    live = LiveText(sys.stdout) if console and takes_escapes(sys.stdout) else None
    if console:
        console.print(f"  [dim]said [/] {escape(reference)}")
    keep: list[bool] = []
    with recognizer.stream(threshold) as stream:
        for block in np.array_split(samples, max(1, round(len(samples) / rate_hz / BLOCK_S))):
            update = stream.accept(block)
            keep += [kept for step in update.new_steps for kept in step.keep]
            if live:
                live.show(f"  heard {update.final}", update.partial)
                time.sleep(BLOCK_S)
        result = stream.finish()
    keep += [kept for step in result.new_steps for kept in step.keep]
    heard = TranscribedRecording(audio.name, reference, result.text, strip(keep), result.counters)
    if live:
        live.finish(f"  heard {result.text}")
    elif console:
        console.print(f"  heard {escape(result.text)}")
    if console:
        print_strip(console, heard)
    return heard


def strip(keep: Sequence[bool]) -> str:
    return "".join(KEPT if kept else SKIPPED for kept in keep)


def print_strip(console: Console, heard: TranscribedRecording) -> None:
    for start in range(0, len(heard.keep), STRIP_FRAMES):
        console.print(f"        [cyan]{heard.keep[start : start + STRIP_FRAMES]}[/]", soft_wrap=True)
    counters = heard.counters
    console.print(
        f"        [dim]{counters.kept_frames} of {counters.frames} frames kept, "
        f"{1_000 * counters.compute_s:.0f} ms for {counters.audio_s:.1f} s of audio[/]\n"
    )


def print_summary(console: Console, comparison: GateComparison, use: memory.MemoryUse) -> None:
    console.print(
        f"[bold]gate[/]    on {1_000 * comparison.gated_s:.0f} ms, off {1_000 * comparison.ungated_s:.0f} ms "
        f"for {comparison.audio_s:.1f} s of audio: [bold]{comparison.saved:.0%} less compute[/] "
        f"(ratio {comparison.ratio:.2f}, {comparison.ratio_low:.2f} to {comparison.ratio_high:.2f} over "
        f"{comparison.repeat} passes, one thread), {comparison.kept_frame_ratio:.0%} of frames kept",
        soft_wrap=True,
    )
    console.print(
        f"[bold]memory[/]  peak {use.peak / 1e6:.0f} MB resident, of which {use.before_load / 1e6:.0f} MB "
        "before runtime and model are loaded",
        soft_wrap=True,
    )


def facts(
    path: Path,
    recognizer: Recognizer,
    heard: Sequence[TranscribedRecording],
    comparison: GateComparison,
    use: memory.MemoryUse,
) -> dict[str, Any]:
    bundled, *an4 = [dataclasses.asdict(item) for item in heard]
    return {
        "model": str(path),
        "model_bytes": path.stat().st_size,
        "model_sha256": file_sha256(path),
        "precision": recognizer.metadata.precision,
        "backend": recognizer.backend_name,
        "recording": bundled,
        "an4": an4,
        "gate": {**comparison.to_dict(), "threads": 1},
        "memory_bytes": dataclasses.asdict(use),
    }
