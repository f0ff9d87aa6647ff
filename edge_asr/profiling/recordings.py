"""What is listened to: recordings as WAV in a temporary folder, and what was said in them where that is known."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from edge_asr.audio import read_audio
from edge_asr.demo import RECORDING
from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import read_manifest

MANIFEST_SUFFIXES = (".jsonl", ".json")

Advance = Callable[[float], None]


@dataclass(frozen=True)
class NamedRecording:
    """A recording as the user names it."""

    path: Path
    text: str | None  # reference words, where the manifest has them


@dataclass(frozen=True)
class Recordings:
    """What every setting hears, in this order."""

    waves: tuple[Path, ...]  # 16 kHz mono 16-bit WAV, each of another name
    texts: tuple[str, ...] | None  # references, one a recording; None where none of them has a word
    audio_s: float
    sha256: str  # of names and samples

    def __len__(self) -> int:
        return len(self.waves)

    @property
    def references_sha256(self) -> str | None:
        if self.texts is None:
            return None
        return hashlib.sha256("".join(f"{text}\n" for text in self.texts).encode()).hexdigest()


def sources(
    named: Sequence[Path], limit: int | None = None, tell: Callable[[str], None] = lambda line: None
) -> list[NamedRecording]:
    """Audio files, or one manifest; of nothing, the bundled recording. `tell` gets a line where a manifest has no words
    to measure accuracy with. Raises EdgeAsrError."""
    if not named:
        return [NamedRecording(RECORDING, None)]
    manifests = [path for path in named if path.suffix.lower() in MANIFEST_SUFFIXES]
    if manifests and len(named) > 1:
        raise EdgeAsrError(f"{manifests[0]}: a manifest stands alone: name one manifest, or audio files")
    if manifests:
        utterances = read_manifest(manifests[0], text_required=False)[:limit]
        known = any(utterance.text for utterance in utterances)
        if not known:
            tell(f"{manifests[0]}: no reference words: accuracy is not measured, all else is")
        return [NamedRecording(utterance.audio, utterance.text if known else None) for utterance in utterances]
    return [NamedRecording(path, None) for path in named][:limit]


@contextmanager
def as_waves(
    found: Sequence[NamedRecording], rate_hz: int, advance: Advance = lambda amount: None
) -> Iterator[Recordings]:
    """Convert them, to the model's rate; the folder goes when it is left. Raises EdgeAsrError that names the file."""
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="edge-asr-profile-") as name:
        waves, samples = [], 0
        for number, source in enumerate(found):
            audio = read_audio(source.path, rate_hz)
            # a name that is not UTF-8, or has a line end, would not come back from the runner as it went
            wave = Path(name) / f"{number:04d}-{re.sub(r'[^ -~]', '_', source.path.stem)}.wav"
            try:
                soundfile.write(wave, audio, rate_hz, subtype="PCM_16")
            except (OSError, soundfile.SoundFileError) as error:
                raise EdgeAsrError(f"{wave.parent}: no room for the recordings as WAV ({error}): set TMPDIR") from None
            waves.append(wave)
            samples += len(audio)
            digest.update(os.fsencode(source.path.name) + b"\0" + audio.tobytes())
            advance(1)
        texts = tuple(source.text or "" for source in found)
        known = any(source.text for source in found)
        yield Recordings(tuple(waves), texts if known else None, samples / rate_hz, digest.hexdigest())
