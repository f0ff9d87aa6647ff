"""ONNX Runtime on the same weights, ungated: `edge-asr-run --json` with another runtime inside.

Usage: python -m edge_asr.profiling.baselines.onnxruntime MODEL.onnx WAV... [--threads N] [--cpus LIST]
    [--bench | --json-steps]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import onnxruntime

from edge_asr.backends.protocol import StepResult
from edge_asr.contract import Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.baselines.json_lines import Piece, ProcessOptions, Transcript, print_lines, process_options
from edge_asr.recognizer import Recognizer, StepInfo
from edge_asr.terminal.process import run

METADATA_KEY = "edge_asr"  # of the file's properties: `Metadata` as JSON
DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


def state_output(name: str) -> str:
    """The output that holds the new value of a state input."""
    return f"next_{name}"


class OnnxBackend:
    """A file of `onnx_export` as an `edge_asr.backends.protocol.Backend`. The threshold means nothing to it."""

    name = "onnxruntime"

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self.metadata = Metadata.from_json(self.session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        except Exception as error:  # its exceptions have no class in common
            raise EdgeAsrError(f"{path}: ONNX Runtime cannot load it ({error})") from None
        inputs = [value for value in self.session.get_inputs() if value.name not in ("pcm", "frames")]
        self.zeros = {value.name: np.zeros(value.shape, DTYPES[value.type]) for value in inputs}
        self.outputs = ["final", *map(state_output, self.zeros)]
        self.state: dict[str, np.ndarray] = self.zeros

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        """Every real frame is resolved in its own step, and there is no intermediate head: `partial` is `final`."""
        start = int(self.state["next_frame"][0])
        inputs = {"pcm": pcm.reshape(1, -1), "frames": np.array([frames])} | self.state
        log_probs, *state = self.session.run(self.outputs, inputs)
        self.state = dict(zip(self.state, state, strict=True))
        rows = np.arange(len(log_probs))
        return StepResult(
            partial=log_probs,
            keep=rows < frames,
            final=log_probs[:frames],
            index=start + rows[:frames],
            waiting=0,
        )

    def reset(self) -> None:
        self.state = self.zeros


class OnnxTranscriber:
    """Streams recordings, as a microphone would, through one loaded file."""

    def __init__(self, model: Path, threads: int) -> None:
        self.recognizer = Recognizer(lambda: OnnxBackend(model, threads))
        self.chunk_samples = self.recognizer.metadata.chunk_samples
        self.sample_rate_hz = self.recognizer.metadata.sample_rate_hz

    def hear(self, samples: np.ndarray) -> Iterator[Piece | Transcript]:
        """See `Transcriber.hear`."""
        with self.recognizer.stream() as stream:
            for start in range(0, len(samples), self.chunk_samples):
                update = stream.accept(samples[start : start + self.chunk_samples])
                heard_s = (start + self.chunk_samples) / self.sample_rate_hz
                yield from self.pieces(update.new_steps, heard_s, update.final, update.partial)
            result = stream.finish()
        yield from self.pieces(result.new_steps, len(samples) / self.sample_rate_hz, result.final, "")
        yield Transcript(result.text, result.counters)

    def pieces(self, steps: Sequence[StepInfo], heard_s: float, final: str, partial: str) -> Iterator[Piece]:
        for step in steps:
            yield Piece(step.latency_ms, heard_s, len(step.keep), lambda: final, lambda: partial)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("model", type=click.Path(path_type=Path))
@process_options
def command(model: Path, options: ProcessOptions) -> None:
    """Recognize WAV files with an ungated ONNX file; prints what `edge-asr-run --json` prints."""
    print_lines("onnxruntime", lambda: OnnxTranscriber(model, options.threads), options)


if __name__ == "__main__":
    raise SystemExit(run(command, "onnxruntime"))
