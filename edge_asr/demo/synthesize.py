"""Make the bundled recording again: `python -m edge_asr.demo.synthesize` (needs the program espeak-ng)."""

from __future__ import annotations

import io
import subprocess

import soundfile
import soxr

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.demo import RECORDING, TEXT

VOICE = "en-us"
WORDS_PER_MINUTE = 130


def synthesize(text: str) -> None:
    """Speak `text` and write it as 16 kHz FLAC."""
    command = ["espeak-ng", "-v", VOICE, "-s", str(WORDS_PER_MINUTE), "--stdout", text.lower()]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout
    samples, rate_hz = soundfile.read(io.BytesIO(spoken), dtype="float32")
    soundfile.write(RECORDING, soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)


if __name__ == "__main__":
    synthesize(TEXT)
