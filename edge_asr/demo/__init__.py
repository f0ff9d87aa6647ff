"""The recording that comes with the package. See README.md beside it for how it was made."""

from pathlib import Path

RECORDING = Path(__file__).parent / "recording.flac"
TEXT = "ENTER FIVE TWO SIX"  # what is said in it
