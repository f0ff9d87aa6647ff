"""JSON-lines manifests, one utterance a line, in the convention of NeMo and others."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_asr.errors import EdgeAsrError


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest."""

    audio: Path  # absolute, or relative to the working folder if the manifest's path is
    text: str  # reference words, separated by spaces
    speaker: str  # empty where the manifest names none
    duration_s: float  # as stated by the manifest; 0 where it states none
    line: int  # line number in the manifest, from 1


def read_manifest(
    path: Path, report_fault: Callable[[str], None] | None = None, *, text_required: bool = True
) -> list[Utterance]:
    """Read and check every line. Raises EdgeAsrError that names the file and the line; with `report_fault`, lines at
    fault are told to it instead, and left out.

    Where no text is required, either every line has one or none has: then it is empty.
    """
    try:
        # some editors write a byte order mark; and only "\n" ends a line: JSON strings may hold U+2028
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise EdgeAsrError(f"{path}: no such manifest") from None
    except (OSError, UnicodeDecodeError) as error:
        raise EdgeAsrError(f"{path}: cannot be read as a manifest ({error})") from None
    numbered = [(line, number) for number, line in enumerate(lines, start=1) if line.strip()]
    with_text = text_required or any('"text"' in line for line, _ in numbered)
    utterances = []
    for line, number in numbered:
        try:
            utterances.append(parse_line(line, number, path, text_required=with_text))
        except EdgeAsrError as fault:
            if report_fault is None:
                raise
            report_fault(str(fault))
    if not utterances:
        raise EdgeAsrError(f"{path}: the manifest has no utterances")
    return utterances


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write what `read_manifest` reads back; the file is whole, or as it was.

    Audio below the manifest's folder is named relative to it, so that the folder may move; other audio absolutely.
    """
    folder = path.parent.absolute()
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        for utterance in utterances:
            audio = utterance.audio.absolute()
            entry = {
                "audio_filepath": str(audio.relative_to(folder) if audio.is_relative_to(folder) else audio),
                "duration": utterance.duration_s,
                "text": utterance.text,
                "speaker": utterance.speaker,
            }
            file.write(json.dumps(entry) + "\n")
    partial.replace(path)


def parse_line(line: str, number: int, manifest: Path, *, text_required: bool = True) -> Utterance:
    """One JSON object -> Utterance. Raises EdgeAsrError."""
    where = f"{manifest}:{number}"
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise EdgeAsrError(f"{where}: broken JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(entry, dict):
        raise EdgeAsrError(f"{where}: expected a JSON object, found {type(entry).__name__}")
    for key in ("audio_filepath", "text") if text_required else ("audio_filepath",):
        if not isinstance(entry.get(key), str):
            raise EdgeAsrError(f"{where}: '{key}' is missing or not a string")
    audio = manifest.parent / entry["audio_filepath"]
    if not audio.is_file():
        raise EdgeAsrError(f"{where}: no such audio file: {audio}")
    speaker = entry.get("speaker")
    return Utterance(
        audio=audio,
        text=" ".join(entry["text"].split()) if text_required else "",
        speaker="" if speaker is None else str(speaker),
        duration_s=parse_duration(entry.get("duration"), where),
        line=number,
    )


def parse_duration(value: object, where: str) -> float:
    """Seconds, 0 where the manifest states none. Raises EdgeAsrError."""
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise EdgeAsrError(f"{where}: 'duration' must be seconds, 0 or more, found {value!r}")
    return float(value)
