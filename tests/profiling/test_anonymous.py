"""Reports for publication: nothing in them says who measured, on which host, nor in which folders."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.commands.report_files import Outputs
from edge_asr.profiling.anonymous import Anonymizer, hidden_target
from edge_asr.profiling.page import page_of
from edge_asr.profiling.report import Report, from_json, to_json
from tests.profiling.reports import make_report, make_result

PRIVATE = ("jane", "Jane", "board.lab", "R58M12ABCDE", "192.168", "/home", "/srv", "fe80")


def private_report(target: str = "ssh:jane@board.lab:2222/srv/jane files") -> Report:
    """As bad as it can be."""
    command = shlex.join(
        [
            *("edge-asr", "profile", "/home/jane/Jane's speech/test.jsonl", "--model", "/home/jane/a/mine.pte"),
            *(
                "--against",
                "/home/jane/b/mine.pte",
                "--target",
                target,
                "--html=/srv/jane/page.html",
                "-o/home/jane/out",
            ),
            *("--threshold", "0.7", "--cpus", "0,2-3", "--run-with", "qemu-aarch64-static -L /home/jane/sysroot"),
        ]
    )
    names = [f"/home/jane/{folder}/mine.pte gate 0.7" for folder in "ab"]
    first, second = (make_result(name, mj_per_audio_s=3.0) for name in names)
    source = "log:ppk.csv (what the external meter is wired to)"
    trouble = "/home/jane/Jane's speech/test.jsonl: cannot be read; see /var/log/jane/x.log"
    second = replace(second, energy=replace(second.energy, source=source, reason=trouble))
    report = make_report(
        first,
        second,
        target=target,
        reasons=(f"it failed: {target}: jane@board.lab: Connection closed by 192.168.1.7 port 22",),
        unfinished=f"it failed: {target}: no route to board.lab, nor to fe80::1%eth0",
    )
    notes = (
        f"{socket.gethostname()} and root@{socket.gethostname()} were busy",
        f"see {Path.home()}/notes, {Path.cwd()}",
    )
    return replace(report, command=command, notes=notes)


def anonymous(report: Report) -> Report:
    return Anonymizer(report.conditions.target, report.command)(report)


def assert_nobody_is_named(text: str) -> None:
    for name in (*PRIVATE, socket.gethostname(), str(Path.home()), str(Path.cwd())):
        assert name not in text, name


def test_nobody_is_named_in_any_file_nor_on_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = private_report()
    Outputs(str(tmp_path / "r.json"), tmp_path / "r.html", anonymous=True).keep(report)
    assert_nobody_is_named((tmp_path / "r.json").read_text())
    assert_nobody_is_named((tmp_path / "r.html").read_text())
    Outputs("-", None, anonymous=True).show(report)
    Outputs(None, None, anonymous=True).show(report)
    printed = capsys.readouterr()
    assert_nobody_is_named(printed.out)
    assert printed.err == ""


def test_what_was_measured_stays(tmp_path: Path) -> None:
    report = private_report()
    hidden = anonymous(report)
    assert from_json(to_json(hidden)) == hidden
    assert [
        replace(a, setting=b.setting, energy=b.energy) for a, b in zip(hidden.results, report.results, strict=True)
    ] == [*report.results]
    assert hidden.protocol == report.protocol
    assert replace(hidden.conditions, target=report.conditions.target) == report.conditions
    assert hidden.results[1].energy.source == report.results[1].energy.source
    assert page_of(hidden)


def test_files_of_one_name_stay_apart() -> None:
    hidden = anonymous(private_report())
    assert [result.setting.name for result in hidden.results] == ["mine.pte gate 0.7", "mine.pte (2) gate 0.7"]
    assert shlex.split(hidden.command) == [
        *("edge-asr", "profile", "test.jsonl", "--model", "mine.pte", "--against", "mine.pte (2)"),
        *("--target", "ssh:USER@HOST", "--html=page.html", "-oout", "--threshold", "0.7", "--cpus", "0,2-3"),
        *("--run-with", "qemu-aarch64-static -L sysroot"),
    ]


def test_sentences_can_still_be_read() -> None:
    hidden = anonymous(private_report())
    assert hidden.verdict.reasons == ("it failed: ssh:USER@HOST: HOST: Connection closed by HOST port 22",)
    assert hidden.verdict.unfinished == "it failed: ssh:USER@HOST: no route to HOST, nor to HOST"
    assert hidden.results[1].energy.reason == "test.jsonl: cannot be read; see x.log"
    assert hidden.notes[0] == "HOST and HOST were busy"


@pytest.mark.parametrize(
    ("target", "hidden"),
    [
        ("local", "local"),
        ("adb", "adb"),
        ("adb:R58M12ABCDE", "adb:SERIAL"),
        ("adb:192.168.1.5:5555", "adb:SERIAL"),
        ("ssh:board", "ssh:USER@HOST"),
        ("ssh:jane@[fe80::1%eth0]:22/srv", "ssh:USER@HOST"),
    ],
)
def test_targets(target: str, hidden: str) -> None:
    assert hidden_target(target) == hidden
    report = make_report(make_result("x"), target=target, reasons=(f"it failed: {target}: gone",))
    assert anonymous(report).conditions.target == hidden
    assert anonymous(report).verdict.reasons == (f"it failed: {hidden}: gone",)


@pytest.mark.parametrize(
    "text",
    [
        "3.1 mJ/audio s, p50/90/99, -3 / +4",
        "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
        "hwmon:ina219@hwmon2 (what ina219 is wired to)",
        "passes.jsonl and an4/test.jsonl and ../dev.jsonl",
        "at 12:30:45 edge_asr::Stream said 1.5.1",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    report = replace(make_report(make_result("x")), notes=(text,), command=f"edge-asr profile {shlex.quote(text)}")
    hide = Anonymizer("local", report.command)
    assert hide(report) == report
    assert not hide.found


parts = st.sampled_from(["a", "a b", "x.pte", "x.pte (2)", "Jane's", "ä,b", "c:d", "-o", "..e"])


@given(st.lists(st.lists(parts, min_size=2, max_size=4), min_size=1, max_size=4))
def test_no_folder_of_the_command_is_left_and_files_stay_apart(paths: Sequence[Sequence[str]]) -> None:
    folders = ["secret-" + "/".join(path[:-1]) for path in paths]
    whole = [f"/{folder}/{path[-1]}" for folder, path in zip(folders, paths, strict=True)]
    report: Any = {"command": shlex.join(["edge-asr", *whole]), "notes": [f"{path}: no" for path in whole]}
    hidden = Anonymizer("local", report["command"])(report)
    assert "secret-" not in str(hidden)
    shown = shlex.split(hidden["command"])[1:]
    assert len(set(shown)) == len(set(whole))
    assert hidden["notes"] == [f"{name}: no" for name in shown]


def test_by_default_one_line_says_what_is_inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = "ssh:jane@board.lab"
    report = private_report(target)
    Outputs(str(tmp_path / "r.json"), None).show(report)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"the report names absolute paths and {target} and host names; --anonymous leaves that out")
    assert target in (tmp_path / "r.json").read_text()
    Outputs(None, None).show(report)  # a table on a terminal is nobody's to publish
    assert capsys.readouterr().err == ""
    Outputs("-", None).show(make_report(make_result("x")))
    assert capsys.readouterr().err == ""
