"""Manifest and resources link with aapt2 against Android's own; what the app may do, shows and calls its parts by."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.android import apk
from tests.android.apk import ANDROID, Linked

RES = apk.MAIN / "res"
READ_AS_TEXT = 4.5  # WCAG 2.1 AA: contrast of text
SEEN_AS_SHAPE = 3.0  # and of what carries meaning without being text
THEMES = {"light": ("values",), "dark": ("values-night", "values")}


def badging(linked: Linked) -> str:
    return apk.call("aapt2", "dump", "badging", linked.apk)


def test_package_and_versions(linked: Linked) -> None:
    told = badging(linked)
    assert "package: name='org.edge_asr.demo'" in told
    assert "sdkVersion:'26'" in told
    assert "targetSdkVersion:'36'" in told
    assert "launchable-activity: name='org.edge_asr.demo.screen.MainActivity'" in told


def test_the_microphone_is_the_only_permission(linked: Linked) -> None:
    told = badging(linked)
    assert re.findall(r"uses-permission[\w-]*: name='([^']+)'", told) == ["android.permission.RECORD_AUDIO"]
    assert "INTERNET" not in told
    assert "uses-feature-not-required: name='android.hardware.microphone'" in told


def test_another_permission_would_be_noticed(tmp_path: Path) -> None:
    main = tmp_path / "main"
    main.mkdir()
    text = (apk.MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")
    more = '<uses-permission android:name="android.permission.INTERNET" /><application'
    (main / "AndroidManifest.xml").write_text(text.replace("<application", more, 1), encoding="utf-8")
    (main / "res").symlink_to(RES)
    with pytest.raises(AssertionError):
        test_the_microphone_is_the_only_permission(apk.link(tmp_path / "work", main))


def test_who_may_start_what(linked: Linked) -> None:
    """Anybody the screen; adb's shell, which holds DUMP, the benchmark; no other app the benchmark or its service."""
    parts = {
        name: (own["exported"], own.get("permission"))
        for name, own in apk.components(linked.apk).items()
        if "exported" in own
    }
    assert parts == {
        "org.edge_asr.demo.screen.MainActivity": ("true", None),
        "org.edge_asr.demo.BenchmarkActivity": ("true", "android.permission.DUMP"),
        "org.edge_asr.demo.benchmark.ColdStartService": ("false", None),
    }


def test_a_resource_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    main = tmp_path / "main"
    (main / "res" / "layout").mkdir(parents=True)
    (main / "AndroidManifest.xml").write_text(
        (apk.MAIN / "AndroidManifest.xml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    with pytest.raises(AssertionError, match="app_name"):
        apk.link(tmp_path / "work", main)


@pytest.mark.parametrize(
    "layout", sorted(RES.glob("layout*/*.xml")), ids=lambda file: f"{file.parent.name}/{file.stem}"
)
def test_what_people_read_is_in_strings(layout: Path) -> None:
    for element in ElementTree.parse(layout).iter():
        for name in ("text", "hint", "contentDescription"):
            said = element.get(f"{{{ANDROID}}}{name}", "@")
            assert said.startswith("@"), f"{element.tag}: {said!r}"


def test_no_string_is_left_over() -> None:
    sources = [*apk.MAIN.rglob("*.kt"), *RES.rglob("*.xml"), apk.MAIN / "AndroidManifest.xml"]
    used = set(
        re.findall(r"(?:R\.string\.|@string/)(\w+)", "\n".join(file.read_text(encoding="utf-8") for file in sources))
    )
    assert used == {name for name, _ in values("string", ("values",))}


def values(kind: str, folders: tuple[str, ...]) -> list[tuple[str, str]]:
    """Of `kind`, the first folder's ones hiding the others'."""
    found = {}
    for folder in reversed(folders):
        for file in sorted((RES / folder).glob("*.xml")):
            found.update({entry.get("name", ""): entry.text or "" for entry in ElementTree.parse(file).iter(kind)})
    return sorted(found.items())


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #RRGGBB."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_what_wcag_defines() -> None:
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("text", "background", READ_AS_TEXT),
        ("text", "surface", READ_AS_TEXT),
        ("text_muted", "background", READ_AS_TEXT),
        ("text_muted", "surface", READ_AS_TEXT),
        ("text_muted", "disabled", READ_AS_TEXT),
        ("accent", "surface", READ_AS_TEXT),
        ("saving", "surface", READ_AS_TEXT),
        ("on_accent", "accent", READ_AS_TEXT),
        ("on_stop", "stop", READ_AS_TEXT),
        ("on_notice", "notice", READ_AS_TEXT),
        ("kept", "surface", SEEN_AS_SHAPE),
        ("skipped", "surface", SEEN_AS_SHAPE),
    ],
)
def test_colours_can_be_told_apart(theme: str, front: str, back: str, least: float) -> None:
    colours = dict(values("color", THEMES[theme]))
    assert contrast(colours[front], colours[back]) >= least


def test_the_dark_theme_has_every_colour() -> None:
    light, dark = ({name for name, _ in values("color", (folder,))} for folder in ("values", "values-night"))
    assert light - dark == {"launcher_background"}, "the launcher's is the same in both"
    assert dark <= light
