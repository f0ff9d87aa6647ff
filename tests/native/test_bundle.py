"""`edge-asr bundle`: a folder that runs wherever it is copied, and never costs the user anything that was there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from edge_asr import shipped
from edge_asr.demo import RECORDING, TEXT
from edge_asr.errors import EdgeAsrError
from edge_asr.file_hash import file_sha256
from edge_asr.licences import licence_texts
from edge_asr.native import bundle as bundling
from edge_asr.native.build import Build
from edge_asr.native.bundle import DEMO, FACTS, MODEL, README, RUNNER, Facts, make_bundle
from edge_asr.native.elf import C_LIBRARY, read_needs
from edge_asr.native.target import named_target
from edge_asr.recognizer import Recognizer
from tests.outcome import Run


@pytest.fixture(scope="module")
def bundle(tiny_pte: Path, native_build: Build, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """For this machine, with the tiny model."""
    folder = tmp_path_factory.mktemp("bundle") / "board"
    return folder, make_bundle(native_build.target, folder, tiny_pte)


@pytest.fixture
def moved(bundle: tuple[Path, Facts], tmp_path: Path) -> Path:
    """The bundle as it arrives on a board: a copy, in another place, with a space in its name."""
    return Path(shutil.copytree(bundle[0], tmp_path / "some where" / "else"))


def hear(runner: Path | str, *arguments: object, cwd: Path | None = None) -> str:
    """Run a bundle with an empty environment: no PATH, no Python, no variables of ours."""
    line = ["/usr/bin/env", "-i", runner, *arguments]
    done = subprocess.run([str(part) for part in line], capture_output=True, text=True, cwd=cwd, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_it_runs_from_any_folder_and_finds_its_model(moved: Path, tiny_pte: Path, tmp_path: Path) -> None:
    expected = Recognizer.open(tiny_pte, backend="executorch-python").transcribe(RECORDING).text
    assert hear(moved / RUNNER, moved / DEMO, cwd=tmp_path) == expected
    assert hear(f"./{RUNNER}", DEMO, cwd=moved) == expected


def test_it_hears_what_it_says_it_hears(bundle: tuple[Path, Facts], moved: Path) -> None:
    _, facts = bundle
    assert facts.demo_text == hear(moved / RUNNER, moved / DEMO)
    assert f'"{facts.demo_text}"' in (moved / README).read_text()


def test_all_but_the_c_library_comes_out_of_the_folder(moved: Path) -> None:
    """The loader says what it would load; the folder the bundle was made in plays no part."""
    done = subprocess.run(
        [moved / RUNNER], capture_output=True, text=True, env={"LD_TRACE_LOADED_OBJECTS": "1"}, check=True
    )
    found = dict(re.findall(r"^\s*(\S+) => (.+?)(?: \(0x[0-9a-f]+\))?$", done.stdout, re.M))
    ours = {name for name, path in found.items() if Path(path).parent == moved}
    assert {"libedge_asr.so", "libexecutorch.so", "libstdc++.so.6", "libgcc_s.so.1"} <= ours
    assert all(C_LIBRARY.match(Path(name).name) for name in found.keys() - ours)


def test_the_c_library_it_names_is_the_newest_that_any_file_asks_for(bundle: tuple[Path, Facts], moved: Path) -> None:
    binaries = [path for path in moved.iterdir() if path.name == RUNNER or ".so" in path.name]
    newest = max(read_needs(path).glibc for path in binaries)
    assert bundle[1].glibc == ".".join(map(str, newest))
    assert f"glibc {bundle[1].glibc} or newer" in (moved / README).read_text()


def test_the_readme_has_five_lines_whose_command_runs(moved: Path) -> None:
    lines = (moved / README).read_text().splitlines()
    assert len(lines) == 5
    (command,) = re.findall(r"Try: +(\./\S+ \S+?\.wav)", "\n".join(lines))
    done = subprocess.run(["sh", "-c", command], cwd=moved, capture_output=True, text=True, check=True)
    assert done.stdout.strip()


def test_the_live_command_of_the_readme_takes_raw_samples(moved: Path, bundle: tuple[Path, Facts]) -> None:
    (options,) = re.findall(rf"\| \./{RUNNER} (.+)$", (moved / README).read_text(), re.M)
    samples, _ = soundfile.read(moved / DEMO, dtype="int16")
    line = [moved / RUNNER, *options.split()]
    done = subprocess.run(line, input=samples.tobytes(), capture_output=True, env={}, check=True)
    assert done.stdout.decode().strip() == bundle[1].demo_text


def test_it_names_every_file_and_where_it_comes_from(
    bundle: tuple[Path, Facts], moved: Path, tiny_pte: Path, native_build: Build
) -> None:
    listed = json.loads((moved / FACTS).read_text())
    assert set(listed["files"]) == {str(path.relative_to(moved)) for path in moved.rglob("*") if path.is_file()}
    assert listed["target"] == native_build.target.name
    assert listed["model_sha256"] == file_sha256(tiny_pte) == file_sha256(moved / MODEL)
    assert not any(name.endswith((".py", ".pyc")) or "python" in name for name in listed["files"])
    notice = (moved / "licences" / "NOTICE.txt").read_text()
    for name in filter(lambda name: ".so" in name, listed["files"]):
        assert ("libexecutorch*.so" if name.startswith("libexecutorch") else name) in notice
    assert "Apache License" in (moved / "licences" / "edge-asr.txt").read_text()
    assert "Redistribution" in (moved / "licences" / "ExecuTorch.txt").read_text()
    assert not (moved / "licences" / "model.md").exists()
    assert "ask whoever gave it to you" in notice


COMPONENTS = {  # compiled into the libraries -> a line of its own copyright notice, words of its licence
    "ExecuTorch": ("Meta Platforms", "Neither the name Meta"),
    "XNNPACK": ("Copyright 2019 Google LLC", "Neither the name"),
    "pthreadpool": ("Georgia Institute of Technology", "Redistributions in binary form"),
    "cpuinfo": ("Marat Dukhan", "Redistributions in binary form"),
    "FP16": ("Georgia Institute of Technology", "Permission is hereby granted"),
    "FXdiv": ("Marat Dukhan", "Permission is hereby granted"),
    "PocketFFT": ("Max-Planck-Society", "Neither the name of the copyright holder"),
    "PyTorch": ("Facebook, Inc", "Neither the names of Facebook"),
    "FlatBuffers": ("Google Inc.", "Apache License"),
    "KleidiAI": ("Arm Limited", "Apache License"),
    "Eigen": ("Mozilla Public License Version 2.0", "Source Code Form"),
    "nlohmann-json": ("Niels Lohmann", "Permission is hereby granted"),
}


def test_it_brings_the_licence_of_everything_compiled_in(moved: Path) -> None:
    notice = (moved / "licences" / "NOTICE.txt").read_text()
    assert {path.stem for path in licence_texts()} == set(COMPONENTS)
    for name, (holder, words) in COMPONENTS.items():
        text = (moved / "licences" / f"{name}.txt").read_text()
        assert holder in text, name
        assert words in text, name
        assert f"{name}.txt" in notice


def test_a_shipped_model_is_known_wherever_its_file_lies(
    native_build: Build, tiny_checkpoint: Path, tiny_pte: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the checkpoint's hash, which the file names: its licence and its card go along."""
    (tmp_path / "shipped").mkdir()
    shutil.copy(tiny_checkpoint, tmp_path / "shipped" / "an4.safetensors")
    (tmp_path / "shipped" / "an4.md").write_text("# the card")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shipped")
    moved = Path(shutil.copy(tiny_pte, tmp_path / "any name.pte"))
    make_bundle(native_build.target, tmp_path / "board", moved)
    licences = tmp_path / "board" / "licences"
    assert (licences / "model.md").read_text() == "# the card"
    assert "Carnegie Mellon" in (licences / "AN4-LICENSE.txt").read_text()
    assert "AN4-LICENSE.txt" in (licences / "NOTICE.txt").read_text()


