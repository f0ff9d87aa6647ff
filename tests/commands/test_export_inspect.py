"""`edge-asr export` and `edge-asr inspect`: what can be told without exporting. `test_cli_end_to_end.py` exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outcome import Run


@pytest.mark.parametrize("content", [None, b"", b"random bytes, no safetensors"])
def test_a_checkpoint_that_is_none_is_named(run: Run, tmp_path: Path, content: bytes | None) -> None:
    checkpoint, output = tmp_path / "x.safetensors", tmp_path / "x.pte"
    if content is not None:
        checkpoint.write_bytes(content)
    run("export", checkpoint, "-o", output).assert_fails("x.safetensors")
    assert list(tmp_path.glob("*.pte*")) == []


@pytest.mark.parametrize(
    "options", [("--precision", "int3"), ("--chunk-ms", "0"), ("--chunk-ms", "many"), ("--nonsense",)]
)
def test_options_that_mean_nothing_are_wrong_usage(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    run("export", "-o", tmp_path / "x.pte", *options).assert_fails(options[0], code=2)


def test_export_without_output_is_wrong_usage(run: Run) -> None:
    run("export").assert_fails("--output", code=2)


@pytest.mark.parametrize("command", ["inspect", "transcribe", "evaluate"])
@pytest.mark.parametrize("content", [None, b"", b"\x00" * 5_000, b"just text"])
def test_a_file_that_is_no_program_is_named(
    run: Run, beeps: Path, beep_manifest: Path, tmp_path: Path, command: str, content: bytes | None
) -> None:
    path = tmp_path / "bad.pte"
    if content is not None:
        path.write_bytes(content)
    arguments = {
        "inspect": (path,),
        "transcribe": (beeps, "--model", path),
        "evaluate": (beep_manifest, "--model", path),
    }[command]
    run(command, *arguments).assert_fails("bad.pte")


def test_what_is_read_is_not_written_over(run: Run, tmp_path: Path) -> None:
    checkpoint = tmp_path / "x.safetensors"
    checkpoint.write_bytes(b"weights of a week")
    run("export", checkpoint, "-o", checkpoint).assert_fails("this is what is read: name another file")
    (tmp_path / "link.pte").symlink_to(checkpoint)
    run("export", checkpoint, "-o", tmp_path / "link.pte").assert_fails("this is what is read: name another file")
    assert checkpoint.read_bytes() == b"weights of a week"


@pytest.mark.parametrize(("output", "reason"), [("absent/x.pte", "there is no folder"), (".", "folder")])
def test_an_output_that_cannot_be_written_is_told_at_once(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"never read")
    run("export", "x.safetensors", "-o", output).assert_fails(output, reason)
