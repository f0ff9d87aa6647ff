"""The app's streaming engine and its adapter to ExecuTorch, on a desktop JVM, against Python's Recognizer over
ExecuTorch's Python runtime: the same text, words, times and kept frames, however the samples are cut. Under the adapter
is executorch::extension::Module, made as ExecuTorch's JNI layer makes it on a phone; one runs all streams of a test.
"""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.backends.choose import open_backend
from edge_asr.backends.program_file import check_program_file
from edge_asr.backends.protocol import Backend, StepResult
from edge_asr.contract import TRAILER, sealed
from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build
from edge_asr.recognizer import Recognizer, Threshold, Update
from edge_asr_export.verify import verification_audio
from tests.android import apk, toolchain
from tests.families import SMALL
from tests.native.drivers import executorch_flags

pytestmark = pytest.mark.slow

REFERENCE = "executorch-python"
UTTERANCES = 24
JNI = Path(__file__).parent / "jni"
ADAPTER = apk.MAIN / "kotlin/org/edge_asr/demo/program/ExecutorchProgram.kt"


@dataclass(frozen=True)
class Job:
    """A stream, and how it is fed."""

    pcm: np.ndarray = field(repr=False)  # float32 or int16
    threshold: Threshold
    cuts: Sequence[int] = field(repr=False)
    switches: Sequence[tuple[int, float]] = ()  # steps after which another threshold is set

    def blocks(self) -> Iterator[np.ndarray]:
        start = 0
        for count in self.cuts:
            yield self.pcm[start : start + count]
            start += count


def random_cuts(samples: int, chance: random.Random) -> list[int]:
    """From one sample to more than two chunks; now and then none."""
    cuts: list[int] = []
    while left := samples - sum(cuts):
        size = 0 if chance.random() < 0.02 else int(2 ** chance.uniform(0, 14.5))
        cuts.append(min(size, left))
    return cuts


class Engine:
    """The compiled engine, and what it needs to run."""

    def __init__(self, jars: Sequence[Path], library: Path, folder: Path) -> None:
        self.jars = jars
        self.library = library
        self._folder = folder

    def run(self, *arguments: object) -> str:
        properties = {"edge_asr.jni": str(self.library)}
        return toolchain.run_java("org.edge_asr.jni.Engine", self.jars, *map(str, arguments), properties=properties)

    def recognize(self, model: Path, jobs: Sequence[Job]) -> tuple[dict[str, Any], list[list[dict[str, Any]]]]:
        """The metadata, and the updates of each job."""
        lines = []
        for number, job in enumerate(jobs):
            path = self._folder / f"{number}.pcm"
            path.write_bytes(job.pcm.tobytes())
            threshold = 1.0 if job.threshold == "off" else job.threshold
            written = {"pcm": str(path), "int16": job.pcm.dtype == np.int16, "threshold": threshold}
            lines.append(json.dumps({**written, "cuts": job.cuts, "switches": job.switches}))
        (self._folder / "jobs.jsonl").write_text("\n".join(lines), encoding="utf-8")
        self.run("recognize", model, self._folder / "jobs.jsonl", self._folder / "heard.jsonl")
        heard = (self._folder / "heard.jsonl").read_text(encoding="utf-8").splitlines()
        metadata, *updates, ending = map(json.loads, heard)
        assert len(updates) == len(jobs)
        assert ending == {"modules": 1}
        return metadata, updates


