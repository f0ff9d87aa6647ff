"""What tells finished runs apart: how their models hear the development set, and what their cuts cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_asr.contract import NEVER_SKIP
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr.model.cost import cost_of


def describe(path: Path) -> dict[str, Any]:
    """Of a run's finished checkpoint, by the development figures in its header. WER is in percent; `speed_up` is by
    arithmetic, for the share of frames that the default threshold keeps."""
    checkpoint = load_checkpoint(path)
    spec, dev = checkpoint.model.spec, json.loads(checkpoint.training["dev"])
    chosen = dev[f"{checkpoint.default_threshold:g}"]
    return {
        "lower_layers": spec.lower_layers,
        "layers": spec.lower_layers + spec.upper_layers,
        "threshold": checkpoint.default_threshold,
        "wer": chosen["wer"],
        "wer_off": dev[f"{NEVER_SKIP:g}"]["wer"],
        "wer_intermediate": dev["intermediate"]["wer"],
        "kept": chosen["kept"],
        "speed_up": cost_of(checkpoint.model).speed_up(chosen["kept"]),
    }
