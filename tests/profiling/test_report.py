"""A report goes to JSON and back, follows its published schema, and refuses what is no report."""

from __future__ import annotations

import ast
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import edge_asr
from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.report import SCHEMA_VERSION, Report, from_json, to_dict, to_json
from edge_asr.profiling.report_schema import SCHEMA_FILE, schema_text
from edge_asr.profiling.session import Session, measure
from tests.profiling.constructed import PLAN, RECORDINGS, ConstantPower, Constructed, Device, setting

SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def report() -> Report:
    """With a figure in every place that may have one."""
    device = Device()
    contenders = [Constructed(setting(name), device) for name in ("gate 0.7", "gate off")]
    return measure(Session(device, contenders, RECORDINGS, PLAN, ConstantPower(device), "edge-asr profile"))


def test_there_and_back(report: Report) -> None:
    assert from_json(to_json(report)) == report


def test_a_report_follows_the_published_schema(report: Report) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(to_dict(report), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_published_schema_is_that_of_the_dataclasses() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


def test_the_schema_explains_its_fields() -> None:
    energy = SCHEMA["$defs"]["Energy"]["properties"]
    assert energy["mj_per_audio_s"]["description"] == "millijoules per second of audio"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_written(report: Report, value: float) -> None:
    (first, *others) = report.results
    broken = dataclasses.replace(first, audio_s=value)
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(report, results=(broken, *others)))


def test_nothing_that_is_measured_is_written_but_by_the_strict_writer() -> None:
    """`json.dumps` writes NaN and Infinity, which are no JSON: only `json_text` may call it."""
    package = Path(edge_asr.__file__).parent
    written_by = ("profiling/**/*.py", "commands/*.py", "terminal/*.py")
    for file in [file for pattern in written_by for file in package.glob(pattern)]:
        called = [node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)]
        assert not {"dump", "dumps"} & set(called), file


@pytest.mark.parametrize("interval", [(1.0, None), (None, None)])
def test_an_interval_without_a_limit_goes_there_and_back(report: Report, interval: tuple[float | None, ...]) -> None:
    (first, *others) = report.results
    assert first.accuracy
    accuracy = dataclasses.replace(first.accuracy, wer_ci95=interval)
    unlimited = dataclasses.replace(report, results=(dataclasses.replace(first, accuracy=accuracy), *others))
    text = to_json(unlimited)
    assert from_json(text) == unlimited
    jsonschema.validate(json.loads(text), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_references_have_a_hash_of_their_own(report: Report) -> None:
    assert report.protocol.references_sha256 == RECORDINGS.references_sha256
    assert len({dataclasses.replace(RECORDINGS, texts=texts).references_sha256 for texts in OTHER_TEXTS}) == 4


OTHER_TEXTS = (RECORDINGS.texts, None, ("ONE", "TWO TWO", "FOUR"), ("ONE", "TWO", "TWO THREE"))


def first_version(report: Report, reasons: list[str]) -> str:
    """As edge-asr wrote it before it knew of references and of runs that ended early."""
    whole = to_dict(report) | {"schema_version": 1}
    del whole["protocol"]["references_sha256"]
    whole["verdict"] = {"quotable": not reasons, "reasons": reasons, "spread": 0.01}
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("reasons", "unfinished"),
    [
        ([], None),
        (["the device was throttled"], None),
        (["interrupted", "1 pass(es) are too few"], "interrupted"),
        (["it failed: the board burns"], "it failed: the board burns"),
        (["not finished"], "not finished"),
    ],
)
def test_a_report_of_the_first_version_is_read(report: Report, reasons: list[str], unfinished: str | None) -> None:
    found = from_json(first_version(report, reasons))
    assert found.schema_version == SCHEMA_VERSION
    assert found.protocol == dataclasses.replace(report.protocol, references_sha256=None)
    assert (found.verdict.unfinished, found.verdict.reasons) == (unfinished, tuple(reasons))
    assert found.results == report.results


@pytest.mark.parametrize("broken", [{"protocol": 3}, {"verdict": []}, {"verdict": {"reasons": 3}}])
def test_a_broken_report_of_the_first_version_is_one_line(report: Report, broken: dict[str, Any]) -> None:
    with pytest.raises(EdgeAsrError, match="not a profile"):
        from_json(json.dumps(json.loads(first_version(report, [])) | broken))


def test_two_settings_of_one_name_are_no_report(report: Report) -> None:
    (first, *_) = report.results
    with pytest.raises(EdgeAsrError, match=r"not a profile: two of its settings are called 'gate 0.7'"):
        from_json(to_json(dataclasses.replace(report, results=(first, first))))


def changed(report: Report, **changes: Any) -> str:
    return json.dumps(to_dict(report) | changes)


def test_a_newer_schema_is_refused_with_what_to_do(report: Report) -> None:
    with pytest.raises(EdgeAsrError, match=rf"schema {SCHEMA_VERSION + 1}.*upgrade edge-asr"):
        from_json(changed(report, schema_version=SCHEMA_VERSION + 1, whatever="is new"))


@pytest.mark.parametrize("version", [0, -1, "1", True, None, 1.0])
def test_a_version_that_none_has_is_refused(report: Report, version: object) -> None:
    with pytest.raises(EdgeAsrError, match="schema_version"):
        from_json(changed(report, schema_version=version))


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "3", "{}", '{"format": "another"}', '{"format": NaN}', "[" * 100_000]
)
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(EdgeAsrError, match="not a profile"):
        from_json(text)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("notes",), "one note", "notes"),
        (("results", 0, "audio_s"), "six", "results[0].audio_s"),
        (("results", 0, "audio_s"), True, "results[0].audio_s"),
        (("results", 0, "memory", "file_bytes"), 1.5, "results[0].memory.file_bytes"),
        (("results", 1, "energy", "kind"), "guessed", "results[1].energy.kind"),
        (("results", 0, "accuracy", "wer_ci95"), [1.0], "results[0].accuracy.wer_ci95"),
        (("verdict",), None, "verdict"),
        (("conditions", "versions", "python"), 3.11, "conditions.versions.python"),
        (("verdict", "surprise"), 1, "verdict has an unknown 'surprise'"),
    ],
)
def test_what_does_not_follow_the_schema_is_named(
    report: Report, path: tuple[Any, ...], value: Any, named: str
) -> None:
    """And the published schema refuses it too."""
    whole = to_dict(report)
    place: Any = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(EdgeAsrError) as refused:
        from_json(json.dumps(whole))
    assert named in str(refused.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_what_is_missing_is_named(report: Report) -> None:
    whole = to_dict(report)
    del whole["results"][0]["passes"]
    with pytest.raises(EdgeAsrError, match=r"results\[0\] lacks 'passes'"):
        from_json(json.dumps(whole))


def test_a_number_too_large_for_a_float_is_refused(report: Report) -> None:
    text = to_json(report).replace('"created_utc"', '"x": 1e999, "created_utc"', 1)
    with pytest.raises(EdgeAsrError):
        from_json(text)
    with pytest.raises(EdgeAsrError, match="spread"):
        from_json(changed(report, verdict={"quotable": True, "reasons": [], "spread": 10**400, "unfinished": None}))
