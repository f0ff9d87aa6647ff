"""A configuration's recordings in few bytes: to send to a machine that is lent for minutes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import Utterance, read_manifest, write_manifest
from edge_asr.training.config import TrainingConfig

COMPRESSION = 0.98  # of libsndfile for Opus: 11 to 13 kbit/s


def pack(training: TrainingConfig, data: Path, folder: Path, advance: Callable[[float], None]) -> int:
    """Write the manifests of a configuration below `folder`, as they lie below `data`, and their recordings beside them
    as mono Ogg Opus. A recording that is there already stays. `advance` gets 1 for each. Returns the bytes of them all.

    Raises EdgeAsrError where a manifest or recording cannot be read, where a manifest is not below `data`, and where
    the folder is `data` itself or cannot be written.
    """
    check(training, data, folder)
    written: list[Path] = []
    for name in training.manifests:
        beside = folder / Path(name).with_suffix("")
        packed = [(utterance, beside / f"{name_of(utterance)}.ogg") for utterance in read_manifest(data / name)]
        for utterance, path in packed:
            if not path.is_file():
                write_opus(utterance, path)
            advance(1)
        write_manifest(folder / name, [dataclasses.replace(utterance, audio=path) for utterance, path in packed])
        written += [folder / name, *(path for _, path in packed)]
    return sum(path.stat().st_size for path in set(written))


def check(training: TrainingConfig, data: Path, folder: Path) -> None:
    """Nothing that is read may be written over. Raises EdgeAsrError."""
    if folder.resolve() == data.resolve():
        raise EdgeAsrError(f"{folder}: this is the data folder itself: name another for what is packed")
    for name in training.manifests:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise EdgeAsrError(f"{name}: only manifests below the data folder {data} can be packed: move it there")


def name_of(utterance: Utterance) -> str:
    """Of the recording as it is now: another one of the same path has another name."""
    status = utterance.audio.stat()
    identity = f"{utterance.audio.resolve()} {status.st_size} {status.st_mtime_ns}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


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


def recordings_of(training: TrainingConfig, data: Path, folder: Path) -> int:
    """How many there are to pack. Raises EdgeAsrError as `pack` does."""
    check(training, data, folder)
    return sum(len(read_manifest(data / name)) for name in training.manifests)
