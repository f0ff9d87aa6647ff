"""Damaged inputs, recorders that crashed, odd names: what can be heard is printed, and what is wrong is told once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from tests.beep_program import lines, transcribe
from tests.beeps import beep_pcm, beep_samples, riff, write_beeps
from tests.outcome import Run

PATTERN = ".x..x."
PCM = beep_pcm(PATTERN)
LONG = ".x..x." + ".x.." * 20


@pytest.mark.parametrize(
    ("size", "riff_size"),
    [(0, 0), (0, 36), (0xFFFFFFFF, 0xFFFFFFFF), (0x80000000, 0x80000024), (0x7FFFF000, 0x7FFFF024)],
)
def test_a_recorder_that_crashed_is_read_to_the_end_with_a_warning(
    run: Run, beep_model: Path, tmp_path: Path, size: int, riff_size: int
) -> None:
    path = tmp_path / "crashed.wav"
    path.write_bytes(riff(PCM, size=size, riff_size=riff_size))
    outcome = run("transcribe", path, "--model", beep_model)
    assert (outcome.code, outcome.out) == (0, "BEEP BEEP\n")
    assert outcome.err == (f"warning: {path}: its header says {size} bytes, {len(PCM)} are there: read to the end\n")
    answer = run("transcribe", path, "--json", "--model", beep_model).json
    assert answer["warnings"] == [f"its header says {size} bytes, {len(PCM)} are there: read to the end"]


def test_a_file_without_samples_that_has_notes_behind_them_is_not_a_crash(
    run: Run, beep_model: Path, tmp_path: Path
) -> None:
    notes = b"LIST" + (4_000).to_bytes(4, "little") + bytes(4_000)
    (tmp_path / "none.wav").write_bytes(riff(b"")[:4] + (36 + len(notes)).to_bytes(4, "little") + riff(b"")[8:] + notes)
    run("transcribe", tmp_path / "none.wav", "--model", beep_model).assert_fails("none.wav", "no samples")


def cut_wave(path: Path) -> None:
    pcm = beep_pcm(LONG)
    path.write_bytes(riff(pcm[: len(pcm) * 2 // 3], size=len(pcm)))


def cut_telephone_wave(path: Path) -> None:
    soundfile.write(path, beep_samples(LONG, 8_000), 8_000, format="WAV", subtype="ULAW")
    cut(path)


def cut_flac(path: Path) -> None:
    soundfile.write(path, beep_samples(LONG), 16_000, format="FLAC")
    cut(path)


def cut_opus(path: Path) -> None:
    soundfile.write(path, beep_samples(LONG), 16_000, format="OGG", subtype="OPUS")
    cut(path)


def cut_vorbis(path: Path) -> None:
    soundfile.write(path, beep_samples(LONG), 16_000, format="OGG", subtype="VORBIS")
    cut(path)


def cut(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


@pytest.mark.parametrize("make", [cut_wave, cut_telephone_wave, cut_flac, cut_opus, cut_vorbis])
@pytest.mark.parametrize("piped", [False, True])
def test_what_is_intact_is_printed_then_the_error(tmp_path: Path, make: Callable[[Path], None], piped: bool) -> None:
    make(tmp_path / "cut.bin")
    if piped:
        done = transcribe("/dev/stdin", input=(tmp_path / "cut.bin").read_bytes())
    else:
        done = transcribe(tmp_path / "cut.bin")
    words = done.stdout.decode().split()
    assert done.returncode == 1
    assert 8 <= len(words) < 22
    assert set(words) == {"BEEP"}
    (error,) = lines(done.stderr)
    assert error.startswith("edge-asr: ")
    assert "damaged or cut short after" in error


def test_json_of_a_cut_file_has_the_text_and_the_error(run: Run, beep_model: Path, tmp_path: Path) -> None:
    cut_wave(tmp_path / "cut.wav")
    outcome = run("transcribe", tmp_path / "cut.wav", "--json", "--model", beep_model)
    assert outcome.code == 1
    assert outcome.json["text"].startswith("BEEP BEEP")
    assert "cut short" in outcome.json["error"]
    assert "cut.wav" in outcome.err


def test_evaluation_does_not_count_a_cut_file(run: Run, beep_model: Path, beep_manifest: Path) -> None:
    cut_wave(beep_manifest.parent / "two.wav")
    run("evaluate", beep_manifest, "--model", beep_model).assert_fails("two.wav", "cut short")


def some_files(folder: Path) -> list[Path]:
    """Good, bad in three ways, good."""
    write_beeps(folder / "one.wav", PATTERN)
    (folder / "noise.wav").write_bytes(b"this is no audio")
    cut_wave(folder / "cut.wav")
    write_beeps(folder / "two.wav", ".x.")
    return [folder / name for name in ("one.wav", "noise.wav", "absent.wav", "cut.wav", "two.wav")]


def test_bad_files_are_named_and_the_others_transcribed(run: Run, beep_model: Path, tmp_path: Path) -> None:
    outcome = run("transcribe", *some_files(tmp_path), "--model", beep_model)
    first, cut_text, last = outcome.out.splitlines()
    assert (outcome.code, first, last) == (1, "BEEP BEEP", "BEEP")
    assert cut_text.startswith("BEEP BEEP BEEP")
    errors = outcome.err.splitlines()
    assert [name for error, name in zip(errors, ("noise.wav", "absent.wav", "cut.wav"), strict=True) if name in error]
    assert all(error.startswith("edge-asr: ") for error in errors)


def test_json_has_an_object_for_each_bad_file_too(run: Run, beep_model: Path, tmp_path: Path) -> None:
    files = some_files(tmp_path)
    outcome = run("transcribe", *files, "--json", "--model", beep_model)
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert outcome.code == 1
    assert [answer["audio"] for answer in answers] == list(map(str, files))
    assert ["text" in answer for answer in answers] == [True, False, False, True, True]
    assert ["error" in answer for answer in answers] == [False, True, True, True, False]
    assert set(answers[1]) == {"audio", "error"}


NOT_UTF8 = b"caf\xe9.wav"
QUOTED = b"a b'\"\n.wav"


@pytest.mark.parametrize(("name", "shown"), [(NOT_UTF8, "caf\ufffd.wav"), (QUOTED, "a b'\"\n.wav")])
def test_any_name_of_a_file_works(tmp_path: Path, name: bytes, shown: str) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as file:
        file.write(riff(PCM))
    done = transcribe(name, "--json", cwd=tmp_path)
    answer = json.loads(done.stdout)  # of strict UTF-8
    assert (done.returncode, answer["audio"], answer["text"]) == (0, shown, "BEEP BEEP")
    assert transcribe(name, cwd=tmp_path).stdout == b"BEEP BEEP\n"


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_a_name_that_is_not_utf8_works_for_libsndfile_too(tmp_path: Path, suffix: str) -> None:
    name = b"caf\xe9." + suffix.encode()
    soundfile.write(
        tmp_path / "a",
        beep_samples(PATTERN, 8_000),
        8_000,
        **{"flac": {"format": "FLAC"}, "wav": {"format": "WAV", "subtype": "ULAW"}}[suffix],
    )
    os.rename(tmp_path / "a", os.path.join(os.fsencode(tmp_path), name))
    done = transcribe(name, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"BEEP BEEP\n", b"")


@pytest.mark.parametrize("name", [NOT_UTF8, QUOTED, b"\x1b[2Jgone.wav"])
def test_an_error_names_any_file_in_one_line(tmp_path: Path, name: bytes) -> None:
    done = transcribe(name, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = lines(done.stderr)
    assert "no such audio file" in line
    assert "\x1b" not in line
