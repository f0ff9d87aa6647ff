"""What stands before the runner's name on a target: an emulator, whose times mean nothing, or another wrapper."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath

from edge_asr.errors import EdgeAsrError

EMULATOR = re.compile(r"qemu-(?P<machine>\w+)(?:-static)?")


def split_prefix(text: str | None) -> tuple[str, ...]:
    """`qemu-aarch64-static -cpu cortex-a76` -> its words, as a shell divides them. Raises EdgeAsrError."""
    try:
        return tuple(shlex.split(text or ""))
    except ValueError as error:
        raise EdgeAsrError(f"--run-with: {text!r} cannot be divided into words ({error})") from None


def emulated_machine(prefix: tuple[str, ...]) -> str | None:
    """As `uname -m` calls it; None where the prefix (`nice`, `chrt -f 50`, ...) emulates nothing."""
    found = EMULATOR.fullmatch(PurePath(prefix[0]).name) if prefix else None
    return found["machine"] if found else None
