"""The app's screen, drawn on a desktop from its own layouts, strings, `Screen` and views (tests/android/screens), with
what a real utterance made the recognizer do. EDGE_ASR_SCREENS names a folder where the pictures stay, to be looked at.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from tests.android import apk, toolchain
from tests.android.apk import Linked
from tests.android.pictures import PORTRAIT, pictures
from tests.android.toolchain import Missing

SOURCES = Path(__file__).parent / "screens"
VIEWS = ("Screen", "TranscriptView", "GateStripView", "LegendView", "ThresholdBar")
LEAST_TARGET_DP = 48
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Drawn:
    """A picture, what was asked of it, and what it says of itself."""

    wanted: dict[str, Any]
    told: dict[str, Any]
    pixels: np.ndarray  # [height, width, 3] from 0 to 255


@pytest.fixture(scope="module")
def drawn(
    core_jar: Path, linked: Linked, shipped_pte: Path, data_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Drawn]:
    work = tmp_path_factory.mktemp("screens")
    folder = Path(os.environ.get("EDGE_ASR_SCREENS") or work)
    folder.mkdir(parents=True, exist_ok=True)
    views = [apk.MAIN / "kotlin/org/edge_asr/demo/screen" / f"{name}.kt" for name in VIEWS]
    jars = [core_jar, toolchain.jar("json")]
    toolchain.compile_kotlin([SOURCES, *views], jars, work / "screens.jar", jdk=True, javac=[linked.r_java])
    wanted = pictures(shipped_pte, data_folder)
    (work / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
    properties = {"java.awt.headless": "true", **letters()}
    printed = toolchain.run_java(
        "org.edge_asr.screens.PicturesKt",
        [work / "screens.jar", *jars],
        *map(str, (apk.MAIN / "res", work / "wanted.json", folder)),
        properties=properties,
    )
    told = [json.loads(line) for line in printed.splitlines()]
    return {
        one["name"]: Drawn(one, other, np.rint(255 * imread(folder / f"{one['name']}.png")).astype(int)[:, :, :3])
        for one, other in zip(wanted, told, strict=True)
    }


def letters() -> dict[str, str]:
    """Android's own letters, where they can be had; others are wider."""
    try:
        return {"fonts": str(toolchain.jar("roboto").parent)}
    except Missing:
        return {}


NAMES = [
    "idle-light", "speaking-light", "speaking-dark", "scrolling-light", "saving-dark", "left-light", "long-text-light",
    "refused-light", "model-damaged-light", "model-damaged-dark", "loading-light", "speaking-landscape-light",
    "saving-landscape-dark", "speaking-large-fonts-light", "idle-large-fonts-dark", "large-fonts-landscape-light",
    "speaking-small-light",
]  # fmt: skip


def test_every_picture_is_looked_at(drawn: dict[str, Drawn]) -> None:
    assert list(drawn) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_torn_or_cut(name: str, drawn: dict[str, Drawn]) -> None:
    texts = drawn[name].told["texts"]
    assert len(texts) > 10
    assert not [text for text in texts if text["torn"] or text["cut"]]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_touched_is_large_enough(name: str, drawn: dict[str, Drawn]) -> None:
    targets = drawn[name].told["targets"]
    assert len(targets) >= 7
    assert not [
        target
        for target in targets
        if min(target["width_dp"], target["height_dp"]) < LEAST_TARGET_DP or not target["name"]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_strip_is_described(name: str, drawn: dict[str, Drawn]) -> None:
    described = drawn[name].told["described"]
    heard = "keep" in drawn[name].wanted["state"]
    assert any(
        text.startswith("Frames of the last seconds" if heard else "Frames kept or skipped") for text in described
    )


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.startswith(("idle-light", "speaking-light", "saving-dark"))]
)
def test_a_usual_phone_shows_all_without_scrolling(name: str, drawn: dict[str, Drawn]) -> None:
    assert {key: drawn[name].wanted[key] for key in PORTRAIT} == PORTRAIT
    assert drawn[name].told["hidden_dp"] < 1


@pytest.mark.parametrize("name", ["speaking-light", "speaking-dark", "speaking-landscape-light", "left-light"])
def test_the_strip_shows_each_frame_as_the_recognizer_decided(name: str, drawn: dict[str, Drawn]) -> None:
    picture = drawn[name]
    shown = bars(picture)
    kept = picture.wanted["state"]["keep"]
    assert shown == kept[-len(shown) :].rjust(len(shown), " ")
    assert "1" in shown
    assert "0" in shown


def test_the_strip_scrolls_between_steps(drawn: dict[str, Drawn]) -> None:
    """Half a chunk after a step, half its frames are in."""
    picture = drawn["scrolling-light"]
    before, after = picture.wanted["state"]["keep"], picture.wanted["then"]["state"]["keep"]
    assert after.startswith(before)
    assert len(after) == len(before) + 16
    shown = bars(picture)
    assert shown == after[:-8][-len(shown) :]


def bars(picture: Drawn) -> str:
    """1 and 0 for each whole frame of the strip, and a blank where there is none, read from the pixels."""
    strip = picture.told["strip"]
    kept, skipped = (np.array(strip[name]) for name in ("kept_rgb", "skipped_rgb"))
    read = []
    for frame in range(int(strip["width"] / strip["pitch"]) - 1):
        x = int(strip["left"] + strip["width"] - (frame + 1) * strip["pitch"] + strip["bar"] / 2)
        high, low = picture.pixels[strip["high"], x], picture.pixels[strip["low"], x]
        read.append("1" if close(high, kept) else "0" if close(low, skipped) else " ")
    return "".join(reversed(read))


def close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() < 40)  # bars do not always begin on a pixel


def test_words_that_may_change_are_grey(drawn: dict[str, Drawn]) -> None:
    picture = drawn["speaking-light"]
    state = picture.wanted["state"]
    shown = next(text for text in picture.told["texts"] if text["text"].endswith(state["partial"]))
    assert state["partial"]
    assert shown["grey"] == state["partial"]


def test_what_is_said_when_something_is_wrong(drawn: dict[str, Drawn]) -> None:
    def says(name: str, *parts: str) -> None:
        said = " ".join(text["text"] for text in drawn[name].told["texts"])
        for part in parts:
            assert part in said

    says("model-damaged-light", "damaged (checksum", "edge-asr export", "Cannot start")
    says("refused-light", "not allowed", "Open settings")
    says("left-light", "Stopped because you left the app")
    says("saving-dark", "Saving energy: the battery is low.", "0.90, now 0.49")


def test_a_start_that_cannot_be_is_off(drawn: dict[str, Drawn]) -> None:
    for name, start in (("model-damaged-light", "Cannot start"), ("loading-light", "One moment…")):
        assert {target["name"]: target["enabled"] for target in drawn[name].told["targets"]}[start] is False
    assert {target["name"]: target["enabled"] for target in drawn["idle-light"].told["targets"]}[
        "Start listening"
    ] is True


def test_dark_is_dark(drawn: dict[str, Drawn]) -> None:
    for name, picture in drawn.items():
        assert (picture.pixels.mean() < 90) == name.endswith("-dark"), name
