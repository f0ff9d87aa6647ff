"""What a user types for a target -> the target."""

from __future__ import annotations

from collections.abc import Callable

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.targets.adb import AdbTarget, parse_serial
from edge_asr.profiling.targets.emulation import split_prefix
from edge_asr.profiling.targets.local import LocalTarget
from edge_asr.profiling.targets.ssh import SshTarget
from edge_asr.profiling.targets.ssh_connection import parse_address

FORMS = "local, ssh:USER@HOST[:PORT], or adb[:SERIAL]"


def choose_target(
    text: str, run_with: str | None = None, tell: Callable[[str], None] | None = None
) -> LocalTarget | SshTarget | AdbTarget:
    """`local`, `ssh:USER@HOST[:PORT][/FOLDER]` or `adb[:SERIAL]`.

    `run_with` stands before the runner's name on an ssh target: `qemu-aarch64-static -cpu cortex-a76`, `chrt -f 50`.
    `tell` gets each stage of what takes long. Nothing is connected yet. Raises EdgeAsrError.
    """
    prefix = split_prefix(run_with)
    kind, colon, rest = text.strip().partition(":")
    if prefix and kind != "ssh":
        raise EdgeAsrError(f"--run-with is for ssh targets, and the target is {text}")
    if kind == "ssh" and colon:
        return SshTarget(parse_address(rest), prefix, tell)
    if kind == "adb":
        return AdbTarget(parse_serial(rest) if colon else None, tell)
    if kind == "local" and not colon:
        return LocalTarget(tell=tell)
    raise EdgeAsrError(f"{text!r} is no target: name {FORMS}")
