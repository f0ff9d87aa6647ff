"""A tiny model with random weights goes the whole way: checkpoint, `.pte`, text. It hears nonsense, on time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.demo import RECORDING
from edge_asr.file_hash import file_sha256
from edge_asr.profiling.memory import measure
from edge_asr.recognizer import Recognizer
from tests.beep_program import wait_until_read
from tests.outcome import Run

EDGE_ASR = (sys.executable, "-m", "edge_asr")
HOUR_S = 3_600
MIB = 2**20


def process(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*EDGE_ASR, *map(str, arguments)], input=stdin, capture_output=True, check=False)


def test_a_fresh_process_transcribes_a_file_and_the_same_samples_from_a_pipe(tiny_pte: Path) -> None:
    """Nothing but the text is on the screen: no warnings, no log lines of C++ libraries."""
    from_file = process("transcribe", RECORDING, "--model", tiny_pte)
    samples = (read_audio(RECORDING) * 32_768).astype("<i2").tobytes()
    from_pipe = process("transcribe", "-", "--model", tiny_pte, stdin=samples)
    assert (from_file.returncode, from_file.stderr) == (0, b"")
    assert from_pipe.stdout == from_file.stdout
    assert from_file.stdout.decode().strip() == Recognizer.open(tiny_pte).transcribe(RECORDING).text


def test_ctrl_c_ends_a_live_transcription_with_its_text_and_130(tiny_pte: Path) -> None:
    """A real model behind it; every kind of signal and input is in tests/commands/test_transcribe_signals.py."""
    samples = (read_audio(RECORDING) * 32_768).astype("<i2").tobytes()
    running = subprocess.Popen(
        [*EDGE_ASR, "transcribe", "-", "--model", str(tiny_pte)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdin
    running.stdin.write(samples)
    running.stdin.flush()
    wait_until_read(running.stdin.fileno())
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (130, b"")
    assert out == process("transcribe", RECORDING, "--model", tiny_pte).stdout


@pytest.mark.slow
def test_export_writes_the_file_its_report_describes(run: Run, tiny_checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "tiny.pte"
    outcome = run("export", tiny_checkpoint, "-o", output, "--precision", "fp32", "--chunk-ms", 320, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    report = outcome.json
    assert (report["bytes"], report["sha256"]) == (output.stat().st_size, file_sha256(output))
    assert report["precision"] == "fp32"
    assert Recognizer.open(output).metadata.chunk_ms == 320
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.pte"]


@pytest.mark.slow
def test_an_export_has_the_bytes_that_any_process_would_write(
    tiny_checkpoint: Path, tiny_pte: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, sources and libraries decide: who exports ours has the file that we measured."""
    monkeypatch.setenv("PYTHONHASHSEED", "3")  # sets in another order than here
    done = process("export", tiny_checkpoint, "-o", tmp_path / "again.pte", "--precision", "fp32")
    assert (done.returncode, done.stderr) == (0, b"")
    assert file_sha256(tmp_path / "again.pte") == file_sha256(tiny_pte)


@pytest.mark.parametrize("chunk_ms", [1, 7, 55])
def test_a_chunk_that_is_no_whole_number_of_frames_is_refused(
    run: Run, tiny_checkpoint: Path, tmp_path: Path, chunk_ms: int
) -> None:
    run("export", tiny_checkpoint, "-o", tmp_path / "x.pte", "--chunk-ms", chunk_ms).assert_fails("40")
    assert list(tmp_path.iterdir()) == []


def test_inspect_shows_the_branches_and_their_delegates(run: Run, tiny_pte: Path) -> None:
    facts = run("inspect", tiny_pte, "--json").json
    assert list(facts["methods"]) == ["step", "metadata"]
    start, lower, upper, size, *_ = facts["methods"]["step"]["branches"]
    assert not start["taken"]["delegates"]
    for branch in (lower, upper):
        assert branch["taken"]["delegates"]
        assert not branch["not_taken"]["delegates"]
    assert upper["taken"]["delegates"] == [*size["taken"]["delegates"], *size["not_taken"]["delegates"]]
    shown = run("inspect", tiny_pte)
    assert (shown.code, shown.err) == (0, "")
    for word in (
        f"checksum {facts['file']['crc32']}, right",
        "method step",
        "XnnpackBackend",
        "linears float32",
        "not taken: no delegate",
        "pcm float32 [1, 10240]",
    ):
        assert word in shown.out


@pytest.mark.parametrize("command", ["inspect", "transcribe"])
@pytest.mark.parametrize("share", [0.3, 0.95, 0.999])
def test_a_truncated_model_is_one_line(run: Run, tiny_pte: Path, tmp_path: Path, command: str, share: float) -> None:
    data = tiny_pte.read_bytes()
    cut = tmp_path / "cut.pte"
    cut.write_bytes(data[: int(share * len(data))])
    arguments = (cut,) if command == "inspect" else (RECORDING, "--model", cut)
    run(command, *arguments).assert_fails("cut.pte")


