"""This machine."""

from __future__ import annotations

import glob
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import build
from edge_asr.native.target import named_target
from edge_asr.profiling.targets.protocol import RunRequest, Sample
from edge_asr.profiling.targets.runner_line import parse_line, runner_arguments

NAME = "local"
LARGEST_FILE_BYTES = 2**20  # that a sensor's file may have
ANSWER_WITHIN_S = 20.0
SHELL_SIGNS = set("|&;<>()$`\\\"'*?[]#~=%!{}\n")

Tell = Callable[[str], None]


class LocalTarget:
    """`Target` of the protocol. `root` is where its file system begins, for trees that tests make up."""

    name = NAME
    emulated = False

    def __init__(self, root: Path = Path("/"), tell: Tell | None = None) -> None:
        self.files = LocalFiles(root)
        self._tell = tell or (lambda stage: None)
        self._runner: Path | None = None

    def __enter__(self) -> LocalTarget:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was put anywhere."""

    def prepare(self, models: Sequence[Path], recordings: Sequence[Path]) -> None:
        """Build the runner, once for each state of its sources; models and recordings are here. Raises EdgeAsrError."""
        self._runner = build(named_target(None), tell=lambda stage: self._tell(f"native runtime, {stage}")).runner

    def run(self, request: RunRequest) -> Iterator[dict[str, Any]]:
        if self._runner is None:
            self.prepare([request.model], request.recordings)
        arguments = runner_arguments(request, str(request.model), [str(path) for path in request.recordings])
        return objects_of([str(self._runner), *arguments])

    def clock_s(self) -> float:
        return time.monotonic()


def objects_of(command: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What a program prints, one JSON object a line. It ends where we stop reading. Raises EdgeAsrError."""
    with tempfile.TemporaryFile() as complaints:
        try:
            running = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True
            )
        except OSError as error:
            raise EdgeAsrError(f"{command[0]}: cannot be started ({error.strerror})") from None
        with running:
            assert running.stdout
            try:
                for line in running.stdout:
                    yield parse_line(line, {}, NAME)
            except BaseException:
                running.kill()
                raise
        if running.returncode:
            complaints.seek(0)
            raise EdgeAsrError(last_words(complaints.read().decode(errors="replace"), running.returncode))


def last_words(complaint: str, code: int) -> str:
    """The last line of a program that failed, without its name."""
    said = complaint.strip().splitlines()
    if said:
        return said[-1].removeprefix("edge-asr-run: ")
    how = f"by signal {-code}" if code < 0 else f"with status {code}"
    return f"the runner ended {how} and said nothing"


class LocalFiles:
    """`Files` of the protocol."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = str(root).rstrip("/")

    def read(self, path: str) -> str | None:
        try:
            with open(self._root + path, encoding="utf-8", errors="replace") as file:
                return file.read(LARGEST_FILE_BYTES).removesuffix("\n")
        except OSError:
            return None

    def glob(self, pattern: str) -> list[str]:
        return sorted(found.removeprefix(self._root) for found in glob.glob(glob.escape(self._root) + pattern))

    def run(self, command: Sequence[str]) -> str | None:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_WITHIN_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return None if done.returncode else done.stdout.decode(errors="replace")

    def sample(self, shell_line: str, interval_s: float) -> LocalSampler:
        return LocalSampler(self._printer(shell_line), interval_s)

    def _printer(self, shell_line: str) -> Callable[[], str]:
        """`cat` of files needs no process, which would cost more than the reading."""
        words = [] if SHELL_SIGNS & set(shell_line) else shlex.split(shell_line)
        if words[:1] == ["cat"] and len(words) > 1 and all(word.startswith("/") for word in words[1:]):
            return lambda: "".join(self._with_newline(path) for path in words[1:])
        return lambda: self.run(["sh", "-c", shell_line]) or ""

    def _with_newline(self, path: str) -> str:
        text = self.read(path)
        return "" if text is None else text + "\n"


class LocalSampler:
    """`Sampler` of the protocol: a thread. A sample's time is the middle between before and after the line ran."""

    def __init__(self, read: Callable[[], str], interval_s: float) -> None:
        self._read = read
        self._interval_s = interval_s
        self._samples: list[Sample] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take_all, name="sampler", daemon=True)

    def __enter__(self) -> LocalSampler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def samples(self) -> list[Sample]:
        return list(self._samples)

    def _take_all(self) -> None:
        due_s = time.monotonic()
        while not self._over.is_set():
            before_s = time.monotonic()
            text = self._read()
            self._samples.append(Sample((before_s + time.monotonic()) / 2, text))
            due_s = max(due_s + self._interval_s, time.monotonic())
            self._over.wait(due_s - time.monotonic())
