"""What the profiler wants of a device: one small module a kind (local, ssh, adb)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol


@dataclass(frozen=True)
class RunRequest:
    """One process of `edge-asr-run` on the target."""

    model: Path  # here; the target has its copy
    recordings: tuple[Path, ...]  # WAV files here, 16 kHz mono 16-bit, in order, some twice; the target has its copies
    threshold: float
    threads: int = 1
    cpus: str | None = None  # as --cpus takes it
    repeat: int = 1  # passes over the recordings in the one process
    bench: bool = False  # --bench --json: one object at the end, with memory
    steps: bool = False  # --json-steps: an object for each update too


class Files(Protocol):
    """The target's file system, as far as sensors need it. Paths are absolute on the target."""

    def read(self, path: str) -> str | None:
        """Text of a small file without the final newline; None where it cannot be read."""

    def glob(self, pattern: str) -> list[str]:
        """Paths that match, sorted; empty where none does."""

    def run(self, command: Sequence[str]) -> str | None:
        """What a program prints; None where it is missing or fails."""

    def sample(self, shell_line: str, interval_s: float) -> Sampler:
        """Print `shell_line`'s output again and again, with time stamps, until the sampler is closed."""


@dataclass(frozen=True)
class Sample:
    time_s: float  # the target's monotonic clock
    text: str  # what the line printed, newlines kept


class Sampler(Protocol):
    def __enter__(self) -> Sampler: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sampling. Harmless where the target has gone."""

    def samples(self) -> list[Sample]:
        """All so far."""


class Target(Protocol):
    """A device that can be measured. A context manager: leaving it leaves nothing behind on the device."""

    @property
    def name(self) -> str:
        """`local`, `ssh:user@host`, `adb:serial`."""

    @property
    def emulated(self) -> bool:
        """Time means nothing."""

    @property
    def files(self) -> Files: ...

    def __enter__(self) -> Target: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def prepare(self, models: Sequence[Path], recordings: Sequence[Path]) -> None:
        """Bring the runner, the models and the recordings there. Raises EdgeAsrError."""

    def run(self, request: RunRequest) -> Iterator[dict[str, Any]]:
        """The JSON objects that `edge-asr-run` prints, as they come. Raises EdgeAsrError where it fails or the device
        disappears; what was yielded before holds."""

    def clock_s(self) -> float:
        """The target's monotonic clock now, for the windows that energy is integrated over."""