@pytest.fixture(scope="module")
def engine(native_build: Build, core_jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("engine")
    libraries = [core_jar, toolchain.jar("json")]
    toolchain.compile_kotlin([JNI, ADAPTER], libraries, folder / "engine.jar", jdk=True)
    include = toolchain.java("javac").resolve().parent.parent / "include"
    library = folder / "libextension_module.so"
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    compiling, linking = executorch_flags(native_build)
    folders = ["-isystem", str(include), "-isystem", str(include / "linux"), *compiling]
    command = ["g++", *flags, *folders, str(JNI / "extension_module.cpp"), "-o", str(library), *linking]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Engine([folder / "engine.jar", *libraries], library, folder)


@pytest.fixture(scope="module")
def recordings(an4_test: Path) -> list[np.ndarray]:
    """The first, and others all over the corpus."""
    lines = an4_test.read_text(encoding="utf-8").splitlines()
    chosen = lines[:: max(1, len(lines) // UTTERANCES)][:UTTERANCES]
    assert len(chosen) == UTTERANCES
    return [read_audio(an4_test.parent / json.loads(line)["audio_filepath"]) for line in chosen]


@pytest.fixture(scope="module")
def reference(shipped_pte: Path) -> Recognizer:
    return Recognizer.open(shipped_pte, backend=REFERENCE)


# --- what both say, in one form


def words_of(words: Sequence[Any]) -> list[tuple[str, float, float]]:
    return [(word.text, word.start_s, word.end_s) for word in words]


def expected_updates(recognizer: Recognizer, job: Job) -> Iterator[dict[str, Any]]:
    """What Python says after each block and at the end."""
    with recognizer.stream(job.threshold) as stream:
        for answer in [*(stream.accept(block) for block in job.blocks()), stream.finish()]:
            counters = dataclasses.asdict(answer.counters)
            partial = answer if isinstance(answer, Update) else None
            yield {
                "final": answer.final,
                "partial": partial.partial if partial else "",
                "changed": partial.changed if partial else None,
                "new_words": words_of(answer.new_words),
                "partial_words": words_of(partial.partial_words if partial else ()),
                "confidences": [word.confidence for word in answer.new_words],
                "keep": ["".join("01"[kept] for kept in step.keep) for step in answer.new_steps],
                "upper_ran": [step.upper_ran for step in answer.new_steps],
                "waiting": [step.waiting for step in answer.new_steps],
                "counters": [counters[name] for name in ("frames", "kept_frames", "upper_runs", "steps", "audio_s")],
            }


def heard_updates(updates: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What Kotlin says, likewise."""
    for number, update in enumerate(updates):
        yield {
            "final": update["final"],
            "partial": update["partial"],
            "changed": update["changed"] if number < len(updates) - 1 else None,
            "new_words": [tuple(word[:3]) for word in update["new_words"]],
            "partial_words": [tuple(word[:3]) for word in update["partial_words"]],
            "confidences": [pytest.approx(word[3], abs=1e-6) for word in update["new_words"]],
            **{name: [step[name] for step in update["steps"]] for name in ("keep", "upper_ran", "waiting")},
            "counters": update["counters"],
        }


def require_same(recognizer: Recognizer, jobs: Sequence[Job], heard: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Every update of every job; nothing is rounded but confidences, which are float32 there."""
    for job, updates in zip(jobs, heard, strict=True):
        pairs = zip(expected_updates(recognizer, job), heard_updates(updates), strict=True)
        for number, (expected, ours) in enumerate(pairs):
            assert expected == ours, f"{job}: update {number} of {len(updates)}"


# --- the engine


def test_it_hears_what_python_hears_at_every_update_at_two_thresholds(
    engine: Engine, shipped_pte: Path, recordings: list[np.ndarray], reference: Recognizer
) -> None:
    chance = random.Random(6)
    thresholds: tuple[Threshold, ...] = (None, "off")
    jobs = [Job(pcm, threshold, random_cuts(len(pcm), chance)) for pcm in recordings for threshold in thresholds]
    _, heard = engine.recognize(shipped_pte, jobs)
    require_same(reference, jobs, heard)
    # so that equal is not equally empty
    words = [sum(len(update["new_words"]) for update in updates) for updates in heard]
    ratios = [updates[-1]["counters"][1] / updates[-1]["counters"][0] for updates in heard]
    assert min(words) >= 1
    assert sum(words) > 4 * len(jobs)
    assert all(ratio == 1.0 for ratio in ratios[1::2])
    assert all(0 < ratio < 0.95 for ratio in ratios[::2])
    assert min(min(job.cuts) for job in jobs) == 0
    assert any(update["partial"] for updates in heard for update in updates)


@pytest.mark.parametrize("name", sorted(SMALL, reverse=True))  # who makes the files first begins at the other end
def test_a_file_of_any_family_is_heard_the_same(
    engine: Engine, family_file: Callable[[str], Path], name: str, recordings: list[np.ndarray]
) -> None:
    chance = random.Random(9)
    heard_before = verification_audio(SAMPLE_RATE_HZ)  # what its threshold was chosen for
    jobs = [Job(pcm, None, random_cuts(len(pcm), chance)) for pcm in (heard_before, *recordings[:2])]
    path = family_file(name)
    _, heard = engine.recognize(path, jobs)
    require_same(Recognizer.open(path, backend=REFERENCE), jobs, heard)
    assert any(update["new_words"] for updates in heard for update in updates)
    frames, kept = heard[0][-1]["counters"][:2]
    assert 0 < kept < frames


def test_16_bit_samples_are_heard_the_same(
    engine: Engine, shipped_pte: Path, recordings: list[np.ndarray], reference: Recognizer
) -> None:
    chance = random.Random(16)
    floats = [Job(pcm, None, random_cuts(len(pcm), chance)) for pcm in recordings[:6]]
    integers = [Job((job.pcm * 32_768).astype(np.int16), None, job.cuts) for job in floats]
    _, heard = engine.recognize(shipped_pte, [*floats, *integers])
    require_same(reference, integers, heard[6:])
    assert heard[:6] == heard[6:]


def test_silence_nothing_and_a_single_sample_are_heard_the_same(
    engine: Engine, shipped_pte: Path, recordings: list[np.ndarray], reference: Recognizer
) -> None:
    empty, second = np.zeros(0, np.float32), np.zeros(SAMPLE_RATE_HZ, np.float32)
    loud = np.random.default_rng(3).uniform(-2, 2, 3 * SAMPLE_RATE_HZ).astype(np.float32)
    pieces = [empty, recordings[0][:1], recordings[0][:641], second, loud, recordings[1][:10_240]]
    jobs = [Job(pcm, 0.5, random_cuts(len(pcm), random.Random(len(pcm)))) for pcm in pieces]
    _, heard = engine.recognize(shipped_pte, jobs)
    require_same(reference, jobs, heard)


class Scheduled:
    """A program whose threshold is another one at some steps."""

    def __init__(self, inner: Backend, thresholds: Sequence[float]) -> None:
        self.name = inner.name
        self.metadata = inner.metadata
        self._inner = inner
        self._thresholds = thresholds
        self._steps = 0

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        threshold = self._thresholds[self._steps]
        self._steps += 1
        return self._inner.step(pcm, frames, threshold, flush)

    def reset(self) -> None:
        self._inner.reset()


def test_a_threshold_changed_while_the_stream_runs_gives_what_python_hears_with_the_same_change(
    engine: Engine, shipped_pte: Path, recordings: list[np.ndarray]
) -> None:
    pcm = np.concatenate(recordings[:4])
    switches = [(3, 0.1), (6, 1.0), (10, 0.02), (14, 0.57)]
    job = Job(pcm, None, random_cuts(len(pcm), random.Random(7)), switches)
    _, (updates,) = engine.recognize(shipped_pte, [job])
    thresholds = [step["threshold"] for update in updates for step in update["steps"]]
    assert len(set(thresholds)) == 5  # the file's, and four that were set
    for steps, threshold in switches:
        assert thresholds[steps - 1] != np.float32(threshold)  # never before its time
    backend = open_backend(shipped_pte, name=REFERENCE)
    require_same(Recognizer(lambda: Scheduled(backend, thresholds)), [job], [updates])
    unchanged = "".join(key for update in expected_updates(Recognizer(lambda: backend), job) for key in update["keep"])
    assert unchanged != "".join(step["keep"] for update in updates for step in update["steps"])


def test_the_metadata_is_read_as_python_reads_it(engine: Engine, shipped_pte: Path, reference: Recognizer) -> None:
    ours, _ = engine.recognize(shipped_pte, [])
    expected = dataclasses.asdict(reference.metadata)
    assert ours.pop("default_threshold") == np.float32(expected.pop("default_threshold"))
    assert ours == {**expected, "pieces": list(expected["pieces"])}


# --- files


def test_model_files_are_taken_and_refused_as_in_python(engine: Engine, shipped_pte: Path, tmp_path: Path) -> None:
    whole = shipped_pte.read_bytes()
    chance = random.Random(1)
    variants = {"whole": whole, "empty": b"", "unsealed": whole[: -TRAILER.size], "longer": whole + b"\0"}
    variants["sealed-again"] = sealed(whole[: -TRAILER.size])
    variants["text"] = sealed(b"no program at all, but sealed")
    for number in range(4):
        variants[f"cut-{number}"] = whole[: chance.randrange(1, len(whole))]
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        variants[f"flipped-{number}"] = bytes(damaged)
    paths = []
    for name, content in variants.items():
        paths.append(tmp_path / f"{name}.pte")
        paths[-1].write_bytes(content)
    said = engine.run("check", *paths).splitlines()
    for path, line in zip(paths, said, strict=True):
        try:
            check_program_file(path)
            assert line == "taken", path
        except EdgeAsrError:
            assert line.startswith(f"{path.name}: "), path
    assert [path.stem for path, line in zip(paths, said, strict=True) if line == "taken"] == ["whole", "sealed-again"]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_wav_file_at_16_khz_is_read_as_python_reads_it(
    engine: Engine, recordings: list[np.ndarray], tmp_path: Path, subtype: str
) -> None:
    stereo = np.stack([recordings[0], recordings[0][::-1] / 2], axis=1)
    for name, samples in {"mono": recordings[0], "stereo": stereo}.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, SAMPLE_RATE_HZ, subtype=subtype)
        engine.run("read", tmp_path / f"{name}.wav", tmp_path / "out.pcm")
        ours = np.fromfile(tmp_path / "out.pcm", np.float32)
        assert np.array_equal(ours, read_audio(tmp_path / f"{name}.wav")), name


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_a_wav_file_of_another_rate_differs_from_python_by_less_than_is_audible(
    engine: Engine, recordings: list[np.ndarray], tmp_path: Path, rate_hz: int
) -> None:
    soundfile.write(tmp_path / "in.wav", soxr.resample(recordings[0], SAMPLE_RATE_HZ, rate_hz), rate_hz, format="WAVEX")
    engine.run("read", tmp_path / "in.wav", tmp_path / "out.pcm")
    ours, expected = np.fromfile(tmp_path / "out.pcm", np.float32), read_audio(tmp_path / "in.wav")
    assert abs(len(ours) - len(expected)) <= 1
    shared = min(len(ours), len(expected))
    error = ours[:shared] - expected[:shared]  # where the slopes of the two filters differ
    assert np.sqrt(np.mean(error**2)) < 0.04 * np.sqrt(np.mean(expected**2))
