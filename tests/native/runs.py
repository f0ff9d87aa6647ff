"""What `edge-asr-run` printed, and where a running one has come to."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.outcome import Outcome

LIMIT_S = 60  # that any of these may take on a machine that is busy
Runner = Callable[..., Outcome]


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def fails(outcome: Outcome, *parts: str, code: int = 1) -> None:
    outcome.assert_fails(*parts, code=code)
    assert outcome.err.startswith("edge-asr-run: ")


def wait_for(happened: Callable[[], bool]) -> None:
    until_s = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < until_s, "it never happened"
        time.sleep(0.01)


def waits_for_input(pid: int) -> bool:
    """Whether it has read all that its pipe holds, and sleeps in the system call."""
    with open(f"/proc/{pid}/fd/0", "rb") as pipe:
        unread = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return unread == 0 and state == "S"


def drain(descriptor: int) -> str:
    """What a terminal was sent until its other side was closed."""
    shown = b""
    try:
        while data := os.read(descriptor, 4_096):
            shown += data
    except OSError:  # how Linux tells that the other side is closed
        pass
    os.close(descriptor)
    return shown.decode()
