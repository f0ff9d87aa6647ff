"""The pictures of the app's screen that are looked at, with what a real utterance made the recognizer do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_asr.audio import read_blocks
from edge_asr.recognizer import Recognizer

PORTRAIT = {"width_dp": 360, "height_dp": 780}
LANDSCAPE = {"width_dp": 780, "height_dp": 360, "landscape": True}
SMALL = {"width_dp": 320, "height_dp": 568}
LARGE_FONTS = {"font_scale": 2.0}
NIGHT = {"night": True}

UNKNOWN = {"temperature_c": None, "power_mw": None}
PHONE = {"power_mw": 1184.0, "temperature_c": 31.4}  # no phone was there: figures of the right size
SAVING_SHARE = 0.7  # of the default: what the app's SavingPolicy puts in force
EARLIER, NOW = "an4/test/fcaw-an406-fcaw-b.flac", "an4/test/fcaw-cen5-fcaw-b.flac"


def heard(
    recognizer: Recognizer, audio: Path, until_s: float | None = None, threshold: float | None = None
) -> dict[str, Any]:
    """State of a screen after `until_s` seconds of a recording, or after all of it."""
    keep: list[bool] = []
    with recognizer.stream(threshold) as stream:
        samples = 0
        for block in read_blocks(audio):
            room = len(block) if until_s is None else max(0, int(16_000 * until_s) - samples)
            answer: Any = stream.accept(block[:room])
            samples += len(block[:room])
            keep += [kept for step in answer.new_steps for kept in step.keep]
        partial = answer.partial
        if until_s is None:
            answer, partial = stream.finish(), ""
            keep += [kept for step in answer.new_steps for kept in step.keep]
    counters = answer.counters
    return {
        "final": answer.final,
        "partial": partial,
        "keep": "".join("1" if kept else "0" for kept in keep),
        "kept_ratio": counters.kept_frames / counters.frames,
        "rtf": counters.compute_s / counters.audio_s,
        "latency_ms": 1_000 * counters.compute_s / counters.steps,
    }


def pictures(model: Path, data: Path) -> list[dict[str, Any]]:
    with Recognizer.open(model) as recognizer:
        default = recognizer.metadata.default_threshold
        earlier = heard(recognizer, data / EARLIER)["final"]
        middle = heard(recognizer, data / NOW, until_s=4.6)
        later = heard(recognizer, data / NOW, until_s=5.2)
        whole = heard(recognizer, data / NOW)
        saved = heard(recognizer, data / NOW, until_s=4.6, threshold=SAVING_SHARE * default)
    known = {"default_threshold": default, "threshold": default}
    speaking = {"phase": "LISTENING", "earlier": earlier, **middle, **known, **PHONE}
    saving = {
        **speaking,
        **saved,
        "threshold": 0.9,
        "threshold_in_force": SAVING_SHARE * default,
        "saving": "LOW_BATTERY",
    }
    idle = {"phase": "IDLE", **known, **UNKNOWN}
    refused = {**idle, "notice": "MICROPHONE_REFUSED_FOR_GOOD"}
    damaged = "damaged (checksum 1b2fc3d4, written as 8c0a77e1): bytes have changed on the way: copy or export it again"
    unusable = {"phase": "UNUSABLE", "notice": "MODEL_UNUSABLE", "detail": damaged, **UNKNOWN}
    left = {
        "phase": "IDLE",
        "notice": "LEFT_SCREEN",
        "earlier": earlier,
        **whole,
        **known,
        "charging": True,
        "temperature_c": 29.0,
    }
    long_text = {**speaking, "earlier": "\n".join([earlier, whole["final"]] * 20)}
    return [
        {"name": "idle-light", **PORTRAIT, "state": idle},
        {"name": "speaking-light", **PORTRAIT, "state": speaking},
        {"name": "speaking-dark", **PORTRAIT, **NIGHT, "state": speaking},
        {"name": "scrolling-light", **PORTRAIT, "still": False, "state": speaking,
         "then": {"after_ms": 640, "state": {**speaking, **later}, "drawn_after_ms": 320}},
        {"name": "saving-dark", **PORTRAIT, **NIGHT, "state": saving},
        {"name": "left-light", **PORTRAIT, "state": left},
        {"name": "long-text-light", **PORTRAIT, "state": long_text},
        {"name": "refused-light", **PORTRAIT, "state": refused},
        {"name": "model-damaged-light", **PORTRAIT, "state": unusable},
        {"name": "model-damaged-dark", **PORTRAIT, **NIGHT, "state": unusable},
        {"name": "loading-light", **PORTRAIT, "state": {"phase": "LOADING", **UNKNOWN}},
        {"name": "speaking-landscape-light", **LANDSCAPE, "state": speaking},
        {"name": "saving-landscape-dark", **LANDSCAPE, **NIGHT, "state": saving},
        {"name": "speaking-large-fonts-light", **PORTRAIT, **LARGE_FONTS, "state": speaking},
        {"name": "idle-large-fonts-dark", **PORTRAIT, **LARGE_FONTS, **NIGHT, "state": idle},
        {"name": "large-fonts-landscape-light", **LANDSCAPE, **LARGE_FONTS, "state": speaking},
        {"name": "speaking-small-light", **SMALL, "state": speaking},
    ]  # fmt: skip
