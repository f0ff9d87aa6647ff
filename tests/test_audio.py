"""Any audio file becomes 16 kHz mono float32, or one line that names the file and the trouble."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, change_speed, duration_s, read_audio, read_blocks
from edge_asr.errors import EdgeAsrError


def tone(seconds: float, rate_hz: int, frequency_hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channel_count_gives_the_same_tone_at_16_khz(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = write(tmp_path / "tone.wav", np.tile(tone(0.6, rate_hz)[:, None], channels), rate_hz, "FLOAT")
    samples = read_audio(path)
    expected = tone(0.6, SAMPLE_RATE_HZ)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert abs(len(samples) - len(expected)) <= 1
    inner = slice(800, -800)  # the resampler rings at the edges
    assert np.abs(samples[: len(expected)][inner] - expected[: len(samples)][inner]).max() < 2e-3


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_formats_that_soundfile_decodes_are_read(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"tone.{suffix}", tone(0.5, SAMPLE_RATE_HZ))
    assert len(read_audio(path)) == pytest.approx(0.5 * SAMPLE_RATE_HZ, rel=0.15)  # MP3 pads


PLAIN = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        *[(container, subtype) for container in ("WAV", "WAVEX") for subtype in PLAIN],
        ("WAV", "ULAW"),
        ("WAV", "IMA_ADPCM"),
    ],
)
def test_wave_samples_are_those_of_libsndfile(tmp_path: Path, container: str, subtype: str) -> None:
    noise = np.random.default_rng(6).uniform(-1, 1, (5_000, 2))
    noise[:2] = [[1, -1], [-1, 0.999_999]]
    soundfile.write(tmp_path / "a.wav", noise, SAMPLE_RATE_HZ, subtype=subtype, format=container)
    expected = soundfile.read(tmp_path / "a.wav", dtype="float32")[0].mean(axis=1)
    assert np.array_equal(read_audio(tmp_path / "a.wav"), expected)


def test_samples_of_16_khz_mono_are_not_touched(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 5_000).astype(np.float32)
    assert np.array_equal(read_audio(write(tmp_path / "a.wav", samples, subtype="FLOAT")), samples)


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    assert np.allclose(read_audio(write(tmp_path / "a.wav", stereo, subtype="FLOAT")), 0.125)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_the_size_of_the_blocks_does_not_change_the_samples(tmp_path: Path, rate_hz: int) -> None:
    noise = np.random.default_rng(2).uniform(-1, 1, 3 * rate_hz).astype(np.float32)
    path = write(tmp_path / "a.wav", noise, rate_hz, "FLOAT")
    whole = read_audio(path)
    for block_s in (0.001, 0.1, 0.77, 10.0):
        blocks = list(read_blocks(path, block_s=block_s))
        assert all(len(block) for block in blocks)
        assert np.allclose(np.concatenate(blocks), whole, atol=1e-6)


def test_a_long_file_streams_in_flat_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(120 * 8_000, np.int16), 8_000)
    tracemalloc.start()
    samples = sum(len(block) for block in read_blocks(path))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples == pytest.approx(120 * SAMPLE_RATE_HZ, abs=2)
    assert peak_bytes < 1_000_000  # the whole is 7.7 MB


def test_clipped_and_silent_audio_are_fine(tmp_path: Path) -> None:
    assert np.abs(read_audio(write(tmp_path / "clipped.wav", np.sign(tone(0.1, SAMPLE_RATE_HZ))))).max() > 0.99
    assert not read_audio(write(tmp_path / "silent.wav", np.zeros(1_600))).any()


def test_duration_comes_from_the_header(tmp_path: Path) -> None:
    assert duration_s(write(tmp_path / "a.wav", np.zeros(12_000), 8_000)) == 1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate_hz", [16_000, 8_000])
def test_a_sample_that_is_no_number_is_refused_with_its_second(tmp_path: Path, bad: float, rate_hz: int) -> None:
    samples = np.zeros((3 * rate_hz, 2), np.float32)
    samples[round(2.25 * rate_hz), 1] = bad
    path = write(tmp_path / "bad.wav", samples, rate_hz, "FLOAT")
    with pytest.raises(EdgeAsrError, match=r"bad\.wav: a sample at 2\.25 s is not a finite number"):
        read_audio(path)


def test_opposite_infinities_do_not_pass_as_their_mean(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.wav", np.array([[np.inf, -np.inf]], np.float32), subtype="FLOAT")
    with pytest.raises(EdgeAsrError, match=r"bad\.wav: a sample at 0\.00 s"):
        read_audio(path)


def missing(folder: Path) -> Path:
    return folder / "absent.wav"


def a_folder(folder: Path) -> Path:
    return folder


def empty(folder: Path) -> Path:
    (folder / "empty.wav").write_bytes(b"")
    return folder / "empty.wav"


def no_samples(folder: Path) -> Path:
    return write(folder / "none.wav", np.zeros(0))


def truncated_header(folder: Path) -> Path:
    whole = write(folder / "whole.wav", tone(0.1, SAMPLE_RATE_HZ)).read_bytes()
    (folder / "cut.wav").write_bytes(whole[:20])
    return folder / "cut.wav"


def random_bytes(folder: Path) -> Path:
    (folder / "noise.flac").write_bytes(np.random.default_rng(3).bytes(4_000))
    return folder / "noise.flac"


def headerless(folder: Path) -> Path:
    (folder / "pcm.raw").write_bytes(bytes(4_000))
    return folder / "pcm.raw"


def damaged_in_the_middle(folder: Path) -> Path:
    path = write(folder / "damaged.flac", np.random.default_rng(4).uniform(-1, 1, 3 * SAMPLE_RATE_HZ))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "trouble"),
    [
        (missing, "no such audio file"),
        (a_folder, "a folder"),
        (empty, "is empty"),
        (no_samples, "no samples"),
        (truncated_header, "header is damaged or cut short"),
        (random_bytes, "cannot be read as audio"),
        (headerless, "cannot be read as audio"),
        (damaged_in_the_middle, "damaged or cut short after 1"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, make: object, trouble: str) -> None:
    assert callable(make)
    path = make(tmp_path)
    with pytest.raises(EdgeAsrError, match=trouble) as caught:
        read_audio(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_speed_changes_length_and_pitch(speed: float) -> None:
    faster = change_speed(tone(1.0, SAMPLE_RATE_HZ, 1_000.0), speed)
    assert faster.dtype == np.float32
    assert len(faster) == pytest.approx(16_000 / speed, abs=2)
    peak_hz = np.abs(np.fft.rfft(faster)).argmax() * 16_000 / len(faster)
    assert peak_hz == pytest.approx(1_000 * speed, abs=2)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_speed_leaves_something_of_a_single_sample(speed: float) -> None:
    assert len(change_speed(np.full(1, 0.1, np.float32), speed)) >= 1
