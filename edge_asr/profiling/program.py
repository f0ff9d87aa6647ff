"""What a `.pte` says of itself, read from its bytes: no runtime, no torch, and nothing of the file is run."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from edge_asr.backends.program_file import read_program_file
from edge_asr.contract import Metadata
from edge_asr.shipped import KEY_DIGITS

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
    file = read_program_file(path)
    return Program(path, hashlib.sha256(file.content).hexdigest(), file.metadata())
