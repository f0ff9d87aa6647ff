"""What a baseline's process prints: the objects of `edge-asr-run --json`, `--json-steps` and `--bench --json`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Protocol

import click
import numpy as np
import psutil

from edge_asr.audio import read_audio
from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.memory import peak_resident_bytes, resident_bytes
from edge_asr.recognizer import Counters
from edge_asr.terminal.screen import print_json


@dataclass(frozen=True)
class Piece:
    """What the runtime made of a piece of audio."""

    ms: float  # wall clock inside the runtime
    audio_s: float  # of the recording that went in so far
    frames: int  # of the model, all of which went through all of it; 0 where the runtime does not tell
    final: Callable[[], str]  # text that will not change any more; asked for only where it is wanted
    partial: Callable[[], str]  # what follows it


@dataclass(frozen=True)
class Transcript:
    """One recording."""

    text: str
    counters: Counters


class Transcriber(Protocol):
    """A loaded runtime."""

    sample_rate_hz: int

    def hear(self, samples: np.ndarray) -> Iterator[Piece | Transcript]:
        """samples float32 [n] at `sample_rate_hz`, streamed: the pieces as they come, then the whole."""


@dataclass(frozen=True)
class ProcessOptions:
    """What every baseline's process is asked for."""

    recordings: tuple[Path, ...]
    threads: int  # that compute
    cpus: str | None  # which it may run on, as `edge-asr-run --cpus` takes them
    bench: bool  # one object at the end, with times of loading and memory
    json_steps: bool  # an object for each piece of audio too


def process_options(function: Callable[..., None]) -> Callable[..., None]:
    """The click parameters of `ProcessOptions`, handed on as `options`."""

    @wraps(function)
    def gathered(
        recordings: tuple[Path, ...], threads: int, cpus: str | None, bench: bool, json_steps: bool, **others: Any
    ) -> None:
        function(options=ProcessOptions(recordings, threads, cpus, bench, json_steps), **others)

    for decorate in (
        click.option("--json-steps", is_flag=True, help="Before each recording's object, one for each update."),
        click.option("--bench", is_flag=True, help="One object at the end: times of loading, and memory."),
        click.option("--cpus", metavar="LIST", help="CPUs it may run on, such as 0,2-3."),
        click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads."),
        click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path)),
    ):
        gathered = decorate(gathered)
    return gathered


def print_lines(runtime: str, load: Callable[[], Transcriber], options: ProcessOptions) -> None:
    """Load, recognize, print. `cpus` binds this process. Raises EdgeAsrError."""
    if options.cpus is not None:
        bind(options.cpus)
    started_s = time.perf_counter()
    transcriber = load()
    load_ms = 1e3 * (time.perf_counter() - started_s)
    first: dict[str, float] = {}
    for recording in options.recordings:
        step_ms = []
        told = 0  # words
        for item in transcriber.hear(read_audio(recording, transcriber.sample_rate_hz)):
            if isinstance(item, Piece):
                first = first or {"first_result_ms": since_process_start_ms(), "first_step_ms": item.ms}
                step_ms.append(round(item.ms, 4))
                if options.json_steps:
                    update = update_of(item, told)
                    told += len(update["new_words"])
                    print_json({"audio": str(recording), "update": True} | update)
            elif not options.bench:
                counted = {"text": item.text, **counters_of(item), "step_ms": step_ms}
                print_json({"audio": str(recording)} | counted | facts(runtime, load_ms, options.threads))
    if options.bench:
        print_json(first | facts(runtime, load_ms, options.threads))


def counters_of(heard: Transcript) -> dict[str, Any]:
    """Without what the runtime does not count."""
    counted = asdict(heard.counters)
    if not heard.counters.frames:
        counted = {name: counted[name] for name in ("steps", "audio_s", "compute_s")}
    return counted


def update_of(piece: Piece, told: int) -> dict[str, Any]:
    """What is new in a piece, where `told` words were final before it."""
    step = {"keep": "1" * piece.frames, "latency_ms": piece.ms}
    words = [{"text": word} for word in piece.final().split()[told:]]
    text = {"new_words": words, "partial": piece.partial()}
    return {**text, "audio_s": piece.audio_s, "call_ms": piece.ms, "steps": [step]}


def facts(runtime: str, load_ms: float, threads: int) -> dict[str, Any]:
    """Of the process so far."""
    memory = psutil.Process().memory_full_info()
    return {
        "load_ms": load_ms,
        "threads": threads,
        "threshold": None,
        "backend": runtime,
        "cpu_s": time.process_time(),
        "resident_bytes": resident_bytes(),
        "peak_resident_bytes": peak_resident_bytes(),
        "proportional_bytes": getattr(memory, "pss", None),
    }


def since_process_start_ms() -> float:
    """To the 10 ms that the kernel counts in."""
    return 1e3 * (time.time() - psutil.Process().create_time())


def bind(cpus: str) -> None:
    """Run on these CPUs only: `0,2-3`. Raises EdgeAsrError."""
    try:
        chosen: set[int] = set()
        for part in cpus.split(","):
            first, _, last = part.partition("-")
            chosen |= set(range(int(first), int(last or first) + 1))
        os.sched_setaffinity(0, chosen)
    except (ValueError, OSError):
        raise EdgeAsrError(f"--cpus {cpus}: no such CPUs here: list them as in 0,2-3") from None