@pytest.mark.parametrize("command", ["inspect", "transcribe"])
def test_a_model_with_a_flipped_bit_is_one_line(run: Run, tiny_pte: Path, tmp_path: Path, command: str) -> None:
    data = bytearray(tiny_pte.read_bytes())
    data[2 * len(data) // 3] ^= 0x10
    flipped = tmp_path / "flipped.pte"
    flipped.write_bytes(data)
    arguments = (flipped,) if command == "inspect" else (RECORDING, "--model", flipped)
    run(command, *arguments).assert_fails("flipped.pte", "damaged", "copy or export it again")


def test_the_gate_dials_compute_from_the_same_file(run: Run, tiny_pte: Path, an4_test: Path) -> None:
    answers = [
        run("evaluate", an4_test, "--model", tiny_pte, "--limit", 4, "--threshold", threshold, "--json").json
        for threshold in ("off", "0")
    ]
    assert [answer["kept_frame_ratio"] for answer in answers] == [1.0, 0.0]
    assert answers[0]["upper_runs"] > answers[1]["upper_runs"] == 0
    assert {answer["model_sha256"] for answer in answers} == {file_sha256(tiny_pte)}


def test_the_demo_runs_on_any_model(
    run: Run, tiny_pte: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_ASR_DATA", str(data_folder))
    answer = run("demo", "--model", tiny_pte, "--json").json
    assert len(answer["an4"]) == 5
    assert answer["gate"]["ratio"] > 0
    assert answer["memory_bytes"]["before_load"] < answer["memory_bytes"]["peak"]


@pytest.mark.parametrize("kind", ["one sample", "silence", "clipped", "8 kHz stereo", "48 kHz"])
def test_odd_but_honest_audio_is_transcribed(run: Run, tiny_pte: Path, tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (48_000, 2))
    samples, rate_hz = {
        "one sample": (np.array([0.1]), 16_000),
        "silence": (np.zeros(16_000), 16_000),
        "clipped": (np.sign(noise[:16_000, 0]), 16_000),
        "8 kHz stereo": (noise[:8_000], 8_000),
        "48 kHz": (noise[:, 0], 48_000),
    }[kind]
    soundfile.write(tmp_path / "odd.wav", samples, rate_hz)
    answer = run("transcribe", tmp_path / "odd.wav", "--model", tiny_pte, "--json").json
    assert answer["audio_s"] == pytest.approx(len(samples) / rate_hz, abs=0.01)
    assert answer["frames"] == -(-round(answer["audio_s"] * SAMPLE_RATE_HZ) // 640)


def write_noisy(path: Path, seconds: int) -> Path:
    """Bursts of noise and silence, written a second at a time."""
    noise = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as file:
        for second in range(seconds):
            file.write(noise.uniform(-0.3, 0.3, SAMPLE_RATE_HZ) * (second % 3 > 0))
    return path


@pytest.mark.slow
def test_an_hour_of_audio_runs_in_flat_memory(tiny_pte: Path, tmp_path: Path) -> None:
    minute = measure(tiny_pte, write_noisy(tmp_path / "minute.flac", 60))
    hour = measure(tiny_pte, write_noisy(tmp_path / "hour.flac", HOUR_S))
    assert hour.peak - minute.peak < 16 * MIB


@pytest.mark.slow
def test_ctrl_c_in_training_keeps_what_was_learnt(tmp_path: Path, data_folder: Path) -> None:
    config, run_folder = tmp_path / "endless.toml", tmp_path / "run"
    config.write_text(
        "[model]\nsubsampling_channels = 4\n"
        "lower = {layers = 1, width = 16, heads = 2, kernel = 7}\n"
        "upper = {layers = 1, width = 16, heads = 2, kernel = 7}\n"
        '[training]\nmanifests = ["an4/train.jsonl"]\nsteps = 100000\nbatch_s = 8.0\nevaluate_every = 100000\n'
    )
    line = [*EDGE_ASR, "train", "--config", config, "--data", data_folder, "--run-dir", run_folder, "--threads", "1"]
    steps = [interrupt_at_first_report(line), interrupt_at_first_report(line)]
    assert (run_folder / "state.pt").is_file()
    assert steps[0] >= 50
    assert steps[1] > steps[0]  # the second went on where the first was


def interrupt_at_first_report(line: Sequence[object]) -> int:
    """Start, press Ctrl-C once losses are reported, and return the step at which it says it stopped."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(
        [str(part) for part in line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert running.stdout
    for printed in running.stdout:
        if printed.startswith("step "):
            break
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert "resumes" in out
    return int(out.split("interrupted at step ")[1].split(";")[0])


def test_json_lines_of_many_files_parse(tiny_pte: Path) -> None:
    done = process("transcribe", RECORDING, RECORDING, "--json", "--model", tiny_pte)
    texts = {json.loads(line)["text"] for line in done.stdout.decode().splitlines()}
    assert len(texts) == 1  # the second stream begins as fresh as the first