# --- what is there already


@pytest.fixture
def make(native_build: Build, tiny_pte: Path) -> Callable[..., Facts]:
    """`make(folder, force=False)`."""
    return lambda folder, force=False: make_bundle(native_build.target, folder, tiny_pte, force=force)


def test_an_empty_folder_is_taken_and_a_bundle_only_with_force(make: Callable[..., Facts], tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    make(tmp_path / "board")
    (tmp_path / "board" / DEMO).write_bytes(b"spoilt")
    with pytest.raises(EdgeAsrError, match="there is a bundle already: --force replaces it"):
        make(tmp_path / "board")
    assert (tmp_path / "board" / DEMO).read_bytes() == b"spoilt"
    make(tmp_path / "board", force=True)
    assert soundfile.info(tmp_path / "board" / DEMO).samplerate == 16_000
    assert [path.name for path in tmp_path.iterdir()] == ["board"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_other_things_is_never_touched(make: Callable[..., Facts], tmp_path: Path, force: bool) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(EdgeAsrError, match="not empty and holds no bundle"):
        make(tmp_path / "home", force)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"


def test_a_bundle_that_was_given_other_files_is_never_replaced(make: Callable[..., Facts], tmp_path: Path) -> None:
    make(tmp_path / "board")
    (tmp_path / "board" / "talk.wav").write_bytes(b"precious")
    with pytest.raises(EdgeAsrError, match=r"given other files \(talk\.wav\)"):
        make(tmp_path / "board", True)
    assert (tmp_path / "board" / "talk.wav").read_bytes() == b"precious"


def test_a_file_a_link_and_a_folder_that_is_nowhere_are_refused(make: Callable[..., Facts], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for name, trouble in (("file", "no folder"), ("link", "no folder"), ("absent/board", "does not exist")):
        with pytest.raises(EdgeAsrError, match=trouble):
            make(tmp_path / name)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), EdgeAsrError("no")])
