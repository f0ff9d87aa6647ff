"""What was seen of one setting so far, as plain numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.contenders import Contender
from edge_asr.profiling.meters.protocol import Span

RAN, SKIPPED = "1", "0"  # in `step_upper`


@dataclass(frozen=True)
class SeenRecording:
    """One recording, once."""

    text: str
    audio_s: float
    compute_s: float
    step_ms: tuple[float, ...]
    step_upper: str | None  # "0110"; None where the runtime has no upper layers to skip
    decode_ms: float | None
    frames: int | None
    kept_frames: int | None
    cpu_s: float | None  # of the process so far
    resident_bytes: int | None

    @classmethod
    def of(cls, item: dict[str, Any]) -> SeenRecording:
        """From what a runtime printed. Raises EdgeAsrError where it lacks what every runtime must give."""
        lacking = {"text", "audio_s", "compute_s"} - item.keys()
        if lacking:
            raise EdgeAsrError(
                f"the runner printed a recording without {', '.join(sorted(lacking))}: is it another version?"
            )
        return cls(
            text=item["text"],
            audio_s=item["audio_s"],
            compute_s=item["compute_s"],
            step_ms=tuple(item.get("step_ms") or ()),
            step_upper=item.get("step_upper"),
            decode_ms=item.get("decode_ms"),
            frames=item.get("frames"),
            kept_frames=item.get("kept_frames"),
            cpu_s=item.get("cpu_s"),
            resident_bytes=item.get("resident_bytes"),
        )


@dataclass(frozen=True)
class SeenPass:
    """One pass over the recordings, in a process of its own that was warm when it began."""

    order: int  # position in the sequence of all passes
    heard: tuple[SeenRecording, ...]
    span: Span  # on the target's clock
    cpu_s: float | None

    @property
    def compute_s(self) -> float:
        return sum(item.compute_s for item in self.heard)

    @property
    def audio_s(self) -> float:
        return sum(item.audio_s for item in self.heard)


@dataclass
class Seen:
    contender: Contender
    cold: list[dict[str, Any]] = field(default_factory=list)  # --bench objects, a fresh process each
    once: tuple[SeenRecording, ...] = ()  # every recording, as heard while warming up
    first_partial_ms: list[float] = field(default_factory=list)
    end_of_speech_ms: list[float] = field(default_factory=list)
    growth_bytes: int | None = None
    passes: list[SeenPass] = field(default_factory=list)
    texts_differ: bool = False  # between passes over the same recordings

    @property
    def name(self) -> str:
        return self.contender.setting.name

    @property
    def compute_s(self) -> list[float]:
        """Of each pass."""
        return [each.compute_s for each in self.passes]

    def step_ms(self, upper: str | None = None) -> list[float]:
        """Of all passes; of those steps in which the upper layers ran ("1") or did not ("0")."""
        heard = [item for each in self.passes for item in each.heard]
        if upper is None:
            return [value for item in heard for value in item.step_ms]
        return [
            value
            for item in heard
            if item.step_upper is not None
            for value, ran in zip(item.step_ms, item.step_upper, strict=True)
            if ran == upper
        ]


def first_partial_ms(updates: Sequence[dict[str, Any]]) -> float | None:
    """From the start of a recording that is spoken live to its first text: the audio that was needed, and the compute
    that followed it. None where no text came."""
    for update in updates:
        if update["new_words"] or update["partial"]:
            return 1e3 * float(update["audio_s"]) + last_compute_ms(update, 1)
    return None


def end_of_speech_ms(updates: Sequence[dict[str, Any]]) -> float | None:
    """From the last sample in to the final text out: the step that took the last samples, those that flushed after
    it, and decoding. None where a runtime tells no updates."""
    if not updates:
        return None
    last_s = updates[-1]["audio_s"]
    took_last = next(number for number, update in enumerate(updates) if update["audio_s"] == last_s)
    steps = updates[took_last]["steps"]
    with_audio = [number for number, step in enumerate(steps) if step["keep"]]
    total_ms = last_compute_ms(updates[took_last], len(steps) - (with_audio[-1] if with_audio else 0))
    return total_ms + sum(float(update["call_ms"]) for update in updates[took_last + 1 :])


def last_compute_ms(update: dict[str, Any], count: int) -> float:
    """Of a call of the library: its last `count` steps, and what it did besides steps."""
    times = [step["latency_ms"] for step in update["steps"]]
    beside = float(update["call_ms"]) - sum(times)
    return beside + sum(times[max(0, len(times) - count) :])


def by_recording(items: Iterator[dict[str, Any]]) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Updates, and the object of the recording that they belong to, with the text and steps that only they hold."""
    updates: list[dict[str, Any]] = []
    for item in items:
        if item.get("update"):
            updates.append(item)
        else:
            yield updates, (of_updates(updates) if updates else {}) | item
            updates = []


def of_updates(updates: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `edge-asr-run --json` says of a recording and --json-steps does not repeat."""
    steps = [step for update in updates for step in update["steps"]]
    found = {
        "text": " ".join(word["text"] for update in updates for word in update["new_words"]),
        "step_ms": [step["latency_ms"] for step in steps],
    }
    if all("upper_ran" in step for step in steps):
        found["step_upper"] = "".join(RAN if step["upper_ran"] else SKIPPED for step in steps)
    return found
