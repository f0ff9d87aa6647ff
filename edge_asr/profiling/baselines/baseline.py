"""Another recognizer to measure beside ours: a process of its own that prints what `edge-asr-run` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.contenders import Work
from edge_asr.profiling.report import Setting
from edge_asr.profiling.targets.local import objects_of
from edge_asr.terminal.import_path import run_module


@dataclass(frozen=True)
class Baseline:
    """A `Contender`, ready to run on this machine."""

    setting: Setting
    file_bytes: int  # all files it reads: model, dictionary, ...
    module: str  # run as `python -m module`
    arguments: tuple[str, ...]  # its files
    threads: int = 1
    cpus: str | None = None

    def command(self, work: Work) -> list[str]:
        options = ["--threads", str(self.threads), *(["--cpus", self.cpus] if self.cpus else [])]
        options += ["--bench"] if work.bench else ["--json-steps"] if work.steps else []
        return [*run_module(self.module), *self.arguments, *options, "--", *map(str, work.recordings)]

    def run(self, work: Work) -> Iterator[dict[str, Any]]:
        """See `Contender.run`."""
        try:
            yield from objects_of(self.command(work))
        except EdgeAsrError as error:
            raise EdgeAsrError(f"{self.setting.name}: {error}") from None
