"""Where the loader looks for a program's libraries: in its own folder, and nowhere that another user may write to."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build
from edge_asr.native.bundle import RUNNER, make_bundle
from edge_asr.native.runpath import ORIGIN, read_runpath, set_runpath
from tests.native.poison import plant
from tests.requirements import require_tool

WIDE = "$ORIGIN:$ORIGIN/../backends/cuda:$ORIGIN/../lib"  # as ExecuTorch's libraries have it


def seen_by_readelf(path: Path) -> str | None:
    done = subprocess.run(["readelf", "--wide", "--dynamic", path], capture_output=True, text=True, check=True)
    found = re.findall(r"\((?:RUNPATH|RPATH)\)\s+Library (?:runpath|rpath): \[(.*)\]", done.stdout)
    assert len(found) < 2
    return found[0] if found else None


@pytest.fixture(params=["gcc", "aarch64-linux-gnu-gcc"])
def link(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """`link(*options, source=...)`: a library of this machine or of 64-bit Arm."""
    compiler = require_tool(request.param, {"gcc": "gcc"}.get(request.param, "gcc-aarch64-linux-gnu"))

    def linked(*options: str, source: str = "int answer(void) { return 42; }") -> Path:
        path = tmp_path / "libanswer.so"
        line = [compiler, "-shared", "-fPIC", "-x", "c", "-", *options, "-o", str(path)]
        subprocess.run(line, input=source, text=True, check=True)
        return path

    return linked


@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_a_long_runpath_becomes_its_own_folder(link: Callable[..., Path], tags: str) -> None:
    path = link(f"-Wl,-rpath,{WIDE}", f"-Wl,{tags}")
    before = path.read_bytes()
    assert read_runpath(path) == seen_by_readelf(path) == WIDE
    set_runpath(path, ORIGIN)
    assert read_runpath(path) == seen_by_readelf(path) == "$ORIGIN"
    after = path.read_bytes()
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [before.index(b":$ORIGIN/..")]
    set_runpath(path, ORIGIN)
    assert path.read_bytes() == after


def test_a_library_without_one_stays_as_it_is(link: Callable[..., Path]) -> None:
    path = link()
    before = path.read_bytes()
    assert read_runpath(path) is seen_by_readelf(path) is None
    set_runpath(path, ORIGIN)
    assert path.read_bytes() == before


def test_a_shorter_one_is_refused(link: Callable[..., Path]) -> None:
    path = link("-Wl,-rpath,/opt")
    before = path.read_bytes()
    with pytest.raises(EdgeAsrError, match=r"libanswer\.so: .* /opt "):
        set_runpath(path, ORIGIN)
    assert path.read_bytes() == before


def test_one_that_ends_a_longer_string_is_refused(link: Callable[..., Path]) -> None:
    """Linkers keep one string for both: writing into it would rename the other."""
    path = link("-Wl,-rpath,$ORIGIN/../lib", "-Wl,-soname,x$ORIGIN/../lib")
    assert path.read_bytes().count(b"$ORIGIN/../lib\0") == 1
    before = path.read_bytes()
    with pytest.raises(EdgeAsrError, match="shared"):
        set_runpath(path, ORIGIN)
    assert path.read_bytes() == before


def test_a_name_that_ends_the_old_one_stays(link: Callable[..., Path]) -> None:
    path = link("-Wl,-rpath,$ORIGIN/../answer")
    set_runpath(path, ORIGIN)
    said = subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=True).stdout
    assert re.search(r" T answer$", said, re.M)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\1\1\1" + bytes(100), b"\x7fELF\2\1\1" + bytes(20)])
def test_what_is_no_64_bit_elf_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(EdgeAsrError, match=r"x: no 64-bit ELF"):
        read_runpath(tmp_path / "x")


def test_every_library_of_a_build_looks_in_its_own_folder(native_build: Build) -> None:
    libraries = sorted(native_build.library.parent.glob("*.so"))
    assert len(libraries) >= 5
    assert {seen_by_readelf(path) for path in libraries} == {"$ORIGIN"}
    assert seen_by_readelf(native_build.runner) == "$ORIGIN/../lib"


def binaries(bundle: Path) -> list[Path]:
    return [bundle / RUNNER, *sorted(bundle.glob("*.so*"))]


def test_every_file_of_a_bundle_looks_in_its_own_folder(native_build: Build, tiny_pte: Path, tmp_path: Path) -> None:
    make_bundle(native_build.target, tmp_path / "board", tiny_pte)
    found = {path.name: seen_by_readelf(path) for path in binaries(tmp_path / "board")}
    assert {name for name, path in found.items() if path is None} <= {"libstdc++.so.6", "libgcc_s.so.1"}
    assert set(found.values()) <= {"$ORIGIN", None}
    assert found[RUNNER] == found["libexecutorch.so"] == "$ORIGIN"


def test_every_file_of_an_arm_bundle_too(aarch64_build: Build, tiny_pte: Path, tmp_path: Path) -> None:
    make_bundle(aarch64_build.target, tmp_path / "board", tiny_pte)
    found = {path.name: seen_by_readelf(path) for path in binaries(tmp_path / "board")}
    assert set(found.values()) <= {"$ORIGIN", None}
    assert found[RUNNER] == found["libexecutorch.so"] == "$ORIGIN"


def test_a_planted_library_beside_the_folder_is_not_loaded(native_build: Build, tiny_pte: Path, tmp_path: Path) -> None:
    world = tmp_path / "world"  # where any user may make folders
    world.mkdir()
    make_bundle(native_build.target, world / "board", tiny_pte)
    plant(world, world / "board", tmp_path / "mark")
    line = [world / "board" / RUNNER, world / "board" / "demo.wav"]
    done = subprocess.run(line, env={}, capture_output=True, text=True, check=False)
    assert not (tmp_path / "mark").exists()
    assert (done.returncode, done.stderr) == (0, "")
