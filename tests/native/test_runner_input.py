"""Inputs of `edge-asr-run` as people have them: pipes, recorders that crashed, odd names, any rate and channel."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.manifest import read_manifest
from edge_asr.native.build import Build
from tests.beeps import write_beeps
from tests.native.runs import LIMIT_S, Runner, fails, lines
from tests.outcome import Outcome


def with_data_size(wav: bytes, size: int) -> bytes:
    at = wav.index(b"data") + 4
    return wav[:at] + struct.pack("<I", size) + wav[at + 4 :]


def of_shell(native_build: Build, tiny_pte: Path, rest: str) -> Outcome:
    line = f'"{native_build.runner}" --model "{tiny_pte}" {rest}'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=LIMIT_S)
    return Outcome(done.returncode, done.stdout, done.stderr)


# pipes


def test_a_pipe_by_any_name_is_read_once(native_build: Build, tiny_pte: Path, beeps: Path, text: str) -> None:
    for rest in (f'<(cat "{beeps}")', f'/dev/stdin < "{beeps}"', f'/dev/fd/7 7< <(cat "{beeps}")'):
        assert of_shell(native_build, tiny_pte, rest) == Outcome(0, text, ""), rest
    assert of_shell(native_build, tiny_pte, f'/dev/stdin < <(cat "{beeps}")') == Outcome(0, text, "")


def test_a_fifo_whose_writer_comes_late(
    native_build: Build, tiny_pte: Path, beeps: Path, tmp_path: Path, text: str
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    outcome = of_shell(native_build, tiny_pte, f'"{fifo}" & sleep 0.5; cat "{beeps}" > "{fifo}"; wait')
    assert outcome == Outcome(0, text, "")


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_socket_as_node_gives_it(native_build: Build, tiny_pte: Path, beeps: Path, text: str, name: str) -> None:
    ours, theirs = socket.socketpair()
    command = [native_build.runner, "--model", tiny_pte, name]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE) as running:
        theirs.close()
        ours.sendall(beeps.read_bytes())
        ours.close()
        assert running.communicate(timeout=LIMIT_S)[0].decode() == text


# recorders


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_a_recorder_that_could_not_know_its_length(
    runner: Runner, beeps: Path, tmp_path: Path, text: str, size: int
) -> None:
    """In a pipe that is as it should be; a file was left by a recorder that crashed."""
    content = with_data_size(beeps.read_bytes(), size)
    assert runner("-", stdin=content) == Outcome(0, text, "")
    (tmp_path / "crashed.wav").write_bytes(content)
    outcome = runner(tmp_path / "crashed.wav")
    assert (outcome.code, outcome.out) == (0, text)
    assert outcome.err.startswith(f"edge-asr-run: warning: {tmp_path}/crashed.wav: ")
    assert "no length" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    (line,) = lines(runner(tmp_path / "crashed.wav", "--json"))
    assert [line["text"] + "\n", len(line["warnings"])] == [text, 1]


def test_a_file_that_lost_its_end_is_heard_and_then_an_error(runner: Runner, beeps: Path, tmp_path: Path) -> None:
    whole, cut = beeps.read_bytes(), tmp_path / "cut.wav"
    half = len(whole) // 2 // 2 * 2
    cut.write_bytes(whole[:half])
    kept = tmp_path / "kept.wav"
    kept.write_bytes(with_data_size(whole[:half], half - 44))
    outcome = runner(cut)
    assert (outcome.code, outcome.out) == (1, runner(kept).out)
    assert outcome.out.strip()
    assert outcome.err.startswith(f"edge-asr-run: {cut}: cut short")
    assert "1.2 s" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    outcome = runner(cut, "--json")
    assert (outcome.code, outcome.json["audio_s"]) == (1, pytest.approx(0.6, abs=0.01))
    assert outcome.json["error"].startswith("cut short")
    assert runner("-", stdin=cut.read_bytes()).code == 1


# several


def test_a_bad_file_among_others_is_named_and_the_others_are_heard(
    runner: Runner, beeps: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "nan.wav", np.array([np.nan]), SAMPLE_RATE_HZ, subtype="FLOAT")
    names = (tmp_path / "none.wav", beeps, tmp_path / "text.wav", beeps, tmp_path / "nan.wav", tmp_path, beeps)
    outcome = runner(*names)
    assert (outcome.code, outcome.out) == (1, 3 * text)
    told = outcome.err.splitlines()
    assert [line.split(": ")[1] for line in told] == [str(name) for name in names if name != beeps]
    outcome = runner(*names, "--json")
    objects = [json.loads(line) for line in outcome.out.splitlines()]
    assert [Path(each["audio"]) for each in objects] == list(names)
    assert ["error" in each for each in objects] == [name != beeps for name in names]
    assert [each["text"] + "\n" for each in objects if "error" not in each] == 3 * [text]
    assert len(outcome.err.splitlines()) == 4


def test_what_was_heard_before_a_bad_sample_is_printed(runner: Runner, beeps: Path, tmp_path: Path) -> None:
    samples = read_audio(beeps)
    soundfile.write(tmp_path / "nan.wav", np.append(samples[:16_000], np.nan), SAMPLE_RATE_HZ, subtype="FLOAT")
    soundfile.write(tmp_path / "good.wav", samples[:16_000], SAMPLE_RATE_HZ, subtype="FLOAT")
    outcome = runner(tmp_path / "nan.wav")
    assert (outcome.code, outcome.out) == (1, runner(tmp_path / "good.wav").out)
    assert "1.00 s" in outcome.err


# names


@pytest.mark.parametrize("name", [b"caf\xe9.wav", b"a b'\"\n.wav", "\N{HIRAGANA LETTER A}.wav".encode()])
def test_any_name_works(runner: Runner, beeps: Path, tmp_path: Path, text: str, name: bytes) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    shutil.copy(beeps, path)
    assert runner(path) == Outcome(0, text, "")
    outcome = runner(path, "--json")
    assert outcome.json["text"] + "\n" == text
    assert outcome.json["audio"] == os.fsencode(path).decode(errors="replace")
    os.truncate(path, 30)
    outcome = runner(path)
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1


# what is not WAV

KINDS = {
    "FLAC": (b"fLaC\0\0\0\x22", "a FLAC file"),
    "Ogg": (b"OggS\0\2", "an Ogg file"),
    "MP3 with tags": (b"ID3\4", "an MP3 file"),
    "MP3": (b"\xff\xfb\x90\x64", "an MP3"),
    "m4a": (bytes.fromhex("0000001c6674797069736f6d"), "an MP4 file (such as m4a)"),
    "WebM": (b"\x1a\x45\xdf\xa3", "a WebM or Matroska file"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_compressed_file_is_named_with_the_command_that_converts_it(
    runner: Runner, tmp_path: Path, kind: str
) -> None:
    magic, called = KINDS[kind]
    path = tmp_path / "a talk.bin"
    path.write_bytes(magic + bytes(999))
    fails(runner(path), f"{path}: {called}", f"ffmpeg -v error -i '{path}' -f wav - | edge-asr-run -")
    fails(runner("-", stdin=path.read_bytes()), f"stdin: {called}", "ffmpeg -v error -i - -f wav -")


def test_what_that_command_pipes_is_heard(runner: Runner, beeps: Path, tmp_path: Path) -> None:
    """ffmpeg keeps the file's rate and channels, says what it is in a LIST chunk, and cannot know the length."""
    samples, rate_hz = soundfile.read(write_beeps(tmp_path / "cd.wav", ".x..x.", 44_100))
    soundfile.write(tmp_path / "cd.wav", np.stack([samples, samples], 1), rate_hz, subtype="PCM_16")
    whole = (tmp_path / "cd.wav").read_bytes()
    at = whole.index(b"data")
    tag = b"INFOISFT\x0e\0\0\0Lavf59.27.100\0"
    piped = whole[:at] + b"LIST" + struct.pack("<I", len(tag)) + tag + with_data_size(whole[at:], 0xFFFFFFFF)
    from_pipe, from_file = runner("-", "--json", stdin=piped), runner(tmp_path / "cd.wav", "--json")
    assert (from_pipe.code, from_pipe.err) == (0, "")
    assert from_pipe.json["words"] == from_file.json["words"] != []
    assert from_pipe.json["audio_s"] == pytest.approx(1.2)


