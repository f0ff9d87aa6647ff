"""What a command that ran in this process left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def assert_fails(self, *parts: str, code: int = 1) -> None:
        """One line on stderr, nothing on stdout, and the line holds each part."""
        assert self.code == code, self
        assert self.out == ""
        assert len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith("edge-asr")
        assert "Traceback" not in self.err
        for part in parts:
            assert part in self.err


Run = Callable[..., Outcome]
