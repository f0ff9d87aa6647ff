"""The command line of `edge-asr-run`, and what it prints: the same on every target that runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.targets.protocol import RunRequest


def runner_arguments(request: RunRequest, model: str, recordings: Sequence[str]) -> list[str]:
    """All behind the program's name. The files are named as the target knows them."""
    pinned = ["--cpus", request.cpus] if request.cpus else []
    return [
        *("--model", model),
        *("--threshold", f"{request.threshold:.9g}"),
        *("--threads", str(request.threads)),
        *pinned,
        *("--repeat", str(request.repeat)),
        *(("--bench",) if request.bench else ()),
        "--json-steps" if request.steps else "--json",
        *recordings,
    ]


def parse_line(line: str, names: Mapping[str, str], who: str) -> dict[str, Any]:
    """One object that the runner printed, its files named as `names` has them here. Raises EdgeAsrError."""
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise EdgeAsrError(f"{who}: edge-asr-run printed what is no result: {line.strip()[:80]!r}")
    if "audio" in value:
        value["audio"] = names.get(value["audio"], value["audio"])
    if "error" in value:
        raise EdgeAsrError(f"{value.get('audio')}: {value['error']}")
    if isinstance(value.get("model"), dict):
        value["model"]["path"] = names.get(value["model"]["path"], value["model"]["path"])
    return value
