"""Where there is no meter: it says why, and gives no figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.protocol import Span, Window
from edge_asr.profiling.report import EnergyKind
from edge_asr.profiling.targets.protocol import Files

NAME = "none"


@dataclass(frozen=True)
class NoMeter:
    problem: str
    name: str = NAME
    covers: str = "nothing"
    kind: EnergyKind = "not measured"
    automatic: bool = True

    def start(self, files: Files) -> None:
        pass

    def stop(self) -> None:
        pass

    def align(self, busy: Sequence[Span], idle: Sequence[Span]) -> None:
        pass

    def window(self, begin_s: float, end_s: float) -> Window:
        """Always raises EdgeAsrError, with the reason."""
        raise EdgeAsrError(self.problem)
