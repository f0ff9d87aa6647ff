"""A device made up for tests: its file system is a folder, its programs say what they are told to, its time is ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from edge_asr.profiling.targets.local import LocalFiles
from edge_asr.profiling.targets.protocol import Sample


class FakeFiles:
    """`Files`, with a clock that moves when a test says so, or when somebody waits for samples."""

    def __init__(self, root: Path, programs: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.programs = dict(programs or {})
        self.now_s = 100.0
        self.dead = False  # no sample comes any more: the connection is lost
        self.sampler: FakeSampler | None = None
        self._local = LocalFiles(root)

    def write(self, tree: Mapping[str, object]) -> None:
        """Path on the device -> text, without the final newline."""
        for path, text in tree.items():
            file = self.root / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n", encoding="utf-8")

    def remove(self, path: str) -> None:
        (self.root / path.removeprefix("/")).unlink()

    def hide(self, path: str) -> None:
        """There, but it cannot be read, not even by root, as which tests may run: a folder."""
        file = self.root / path.removeprefix("/")
        file.unlink(missing_ok=True)
        file.mkdir(parents=True)

    def read(self, path: str) -> str | None:
        return self._local.read(path)

    def glob(self, pattern: str) -> list[str]:
        return self._local.glob(pattern)

    def run(self, command: Sequence[str]) -> str | None:
        return self.programs.get(" ".join(command))

    def sample(self, shell_line: str, interval_s: float) -> FakeSampler:
        self.sampler = FakeSampler(self, shell_line, interval_s)
        return self.sampler

    def print_line(self, shell_line: str) -> str:
        if shell_line.startswith("cat "):
            texts = [self.read(path.strip("'")) for path in shell_line.split()[1:]]
            return "".join(f"{text}\n" for text in texts if text is not None)
        return self.programs.get(shell_line, "")

    def live(self, seconds: float, update: Callable[[float], Mapping[str, object]] = lambda time_s: {}) -> None:
        """Time passes, and a sample is taken every interval. `update`: seconds since this call -> files that change."""
        assert self.sampler
        begin_s = self.now_s
        steps = round(seconds / self.sampler.interval_s)
        for step in range(1, steps + 1):
            self.now_s = begin_s + step * self.sampler.interval_s
            self.write(update(self.now_s - begin_s))
            self.sampler.take()


class FakeSampler:
    def __init__(self, files: FakeFiles, shell_line: str, interval_s: float) -> None:
        self.shell_line = shell_line
        self.interval_s = interval_s
        self._files = files
        self._samples: list[Sample] = []

    def __enter__(self) -> FakeSampler:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.sampler = None

    def take(self) -> None:
        if not self._files.dead:
            self._samples.append(Sample(self._files.now_s, self._files.print_line(self.shell_line)))

    def samples(self) -> list[Sample]:
        """Whoever asks waits for the next one."""
        if self._files.sampler is self:
            self._files.now_s += self.interval_s
            self.take()
        return list(self._samples)
