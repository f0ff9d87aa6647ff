"""Writes `time_line.jsonl`: results of steps, and the words that every time line makes of them.

usage: python -m tests.vectors.time_line

A line has `name`, `pieces`, `blank_id`, `frame_samples`, `sample_rate_hz`, `steps` and `finish`. A step has `samples`,
the real ones of its chunk, and what `edge_asr.contract` says that it gives: `partial` and `keep` of its real frames,
`final`, `index`, `waiting`. Numbers that are not finite are strings. Then it has `words`, which became final, and
`partial_words`: each is its text, start and end in seconds, and confidence. `finish` has the last final words. A step
that must be refused has `refused`, the message, and is the last.

The words are decoded here from the whole merged line, anew after each step: nothing is kept in between.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("time_line.jsonl")
SCHEDULES = 90
CLOCKS = ((640, 16_000), (320, 8_000), (441, 11_025), (160, 16_000), (1_920, 48_000))  # frame_samples, sample_rate_hz
ALPHABETS: dict[str, tuple[list[str], int]] = {  # pieces, and which is blank
    "words": (["<blank>", "▁HE", "L", "O"], 0),
    "letters": (["▁", "A", "L", "<blank>"], 3),
    "odd pieces": (["", "▁O▁K", "<blank>", "A▁", "▁▁", "é😀"], 2),
    "marks inside": (["<blank>", "A▁B", "▁", "C"], 0),
}
Word = tuple[str, float, float, float]  # text, start and end in seconds, confidence
ODD = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True)
class Frame:
    """A frame as both heads hear it."""

    kept: bool
    partial: list[Any]
    final: list[Any]


@dataclass(frozen=True)
class Heard:
    """A frame on the merged line."""

    token: int
    log_probability: float


@dataclass
class Stream:
    """A stream while it is written."""

    name: str
    pieces: list[str]
    blank_id: int
    frame_samples: int
    sample_rate_hz: int
    frames: list[Frame] = field(default_factory=list)
    samples: int = 0
    resolved: int = 0  # of the kept frames, the first so many
    steps: list[dict[str, Any]] = field(default_factory=list)

    def kept(self) -> list[int]:
        return [number for number, frame in enumerate(self.frames) if frame.kept]

    def step(self, new: Sequence[Frame], resolve: int, missing: int = 0) -> None:
        """Frames arrive, and `resolve` kept ones at most are resolved; the last frame lacks `missing` samples."""
        before = len(self.final_words())
        self.write(new, resolve, missing)
        words = self.final_words()
        self.steps[-1]["words"] = words[before:]
        self.steps[-1]["partial_words"] = self.all_words()[len(words) :]
        assert self.all_words()[: len(words)] == words, "final words stay"

    def refused(self, new: Sequence[Frame], resolve: int, message: str, **outputs: Any) -> None:
        """The same, with other outputs than the contract asks for."""
        self.write(new, resolve)
        self.steps[-1] |= {**outputs, "refused": message}

    def write(self, new: Sequence[Frame], resolve: int, missing: int = 0) -> None:
        samples = len(new) * self.frame_samples - missing
        self.frames += new
        self.samples += samples
        ready = self.kept()[self.resolved :][:resolve]
        self.resolved += len(ready)
        self.steps.append(
            {
                "samples": samples,
                "keep": [int(frame.kept) for frame in new],
                "partial": [frame.partial for frame in new],
                "index": ready,
                "final": [self.frames[number].final for number in ready],
                "waiting": len(self.kept()) - self.resolved,
            }
        )

    # --- the reference

    def line(self) -> list[Heard]:
        """The merged line: a skipped frame is blank, a resolved one the final head's, another the other's."""
        resolved = set(self.kept()[: self.resolved])
        heard = []
        for number, frame in enumerate(self.frames):
            row = frame.final if number in resolved else frame.partial
            best = max(row) if frame.kept else 0.0
            heard.append(Heard(row.index(best) if frame.kept else self.blank_id, best))
        return heard

    def all_words(self) -> list[Word]:
        return [word for group in self.groups(self.line()) for word in self.word(group)]

    def final_words(self) -> list[Word]:
        """Of the part of the line that is resolved, all but the word that is still open."""
        known = self.kept()[self.resolved - 1] + 1 if self.resolved else 0
        return [word for group in self.groups(self.line()[:known])[:-1] for word in self.word(group)]

    def groups(self, line: Sequence[Heard]) -> list[list[tuple[str, int, int, float]]]:
        """CTC: each run of a token that is not blank is its piece once, and `▁` begins a group. Of each part of a group
        text, first and last frame, and highest log probability. A part that a later `▁` of its piece ends is heard in
        the first frame of the run."""
        groups: list[list[tuple[str, int, int, float]]] = [[]]
        for token, members in itertools.groupby(range(len(line)), key=lambda number: line[number].token):
            run = list(members)
            if token == self.blank_id:
                continue
            texts = self.pieces[token].split("▁")
            for position, text in enumerate(texts):
                if position:
                    groups.append([])
                if text:
                    lasting = run if position == len(texts) - 1 else run[:1]
                    best = max(line[number].log_probability for number in lasting)
                    groups[-1].append((text, lasting[0], lasting[-1], best))
        return groups

    def word(self, group: Sequence[tuple[str, int, int, float]]) -> list[Word]:
        """None where the group has no text."""
        if not group:
            return []
        start = group[0][1] * self.frame_samples
        end = min((group[-1][2] + 1) * self.frame_samples, self.samples)
        confidence = min(1.0, math.exp(sum(part[3] for part in group) / len(group)))
        text = "".join(part[0] for part in group)
        return [(text, start / self.sample_rate_hz, end / self.sample_rate_hz, round(confidence, 6))]

    def written(self) -> dict[str, Any]:
        facts = {key: getattr(self, key) for key in ("name", "pieces", "blank_id", "frame_samples", "sample_rate_hz")}
        if "refused" in self.steps[-1]:
            return {**facts, "steps": self.steps}
        assert self.resolved == len(self.kept()), "a stream ends with nothing waiting"
        return {**facts, "steps": self.steps, "finish": self.all_words()[len(self.final_words()) :]}


class Chance(random.Random):
    """Draws frames."""

    def row(self, pieces: int, token: int) -> list[float]:
        """Log probabilities, of which `token` has the highest, or another one the same."""
        logits = [self.gauss(0.0, 1.0) for _ in range(pieces)]
        logits[token] = max(logits) + self.choice([0.0, 0.0, 1.0, 3.0, 12.0])
        total = math.log(sum(math.exp(logit) for logit in logits))
        return [round(logit - total, 2) + 0.0 for logit in logits]

    def frames(self, count: int, pieces: int, blank_id: int) -> list[Frame]:
        """Tokens last, and both heads mostly agree."""
        made = []
        token = blank_id
        for _ in range(count):
            if self.random() < 0.55:
                token = self.choice([blank_id, *range(pieces)])
            final = self.randrange(pieces) if self.random() < 0.2 else token
            kept = self.random() < (0.35 if token == blank_id else 0.85)
            partial: list[Any] = self.row(pieces, token)
            if not kept and self.random() < 0.1:  # a row that does not count may hold anything
                partial = [self.choice(ODD) for _ in partial]
            made.append(Frame(kept, partial, self.row(pieces, final)))
        return made


def lines() -> Iterator[dict[str, Any]]:
    for seed in range(SCHEDULES):
        yield scheduled(seed)
    yield from at_the_edges()
    yield from breaches()


def opened(name: str, alphabet: str = "words", clock: tuple[int, int] = CLOCKS[0]) -> Stream:
    pieces, blank_id = ALPHABETS[alphabet]
    return Stream(name, pieces, blank_id, *clock)


def scheduled(seed: int) -> dict[str, Any]:
    """Frames that arrive and are resolved as it happens."""
    chance = Chance(seed)
    alphabet = list(ALPHABETS)[seed % len(ALPHABETS)]
    stream = opened(f"{alphabet}, drawn with seed {seed}", alphabet, CLOCKS[seed % len(CLOCKS)])
    for _ in range(chance.randrange(1, 6)):
        new = chance.frames(chance.randrange(5), len(stream.pieces), stream.blank_id)
        stream.step(new, resolve=chance.choice([0, 0, 1, 2, 9]))
    last = chance.frames(chance.randrange(1, 4), len(stream.pieces), stream.blank_id)
    stream.step(last, resolve=chance.choice([0, 9]), missing=chance.randrange(stream.frame_samples))
    while stream.resolved < len(stream.kept()):
        stream.step([], resolve=chance.randrange(1, 9))
    return stream.written()


def says(stream: Stream, tokens: Sequence[int], log_probability: float = -0.25, kept: bool = True) -> list[Frame]:
    """Frames of which both heads say the same."""
    rows = [[log_probability if each == token else -9.0 for each in range(len(stream.pieces))] for token in tokens]
    return [Frame(kept, row, row) for row in rows]


def at_the_edges() -> Iterator[dict[str, Any]]:
    stream = opened("nothing")
    stream.step([], 0)
    yield stream.written()

    stream = opened("silence")
    for _ in range(3):
        stream.step(says(stream, [1, 1, 0], kept=False), 0)
    yield stream.written()

    for missing in (1, 517, 639):
        stream = opened(f"the last frame lacks {missing} samples")
        stream.step(says(stream, [1, 2]), 0)
        stream.step(says(stream, [2, 3]), 1, missing)
        stream.step([], 9)
        yield stream.written()

    stream = opened("of equal probabilities the first counts")
    tie = Frame(True, [-1.0] * 4, [-2.0, -1.0, -1.0, -1.0])
    stream.step([tie, tie], 0)
    stream.step([], 9)
    yield stream.written()

    stream = opened("a probability that rounding brought above 1")
    stream.step(says(stream, [1, 2, 1], log_probability=0.001), 9)
    yield stream.written()

    stream = opened("the smallest probabilities")
    stream.step([Frame(True, [-69.0, -68.5, -69.0, -69.0], [-69.0, -69.0, -68.5, -69.0])] * 2, 2)
    yield stream.written()

    stream = opened("a letter held over a resolved and a waiting frame is one letter")
    stream.step(says(stream, [1, 2, 2, 2, 3]), 3)
    stream.step([], 9)
    yield stream.written()

    stream = opened("a letter on both sides of a skipped frame is two letters")
    stream.step([*says(stream, [1, 2]), *says(stream, [2], kept=False), *says(stream, [2, 3])], 9)
    yield stream.written()


def breaches() -> Iterator[dict[str, Any]]:
    yield from not_finite()
    two = [1, 2]
    for index, resolved in (([1], 1), ([0, 0], 0), ([0, 2], 2), ([-1], -1), ([0, 1, 2], 2), ([2**40], 2**40)):
        stream = opened(f"frames {index} are resolved")
        message = f"the model resolved frame {resolved}, which was not next: export it again"
        rows = says(stream, [1] * len(index))
        stream.refused(says(stream, two), 0, message, index=index, final=[row.final for row in rows], waiting=0)
        yield stream.written()
    stream = opened("a skipped frame is resolved")
    message = "the model resolved frame 0, which was not next: export it again"
    outputs = {"index": [0], "final": [says(stream, [1])[0].final], "waiting": 0}
    stream.refused(says(stream, [1], kept=False), 0, message, **outputs)
    yield stream.written()
    for waiting in (-1, 0, 1, 3):
        stream = opened(f"{waiting} frames are said to wait")
        stream.step(says(stream, [1]), 0)
        message = f"the model says that {waiting} frames wait, and 2 do: export it again"
        stream.refused(says(stream, [2]), 0, message, waiting=waiting)
        yield stream.written()


def not_finite() -> Iterator[dict[str, Any]]:
    for odd, position, head in itertools.product(ODD, (0, 2), ("partial", "final")):
        stream = opened(f"{odd} in {head}, of token {position}")
        stream.step(says(stream, [1, 2]), 9)
        good = says(stream, [2])[0]
        bad = [odd if token == position else value for token, value in enumerate(good.partial)]
        frames = [
            *says(stream, [1], kept=False),
            Frame(True, *((bad, good.final) if head == "partial" else (good.partial, bad))),
        ]
        message = "the model gave a log probability that is not finite for frame 3: export it again"
        stream.refused(frames, 9, message)
        yield stream.written()


def text() -> str:
    made = list(lines())
    assert len({line["name"] for line in made}) == len(made), "each has a name of its own"
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in made)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
