"""The app's screens, drawn on a desktop from its own layouts, strings, `Screen` and views (tests/android/screens), with
what a real utterance made the recognizer do. EDGE_ASR_SCREENS names a folder where the pictures stay, to be looked at.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from tests.android import apk, toolchain
from tests.android.apk import Linked
from tests.android.benchmark_pictures import CHARGED, OFF, ON, benchmark_pictures
from tests.android.pictures import PORTRAIT, SAVING_SHARE, pictures
from tests.android.toolchain import Missing

SOURCES = Path(__file__).parent / "screens"
VIEWS = (
    "screen/Screen", "screen/TranscriptView", "screen/GateStripView", "screen/LegendView", "screen/ThresholdBar",
    "screen/BenchmarkScreen", "screen/ShareBar", "benchmark/ReportInWords", "benchmark/Comparison",
)  # fmt: skip
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
    views = [apk.MAIN / "kotlin/org/edge_asr/demo" / f"{name}.kt" for name in VIEWS]
    jars = [core_jar, toolchain.jar("json")]
    toolchain.compile_kotlin([SOURCES, *views], jars, work / "screens.jar", jdk=True, javac=[linked.r_java])
    wanted = [*pictures(shipped_pte, data_folder), *benchmark_pictures()]
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
BENCHMARKS = [
    "benchmark-running-light", "benchmark-running-dark", "benchmark-done-light", "benchmark-done-dark",
    "benchmark-done-landscape-light", "benchmark-done-large-fonts-light", "benchmark-done-large-fonts-dark",
    "benchmark-doubtful-light", "benchmark-doubtful-dark", "benchmark-several-light", "benchmark-failed-light",
    "benchmark-failed-dark",
]  # fmt: skip


def test_every_picture_is_looked_at(drawn: dict[str, Drawn]) -> None:
    assert list(drawn) == NAMES + BENCHMARKS


@pytest.mark.parametrize("name", NAMES + BENCHMARKS)
def test_no_text_is_torn_or_cut(name: str, drawn: dict[str, Drawn]) -> None:
    texts = drawn[name].told["texts"]
    assert len(texts) > (10 if name in NAMES else 3)
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
    says("saving-dark", "Saving energy: the battery is low.")


def test_saving_energy_tells_the_threshold_in_force(drawn: dict[str, Drawn]) -> None:
    told = " ".join(text["text"] for text in drawn["saving-dark"].told["texts"])
    ((in_force, default),) = re.findall(r"0\.90, now (0\.\d+).*?default (0\.\d+)", told)
    assert float(in_force) == pytest.approx(SAVING_SHARE * float(default), abs=0.006)


def test_a_start_that_cannot_be_is_off(drawn: dict[str, Drawn]) -> None:
    for name, start in (("model-damaged-light", "Cannot start"), ("loading-light", "One moment…")):
        assert {target["name"]: target["enabled"] for target in drawn[name].told["targets"]}[start] is False
    assert {target["name"]: target["enabled"] for target in drawn["idle-light"].told["targets"]}[
        "Start listening"
    ] is True


def test_dark_is_dark(drawn: dict[str, Drawn]) -> None:
    for name, picture in drawn.items():
        assert (picture.pixels.mean() < 90) == name.endswith("-dark"), name


# --- the benchmark


def said(picture: Drawn) -> list[str]:
    """What is to be read, from top to bottom."""
    return [text["text"] for text in picture.told["texts"]]


def test_a_running_benchmark_tells_its_stage_and_to_be_left_alone(drawn: dict[str, Drawn]) -> None:
    lines = said(drawn["benchmark-running-light"])
    assert lines[1:3] == ["Measuring…", "Pass 3 of 10, gate 0.7"]
    assert any(line.startswith("Leave this screen open") for line in lines)


def test_whether_figures_may_be_quoted_comes_first(drawn: dict[str, Drawn]) -> None:
    assert said(drawn["benchmark-done-light"])[1:3] == ["Done", "These figures may be quoted."]
    doubtful = said(drawn["benchmark-doubtful-light"])
    assert doubtful[1:3] == ["Done", "These figures may not be quoted."]
    assert "spread by 14%" in doubtful[3]
    assert "too few" in doubtful[3]
    for name in ("benchmark-done-light", "benchmark-doubtful-light"):
        assert not any(line.startswith("Leave this screen open") for line in said(drawn[name])), "it is over"


def test_the_gate_is_compared_quantity_by_quantity(drawn: dict[str, Drawn]) -> None:
    lines = said(drawn["benchmark-done-light"])
    at = lines.index("Computing")
    assert lines[at + 2 : at + 6] == [ON, "0.0282", OFF, "0.0433"]
    assert lines[at + 6] == "gate 0.7 takes 0.651 times what gate off takes (95 % interval: 0.639 to 0.665)."
    at = lines.index("Energy")
    assert lines[at + 2 : at + 6] == [ON, "37.9 ± 0.8", OFF, "53.2 ± 1.1"]
    assert "Read from: battery." in lines[at + 6]


def test_bars_are_as_long_as_their_figures(drawn: dict[str, Drawn]) -> None:
    for name in ("benchmark-done-light", "benchmark-done-dark"):
        picture = drawn[name]
        on, off = (long(picture, bar) for bar in picture.told["shares"][:2])
        assert off == pytest.approx(1, abs=0.01)
        assert on == pytest.approx(0.0282 / 0.0433, abs=0.01)


def long(picture: Drawn, bar: dict[str, Any]) -> float:
    """Share of a bar's room that is not the panel's colour, read from the pixels."""
    row = picture.pixels[bar["middle"], bar["left"] : bar["left"] + bar["width"]]
    return float(np.mean(np.abs(row - np.array(picture.told["surface_rgb"])).max(axis=1) > 40))


def test_energy_that_was_not_measured_is_said_with_its_reason(drawn: dict[str, Drawn]) -> None:
    lines = said(drawn["benchmark-doubtful-light"])
    at = lines.index("Energy")
    assert lines[at + 1] == "not measured"
    assert lines[at + 2].lower() == f"{CHARGED}."
    assert not any("mJ" in line for line in lines)


def test_a_benchmark_that_failed_says_why(drawn: dict[str, Drawn]) -> None:
    lines = said(drawn["benchmark-failed-light"])
    assert lines[1:3] == ["Not finished", "The benchmark did not finish."]
    assert "run it again and leave the phone alone." in lines[3]
    assert len(lines) == 4
