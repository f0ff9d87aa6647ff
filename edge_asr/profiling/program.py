"""What a `.pte` says of itself, read from its bytes: no runtime, no torch, and nothing of the file is run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from edge_asr.backends.program_file import check_program_file
from edge_asr.contract import FORMAT, Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.shipped import KEY_DIGITS, file_sha256

METADATA_STARTS = re.compile(rb'\{"format": "%s", ' % FORMAT.encode())
LONGEST_METADATA = 2**20  # bytes
CACHE_KEY = re.compile(rf"-[0-9a-f]{{{KEY_DIGITS}}}$")  # in the name of an exported shipped model


@dataclass(frozen=True)
class Program:
    """A file that was found whole."""

    path: Path
    sha256: str
    metadata: Metadata

    @property
    def name(self) -> str:
        """The file's, in short."""
        return CACHE_KEY.sub("", self.path.stem)


def read_program(path: Path) -> Program:
    """Raises EdgeAsrError where it is not a whole, undamaged program of this contract."""
    check_program_file(path)
    return Program(path, file_sha256(path), read_metadata(path))


def read_metadata(path: Path) -> Metadata:
    """The JSON that the exporter wrote; it stands in the file as it is. Raises EdgeAsrError."""
    content = path.read_bytes()
    for found in METADATA_STARTS.finditer(content):
        text = content[found.start() : found.start() + LONGEST_METADATA].decode("utf-8", errors="surrogateescape")
        try:
            _, end = json.JSONDecoder().raw_decode(text)
            return Metadata.from_json(text[:end])
        except (ValueError, RecursionError):
            continue
        except EdgeAsrError as error:
            raise EdgeAsrError(f"{path}: {error}") from None
    raise EdgeAsrError(f"{path}: not a model made by edge-asr (its metadata is missing): export it with edge-asr")
