"""What is compared: settings that can be run. Another runtime joins by offering a `Contender` (see `baselines/`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.native.sdk import SDK_VERSION
from edge_asr.profiling.program import Program
from edge_asr.profiling.report import Setting
from edge_asr.profiling.targets.protocol import RunRequest, Target


@dataclass(frozen=True)
class Work:
    """What one fresh process is to do."""

    recordings: tuple[Path, ...]  # WAV, 16 kHz mono 16-bit; in this order, and some more than once
    bench: bool = False  # one object with load times and memory, instead of one a recording
    steps: bool = False  # before each recording's object, one for each update with the text so far


class Contender(Protocol):
    """One setting that can be run, in a fresh process each time."""

    @property
    def setting(self) -> Setting: ...

    @property
    def file_bytes(self) -> int:
        """Of the model, all its files."""

    def run(self, work: Work) -> Iterator[dict[str, Any]]:
        """The objects that `edge-asr-run` prints for it, as they come, one a recording. Raises EdgeAsrError.

        Of a recording must be there: `audio_s`, `compute_s`, `text`; where known `step_ms` (a list), `step_upper`
        ("0110"), `frames`, `kept_frames`, `upper_runs`, `steps`, `decode_ms`, and of the process so far `cpu_s`,
        `resident_bytes`, `peak_resident_bytes`, `proportional_bytes`. Of `bench`, one object: `load_ms`,
        `first_result_ms` (since the process began), `first_step_ms`, `peak_resident_bytes`; where known
        `proportional_bytes`, `planned_bytes`, `heap_bytes`. Of an update: `update` (true), `final`, `partial`,
        `audio_s` so far, `call_ms`, and `steps` with `keep` ("0110") and `latency_ms` each; a runtime without updates
        gives none.
        """


@dataclass(frozen=True)
class Gated:
    """One of our files at one threshold, run by the target."""

    target: Target
    program: Program
    setting: Setting
    threads: int
    cpus: str | None

    @property
    def file_bytes(self) -> int:
        return self.program.path.stat().st_size

    def run(self, work: Work) -> Iterator[dict[str, Any]]:
        threshold = self.setting.threshold
        assert threshold is not None
        request = RunRequest(
            model=self.program.path,
            recordings=work.recordings,
            threshold=threshold,
            threads=self.threads,
            cpus=self.cpus,
            bench=work.bench,
            steps=work.steps,
        )
        return self.target.run(request)


def gated(
    target: Target, program: Program, threshold: float, threads: int = 1, cpus: str | None = None, prefix: str = ""
) -> Gated:
    """`prefix` tells files apart in the setting's name."""
    gate = "gate off" if threshold >= NEVER_SKIP else f"gate {threshold:g}"
    setting = Setting(
        name=f"{prefix} {gate}".strip(),
        runtime="edge-asr-run",
        runtime_version=f"executorch {SDK_VERSION}",
        model=program.path.name,
        model_sha256=program.sha256,
        precision=program.metadata.precision,
        threshold=threshold,
    )
    return Gated(target, program, setting, threads, cpus)


def check_unique(contenders: Sequence[Contender]) -> None:
    """Raises EdgeAsrError where two have one name: six digits of a threshold are in it."""
    names = [contender.setting.name for contender in contenders]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise EdgeAsrError(f"two settings are both called {twice!r}: leave one out")
