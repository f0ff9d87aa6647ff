"""Peak resident memory of a fresh process that transcribes one recording.

Usage: python -m edge_asr.profiling.memory MODEL.pte AUDIO [--backend NAME]

A fresh process, because whoever exported a model a moment ago still holds memory that a recognizer never needs.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil

from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer
from edge_asr.terminal.import_path import run_module
from edge_asr.terminal.options import backend_option
from edge_asr.terminal.process import run
from edge_asr.terminal.screen import print_json

KIB = 1_024
LINUX_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class MemoryUse:
    """Resident memory of one process, bytes."""

    before_load: int  # with Python and our modules imported
    after_load: int  # with the runtime and the model loaded
    peak: int  # at the end of the recording


def measure(model: Path, audio: Path, backend: str | None = None) -> MemoryUse:
    """In a process of its own. Raises EdgeAsrError."""
    arguments = [*run_module("edge_asr.profiling.memory"), str(model), str(audio)]
    arguments += ["--backend", backend] if backend else []
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EdgeAsrError(f"the process that measures memory failed: {last}")
    return MemoryUse(**json.loads(done.stdout))


def measure_here(model: Path, audio: Path, backend: str | None = None) -> MemoryUse:
    before_load = resident_bytes()
    with Recognizer.open(model, backend=backend) as recognizer:
        after_load = resident_bytes()
        recognizer.transcribe(audio)
        return MemoryUse(before_load, after_load, peak_resident_bytes())


def resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """The high-water mark since the process began; where the system keeps none, what is resident now."""
    if LINUX_STATUS.is_file():
        for line in LINUX_STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIB
    return int(getattr(psutil.Process().memory_info(), "peak_wset", 0)) or resident_bytes()


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("audio", type=click.Path(path_type=Path))
@backend_option
def command(model: Path, audio: Path, backend: str | None) -> None:
    """Print the resident memory of this process, in bytes, as JSON."""
    print_json(asdict(measure_here(model, audio, backend)))


if __name__ == "__main__":
    raise SystemExit(run(command, "memory"))
