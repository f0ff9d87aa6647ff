"""`edge-asr transcribe`."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click
import numpy as np

from edge_asr.audio import SAMPLE_RATE_HZ, duration_s, read_blocks
from edge_asr.commands.live_text import LiveText
from edge_asr.commands.model import model_or_shipped, open_model
from edge_asr.commands.options import backend_option, json_option, model_option, threads_option, threshold_option
from edge_asr.commands.screen import Advance, print_json, progress_bar
from edge_asr.ctc import Word
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer, Result

STDIN = "-"
BLOCK_S = 0.5  # of a file between two updates of the screen
PIPE_BYTES = 3_200  # 100 ms of 16-bit samples: what is waited for on stdin
CONTAINERS = {b"RIFF": "WAV", b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3"}  # first bytes of files that are not PCM


@click.command("transcribe")
@click.argument("audio", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@model_option
@threshold_option
@threads_option
@backend_option
@click.option(
    "--words", is_flag=True, help="Below each text, a line a word: start and end in seconds, confidence, word."
)
@json_option
def command(
    audio: tuple[Path, ...],
    model: Path | None,
    threshold: float | None,
    threads: int,
    backend: str | None,
    words: bool,
    as_json: bool,
) -> None:
    """Turn speech into text.

    AUDIO is one file or more, of any kind that libsndfile reads (WAV, FLAC, Ogg, Opus, MP3), at any rate and with any
    number of channels. `-` is raw PCM from stdin: 16-bit little-endian, 16 kHz, mono.

    On a terminal the text comes as it is heard: plain words are final, dim ones may still change. Into a pipe goes
    one line a file. --json prints one object a file, one on each line.

    A word's confidence, 0 to 1, is how sure the final layers were of it; its times are good to about 0.1 s.

    \b
    Examples:
      edge-asr transcribe talk.flac
      edge-asr transcribe --words --threshold off *.wav
      arecord -q -f S16_LE -r 16000 -c 1 -t raw | edge-asr transcribe -
      edge-asr transcribe --json talk.flac | jq .words
    """
    # what cannot be read is told before the model is loaded, or even exported
    length_s = sum(duration_s(name) for name in audio if str(name) != STDIN)
    path = model_or_shipped(model)
    live = sys.stdout.isatty() and not as_json
    with contextlib.ExitStack() as stack:
        recognizer = stack.enter_context(open_model(path, threads, backend))
        advance = (
            ignore if live else stack.enter_context(progress_bar("transcribing, seconds of audio", length_s or None))
        )
        for name in audio:
            if live and len(audio) > 1:
                click.secho(str(name), dim=True)
            result = transcribe(recognizer, name, threshold, LiveText(sys.stdout) if live else None, advance)
            if as_json:
                print_json({"audio": str(name), "backend": recognizer.backend_name, **as_dict(result)})
                continue
            if not live:
                print(result.text, flush=True)
            if words:
                print_words(result.words)


def ignore(amount: float) -> None:
    """The progress of what shows its own."""


def transcribe(
    recognizer: Recognizer, name: Path, threshold: float | None, live: LiveText | None, advance: Advance
) -> Result:
    """One file, or stdin. The text is shown as it comes where `live` is given; `advance` gets seconds of audio."""
    rate_hz = recognizer.metadata.sample_rate_hz
    blocks = raw_blocks(sys.stdin.buffer) if str(name) == STDIN else read_blocks(name, BLOCK_S, rate_hz)
    with recognizer.stream(threshold) as stream:
        try:
            for block in blocks:
                update = stream.accept(block)
                advance(len(block) / rate_hz)
                if live and update.changed:
                    live.show(update.final, update.partial)
            result = stream.finish()
        except BaseException:
            if live:
                live.abandon()
            raise
    if live:
        live.finish(result.text)
    return result


def raw_blocks(pipe: BinaryIO) -> Iterator[np.ndarray]:
    """16-bit PCM as it comes in, int16 [samples]. A byte that ends no sample is dropped. Raises EdgeAsrError."""
    read = getattr(pipe, "read1", pipe.read)  # what is there, rather than all that was asked for
    rest, came = b"", False
    while data := read(PIPE_BYTES):
        if not came and not rest:
            refuse_container(data)
        data = rest + data
        whole = len(data) // 2 * 2
        rest = data[whole:]
        if whole:
            came = True
            yield np.frombuffer(data[:whole], dtype="<i2").astype(np.int16)
    if not came:
        raise EdgeAsrError("stdin: no audio came (raw 16-bit PCM, 16 kHz, mono is expected)")


def refuse_container(data: bytes) -> None:
    for magic, kind in CONTAINERS.items():
        if data.startswith(magic):
            raise EdgeAsrError(
                f"stdin: this is a {kind} file, not raw PCM: pass its name, or convert it with "
                f"sox/ffmpeg to s16le at {SAMPLE_RATE_HZ} Hz, mono"
            )


def print_words(words: tuple[Word, ...]) -> None:
    for word in words:
        print(f"{word.start_s:8.2f} {word.end_s:8.2f}  {word.confidence:4.2f}  {word.text}")
    sys.stdout.flush()


def as_dict(result: Result) -> dict[str, Any]:
    return {
        "text": result.text,
        "words": [
            {
                key: round(value, 4) if isinstance(value, float) else value
                for key, value in dataclasses.asdict(w).items()
            }
            for w in result.words
        ],
        **dataclasses.asdict(result.counters),
    }
