"""`edge-asr transcribe`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import sys
from pathlib import Path
from typing import Any

import click

from edge_asr.audio import AudioReader, RawFormat, duration_s
from edge_asr.commands.decoding import DecodedInput, decode
from edge_asr.commands.live_text import FlowingText, LiveText, NoText, ShownText
from edge_asr.ctc import Word
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Result
from edge_asr.sound.byte_stream import STDIN
from edge_asr.sound.channels import Channel
from edge_asr.terminal.model import model_or_shipped, open_model
from edge_asr.terminal.options import (
    backend_option,
    channel_option,
    json_option,
    model_option,
    threads_option,
    threshold_option,
)
from edge_asr.terminal.process import FAILED, say
from edge_asr.terminal.screen import Advance, message, print_json, progress_bar, takes_escapes
from edge_asr.terminal.signals import InputEnd, exit_code
from edge_asr.terminal.standard_streams import one_line

RATES_HZ = (1_000, 768_000)
MOST_CHANNELS = 64


@click.command("transcribe")
@click.argument("audio", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@model_option
@threshold_option
@threads_option
@backend_option
@channel_option
@click.option("--rate", type=click.IntRange(*RATES_HZ), metavar="HZ", help="Of raw PCM. Default: the model's rate.")
@click.option("--channels", type=click.IntRange(1, MOST_CHANNELS), metavar="N", help="Of raw PCM. Default: 1.")
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
    channel: Channel,
    rate: int | None,
    channels: int | None,
    words: bool,
    as_json: bool,
) -> int:
    """Turn speech into text.

    AUDIO is one input or more: a file of any kind that libsndfile reads (WAV, FLAC, Ogg, Opus, MP3), at any rate and
    with any number of channels; or a pipe that brings one (a FIFO, `<(...)`, /dev/stdin). A WAV pipe is decoded as it
    comes; another kind is first kept in a temporary file, to its end. `-` is raw PCM from stdin: 16-bit little-endian,
    of --rate and --channels.

    On a terminal the text comes as it is heard: plain words are final, dim ones may still change. Into a pipe goes
    one line an input, each word once it is final. --json prints one object an input, one on each line.

    An input that cannot be read is named on stderr, and the others are transcribed; the exit code is then 1. Ctrl-C,
    SIGTERM and SIGHUP end the input: what was heard is printed, with "interrupted": true under --json. The exit code
    is then 130, 143 or 129. A second signal ends the program at once.

    A word's confidence, 0 to 1, is how sure the final layers were of it; its times are good to about 0.1 s.

    \b
    Examples:
      edge-asr transcribe talk.flac
      edge-asr transcribe --words --threshold off *.wav
      arecord -q -f S16_LE -r 16000 -c 1 -t raw | edge-asr transcribe -
      arecord -q -f S16_LE -r 48000 -c 2 -t raw | edge-asr transcribe - --rate 48000 --channels 2 --channel 1
      ffmpeg -v error -i talk.m4a -f wav - | edge-asr transcribe /dev/stdin
      edge-asr transcribe --json talk.flac | jq .words
    """
    if (rate or channels) and Path(STDIN) not in audio:
        raise click.UsageError(f"--rate and --channels are of raw PCM, which `{STDIN}` is", click.get_current_context())
    output = Output(as_json, words, titled=len(audio) > 1)
    length_s, troubles = look_at(audio)
    if len(troubles) == len(audio):  # told before a model is loaded, or even exported
        for name in audio:
            output.bad(name, troubles[name])
        return FAILED
    path = model_or_shipped(model)
    failed = False
    with contextlib.ExitStack() as stack:
        recognizer = stack.enter_context(open_model(path, threads, backend))
        rate_hz = recognizer.metadata.sample_rate_hz
        raw = RawFormat(rate or rate_hz, channels or 1)
        advance = stack.enter_context(progress(output, length_s))
        end = stack.enter_context(InputEnd())
        for name in audio:
            if end.signal is not None:
                break
            reader = AudioReader(name, rate_hz, channel, raw if str(name) == STDIN else None, end.wait)
            text = output.text(name)
            try:
                heard = decode(recognizer, reader, threshold, text, lambda: end.signal is not None, advance)
            except EdgeAsrError as error:
                output.bad(name, str(error))
                failed = True
                continue
            output.good(name, heard, recognizer.backend_name, end.signal is not None)
            failed |= heard.trouble is not None
    if end.signal is not None:
        return exit_code(end.signal)
    return FAILED if failed else 0


def look_at(audio: tuple[Path, ...]) -> tuple[float | None, dict[Path, str]]:
    """Seconds of audio altogether, None where an input does not say; and what is wrong with inputs that cannot be
    read. Inputs that can be read only once are left alone."""
    total_s: float | None = 0.0
    troubles: dict[Path, str] = {}
    for name in audio:
        try:
            length_s = duration_s(name)
        except EdgeAsrError as error:
            troubles[name] = str(error)
        else:
            total_s = None if length_s is None or total_s is None else total_s + length_s
    return total_s, troubles


def progress(output: Output, length_s: float | None) -> contextlib.AbstractContextManager[Advance]:
    """A bar, where no text comes that it would overwrite: a pipe may lead to the same terminal."""
    if output.flows_to_a_reader():
        return contextlib.nullcontext(lambda amount: None)
    return progress_bar("transcribing, seconds of audio", length_s or None)


class Output:
    """What is printed of each input: text, or a JSON object, on stdout; warnings and errors on stderr."""

    def __init__(self, as_json: bool, words: bool, titled: bool) -> None:
        self._as_json = as_json
        self._words = words
        self._titled = titled
        self._live = not as_json and takes_escapes(sys.stdout)

    def flows_to_a_reader(self) -> bool:
        """Whether text appears word by word."""
        return not self._as_json and (sys.stdout.isatty() or stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode))

    def text(self, name: Path) -> ShownText:
        """Where the text of the next input goes."""
        if self._as_json:
            return NoText()
        if self._titled and sys.stdout.isatty():
            click.secho(one_line(str(name)), dim=True)
        return LiveText(sys.stdout) if self._live else FlowingText(sys.stdout)

    def good(self, name: Path, heard: DecodedInput, backend: str, interrupted: bool) -> None:
        if self._as_json:
            trouble = {} if heard.trouble is None else {"error": one_line(heard.trouble)}
            facts = {"interrupted": interrupted, "warnings": heard.warnings, **trouble}
            print_json({"audio": str(name), "backend": backend, **as_dict(heard.result), **facts})
        elif self._words:
            print_words(heard.result.words)
        for warning in heard.warnings:
            message(f"warning: {title(name)}: {warning}")
        if heard.trouble is not None:
            say("edge-asr", heard.trouble)

    def bad(self, name: Path, trouble: str) -> None:
        """Of an input from which nothing was heard."""
        if self._as_json:
            print_json({"audio": str(name), "error": one_line(trouble)})
        say("edge-asr", trouble)


def title(name: Path) -> str:
    """Of an input, in messages."""
    return "stdin" if str(name) == STDIN else str(name)


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
