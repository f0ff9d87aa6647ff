"""A target's file system, seen through any POSIX shell there: dash, bash, BusyBox's, Android's.

One shell stays open and answers everything, as starting another for each small file would take a board longer than
reading it. Sampling has a shell of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from edge_asr.profiling.targets.protocol import Sample

ANSWER_WITHIN_S = 20.0  # a sensor's bus may hang
END_WITHIN_S = 5.0
BEGIN, END = "\x1e", "\x1f"  # ASCII's record and unit separators: no sensor prints them
UPTIME_S = "read -r t _ </proc/uptime"  # seconds since the start, in hundredths; needs no program to be started

# script (one line) or None for a shell that takes commands from stdin -> its process, with pipes for stdin and stdout
StartShell = Callable[[str | None], subprocess.Popen[bytes]]


class ShellFiles:
    """`Files` of the protocol. Calls may come from several threads. Closed with `close`."""

    def __init__(self, start: StartShell) -> None:
        self._start = start
        self._shell: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def read(self, path: str) -> str | None:
        answer = self.ask(f"cat {shlex.quote(path)}")
        return None if answer is None else answer.removesuffix("\n")

    def glob(self, pattern: str) -> list[str]:
        loop = f'for f in {quote_pattern(pattern)}; do if [ -e "$f" ]; then printf \'%s\\n\' "$f"; fi; done'
        return sorted((self.ask(loop) or "").splitlines())

    def run(self, command: Sequence[str]) -> str | None:
        return self.ask(shlex.join(command))

    def sample(self, shell_line: str, interval_s: float) -> ShellSampler:
        return ShellSampler(self._start, shell_line, interval_s)

    def uptime_s(self) -> float | None:
        """The target's monotonic clock, to a hundredth of a second; None where it has gone."""
        answer = self.ask(f'{UPTIME_S} && echo "$t"')
        return float(answer) if answer else None

    def ask(self, script: str) -> str | None:
        """What one line of shell prints; None where it fails, does not end in time, or the target has gone."""
        with self._lock:
            if self._shell is None or self._shell.poll() is not None:
                self._shell = self._start(None)
            try:
                code, text = answer_of(self._shell, script)
            except OSError:
                self._stop()
                return None
        return text if code == 0 else None

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._shell is not None:
            end_shell(self._shell)
            self._shell = None


class ShellSampler:
    """`Sampler` of the protocol. A sample's time is the middle between before and after the line ran. It has begun
    when it is entered: the first sample is there, or none will come."""

    def __init__(self, start: StartShell, shell_line: str, interval_s: float) -> None:
        self._start = start
        self._script = sampling_script(shell_line, interval_s)
        self._samples: list[Sample] = []
        self._begun = threading.Event()

    def __enter__(self) -> ShellSampler:
        self._shell = self._start(self._script)
        self._reader = threading.Thread(target=self._take_all, name="sampler", daemon=True)
        self._reader.start()
        self._begun.wait(ANSWER_WITHIN_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._shell.stdin
        with contextlib.suppress(OSError):
            self._shell.stdin.close()  # its end
        self._reader.join(END_WITHIN_S)
        end_shell(self._shell)

    def samples(self) -> list[Sample]:
        return list(self._samples)

    def _take_all(self) -> None:
        assert self._shell.stdout
        rest = ""
        with contextlib.suppress(OSError, ValueError):  # the pipe was closed under it
            while block := os.read(self._shell.stdout.fileno(), 65_536):
                *whole, rest = re.split(f"{END}(.*)\n", rest + block.decode(errors="replace"))
                self._samples += map(parse_sample, whole[::2], whole[1::2])
                if self._samples:
                    self._begun.set()
        self._begun.set()


def parse_sample(text: str, after: str) -> Sample:
    """`text` begins with BEGIN and the time before."""
    before, _, printed = text.removeprefix(BEGIN).partition("\n")
    return Sample((float(before) + float(after)) / 2, printed)


def sampling_script(shell_line: str, interval_s: float) -> str:
    """Samples until its stdin ends. BusyBox may lack fractions of a second in `sleep`: then it is `usleep`, or 1 s."""
    pause = f"sleep {interval_s:g} || usleep {round(1e6 * interval_s)} || sleep 1"
    once = (
        f"{UPTIME_S}; printf '{octal(BEGIN)}%s\\n' \"$t\"; {{ {shell_line} ; }}; "
        f"{UPTIME_S}; printf '{octal(END)}%s\\n' \"$t\""
    )
    return f"{{ while {once}; do {{ {pause}; }} >/dev/null; done; }} 2>/dev/null & {until_stdin_ends()}"


def until_stdin_ends() -> str:
    """Ends what was last started with `&` where this shell's stdin ends, which it does where the caller goes, or where
    the connection is lost."""
    return "p=$!; read -r _; kill $p 2>/dev/null"


def octal(mark: str) -> str:
    """As `printf` wants it."""
    return f"\\{ord(mark):03o}"


def quote_pattern(pattern: str) -> str:
    """For a shell that is to expand `*`, `?` and `[...]`, and nothing else."""
    return re.sub(r"[^\w/.*?\[\]:,@%+=-]", lambda found: "\\" + found[0], pattern)


def answer_of(shell: subprocess.Popen[bytes], script: str) -> tuple[int, str]:
    """Exit status and output of a line. Raises OSError where the shell ends or does not answer in time."""
    assert shell.stdin
    assert shell.stdout
    line = f"{{ {script} ; }} </dev/null 2>/dev/null; printf '{octal(BEGIN)}%s\\n' $?\n"
    shell.stdin.write(line.encode())
    shell.stdin.flush()
    said = b""
    limit_s = time.monotonic() + ANSWER_WITHIN_S
    while not (end := re.search(rb"\x1e(\d+)\n\Z", said)):
        ready, _, _ = select.select([shell.stdout], [], [], max(0.0, limit_s - time.monotonic()))
        block = os.read(shell.stdout.fileno(), 65_536) if ready else b""
        if not block:
            raise OSError("no answer")
        said += block
    return int(end[1]), said[: end.start()].decode(errors="replace")


def end_shell(shell: subprocess.Popen[bytes]) -> None:
    """Its stdin ends, and so does it; else it is ended."""
    for pipe in (shell.stdin, shell.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        shell.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        shell.kill()
        shell.wait()
