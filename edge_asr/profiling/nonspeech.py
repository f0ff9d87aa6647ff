"""What a model makes of sound that is no speech: words that nobody said, and frames that it could have skipped.

Usage: python -m edge_asr.profiling.nonspeech --model MODEL.pte [--minutes 10] [--threshold T] [--json]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.file_hash import file_sha256
from edge_asr.terminal.model import model_or_shipped, open_model
from edge_asr.terminal.options import Finite, backend_option, json_option, model_option, threshold_option
from edge_asr.terminal.process import run
from edge_asr.terminal.screen import print_json, print_rows, progress_bar

SEED = 762
LEVELS_DBFS = (-60, -40, -20)  # of the noise: a quiet room, a fan, a street
MUSIC_DBFS = -20
RECORDING_S = 20.0  # each stream; a long one would meet the start of a stream only once
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)  # semitones
LOWEST_NOTE_HZ = 110.0


def level(sound: np.ndarray, dbfs: float) -> np.ndarray:
    """Scale to a root mean square of `dbfs`."""
    rms = float(np.sqrt(np.mean(sound**2)))
    return (sound * (10 ** (dbfs / 20) / max(rms, 1e-12))).clip(-1, 1).astype(np.float32)


def noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """White, pink or brown, with a slow swell."""
    slope = rng.choice([0.0, 1.0, 2.0])
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (slope / 2)
    swell = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.05, 0.5) * np.arange(samples) / SAMPLE_RATE_HZ)
    return np.fft.irfft(spectrum, samples) * swell


def music(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A melody over a chord: notes of a major scale with an attack, a decay, vibrato and seven partials, and a beat."""
    sound = np.zeros(samples)
    beat = int(rng.uniform(0.25, 0.6) * SAMPLE_RATE_HZ)
    for number, start in enumerate(range(0, samples, beat)):
        degrees = [rng.integers(14)] + ([0, 2, 4] if number % 4 == 0 else [])
        for degree in degrees:
            length = min(beat * (4 if len(degrees) > 1 else 1), samples - start)
            semitones = MAJOR_SCALE[degree % 7] + 12 * (degree // 7)
            sound[start : start + length] += note(LOWEST_NOTE_HZ * 2 ** (semitones / 12), length)
        click_samples = min(800, samples - start)
        decay = np.exp(-np.arange(click_samples) / 150)
        sound[start : start + click_samples] += 0.3 * rng.standard_normal(click_samples) * decay
    return sound


def note(pitch_hz: float, samples: int) -> np.ndarray:
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * pitch_hz * time_s + 0.1 * np.sin(2 * np.pi * 5 * time_s)
    envelope = np.minimum(1, time_s / 0.02) * np.exp(-2 * time_s)
    return envelope * sum(np.sin(partial * phase) / partial for partial in range(1, 8))


def recordings(minutes: float) -> Iterator[tuple[str, np.ndarray]]:
    """Kind and float32 samples of each recording: a tenth silence, two tenths noise of each level, three of music."""
    rng = np.random.default_rng(SEED)
    samples = int(RECORDING_S * SAMPLE_RATE_HZ)
    kinds: list[tuple[str, Callable[[], np.ndarray], float]] = [("silence", lambda: np.zeros(samples, np.float32), 0.1)]
    for dbfs in LEVELS_DBFS:
        kinds.append((f"noise {dbfs} dBFS", lambda dbfs=dbfs: level(noise(samples, rng), dbfs), 0.2))  # type: ignore[misc]
    kinds.append((f"music {MUSIC_DBFS} dBFS", lambda: level(music(samples, rng), MUSIC_DBFS), 0.3))
    for kind, make, share in kinds:
        for _ in range(max(1, round(share * minutes * 60 / RECORDING_S))):
            yield kind, make()


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@model_option
@threshold_option
@click.option("--minutes", type=Finite(min=0.1), default=10.0, show_default=True, help="Of sound, in all.")
@backend_option
@json_option
def command(model: Path | None, threshold: float | None, minutes: float, backend: str | None, as_json: bool) -> None:
    """Count the words heard in silence, noise at three levels and music-like sound, and the frames skipped.

    The sound is made by this script from a fixed seed, in streams of 20 s. Every word is an error, and every kept frame
    is work for nothing.
    """
    path = model_or_shipped(model)
    found: dict[str, dict[str, float]] = {}
    texts: list[str] = []
    streams = list(recordings(minutes))
    with open_model(path, 1, backend) as recognizer, progress_bar("listening", len(streams)) as advance:
        for kind, samples in streams:
            result = recognizer.transcribe(samples, threshold)
            entry = found.setdefault(kind, {"audio_s": 0.0, "words": 0, "frames": 0, "kept_frames": 0})
            entry["audio_s"] += result.counters.audio_s
            entry["words"] += len(result.words)
            entry["frames"] += result.counters.frames
            entry["kept_frames"] += result.counters.kept_frames
            texts += [result.text] if result.text else []
            advance(1)
    total = {
        name: sum(entry[name] for entry in found.values()) for name in ("audio_s", "words", "frames", "kept_frames")
    }
    if as_json:
        facts = {kind: entry | {"skipped_ratio": skipped(entry)} for kind, entry in {**found, "all": total}.items()}
        ran = {"model_sha256": file_sha256(path), "backend": recognizer.backend_name, "threshold": threshold}
        print_json({"kinds": facts, "texts": texts, **ran})
        return
    rows = [(kind, row(entry)) for kind, entry in {**found, "all": total}.items()]
    print_rows([*rows, *(("heard", text) for text in texts)])


def skipped(entry: dict[str, float]) -> float:
    return 1 - entry["kept_frames"] / entry["frames"]


def row(entry: dict[str, float]) -> str:
    return f"{entry['audio_s']:.0f} s, {entry['words']:.0f} words, {skipped(entry):.1%} of frames skipped"


if __name__ == "__main__":
    raise SystemExit(run(command, "nonspeech"))
