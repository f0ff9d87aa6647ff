"""From passes to a table, a picture and a page."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_asr.profiling.sweep.page import html, markdown
from edge_asr.profiling.sweep.result import FORMAT, NOT_A_RESULT, Occasion, Sweep, summarize
from edge_asr.profiling.sweep.run import take_passes
from tests.profiling.sweep.fakes import REFERENCES, FakeContender, journal, recordings, session
from tests.requirements import require_module

PNG = b"\x89PNG\r\n\x1a\n"


def occasion(passes: int = 7, failures: dict[str, str] | None = None) -> Occasion:
    return Occasion(
        "2026-01-01T00:00:00+00:00", "edge-asr sweep dev.jsonl", Path("dev.jsonl"), passes, 0.2, failures or {}
    )


def swept(
    folder: Path, settings: Sequence[FakeContender], texts: tuple[str, ...] | None = REFERENCES, wanted: int = 7
) -> Sweep:
    """Seven passes of each, summed up; the first is the reference."""
    heard, kept, this = recordings(texts), journal(folder), session()
    take_passes(this, settings, heard, 7, kept)
    return summarize(settings, settings[0].setting.name, heard, kept, occasion(wanted, this.failures))


def dial() -> list[FakeContender]:
    """Of four reference words, `gate 0.5` has one wrong."""
    return [
        FakeContender("gate off", [], 1.0, 1.0),
        FakeContender("gate 0.9", [], 0.9, 0.6),
        FakeContender("gate 0.5", [], 0.5, 0.4, ("ONE TWO", "THREE FIVE")),
    ]


def test_figures_are_those_of_the_passes(tmp_path: Path) -> None:
    sweep = swept(tmp_path, dial())
    off, middle, low = sweep.points
    assert [point.rtf for point in sweep.points] == pytest.approx([2.0 / 120, 1.2 / 120, 0.8 / 120])
    assert (off.accuracy and off.accuracy.wer, low.accuracy and low.accuracy.wer) == (0.0, 25.0)
    assert (low.wer_change and low.wer_change.points) == 25.0
    assert (middle.compute_ratio and middle.compute_ratio.ratio) == pytest.approx(0.6)
    assert (off.kept_frame_ratio, off.steps, off.upper_runs) == (0.4, 10, 6)
    assert off.energy.mj_per_audio_s is None
    assert [point.on_front for point in sweep.points] == [False, True, True]
    assert sweep.recommendation
    assert (sweep.recommendation.name, sweep.recommendation.speed_up) == ("gate 0.9", pytest.approx(1 / 0.6))
    assert sweep.complete
    assert sweep.words == 4


def test_it_is_always_said_that_what_is_chosen_here_has_no_result_here(tmp_path: Path) -> None:
    sweep = swept(tmp_path, dial())
    assert NOT_A_RESULT in sweep.notes
    assert NOT_A_RESULT in markdown(sweep)


def test_a_test_split_judges_the_files_own_setting_though_another_is_better(tmp_path: Path) -> None:
    heard, kept, this = recordings(), journal(tmp_path), session()
    take_passes(this, dial(), heard, 7, kept)
    split = dataclasses.replace(occasion(), own="gate 0.5")
    sweep = summarize(dial(), "gate off", heard, kept, split)
    assert sweep.recommendation
    assert (sweep.recommendation.name, sweep.recommendation.chosen_here) == ("gate 0.5", False)
    assert sweep.in_words.startswith("The file's own threshold: gate 0.5, 2.50× faster than gate off, WER +25.0 points")
    assert NOT_A_RESULT not in sweep.notes
    missing = summarize(dial(), "gate off", heard, kept, dataclasses.replace(split, own=""))
    assert missing.recommendation is None
    assert missing.in_words.startswith("No recommendation: a test split chooses none")


def test_json_is_strict_and_names_its_format(tmp_path: Path) -> None:
    value = json.loads(swept(tmp_path, dial()).to_json(), parse_constant=pytest.fail)
    assert (value["format"], value["schema_version"]) == (FORMAT, 1)
    assert [point["setting"]["name"] for point in value["points"]] == ["gate off", "gate 0.9", "gate 0.5"]


def test_what_failed_and_what_is_missing_is_said(tmp_path: Path) -> None:
    settings = dial()
    settings[2].fails_at = 2
    sweep = swept(tmp_path, settings)
    assert not sweep.complete
    assert [point.passes for point in sweep.points] == [7, 7, 2]
    assert any("gate 0.5 was left out: the board caught fire" in note for note in sweep.notes)
    assert any("Unfinished: 16 of 21 passes" in note for note in sweep.notes)


def test_other_runtimes_are_compared_and_never_recommended(tmp_path: Path) -> None:
    sweep = swept(tmp_path, [*dial(), FakeContender("pocketsphinx", [], None, 0.01)])
    assert sweep.points[-1].on_front
    assert sweep.recommendation
    assert sweep.recommendation.name == "gate 0.9"


def test_noise_is_called_noise(tmp_path: Path) -> None:
    settings = dial()
    heard = recordings()
    for number in range(1, 8):
        settings[1].compute_s = 0.2 * number
        kept = journal(tmp_path)
        take_passes(session(), settings, heard, number, kept)
    notes = summarize(settings, "gate off", heard, kept, occasion()).notes
    assert any(note.startswith("Too noisy to quote times: the passes of gate 0.9 spread by") for note in notes)
    assert any(note.startswith("Taken in 7 goes") for note in notes)


def test_ratios_pair_passes_of_one_go_only(tmp_path: Path) -> None:
    """In the second go the machine is ten times slower; the setting that is added then meets the reference there."""
    settings, heard, kept = dial(), recordings(), journal(tmp_path)
    take_passes(session(), settings[:1], heard, 2, kept)
    kept = journal(tmp_path)
    settings[0].compute_s, settings[1].compute_s = 10.0, 6.0
    take_passes(session(), settings[:2], heard, 4, kept)
    (_, gated) = summarize(settings[:2], "gate off", heard, kept, occasion(4)).points
    assert gated.compute_ratio
    assert (gated.compute_ratio.ratio, gated.compute_ratio.pairs) == (pytest.approx(0.6), 4)


def test_texts_that_change_from_pass_to_pass_are_told(tmp_path: Path) -> None:
    settings, heard, kept = dial(), recordings(), journal(tmp_path)
    take_passes(session(), settings, heard, 1, kept)
    settings[1].texts = ("ONE", "THREE FOUR")
    take_passes(session(), settings, heard, 2, kept)
    assert any(
        "Not the same text in every pass: gate 0.9" in note
        for note in summarize(settings, "gate off", heard, kept, occasion(2)).notes
    )


def test_without_references_there_is_compute_and_no_recommendation(tmp_path: Path) -> None:
    sweep = swept(tmp_path, dial(), None)
    assert sweep.recommendation is None
    assert sweep.in_words.startswith("No recommendation: the manifest has no reference words")
    assert all(point.accuracy is None and point.on_front is None for point in sweep.points)
    assert all(point.compute_ratio for point in sweep.points)
    assert NOT_A_RESULT not in sweep.notes
    assert "| gate 0.9 | – | – | 40.0% |" in markdown(sweep)
    check_pictures(sweep)


def test_a_limit_that_resamples_do_not_have_is_null_and_a_dash(tmp_path: Path) -> None:
    """One of two references is empty, so that a resample may have errors and no words."""
    wrong = FakeContender("gate off", [], 1.0, texts=("ONE", "NOISE"))
    sweep = swept(tmp_path, [wrong, FakeContender("gate 0.9", [], 0.9)], ("ONE TWO", ""))
    first = json.loads(sweep.to_json(), parse_constant=pytest.fail)["points"][0]
    assert first["accuracy"]["wer"] == 100.0
    assert first["accuracy"]["wer_ci95"] == [50.0, None]
    assert "100.0 (50.0 to –)" in markdown(sweep)
    assert "100.0 (50.0 to –)" in html(sweep, "title", b"<svg/>")
    check_pictures(sweep)


def test_before_the_first_pass_there_is_nothing_to_draw_but_a_word(tmp_path: Path) -> None:
    sweep = summarize(dial(), "gate off", recordings(), journal(tmp_path), occasion())
    assert (sweep.points, sweep.in_words) == ((), "Nothing has been measured yet.")
    assert "Nothing has been measured yet." in markdown(sweep)


def test_the_table_marks_what_is_recommended(tmp_path: Path) -> None:
    table = markdown(swept(tmp_path, dial()))
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert [line for line in rows if "**" in line] == [line for line in rows if "gate 0.9" in line]
    assert "not measured" in table


@pytest.mark.parametrize(
    "settings",
    [
        dial(),
        dial()[:1],
        [*dial(), FakeContender("onnxruntime int8", [], None, 1.2), FakeContender("pocketsphinx", [], None, 40.0)],
        [
            FakeContender(f"{kind} gate {name}", [], value)
            for kind in ("int8", "fp32")
            for name, value in (("off", 1.0), ("0.9", 0.9))
        ],
    ],
    ids=["dial", "one point", "other runtimes, far away", "two files in one place"],
)
def test_pictures_and_page_of_every_shape(tmp_path: Path, settings: list[FakeContender]) -> None:
    check_pictures(swept(tmp_path, settings))


def check_pictures(sweep: Sweep) -> None:
    require_module("matplotlib", "sweep")
    from edge_asr.profiling.sweep.picture import draw, headline

    pictures = draw(sweep)
    assert pictures["png"].startswith(PNG)
    ElementTree.fromstring(pictures["svg"])
    page = html(sweep, headline(sweep), pictures["svg"])
    assert page.count("<tr") == 1 + len(sweep.points)
    assert "<svg" in page
    loads = re.findall(r"""(?:src|href)\s*=\s*["'](?!#)([^"']*)""", page) + re.findall(r"url\((?!#)([^)]*)\)", page)
    assert [address for address in loads if not address.startswith("data:")] == [], "the page loads something"


def test_labels_cover_neither_marks_nor_one_another_where_there_is_room(tmp_path: Path) -> None:
    require_module("matplotlib", "sweep")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from edge_asr.profiling.sweep.picture import Look, overlap, place_labels

    figure = Figure(figsize=(9, 5), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set(xlim=(0, 10), ylim=(0, 10))
    at = [(2.0, 5.0), (2.15, 5.0), (2.3, 5.1), (9.9, 9.9), (0.1, 0.1)]
    place_labels(axes, at, [Look("int8", "#000000", f"0.{number}5") for number in range(5)])
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    assert len(boxes) == len(at)
    inside = axes.get_window_extent(canvas.get_renderer())
    for number, box in enumerate(boxes):
        assert overlap(box, inside) == pytest.approx(box.width * box.height), "within the axes"
        assert all(overlap(box, other) == 0 for other in boxes[:number])
        assert not any(box.contains(*axes.transData.transform(point)) for point in at)
