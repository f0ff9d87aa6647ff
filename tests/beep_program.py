"""`edge-asr` in a process of its own, whose model is the beep model, so that it starts without torch.

Usage: python tests/beep_program.py ARGUMENTS of edge-asr
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import subprocess
import sys
import termios
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE_S = 600  # with a program that hangs; a busy machine may need minutes
BEEP_PROGRAM = (sys.executable, str(REPOSITORY / "tests" / "beep_program.py"))


def transcribe_line(*arguments: object) -> list[str | bytes]:
    """The words that run `edge-asr transcribe` with the beep model. A path may be bytes."""
    words = [each if isinstance(each, bytes) else str(each) for each in arguments]
    return [*BEEP_PROGRAM, "transcribe", "--model", "beep.pte", *words]


def transcribe(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end; one that hangs fails."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": PATIENCE_S} | options
    if "input" not in options:
        options = {"stdin": subprocess.DEVNULL} | options
    return subprocess.run(transcribe_line(*arguments), check=False, **options)


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start it, with pipes at its three ends."""
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(transcribe_line(*arguments), **(ends | options))


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """What comes up to the wanted bytes. Fails where the other end is closed before, or nothing comes."""
    seen = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while wanted not in seen:
        assert poll.poll(1_000 * PATIENCE_S), seen
        part = os.read(descriptor, 65_536)
        assert part, seen
        seen += part
    return seen


def open_fifo(path: Path, reader: subprocess.Popen[bytes]) -> int:
    """A descriptor to write to a FIFO, once the program has opened its other end. Fails where it ends before."""
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads it yet
            assert reader.poll() is None, "it ended without opening the FIFO"
            time.sleep(0.01)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def catches(running: subprocess.Popen[bytes], number: int) -> bool:
    """Whether the process has a handler for a signal now."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{running.pid}/status").read_text())
    assert caught
    return bool(int(caught[1], 16) >> (number - 1) & 1)


def wait_until(condition: Callable[[], bool]) -> None:
    """Fails where it never comes."""
    given_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < given_up_s, "it does not come"
        time.sleep(0.01)


def wait_until_read(descriptor: int) -> None:
    """Until nothing is left in a pipe, at whose either end the descriptor is."""
    left = array("i", [1])

    def is_empty() -> bool:
        fcntl.ioctl(descriptor, termios.FIONREAD, left)
        return not left[0]

    wait_until(is_empty)


def lines(output: bytes) -> Sequence[str]:
    return output.decode().splitlines()


def main() -> int:
    sys.path.insert(0, str(REPOSITORY))
    from edge_asr import recognizer
    from edge_asr.cli import main as edge_asr
    from tests.beeps import BeepBackend

    recognizer.open_backend = lambda path, threads, name: BeepBackend()  # type: ignore[assignment]
    return edge_asr()


if __name__ == "__main__":
    raise SystemExit(main())
