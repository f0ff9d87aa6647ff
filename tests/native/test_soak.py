"""Hours of speech through one process: memory stays flat, and the end is heard, and takes as long, as the beginning.

An hour of audio by default; $EDGE_ASR_SOAK_HOURS sets another number. Memory is read from outside, in /proc. Loading
and warming up are over after the first pass over the corpus, which is six minutes of audio and about a second of wall
time: from there on memory may grow by LIMIT_BYTES.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median
from typing import IO, Any

import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.manifest import read_manifest
from edge_asr.native.build import Build
from edge_asr.recognizer import Recognizer

pytestmark = pytest.mark.slow

HOURS = float(os.environ.get("EDGE_ASR_SOAK_HOURS", "1"))
LIMIT_BYTES = 1_000_000
BLOCK_S = 4  # of a long stream, between two looks at the memory
CHANGED_SHARE = 0.03  # of a pass's words, between passes of one stream: its past differs, and with it int8 rounding
SLOWER = 1.5  # of a median of step times


@dataclass(frozen=True)
class Look:
    """At a process, from outside."""

    at_s: float  # wall clock since it was started
    resident_bytes: int


class Watched:
    """A process, and what was seen of its memory."""

    def __init__(self, running: subprocess.Popen[bytes]) -> None:
        self.running = running
        self.started_s = time.monotonic()
        self.warm: int | None = None  # looks before the first pass was over
        self.looks: list[Look] = []

    def look(self) -> None:
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        resident = re.search(r"VmRSS:\s*(\d+) kB", status)
        if resident:  # none of a process that has ended
            self.looks.append(Look(time.monotonic() - self.started_s, 1_024 * int(resident[1])))

    def first_pass_is_over(self) -> None:
        self.look()
        self.warm = len(self.looks) - 1

    def growth_bytes(self) -> int:
        """The most that was ever resident after the first pass, above what was at its end."""
        assert self.warm is not None
        after = [look.resident_bytes for look in self.looks[self.warm :]]
        assert len(after) > 100
        return max(after) - after[0]

    def __str__(self) -> str:
        assert self.warm is not None
        minute = min(self.looks, key=lambda look: abs(look.at_s - 60))
        seen = {"first": self.looks[0], "after a pass": self.looks[self.warm], "then": minute, "last": self.looks[-1]}
        parts = [f"{name} {look.resident_bytes / 1e6:.2f} MB at {look.at_s:.1f} s" for name, look in seen.items()]
        most = max(look.resident_bytes for look in self.looks)
        return f"{', '.join(parts)}; most {most / 1e6:.2f} MB; growth after a pass {self.growth_bytes() / 1e6:.3f} MB"


@dataclass(frozen=True)
class Corpus:
    """AN4's test recordings."""

    paths: list[Path]  # WAV
    samples: np.ndarray  # int16, all of them with silence up to a whole chunk
    chunk_samples: int

    @property
    def stream_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def files_s(self) -> float:
        return sum(soundfile.info(path).duration for path in self.paths)


