"""A manifest is checked line by line, and every error names its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import Utterance, read_manifest, write_manifest


def manifest(folder: Path, *lines: str | dict[str, object]) -> Path:
    (folder / "a.flac").touch()
    path = folder / "set.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def entry(**changes: object) -> dict[str, object]:
    return {"audio_filepath": "a.flac", "text": "ONE TWO", "speaker": "ann", "duration": 1.5} | changes


def test_audio_is_found_beside_the_manifest(tmp_path: Path) -> None:
    (utterance,) = read_manifest(manifest(tmp_path, entry()))
    assert utterance == Utterance(tmp_path / "a.flac", "ONE TWO", "ann", 1.5, 1)


def test_an_absolute_path_stays_as_it_is(tmp_path: Path) -> None:
    audio = tmp_path / "elsewhere.flac"
    audio.touch()
    (utterance,) = read_manifest(manifest(tmp_path, entry(audio_filepath=str(audio))))
    assert utterance.audio == audio


def test_blank_lines_are_passed_over_but_counted(tmp_path: Path) -> None:
    utterances = read_manifest(manifest(tmp_path, "", entry(), "  ", entry()))
    assert [u.line for u in utterances] == [2, 4]


def test_what_a_line_leaves_out_is_empty(tmp_path: Path) -> None:
    (utterance,) = read_manifest(manifest(tmp_path, entry(speaker=None, duration=None, text="  ONE \t TWO ")))
    assert (utterance.speaker, utterance.duration_s, utterance.text) == ("", 0.0, "ONE TWO")


def test_a_line_separator_inside_a_string_does_not_end_the_line(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    path.write_text(json.dumps(entry(text="ONE\u2028TWO"), ensure_ascii=False), encoding="utf-8")
    assert [u.text for u in read_manifest(path)] == ["ONE TWO"]


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    path.write_text(json.dumps(entry()), encoding="utf-8-sig")
    assert len(read_manifest(path)) == 1


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("{", "broken JSON"),
        ("[1]", "expected a JSON object, found list"),
        ('{"text": "A"}', "'audio_filepath' is missing"),
        (entry(text=3), "'text' is missing or not a string"),
        (entry(audio_filepath="absent.flac"), "no such audio file"),
        (entry(duration="long"), "'duration' must be seconds"),
        (entry(duration=-1), "'duration' must be seconds"),
        (entry(duration=float("nan")), "'duration' must be seconds"),
        (entry(duration=True), "'duration' must be seconds"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str | dict[str, object], trouble: str) -> None:
    with pytest.raises(EdgeAsrError, match=rf"set\.jsonl:2: .*{trouble}"):
        read_manifest(manifest(tmp_path, entry(), line))


def test_a_manifest_without_utterances_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match="has no utterances"):
        read_manifest(manifest(tmp_path, ""))


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match=r"absent\.jsonl: no such manifest"):
        read_manifest(tmp_path / "absent.jsonl")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EdgeAsrError, match=r"binary\.jsonl: cannot be read as a manifest"):
        read_manifest(tmp_path / "binary.jsonl")


def test_where_no_text_is_required_none_need_be_there(tmp_path: Path) -> None:
    silent = manifest(tmp_path, {"audio_filepath": "a.flac"}, {"audio_filepath": "a.flac"})
    assert [utterance.text for utterance in read_manifest(silent, text_required=False)] == ["", ""]
    with pytest.raises(EdgeAsrError, match=r"set\.jsonl:1: 'text' is missing"):
        read_manifest(silent)


def test_text_is_in_every_line_or_in_none(tmp_path: Path) -> None:
    mixed = manifest(tmp_path, entry(), {"audio_filepath": "a.flac"})
    with pytest.raises(EdgeAsrError, match=r"set\.jsonl:2: 'text' is missing"):
        read_manifest(mixed, text_required=False)


def test_what_is_written_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder, audio elsewhere included, even where it was named relative to the working folder."""
    written = tmp_path / "written"
    (tmp_path / "audio").mkdir()
    written.mkdir()
    for name in ("audio/é.flac", "written/inner.flac"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    utterances = [
        Utterance(Path("audio/é.flac"), "ÉTÉ ONE", "ann", 1.25, 1),
        Utterance(Path("written/inner.flac"), "", "", 0.0, 2),
    ]
    write_manifest(Path("written/set.jsonl"), utterances)
    monkeypatch.chdir(written)
    found = read_manifest(written / "set.jsonl")
    assert found == [replace(u, audio=tmp_path / u.audio) for u in utterances]
    assert {path.name for path in written.iterdir()} == {"inner.flac", "set.jsonl"}  # and nothing half done


def test_audio_below_the_manifest_moves_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "before"
    folder.mkdir()
    (folder / "a.flac").touch()
    write_manifest(folder / "set.jsonl", [Utterance(folder / "a.flac", "ONE", "", 0.0, 1)])
    after = folder.rename(tmp_path / "after")
    assert [u.audio for u in read_manifest(after / "set.jsonl")] == [after / "a.flac"]


def test_a_manifest_that_is_not_finished_leaves_the_one_before(tmp_path: Path) -> None:
    path = manifest(tmp_path, entry())

    def broken_off() -> Iterator[Utterance]:
        yield from read_manifest(path)
        raise KeyboardInterrupt

    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_manifest(path, broken_off())
    assert path.read_bytes() == before
