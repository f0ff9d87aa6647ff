"""A configuration's recordings in few bytes: to send to a machine that is lent for minutes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import Utterance, read_manifest, write_manifest
from edge_asr.training.config import TrainingConfig

COMPRESSION = 0.98  # of libsndfile for Opus: 11 to 12 kbit/s


def pack(training: TrainingConfig, data: Path, folder: Path, advance: Callable[[float], None]) -> int:
    """Write the manifests of a configuration below `folder`, as they lie below `data`, and their recordings beside them
    as mono Ogg Opus. What is there already stays. `advance` gets 1 for each recording. Returns the bytes of all of it.

    Raises EdgeAsrError where a manifest or recording cannot be read, or the folder not be written.
    """
    for name in training.manifests:
        packed = [
            (utterance, folder / Path(name).with_suffix("") / f"{utterance.line:05}.ogg")
            for utterance in read_manifest(data / name)
        ]
        for utterance, path in packed:
            if not path.is_file():
                write_opus(utterance, path)
            advance(1)
        write_manifest(folder / name, [dataclasses.replace(utterance, audio=path) for utterance, path in packed])
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_opus(utterance: Utterance, path: Path) -> None:
    samples = read_audio(utterance.audio).clip(-1, 1)
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(partial, samples, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS", compression_level=COMPRESSION)
        partial.replace(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise EdgeAsrError(f"{path}: cannot be written ({error})") from None
    finally:
        partial.unlink(missing_ok=True)


def recordings_of(training: TrainingConfig, data: Path) -> int:
    """How many there are to pack."""
    return sum(len(read_manifest(data / name)) for name in training.manifests)