@pytest.fixture(scope="module")
def corpus(an4_test: Path, shipped_pte: Path, native_build: Build, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("soak")
    paths, parts = [], []
    for utterance in read_manifest(an4_test):
        samples, rate_hz = soundfile.read(utterance.audio, dtype="int16")
        paths.append(folder / f"{utterance.audio.stem}.wav")
        soundfile.write(paths[-1], samples, rate_hz)
        parts.append(samples)
    with Recognizer.open(shipped_pte, backend="native") as recognizer:
        chunk = recognizer.metadata.chunk_samples
    length = sum(map(len, parts))
    return Corpus(paths, np.concatenate([*parts, np.zeros(chunk - length % chunk, np.int16)]), chunk)


def passes_of(hours: float, pass_s: float) -> int:
    return max(3, round(np.ceil(3_600 * hours / pass_s)))


def test_a_corpus_again_and_again(
    capsys: pytest.CaptureFixture[str], native_build: Build, shipped_pte: Path, corpus: Corpus
) -> None:
    passes = passes_of(HOURS, corpus.files_s)
    files = [str(path) for path in corpus.paths]
    command = [str(native_build.runner), "--model", str(shipped_pte), "--json", "--repeat", str(passes), *files]
    heard: dict[int, list[Any]] = {1: [], passes: []}
    audio_s = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        watched = Watched(running)
        for line in json_lines(running.stdout):
            watched.look()
            audio_s += line["audio_s"]
            if line["pass"] in heard:
                heard[line["pass"]].append(answer(line))
            if line["pass"] == 1 and len(heard[1]) == len(files):
                watched.first_pass_is_over()
    wall_s = time.monotonic() - watched.started_s
    with capsys.disabled():
        print(f"\n{audio_s / 3_600:.2f} h in {passes} passes, {wall_s:.1f} s of wall time: {watched}")
    assert running.returncode == 0
    assert audio_s >= 3_600 * HOURS
    assert wall_s < audio_s
    assert len(heard[passes]) == len(files)
    assert heard[passes] == heard[1]
    assert watched.growth_bytes() <= LIMIT_BYTES


def json_lines(stream: IO[bytes] | None) -> Iterator[dict[str, Any]]:
    assert stream
    yield from map(json.loads, stream)


def answer(line: dict[str, Any]) -> dict[str, Any]:
    """All that was heard, but the time it took."""
    return {key: line[key] for key in ("audio", "text", "words", "frames", "kept_frames", "upper_runs", "steps")}


def test_one_stream_without_end(
    capsys: pytest.CaptureFixture[str], native_build: Build, shipped_pte: Path, corpus: Corpus, tmp_path: Path
) -> None:
    passes = passes_of(HOURS, corpus.stream_s)
    command = [native_build.runner, "--model", shipped_pte, "--raw", "s16le", "-"]
    text, watched = stream(command, corpus, passes, tmp_path / "text")
    with capsys.disabled():
        print(f"\none stream of {passes * corpus.stream_s / 3_600:.2f} h: {watched}")
    assert watched.growth_bytes() <= LIMIT_BYTES

    # the answer as JSON holds every word and the time of every step: it is the answer that grows
    found, watched = stream([*command, "--json"], corpus, passes, tmp_path / "json")
    line = json.loads(found)
    words = words_of_passes(line["words"], corpus.stream_s, passes)
    changed = max(words_changed(words[1], each) for each in words[2:])
    with capsys.disabled():
        print(f"as JSON: {watched}")
        print(f"{len(words[1])} words in the second pass, {len(words[-1])} in the last; at most {changed} changed")
    assert text.decode() == line["text"] + "\n"
    assert line["audio_s"] == pytest.approx(passes * corpus.stream_s)
    assert len(words[1]) > 600
    assert changed <= CHANGED_SHARE * len(words[1])


def test_a_step_takes_as_long_at_the_end_of_a_stream_as_at_its_beginning(
    capsys: pytest.CaptureFixture[str], native_build: Build, shipped_pte: Path, corpus: Corpus
) -> None:
    """A stream of HOURS and one in its second pass take turns over the same audio: what else runs here slows both."""
    chunks = [
        part.astype("<i2").tobytes() for part in np.split(corpus.samples, len(corpus.samples) // corpus.chunk_samples)
    ]
    command = [native_build.runner, "--model", shipped_pte, "--raw", "s16le", "--json-steps", "-"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as old,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as fresh,
    ):
        for _ in range(passes_of(HOURS, corpus.stream_s) - 1):
            for chunk in chunks:
                step(old, chunk)
        for chunk in chunks:
            step(fresh, chunk)
        times = [(step_ms(step(old, chunk)), step_ms(step(fresh, chunk))) for chunk in chunks]
        for running in (old, fresh):
            running.communicate()
    assert (old.returncode, fresh.returncode) == (0, 0)
    last, first = (median(each) for each in zip(*times, strict=True))
    with capsys.disabled():
        print(
            f"\nmedian step {first:.3f} ms in the second pass, {last:.3f} ms in the last, {last / first:.2f} times that"
        )
    assert last <= SLOWER * first


def step(running: subprocess.Popen[bytes], chunk: bytes) -> bytes:
    """The line that a chunk is answered with."""
    assert running.stdin
    assert running.stdout
    running.stdin.write(chunk)
    running.stdin.flush()
    return running.stdout.readline()


def step_ms(line: bytes) -> float:
    (taken,) = json.loads(line)["steps"]
    return float(taken["latency_ms"])


def stream(command: list[Any], corpus: Corpus, passes: int, out: Path) -> tuple[bytes, Watched]:
    """The corpus again and again into standard input, without a pause; what was printed."""
    content = corpus.samples.astype("<i2").tobytes()
    block_bytes = 2 * BLOCK_S * SAMPLE_RATE_HZ
    blocks = [content[first : first + block_bytes] for first in range(0, len(content), block_bytes)]
    with out.open("wb") as file, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file) as running:
        watched = Watched(running)
        assert running.stdin
        for number in range(passes):
            for block in blocks:
                running.stdin.write(block)
                watched.look()
            if number == 0:
                watched.first_pass_is_over()
        running.stdin.close()
    assert running.returncode == 0
    return out.read_bytes(), watched


def words_of_passes(words: list[dict[str, Any]], pass_s: float, passes: int) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in range(passes)]
    for word in words:
        found[int(word["start_s"] // pass_s)].append(word["text"])
    return found


def words_changed(one: list[str], other: list[str]) -> int:
    operations = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in operations if kind != "equal")
