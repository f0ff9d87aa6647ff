"""Settings that need no runtime: each pass costs what it is told, and is written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.contenders import Work
from edge_asr.profiling.meters.none import NoMeter
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.report import Setting
from edge_asr.profiling.sweep.journal import Circumstances, Journal
from edge_asr.profiling.sweep.run import SweepSession
from edge_asr.profiling.targets.local import LocalTarget

REFERENCES = ("ONE TWO", "THREE FOUR")
CIRCUMSTANCES = Circumstances("0" * 64, "local", 1, None)


@dataclass
class FakeContender:
    """Runs whatever `log` says went before it; interrupts or fails where it is told to."""

    name: str
    log: list[str]  # shared by all: who ran a pass, in order
    threshold: float | None = 0.9
    compute_s: float = 0.5  # of a recording
    texts: Sequence[str] = REFERENCES
    interrupted_at: int | None = None  # number of its run, warming up not counted, that is interrupted
    fails_at: int | None = None  # that fails
    runs: int = 0
    lost: int = 0  # recordings that it does not hear
    file_bytes: int = 1_000
    asked: list[Work] = field(default_factory=list)

    @property
    def setting(self) -> Setting:
        runtime = "edge-asr-run" if self.threshold is not None else "other"
        return Setting(self.name, runtime, "1", f"{self.name}.pte", self.name, "int8", self.threshold)

    def run(self, work: Work) -> Iterator[dict[str, Any]]:
        self.asked.append(work)
        if len(work.recordings) > 1:
            number, self.runs = self.runs, self.runs + 1
            if number == self.interrupted_at:
                raise KeyboardInterrupt
            if number == self.fails_at:
                raise EdgeAsrError("the board caught fire")
            self.log.append(self.name)
        for position, wave in enumerate(work.recordings[: len(work.recordings) - self.lost]):
            text = self.texts[waves().index(wave)]
            yield self.heard(wave, text, 100.0 if position == 0 else self.compute_s)

    def heard(self, wave: Path, text: str, compute_s: float) -> dict[str, Any]:
        return {
            "audio": str(wave),
            "text": text,
            "audio_s": 60.0,
            "compute_s": compute_s,
            "step_ms": [1e3 * compute_s],
            "frames": 100,
            "kept_frames": 40,
            "upper_runs": 3,
            "steps": 5,
            "peak_resident_bytes": 20_000_000,
        }


def waves() -> tuple[Path, ...]:
    return (Path("one.wav"), Path("two.wav"))


def recordings(texts: tuple[str, ...] | None = REFERENCES, audio_s: float = 120.0) -> Recordings:
    return Recordings(waves(), texts, audio_s, CIRCUMSTANCES.recordings_sha256)


def session() -> SweepSession:
    return SweepSession(LocalTarget(), NoMeter("there is none"))


def journal(folder: Path) -> Journal:
    return Journal(folder, CIRCUMSTANCES)
