"""Finished passes on disk, one JSON object a line: what an interrupted sweep goes on from."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.json_text import json_text
from edge_asr.profiling.anonymous import Anonymizer
from edge_asr.profiling.report import Conditions, Energy, Setting

FORMAT = "edge-asr-sweep-journal"
VERSION = 1
NAME = "passes.jsonl"


@dataclass(frozen=True)
class Circumstances:
    """What must be the same for passes to be compared."""

    recordings_sha256: str
    target: str
    threads: int
    cpus: str | None


@dataclass(frozen=True)
class PassRecord:
    """One setting in one process. Totals are of all recordings, once."""

    key: str  # of the setting
    number: int  # of the setting's passes, from 0
    session: int  # passes of one session were interleaved
    audio_s: float
    compute_s: float
    step_p50_ms: float | None
    step_p90_ms: float | None
    frames: int | None
    kept_frames: int | None
    upper_runs: int | None
    steps: int | None
    peak_rss_bytes: int | None
    texts: tuple[str, ...]  # one a recording


@dataclass(frozen=True)
class EnergyRecord:
    """Of all passes of one setting in one session."""

    key: str
    session: int
    passes: int
    energy: Energy


def key_of(setting: Setting) -> str:
    """The same for the same runtime, file and threshold, whatever they are called."""
    facts = (setting.runtime, setting.runtime_version, setting.model_sha256, setting.threshold)
    return hashlib.sha256(json_text(facts).encode()).hexdigest()[:16]


class Journal:
    """Append-only. A line that was cut off by a crash is dropped."""

    def __init__(self, folder: Path, circumstances: Circumstances, hide: Anonymizer | None = None) -> None:
        """Open or begin it. `hide` goes over whatever is written. Raises EdgeAsrError where the folder cannot be
        written, or holds another sweep."""
        self.path = folder / NAME
        self._hide = hide or (lambda value: value)
        self.header = self._hide({"format": FORMAT, "version": VERSION, **asdict(circumstances)})
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.file = self.path.open("ab+", buffering=0)  # a line is written whole, or not at all
        except OSError as error:
            raise EdgeAsrError(f"{folder}: cannot be written ({error.strerror}): name another folder") from None
        self.reread()
        self.session = 1 + max((record.session for record in self.passes), default=-1)

    def reread(self) -> None:
        """An interruption may come between the line on disk and the list in memory. Raises EdgeAsrError."""
        self.passes: list[PassRecord] = []
        self.energies: list[EnergyRecord] = []
        self.conditions: dict[str, Any] | None = None  # `report.Conditions` of the last go
        lines = self._whole_lines()
        if lines:
            self._parse(lines)
        else:
            self._append(self.header)

    def done(self, key: str, number: int) -> bool:
        return any(record.key == key and record.number == number for record in self.passes)

    def add(self, record: PassRecord | EnergyRecord) -> None:
        """Raises EdgeAsrError where the disk is full."""
        self._append(asdict(record))
        if isinstance(record, PassRecord):
            self.passes.append(record)
        else:
            self.energies.append(record)

    def set_conditions(self, conditions: Conditions) -> None:
        self.conditions = asdict(conditions)
        self._append({"conditions": self.conditions})

    def close(self) -> None:
        self.file.close()

    def _whole_lines(self) -> list[bytes]:
        """And cut off what is not."""
        self.file.seek(0)
        content = self.file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self.file.truncate(len(whole))
        return whole.splitlines()

    def _parse(self, lines: list[bytes]) -> None:
        try:
            found, *records = (json.loads(line) for line in lines)
            if found["format"] != FORMAT or found["version"] != VERSION:
                raise KeyError("format")
            for record in records:
                if "conditions" in record:
                    self.conditions = record["conditions"]
                elif "energy" in record:
                    self.energies.append(EnergyRecord(**{**record, "energy": Energy(**record["energy"])}))
                else:
                    self.passes.append(PassRecord(**{**record, "texts": tuple(record["texts"])}))
        except (ValueError, KeyError, TypeError):
            raise EdgeAsrError(f"{self.path}: not the passes of a sweep: name another folder, or delete it") from None
        for name, value in self.header.items():
            if found.get(name) != value:
                what = name.removesuffix("_sha256")
                raise EdgeAsrError(
                    f"{self.path.parent}: holds a sweep with other {what} ({found.get(name)}, not {value}): "
                    f"name another folder"
                )

    def _append(self, value: dict[str, Any]) -> None:
        line = (json_text(self._hide(value)) + "\n").encode()
        try:
            written = self.file.write(line)
            os.fsync(self.file.fileno())
        except OSError as error:
            raise EdgeAsrError(f"{self.path}: cannot be written ({error.strerror})") from None
        if written != len(line):
            raise EdgeAsrError(f"{self.path}: cannot be written (the disk is full)")
