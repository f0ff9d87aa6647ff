"""A device and runtimes that do exactly what a test says, in no time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.contenders import Work
from edge_asr.profiling.meters.protocol import Span, Window
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.report import EnergyKind, Setting
from edge_asr.profiling.session import Plan
from edge_asr.profiling.targets.local import LocalFiles
from edge_asr.profiling.targets.protocol import Files, RunRequest

AUDIO_S = 2.0  # of each recording
PLAN = Plan(passes=6, cold_starts=2, pass_s=0.0, metered_pass_s=0.0, idle_s=0.0, stages=False)
RECORDINGS = Recordings(
    waves=(Path("one.wav"), Path("two.wav"), Path("three.wav")),
    texts=("ONE", "TWO TWO", "THREE"),
    audio_s=3 * AUDIO_S,
    sha256="0" * 64,
)
HEARD = {"one.wav": "ONE", "two.wav": "TWO TOO", "three.wav": "THREE"}


class QuietFiles(LocalFiles):
    """Of a device that says nothing."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))

    def run(self, command: Sequence[str]) -> str | None:
        return None


class Device:
    """Its clock goes on where runtimes say that time has passed."""

    name = "ssh:test@device"
    emulated = False

    def __init__(self) -> None:
        self.files: Files = QuietFiles()
        self.now_s = 1_000.0

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def prepare(self, models: Sequence[Path], recordings: Sequence[Path]) -> None: ...

    def run(self, request: RunRequest) -> Iterator[dict[str, Any]]:
        raise NotImplementedError

    def clock_s(self) -> float:
        return self.now_s


@dataclass
class Constructed:
    """A runtime of two steps a recording: the upper layers run in the second only."""

    setting: Setting
    device: Device
    step_ms: tuple[float, float] = (1.0, 3.0)
    file_bytes: int = 1_000
    fails_after: int | None = None  # recordings in passes
    log: list[str] = field(default_factory=list)  # what ran, shared by contenders
    drift: float = 0.0  # each pass of all takes so much longer than the one before
    text_of_pass: dict[int, str] = field(default_factory=dict)
    processes: int = 0
    heard: int = 0

    def run(self, work: Work) -> Iterator[dict[str, Any]]:
        self.processes += 1
        kind = "bench" if work.bench else "steps" if work.steps else "pass"
        self.log.append(f"{self.setting.name} {kind}")
        if work.bench:
            yield {
                "load_ms": 20.0 + self.processes,
                "first_result_ms": 30.0,
                "first_step_ms": 5.0,
                "peak_resident_bytes": 20_000_000 + self.processes,
                "proportional_bytes": 18_000_000,
                "planned_bytes": 2_000_000,
                "heap_bytes": 9_000_000,
                "cpu_s": 0.05,
            }
            return
        slowness = 1 + self.drift * sum(item.endswith("pass") for item in self.log)
        cpu_s = 0.1
        for number, wave in enumerate(work.recordings):
            if kind == "pass":
                self.heard += 1
                if self.fails_after is not None and self.heard > self.fails_after:
                    raise EdgeAsrError("the device has gone")
            times = [slowness * value for value in self.step_ms]
            self.device.now_s += sum(times) / 1e3
            cpu_s += sum(times) / 1e3
            if work.steps:
                yield from self.updates(times)
            text = HEARD[wave.name]
            yield {
                "audio": str(wave),
                "text": self.text_of_pass.get(self.processes, text),
                "audio_s": AUDIO_S,
                "compute_s": sum(times) / 1e3,
                "step_ms": times,
                "step_upper": "01",
                "decode_ms": 0.5,
                "frames": 50,
                "kept_frames": 20,
                "cpu_s": cpu_s,
                "resident_bytes": 15_000_000 + 1_000 * number,
                "peak_resident_bytes": 20_000_000,
            }

    def updates(self, times: Sequence[float]) -> Iterator[dict[str, Any]]:
        first, second = times
        before = {"keep": "1" * 16, "latency_ms": first}
        last = {"keep": "1" * 9, "latency_ms": second}
        yield {
            "update": True,
            "new_words": [],
            "partial": "",
            "audio_s": 0.64,
            "call_ms": first + 0.25,
            "steps": [before],
        }
        heard = {"new_words": [{"text": "A"}], "partial": ""}
        yield {"update": True, **heard, "audio_s": 1.0, "call_ms": second + 0.25, "steps": [last]}


def setting(name: str, **changes: Any) -> Setting:
    whole = Setting(name, "edge-asr-run", "executorch 1.5.1", "m.pte", "ab" * 32, "int8", 0.7)
    return replace(whole, **changes)


@dataclass
class ConstantPower:
    """A meter of a device that takes `idle_w`, and `busy_w` more while the clock goes on in passes."""

    device: Device
    watts: float = 5.0
    name: str = "test:rail"
    kind: EnergyKind = "measured"
    covers: str = "the board"
    problem: str | None = None
    automatic: bool = True
    started: bool = False
    stopped: bool = False
    dies_at_s: float | None = None
    refuses_to_align: str | None = None

    def start(self, files: Files) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True

    def align(self, busy: Sequence[Span], idle: Sequence[Span]) -> None:
        if self.refuses_to_align:
            raise EdgeAsrError(self.refuses_to_align)

    def window(self, begin_s: float, end_s: float) -> Window:
        if self.dies_at_s is not None and end_s > self.dies_at_s:
            raise EdgeAsrError("the meter died")
        seconds = max(end_s - begin_s, 1e-9)
        return Window(self.watts * seconds, seconds, 10, 10 / seconds, 0.0)
