"""The shipped model is exported once, into the user's cache, and a stale file is never used."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_asr import shipped
from edge_asr.contract import sealed
from edge_asr.errors import EdgeAsrError
from edge_asr.file_hash import file_sha256
from edge_asr.native.build import Build
from edge_asr.native.library import LIBRARY_VARIABLE
from edge_asr.terminal.model import checkpoint_or_shipped, model_or_shipped
from edge_asr_export.build import BuildReport
from tests.outcome import Run

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the shipped checkpoint; the cache is a folder that does not exist yet."""
    path = tmp_path / "an4.safetensors"
    path.write_bytes(b"weights")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    monkeypatch.setenv("EDGE_ASR_CACHE", str(tmp_path / "cache" / "edge-asr"))
    return path


def pte_of(weights: bytes) -> bytes:
    """A whole file: a header, weights, a checksum."""
    return sealed(
        struct.pack("<I4s4sIQQQ", 32, b"ET12", b"eh00", 32, 100, 100, 100).ljust(100, b"\0") + weights.ljust(100)
    )


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replaces the exporter; lists the files that were written."""
    written: list[Path] = []

    def build(checkpoint: Path, output: Path, **options: Any) -> BuildReport:
        output.write_bytes(pte_of(checkpoint.read_bytes()))
        written.append(output)
        return BuildReport(output, 7, file_sha256(output), "int8", 640.0, 180.0, {"text": "as eager PyTorch"})

    monkeypatch.setitem(sys.modules, "edge_asr_export.build", SimpleNamespace(build=build))
    return written


def test_it_is_exported_once_and_says_so(checkpoint: Path, exports: list[Path], tmp_path: Path) -> None:
    said: list[str] = []
    first = shipped.shipped_pte(said.append)
    second = shipped.shipped_pte(said.append)
    assert len(exports) == 1
    assert first == second
    assert {file.suffix for file in first.parent.iterdir()} == {".pte", ".json", ".lock"}
    assert first.parent == tmp_path / "cache" / "edge-asr"
    assert len(said) == 1
    assert "once" in said[0]


@pytest.mark.parametrize("content", [b"", pte_of(b"weights")[:-40], pte_of(b"weights").replace(b"weights", b"Weights")])
def test_a_damaged_file_in_the_cache_is_exported_again_and_told(
    checkpoint: Path, exports: list[Path], content: bytes
) -> None:
    kept = shipped.shipped_pte(print)
    kept.write_bytes(content)
    said: list[str] = []
    assert shipped.shipped_pte(said.append) == kept
    assert kept.read_bytes() == pte_of(b"weights")
    assert len(exports) == 2
    (line,) = said
    assert re.search(rf"{kept.name}: .*(empty|cut short|damaged).*exporting the shipped model", line)
    assert "\n" not in line
    assert shipped.shipped_pte(said.append) == kept
    assert len(exports) == 2


def test_who_comes_while_it_is_exported_waits_and_says_so(
    checkpoint: Path, exports: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, waits = threading.Event(), threading.Event(), threading.Event()
    quick = sys.modules["edge_asr_export.build"].build

    def slow(*arguments: Any, **options: Any) -> BuildReport:
        begun.set()
        assert go_on.wait(30)
        return quick(*arguments, **options)

    monkeypatch.setitem(sys.modules, "edge_asr_export.build", SimpleNamespace(build=slow))

    def tell(line: str) -> None:
        said.append(line)
        waits.set()

    said: list[str] = []
    with ThreadPoolExecutor() as pool:
        first = pool.submit(shipped.shipped_pte, print)
        assert begun.wait(30)
        second = pool.submit(shipped.shipped_pte, tell)
        assert waits.wait(30)
        go_on.set()
        assert first.result() == second.result()
    assert len(exports) == 1
    assert len(said) == 1
    assert "waiting" in said[0]


def test_a_size_stands_for_a_checkpoint_and_for_its_pte(checkpoint: Path, exports: list[Path]) -> None:
    small = checkpoint.with_name("an4-small.safetensors")
    small.write_bytes(b"fewer weights")
    assert checkpoint_or_shipped(Path("small")) == small
    assert checkpoint_or_shipped(Path("base")) == checkpoint_or_shipped(None) == checkpoint
    assert checkpoint_or_shipped(Path("runs/small.safetensors")) == Path("runs/small.safetensors")
    pte = model_or_shipped(Path("small"))
    assert pte.read_bytes() == pte_of(b"fewer weights")
    assert model_or_shipped(Path("base")) == model_or_shipped(None) != pte
    assert model_or_shipped(Path("small.pte")) == Path("small.pte")
    assert len(exports) == 2


def test_export_copies_what_the_cache_has(checkpoint: Path, exports: list[Path], run: Run, tmp_path: Path) -> None:
    kept = shipped.shipped_pte(print)
    for number, source in enumerate([(), ("base",), (checkpoint,)]):
        outcome = run("export", *source, "-o", tmp_path / f"{number}.pte", "--json")
        assert outcome.json["path"] == str(tmp_path / f"{number}.pte")
        assert outcome.json["checks"] == {"text": "as eager PyTorch"}
        assert str(kept) in outcome.err
        assert (tmp_path / f"{number}.pte").read_bytes() == pte_of(b"weights")
    assert len(exports) == 1
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("options", [("--precision", "int4"), ("--chunk-ms", 640)])
def test_export_makes_what_the_cache_does_not_have(
    checkpoint: Path, exports: list[Path], run: Run, tmp_path: Path, options: tuple[object, ...]
) -> None:
    shipped.shipped_pte(print)
    assert run("export", "-o", tmp_path / "x.pte", *options).code == 0
    assert exports[1:] == [tmp_path / "x.pte"]


def test_export_trusts_no_file_that_is_not_whole(
    checkpoint: Path, exports: list[Path], run: Run, tmp_path: Path
) -> None:
    kept = shipped.shipped_pte(print)
    report = shipped.report_path(kept).read_text()
    whole = pte_of(b"weights")
    for pte, kept_report in ((whole, report[:-9]), (whole, "{}"), (whole[:-1], report)):
        kept.write_bytes(pte)
        shipped.report_path(kept).write_text(kept_report)
        assert run("export", "-o", tmp_path / "x.pte").code == 0
        assert (tmp_path / "x.pte").read_bytes() == whole
    assert len(exports) == 4


def test_another_checkpoint_is_exported_anew(checkpoint: Path, exports: list[Path]) -> None:
    first = shipped.shipped_pte(print)
    checkpoint.write_bytes(b"better weights")
    assert shipped.shipped_pte(print) != first
    assert len(exports) == 2


@pytest.mark.parametrize("part", ["CONTRACT_VERSION", "__version__"])
def test_another_contract_or_version_is_exported_anew(
    checkpoint: Path, exports: list[Path], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    first = shipped.shipped_pte(print)
    monkeypatch.setattr(shipped, part, 99)
    assert shipped.shipped_pte(print) != first


def test_other_exporter_sources_or_libraries_change_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "lower.py"
    source.write_text("a = 1")
    monkeypatch.setattr(shipped, "package_folder", lambda package: tmp_path)
    prints = {shipped.exporter_fingerprint()}
    source.write_text("a = 2")
    prints.add(shipped.exporter_fingerprint())
    monkeypatch.setattr(shipped, "version_of", lambda library: "9.9")
    prints.add(shipped.exporter_fingerprint())
    assert len(prints) == 3


def test_a_missing_checkpoint_is_told(checkpoint: Path) -> None:
    checkpoint.unlink()
    with pytest.raises(EdgeAsrError, match=r"missing.*--model"):
        shipped.shipped_pte(print)


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(EdgeAsrError, match="EDGE_ASR_CACHE"):
        shipped.shipped_pte(print)


def test_a_cache_folder_that_takes_no_files_is_told_and_not_waited_for(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_ASR_CACHE", "/proc/self")
    with pytest.raises(EdgeAsrError, match="EDGE_ASR_CACHE"):
        shipped.shipped_pte(print)


# --- a container


@pytest.fixture
def in_container(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`in_container("inspect", ...)`: `edge-asr` where there is no HOME and no variable of ours, and whose user has a
    number and no name."""
    (tmp_path / "nameless").mkdir()
    (tmp_path / "nameless" / "sitecustomize.py").write_text(
        "import pwd\n\ndef getpwuid(uid):\n    raise KeyError(f'uid not found: {uid}')\n\npwd.getpwuid = getpwuid\n"
    )
    environment = {"PATH": os.defpath, "PYTHONPATH": f"{tmp_path / 'nameless'}:{REPOSITORY}"}

    def run_line(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "edge_asr", *map(str, arguments)]
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        done = subprocess.run(line, cwd=work, env=environment | more, capture_output=True, text=True, check=False)
        assert list(work.iterdir()) == []  # such as a folder that is named `~`
        return done

    return run_line


def test_a_named_model_runs_without_a_home(
    in_container: Callable[..., subprocess.CompletedProcess[str]], tiny_pte: Path, beeps: Path
) -> None:
    done = in_container("transcribe", beeps, "--model", tiny_pte)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_a_named_library_serves_without_a_home(
    in_container: Callable[..., subprocess.CompletedProcess[str]], tiny_pte: Path, beeps: Path, native_build: Build
) -> None:
    options = {LIBRARY_VARIABLE: str(native_build.library)}
    done = in_container("transcribe", beeps, "--model", tiny_pte, "--backend", "native", **options)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["transcribe", "native build", "native status", "export -o x.pte"])
def test_what_needs_the_cache_asks_for_a_folder(
    in_container: Callable[..., subprocess.CompletedProcess[str]], command: str, beeps: Path
) -> None:
    done = in_container(*command.split(), *([beeps] if command == "transcribe" else []))
    assert done.returncode
    assert re.search(r"no home folder, and so no cache folder: set EDGE_ASR_CACHE to one\n$", done.stderr)
    assert "Traceback" not in done.stderr