def test_what_fails_half_way_leaves_what_was_there(
    make: Callable[..., Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    make(tmp_path / "board")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "board").rglob("*")}

    def fail(folder: Path) -> str:
        raise error

    monkeypatch.setattr(bundling, "hear_demo", fail)
    with pytest.raises(EdgeAsrError if isinstance(error, OSError) else type(error)):
        make(tmp_path / "board", True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "board").rglob("*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["board"]


def test_a_damaged_model_is_told_before_anything_is_written(
    native_build: Build, tiny_pte: Path, tmp_path: Path
) -> None:
    content = bytearray(tiny_pte.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "bad.pte").write_bytes(content)
    with pytest.raises(EdgeAsrError, match=r"bad\.pte: damaged"):
        make_bundle(native_build.target, tmp_path / "board", tmp_path / "bad.pte")
    assert not (tmp_path / "board").exists()


# --- the command


@pytest.mark.slow
def test_the_command_bundles_the_shipped_model(
    run: Run, native_build: Build, shipped_pte: Path, tmp_path: Path
) -> None:
    answer = run("bundle", "-o", tmp_path / "board", "--json").json
    assert answer["demo_text"] == TEXT
    assert answer["target"] == named_target(None).name
    assert answer["bytes"] == sum(path.stat().st_size for path in (tmp_path / "board").rglob("*") if path.is_file())
    licences = tmp_path / "board" / "licences"
    assert "AN4" in (licences / "model.md").read_text()
    assert "Carnegie Mellon" in (licences / "AN4-LICENSE.txt").read_text()
    again = run("bundle", "-o", tmp_path / "board", "--force")
    assert (again.code, again.err) == (0, "")
    assert TEXT in again.out
    assert f"glibc {answer['glibc']}" in again.out


def test_the_command_fails_in_one_line(run: Run, tiny_pte: Path, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    run("bundle", "-o", tmp_path, "--model", tiny_pte).assert_fails("not empty")
    run("bundle", "-o", tmp_path / "new", "--model", tmp_path / "x").assert_fails("is empty")
    run("bundle").assert_fails("--output", code=2)