# rates and channels


def test_raw_samples_of_another_rate_with_more_channels(runner: Runner, tmp_path: Path) -> None:
    samples, _ = soundfile.read(write_beeps(tmp_path / "b.wav", ".x..x.", 48_000), dtype="int16")
    stereo = np.stack([samples, samples], 1).astype("<i2")
    plain = runner(tmp_path / "b.wav", "--json").json
    raw = ("--raw", "s16le", "--rate", "48000", "--channels", "2", "--json", "-")
    for channel in ("mix", "1", "2"):
        heard = runner(*raw, "--channel", channel, stdin=stereo.tobytes()).json
        assert heard["words"] == plain["words"] != []
        assert heard["audio_s"] == plain["audio_s"] == pytest.approx(1.2)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_as_many_seconds_are_heard_at_any_rate(runner: Runner, tmp_path: Path, rate_hz: int) -> None:
    outcome = runner(write_beeps(tmp_path / "b.wav", ".x..x.", rate_hz), "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert (outcome.json["audio_s"], outcome.json["frames"]) == (pytest.approx(1.2, abs=1e-3), 30)


def test_one_channel_of_many(runner: Runner, beeps: Path, tmp_path: Path, text: str) -> None:
    samples = read_audio(beeps)
    silent = np.zeros_like(samples)
    soundfile.write(tmp_path / "six.wav", np.stack([silent, silent, silent, samples, silent, silent], 1), 16_000)
    assert runner(tmp_path / "six.wav", "--channel", "4") == Outcome(0, text, "")
    fails(runner(tmp_path / "six.wav", "--channel", "7"), "six.wav", "6 channels", "no channel 7")
    fails(runner(beeps, "--channel", "2"), "1 channel,", "no channel 2")


def test_the_mix_is_the_mean(runner: Runner, beeps: Path, tmp_path: Path, text: str) -> None:
    halves = read_audio(beeps) / 2
    soundfile.write(tmp_path / "two.wav", np.stack([3 * halves, halves], 1), 16_000, subtype="FLOAT")
    assert runner(tmp_path / "two.wav") == Outcome(0, text, "")
    assert runner(tmp_path / "two.wav", "--channel", "mix") == Outcome(0, text, "")


@pytest.mark.slow
def test_words_do_not_hang_on_the_rate(
    native_build: Build, shipped_pte: Path, an4_test: Path, tmp_path: Path, runner: Runner
) -> None:
    import soxr

    for number, utterance in enumerate(read_manifest(an4_test)[:5]):
        samples = read_audio(utterance.audio)
        soundfile.write(tmp_path / "a.wav", samples, SAMPLE_RATE_HZ, subtype="FLOAT")
        fast = soxr.resample(samples, SAMPLE_RATE_HZ, 44_100)
        soundfile.write(tmp_path / "b.wav", fast, 44_100, subtype="FLOAT")
        outcome = runner(tmp_path / "a.wav", tmp_path / "b.wav", "--model", shipped_pte)
        first, second = outcome.out.splitlines()
        assert first == second != "", number
