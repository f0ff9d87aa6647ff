"""PocketSphinx: a recognizer of the 2000s for small devices, with its packaged US English acoustic model and a trigram
language model of the task.

Usage: python -m edge_asr.profiling.baselines.pocketsphinx WAV... --lm FILE --dictionary FILE
    [--cpus LIST] [--bench | --json-steps]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pocketsphinx

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.baselines.json_lines import Piece, ProcessOptions, Transcript, print_lines, process_options
from edge_asr.recognizer import Counters
from edge_asr.terminal.process import run

BLOCK_S = 0.64  # of audio handed over at a time: a chunk of the shipped model
INT16_SCALE = 32_768


def acoustic_model() -> Path:
    """The folder of the packaged acoustic model."""
    return Path(pocketsphinx.get_model_path("en-us/en-us"))


class SphinxTranscriber:
    """One decoder for all recordings, each streamed in blocks. Its cepstral mean carries over, as it does live."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, language_model: Path, dictionary: Path) -> None:
        for path in (language_model, dictionary):
            if not path.is_file():
                raise EdgeAsrError(f"{path}: no such file: PocketSphinx needs a language model and a dictionary")
        try:
            self.decoder = pocketsphinx.Decoder(
                hmm=str(acoustic_model()), lm=str(language_model), dict=str(dictionary), loglevel="FATAL"
            )
        except RuntimeError as error:
            raise EdgeAsrError(f"PocketSphinx cannot load {language_model} and {dictionary} ({error})") from None

    def hear(self, samples: np.ndarray) -> Iterator[Piece | Transcript]:
        """See `Transcriber.hear`."""
        pcm = np.clip(np.rint(samples * INT16_SCALE), -INT16_SCALE, INT16_SCALE - 1).astype("<i2")
        size = int(BLOCK_S * SAMPLE_RATE_HZ)
        blocks = [pcm[start : start + size].tobytes() for start in range(0, len(pcm), size)]
        total_ms = 0.0
        self.decoder.start_utt()
        for number, block in enumerate(blocks, start=1):
            ms = timed_ms(self.decoder.process_raw, block)
            total_ms += ms
            yield Piece(ms, min(number * size, len(pcm)) / SAMPLE_RATE_HZ, 0, lambda: "", self.text)
        ms = timed_ms(self.decoder.end_utt)  # a third of the work: it searches the whole utterance again
        total_ms += ms
        yield Piece(ms, len(pcm) / SAMPLE_RATE_HZ, 0, self.text, lambda: "")
        counters = Counters(steps=len(blocks) + 1, audio_s=len(samples) / SAMPLE_RATE_HZ, compute_s=total_ms / 1e3)
        yield Transcript(self.text(), counters)

    def text(self) -> str:
        hypothesis = self.decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis else ""


def timed_ms(call: Callable[..., Any], *arguments: Any) -> float:
    started_s = time.perf_counter()
    call(*arguments)
    return 1e3 * (time.perf_counter() - started_s)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@process_options
@click.option("--lm", required=True, type=click.Path(path_type=Path), help="Language model, ARPA or binary.")
@click.option("--dictionary", required=True, type=click.Path(path_type=Path), help="Words and their phones.")
def command(options: ProcessOptions, lm: Path, dictionary: Path) -> None:
    """Recognize WAV files with PocketSphinx; prints what `edge-asr-run --json` prints."""
    print_lines("pocketsphinx", lambda: SphinxTranscriber(lm, dictionary), options)


if __name__ == "__main__":
    raise SystemExit(run(command, "pocketsphinx"))
