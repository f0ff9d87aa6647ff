"""`edge-asr-run`: what a user of a board types, and what comes back."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.manifest import read_manifest
from edge_asr.native.build import Build
from tests.beeps import write_beeps
from tests.native.runs import LIMIT_S, Runner, fails, lines, wait_for, waits_for_input
from tests.outcome import Outcome
from tests.requirements import require_tool

HERE = Path(__file__).parent


# what it says of itself


def test_help_teaches(runner: Runner) -> None:
    outcome = runner("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for part in (
        "--raw s16le",
        "arecord",
        "ffmpeg",
        "--threshold T|off",
        "--bench",
        "--channel N|mix",
        "--rate",
        "Exit codes",
        "EDGE_ASR_VERBOSE",
    ):
        assert part in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 120


def test_version_names_the_runtime_and_the_contract(runner: Runner) -> None:
    assert re.fullmatch(r"edge-asr-run \d+\.\d+\.\d+ \(contract 4, ExecuTorch 1\.5\.1\)\n", runner("--version").out)


def test_only_our_own_functions_are_exported(native_build: Build) -> None:
    table = subprocess.run(["nm", "-D", "--defined-only", native_build.library], capture_output=True, text=True)
    names = [line.split()[-1] for line in table.stdout.splitlines()]
    assert len(names) > 10
    assert all(name.startswith("edge_asr_") for name in names)


# text


def test_each_file_is_one_line_of_text(runner: Runner, beeps: Path, text: str) -> None:
    assert runner(beeps, beeps).out == text + text


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_wav_comes_in_more_than_one_kind(
    runner: Runner, beeps: Path, tmp_path: Path, text: str, subtype: str, container: str
) -> None:
    soundfile.write(tmp_path / "b.wav", soundfile.read(beeps)[0], SAMPLE_RATE_HZ, subtype=subtype, format=container)
    assert runner(tmp_path / "b.wav").out == text


def test_wav_with_other_chunks_before_its_samples(runner: Runner, beeps: Path, tmp_path: Path, text: str) -> None:
    whole = beeps.read_bytes()
    odd = b"LIST" + struct.pack("<I", 5) + b"hello\0"  # of odd size, and so with a byte of padding
    (tmp_path / "b.wav").write_bytes(whole[:12] + odd + whole[12:])
    assert runner(tmp_path / "b.wav").out == text


def test_raw_samples_from_stdin(runner: Runner, beeps: Path, text: str) -> None:
    samples = read_audio(beeps)
    assert runner("-", "--raw", "s16le", stdin=(samples * 32_768).astype("<i2").tobytes() + b"\0").out == text
    assert runner("-", "--raw", "f32le", stdin=samples.astype("<f4").tobytes()).out == text


def test_raw_samples_from_a_file(runner: Runner, beeps: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "b.pcm").write_bytes(read_audio(beeps).astype("<f4").tobytes())
    assert runner(tmp_path / "b.pcm", "--raw", "f32le").out == text


def test_the_model_beside_the_program_or_one_folder_up_is_taken(
    native_build: Build, tiny_pte: Path, tmp_path: Path, beeps: Path, text: str
) -> None:
    """As in a bundle: the folder works wherever it is copied to, with an empty environment."""
    bundle = tmp_path / "a board's folder"
    shutil.copytree(native_build.folder, bundle)
    for place in (bundle / "model.pte", bundle / "bin" / "model.pte"):
        shutil.copy(tiny_pte, place)
        done = subprocess.run(
            [bundle / "bin" / "edge-asr-run", beeps], capture_output=True, text=True, env={}, check=True
        )
        assert done.stdout == text
        place.unlink()
    done = subprocess.run([bundle / "bin" / "edge-asr-run", beeps], capture_output=True, text=True, env={})
    fails(Outcome(done.returncode, done.stdout, done.stderr), "no model", "--model", code=2)


# JSON


def test_json_holds_text_words_counters_and_latencies(runner: Runner, beeps: Path, tiny_pte: Path, text: str) -> None:
    first, second = lines(runner(beeps, beeps, "--json", "--threshold", "0.5"))
    assert first["audio"] == str(beeps)
    assert first["text"] == " ".join(word["text"] for word in first["words"])
    assert second["words"] == first["words"]
    assert (first["frames"], first["steps"], first["audio_s"]) == (30, 2, pytest.approx(1.2))
    assert 0 <= first["kept_frames"] <= 30
    assert 0 <= first["upper_runs"] <= 2
    assert (len(first["step_upper"]), first["step_upper"].count("1")) == (2, first["upper_runs"])
    assert 0 < first["decode_ms"] < 100
    assert 0 < first["cpu_s"] < second["cpu_s"]
    assert 0 < first["proportional_bytes"] <= first["peak_resident_bytes"]
    assert len(first["step_ms"]) == 2
    assert all(ms > 0 for ms in first["step_ms"])
    assert first["compute_s"] == pytest.approx(sum(first["step_ms"]) / 1_000, rel=0.01)
    assert first["load_ms"] > 0
    assert (first["backend"], first["threshold"], first["threads"]) == ("native", 0.5, 1)
    assert first["model"]["crc32"] == f"{zlib.crc32(tiny_pte.read_bytes()[:-12]):08x}"
    assert first["model"]["precision"] == "fp32"
    assert 0 < first["resident_bytes"] <= first["peak_resident_bytes"] < 100e6
    for word in first["words"]:
        assert 0 <= word["start_s"] < word["end_s"] <= 1.2
        assert 0 < word["confidence"] <= 1


def test_json_steps_holds_each_word_once(runner: Runner, beeps: Path, text: str) -> None:
    *updates, last = lines(runner(beeps, "--json-steps"))
    assert " ".join(word["text"] for update in updates for word in update["new_words"]) + "\n" == text
    assert any(update["partial"] for update in updates)
    assert updates[-1]["partial"] == ""
    assert updates[-1]["audio_s"] == last["audio_s"] == pytest.approx(1.2)
    for update in updates:
        assert update["call_ms"] >= sum(step["latency_ms"] for step in update["steps"])
    keep = "".join(step["keep"] for update in updates for step in update["steps"])
    assert (len(keep), keep.count("1")) == (last["frames"], last["kept_frames"])
    (whole,) = lines(runner(beeps, "--json"))
    assert [word for update in updates for word in update["new_words"]] == whole["words"]


def test_lines_of_json_steps_do_not_grow_with_the_stream(runner: Runner, beeps: Path) -> None:
    samples = (np.tile(read_audio(beeps), 200) * 32_768).astype("<i2").tobytes()
    printed = runner("-", "--raw", "s16le", "--json-steps", stdin=samples).out.splitlines()
    assert sum(len(json.loads(line).get("new_words", ())) for line in printed) > 100
    early, late = (max(map(len, part)) for part in (printed[: len(printed) // 8], printed[-len(printed) // 8 :]))
    assert late < 2 * early


def test_a_name_that_is_not_unicode_does_not_break_json(runner: Runner, beeps: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff.wav"
    shutil.copy(beeps, odd)
    (line,) = lines(runner(os.fsdecode(odd), "--json"))
    assert line["audio"].endswith("\N{REPLACEMENT CHARACTER}.wav")


# settings


def test_threshold_off_keeps_all_and_zero_none(runner: Runner, beeps: Path) -> None:
    (off,), (zero,) = (lines(runner(beeps, "--json", "--threshold", value)) for value in ("off", "0"))
    assert (off["kept_frames"], off["frames"]) == (30, 30)
    assert (zero["kept_frames"], zero["text"]) == (0, "")


def test_threads_and_cpus_do_not_change_the_text(runner: Runner, beeps: Path, text: str) -> None:
    cpu = min(os.sched_getaffinity(0))
    assert runner(beeps, "--threads", "2").out == text
    assert runner(beeps, "--cpus", f"{cpu}").out == text
    assert runner(beeps, "--threads", "2", "--cpus", f"{cpu}-{cpu},{cpu}").out == text


def test_cpus_hold_for_every_thread(native_build: Build, tiny_pte: Path) -> None:
    cpu = max(os.sched_getaffinity(0))
    command = [native_build.runner, "--model", tiny_pte, "--raw", "s16le", "--threads", "3", "--cpus", str(cpu), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(bytes(2 * SAMPLE_RATE_HZ * 4))
        running.stdin.flush()
        tasks = Path(f"/proc/{running.pid}/task")
        wait_for(lambda: len(list(tasks.iterdir())) == 3)
        allowed = [os.sched_getaffinity(int(task.name)) for task in tasks.iterdir()]
        running.stdin.close()
    assert allowed == [{cpu}] * 3


def test_repeat_goes_over_the_files_again(runner: Runner, beeps: Path, tmp_path: Path) -> None:
    other = write_beeps(tmp_path / "other.wav", "xx.")
    found = lines(runner(beeps, other, "--json", "--repeat", "3"))
    assert [(line["pass"], Path(line["audio"]).name) for line in found] == [
        (number, name) for number in (1, 2, 3) for name in (beeps.name, "other.wav")
    ]
    assert len({(line["audio"], line["text"], line["kept_frames"]) for line in found}) == 2
    assert found[0]["text"] != found[1]["text"]


def test_bench_tells_times_and_where_the_memory_is(runner: Runner, beeps: Path) -> None:
    (bench,) = lines(runner(beeps, "--bench", "--json", "--repeat", "4"))
    assert bench["warm_steps"]["count"] == 4 * 2 - 1
    assert 0 < bench["warm_steps"]["p50_ms"] <= bench["warm_steps"]["p90_ms"] <= bench["warm_steps"]["p99_ms"]
    assert 0 < bench["load_ms"] < bench["first_result_ms"]
    assert bench["rtf"] == pytest.approx(bench["compute_s"] / bench["audio_s"])
    assert bench["audio_s"] == pytest.approx(4 * 1.2)
    parts = ("planned", "heap", "library", "model_file", "stack")
    assert sum(bench[f"{part}_bytes"] for part in parts) == pytest.approx(bench["resident_bytes"], rel=0.02)
    assert all(bench[f"{part}_bytes"] > 0 for part in parts if part != "model_file")  # nothing of it stays mapped
    assert bench["model_file_bytes"] >= 0


def test_bench_is_a_table_for_people(runner: Runner, beeps: Path) -> None:
    outcome = runner(beeps, "--bench")
    assert outcome.code == 0
    for label in ("load", "start to first result", "first step", "warm steps", "peak resident memory", "libraries"):
        assert re.search(rf"^ *{label}", outcome.out, re.M), label


# what a user gets wrong


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["no audio"]),
        (["a.wav", "--frobnicate"], ["--frobnicate"]),
        (["a.wav", "-q"], ["-q"]),
        (["a.wav", "--threads"], ["--threads", "value"]),
        (["a.wav", "--json=1"], ["--json", "no value"]),
        (["a.wav", "--threads", "0"], ["--threads", "'0'"]),
        (["a.wav", "--threads", "many"], ["--threads", "'many'"]),
        (["a.wav", "--threshold", "2"], ["--threshold", "'2'"]),
        (["a.wav", "--threshold", "nan"], ["--threshold", "'nan'"]),
        (["a.wav", "--cpus", "3-1"], ["--cpus", "0,2-3"]),
        (["a.wav", "--cpus", ""], ["--cpus", "0,2-3"]),
        (["a.wav", "--cpus", "5000"], ["--cpus", "0,2-3"]),
        (["a.wav", "--raw", "mp3"], ["--raw", "s16le"]),
        (["a.wav", "--repeat", "-1"], ["--repeat", "'-1'"]),
        (["-", "--repeat", "2"], ["--repeat", "standard input"]),
        (["-", "-"], ["once"]),
        (["/dev/null", "--repeat", "2"], ["--repeat", "/dev/null", "cannot be read again"]),
        (["a.wav", "--rate", "8000"], ["--rate", "--raw"]),
        (["a.wav", "--channels", "1"], ["--channels", "--raw"]),
        (["a.wav", "--channel", "0"], ["--channel", "'0'", "mix"]),
        (["a.wav", "--channel", "left"], ["--channel", "'left'"]),
        (["a.wav", "--raw", "s16le", "--rate", "44.1"], ["--rate", "'44.1'", "from 1000"]),
        (["a.wav", "--raw", "s16le", "--channels", "33"], ["--channels", "'33'"]),
        (["a.wav", "--bench", "--json-steps"], ["--bench"]),
    ],
)
def test_wrong_usage_is_one_line_that_points_to_the_help(
    runner: Runner, arguments: list[str], parts: list[str]
) -> None:
    fails(runner(*arguments), *parts, "--help", code=2)


def test_cpus_that_are_not_here(runner: Runner, beeps: Path) -> None:
    fails(runner(beeps, "--cpus", "1023"), "CPUs")


BAD_AUDIO: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "missing": (lambda path: None, ["no such audio file"]),
    "folder": (lambda path: path.mkdir(), ["a folder"]),
    "empty": (lambda path: path.write_bytes(b""), ["empty (0 bytes)"]),
    "text": (lambda path: path.write_text("hello, world: no audio here"), ["not a WAV file", "--raw"]),
    "40 channels": (lambda path: soundfile.write(path, np.zeros((9, 40)), 16_000, format="WAV"), ["40 channels"]),
    "500 Hz": (lambda path: soundfile.write(path, np.zeros(99), 500, format="WAV"), ["500 Hz", "damaged"]),
    "24-bit": (
        lambda path: soundfile.write(path, np.zeros(99), 16_000, "PCM_24", format="WAV"),
        ["24 bits", "ffmpeg", "-f wav - | edge-asr-run -"],
    ),
    "no samples": (lambda path: soundfile.write(path, np.zeros(0), 16_000, format="WAV"), ["no samples"]),
    "cut header": (
        lambda path: (
            soundfile.write(path, np.zeros(9), 16_000, format="WAV"),
            path.write_bytes(path.read_bytes()[:30]),
        ),
        ["cut short"],
    ),
    "NaN": (
        lambda path: soundfile.write(path, np.array([np.nan]), 16_000, "FLOAT", format="WAV"),
        ["0.00 s", "not a finite number"],
    ),
    "integers as floats": (
        lambda path: soundfile.write(path, np.array([20_000.0]), 16_000, "FLOAT", format="WAV"),
        ["[-1, 1]", "20000"],
    ),
}


@pytest.mark.parametrize("kind", BAD_AUDIO)
def test_bad_audio_is_one_line_that_names_it(runner: Runner, tmp_path: Path, kind: str) -> None:
    make, parts = BAD_AUDIO[kind]
    path = tmp_path / "bad.wav"
    make(path)
    fails(runner(path), str(path), *parts)


@pytest.mark.parametrize(
    ("stdin", "arguments", "parts"),
    [
        (b"", ["-"], ["stdin", "not a WAV file"]),
        (b"", ["-", "--raw", "s16le"], ["stdin", "no samples"]),
        (b"\0", ["-", "--raw", "s16le"], ["stdin", "no samples"]),
        (b"RIFF....WAVE", ["-", "--raw", "s16le"], ["stdin", "leave out --raw"]),
        (b"noise, and no header", ["-"], ["stdin", "--raw s16le"]),
    ],
)
def test_bad_stdin(runner: Runner, stdin: bytes, arguments: list[str], parts: list[str]) -> None:
    fails(runner(*arguments, stdin=stdin), *parts)


# the world around it


def test_executorch_is_silent_unless_asked(runner: Runner, beeps: Path) -> None:
    assert runner(beeps).err == ""
    assert "executorch" in runner(beeps, env={**os.environ, "EDGE_ASR_VERBOSE": "1"}).err


# the library under it


def test_streams_and_threads_do_not_disturb_each_other(
    native_build: Build, tiny_pte: Path, beeps: Path, tmp_path: Path
) -> None:
    """A C program on the C ABI alone, which also does what a caller must not do."""
    require_tool("cc", "gcc")
    program = tmp_path / "two_streams"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread"]
    lib = native_build.library.parent
    where = [
        f"-I{HERE.parent.parent / 'edge_asr' / 'native' / 'include'}",
        f"-L{lib}",
        f"-Wl,-rpath,{lib},-rpath-link,{lib}",
    ]
    compile_it = ["cc", *flags, HERE / "two_streams.c", "-o", program, *where, "-ledge_asr", "-lm"]
    subprocess.run(compile_it, check=True, timeout=LIMIT_S)
    recordings = [beeps, write_beeps(tmp_path / "other.wav", "xx.x.xxx..x")]
    pcm = [tmp_path / f"{recording.stem}.pcm" for recording in recordings]
    for path, recording in zip(pcm, recordings, strict=True):
        read_audio(recording).astype("<f4").tofile(path)
    done = subprocess.run([program, tiny_pte, *pcm], capture_output=True, text=True, timeout=LIMIT_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alike\n", "")


@dataclass(frozen=True)
class FreshProcess:
    """Seen from outside."""

    first_result_ms: float  # from before it was started to the first update on its stdout
    peak_bytes: int  # resident, by the time it has heard everything


def fresh_process(runner: Path, model: Path, samples: np.ndarray) -> FreshProcess:
    command = [runner, "--model", model, "--raw", "f32le", "--json-steps", "-"]
    started_s = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(samples.astype("<f4").tobytes())
        running.stdin.flush()
        running.stdout.readline()
        first_result_ms = 1_000 * (time.perf_counter() - started_s)
        wait_for(lambda: waits_for_input(running.pid))
        status = Path(f"/proc/{running.pid}/status").read_text()
        running.stdin.close()
        running.stdout.read()
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert peak
    return FreshProcess(first_result_ms, 1_024 * int(peak[1]))


@pytest.mark.slow
def test_the_shipped_model_starts_fast_and_stays_small(native_build: Build, shipped_pte: Path, an4_test: Path) -> None:
    """The best of some starts, as a machine that runs tests may be busy; of the memory, the worst."""
    samples = read_audio(read_manifest(an4_test)[0].audio)
    seen = [fresh_process(native_build.runner, shipped_pte, samples) for _ in range(9)]
    assert min(each.first_result_ms for each in seen) <= 150
    assert max(each.peak_bytes for each in seen) <= 1.6 * shipped_pte.stat().st_size + 12.0e6
