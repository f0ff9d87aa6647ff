"""Building the native runtime: once for each state of its sources, atomically, with errors that say what to install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.file_hash import file_sha256
from edge_asr.native import build as building
from edge_asr.native import sdk as fetching
from edge_asr.native.build import LIBRARY, Build, build, build_folder
from edge_asr.native.library import LIBRARY_VARIABLE, find_library
from edge_asr.native.sdk import SDK_VERSION, Sdk, found_sdk, sdk_for
from edge_asr.native.target import TARGETS, named_target, target_here
from tests.outcome import Run
from tests.requirements import require_tool

REPOSITORY = Path(__file__).parent.parent.parent
AARCH64 = TARGETS["linux-aarch64"]

TINY_PROJECT = """
cmake_minimum_required(VERSION 3.22)
project(tiny LANGUAGES CXX)
add_library(edge_asr SHARED src/library.cpp)
add_executable(edge-asr-run src/runner.cpp)
include(GNUInstallDirs)
install(TARGETS edge_asr edge-asr-run)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no library named."""
    monkeypatch.setenv("EDGE_ASR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def sources(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native_build: Build) -> Path:
    """Sources that compile in a second stand in for ours. They need no SDK."""
    folder = tmp_path / "sources"
    (folder / "src").mkdir(parents=True)
    (folder / "CMakeLists.txt").write_text(TINY_PROJECT)
    (folder / "src" / "library.cpp").write_text("int answer() { return 42; }\n")
    (folder / "src" / "runner.cpp").write_text("int main() { return 0; }\n")
    monkeypatch.setattr(building, "SOURCES", folder)
    monkeypatch.setattr(building, "sdk_for", lambda target, tell: Sdk(tmp_path, installed=True))
    return folder


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_build_has_a_library_that_is_found_and_a_runner(sources: Path) -> None:
    assert find_library() is None
    made = build(named_target(None))
    assert made.build_s > 0
    assert os.access(made.runner, os.X_OK)
    found = find_library()
    assert found is not None
    assert (found.path, found.origin) == (made.library, "cache")


def test_it_is_made_once_and_again_where_it_is_forced(sources: Path, cache: Path) -> None:
    first = build(named_target(None))
    first.library.write_bytes(b"not what a compiler makes")
    assert build(named_target(None)) == Build(first.folder, first.target, 0.0)
    assert first.library.read_bytes() == b"not what a compiler makes"
    assert build(named_target(None), force=True).build_s > 0
    assert first.library.read_bytes().startswith(b"\x7fELF")
    assert left_in(cache / "native") == {first.folder.name}


def test_other_sources_are_another_build(sources: Path) -> None:
    first = build(named_target(None))
    (sources / "src" / "library.cpp").write_text("int answer() { return 43; }\n")
    assert find_library() is None
    assert build(named_target(None)).folder != first.folder


def test_sanitizers_and_targets_are_builds_of_their_own() -> None:
    folders = {build_folder(target, sanitize) for target in TARGETS.values() for sanitize in ("", "address")}
    assert len(folders) == 4


def test_an_error_of_the_compiler_is_one_line_and_keeps_the_build_before(sources: Path, cache: Path) -> None:
    made = build(named_target(None))
    (sources / "src" / "runner.cpp").write_text("int main() { return nonsense; }\n")
    with pytest.raises(EdgeAsrError, match=r"compiling for \S+ failed \(.*nonsense.*\): see .*\.log") as caught:
        build(named_target(None))
    log = Path(str(caught.value).rpartition("see ")[2])
    assert "nonsense" in log.read_text()
    assert made.library.is_file()
    assert left_in(cache / "native") == {made.folder.name, log.name}


def test_ctrl_c_leaves_nothing_half_done(sources: Path, cache: Path) -> None:
    def press(stage: str) -> None:
        if stage.startswith("compiling ["):
            raise KeyboardInterrupt

    require_tool("ninja", "ninja-build")  # make does not tell its steps
    with pytest.raises(KeyboardInterrupt):
        build(named_target(None), tell=press)
    assert left_in(cache / "native") == set()


def test_stages_are_told(sources: Path) -> None:
    said: list[str] = []
    build(named_target(None), tell=said.append)
    assert said[0] == "configuring"
    assert said[-1] == "installing"


def test_missing_tools_are_told_with_their_packages(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(building, "include_folders", lambda: iter(()))
    with pytest.raises(
        EdgeAsrError, match=r"needs cmake, .*aarch64-linux-gnu-g\+\+, nlohmann/json.hpp: on Debian"
    ) as it:
        build(AARCH64)
    packages = str(it.value).rpartition("apt install ")[2].split()
    assert packages == ["cmake", "ninja-build", "g++-aarch64-linux-gnu", "nlohmann-json3-dev"]
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(sources: Path, cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    with pytest.raises(EdgeAsrError, match="EDGE_ASR_CACHE"):
        build(named_target(None))


def test_the_variable_names_another_library(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(named_target(None))
    (tmp_path / "mine.so").touch()
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "mine.so"))
    found = find_library()
    assert found is not None
    assert (found.path, found.origin) == (tmp_path / "mine.so", LIBRARY_VARIABLE)
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "absent.so"))
    with pytest.raises(EdgeAsrError, match=rf"absent\.so: no such library: mend or unset {LIBRARY_VARIABLE}"):
        find_library()


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(EdgeAsrError, match="choose among linux-x86_64, linux-aarch64"):
        named_target("linux-mips")


def test_every_source_is_in_the_package_and_counts_for_the_build() -> None:
    patterns = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    folder = REPOSITORY / "edge_asr" / "native"
    packaged = {path for pattern in patterns["edge_asr.native"] for path in folder.glob(pattern) if path.is_file()}
    tracked = subprocess.run(["git", "ls-files", folder], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    needed = {REPOSITORY / name for name in tracked.stdout.split() if not name.endswith(".py")}
    assert needed <= packaged
    assert {path for path in needed if path.suffix != ".md"} <= set(building.source_files())


# --- the SDK


def wheel_of(folder: Path) -> Path:
    """A wheel with what a build needs, and things that it does not. Always the same bytes."""
    contents = {
        "executorch/include/executorch/runtime/core/error.h": b"// error",
        "executorch/lib/libexecutorch.so": b"\x7fELF",
        "executorch/lib/cmake/executorch/executorch-config.cmake": b"# cmake",
        "executorch/exir/__init__.py": b"",
        "executorch/share/cmake/executorch-config.cmake": b"",
        "executorch/share/cmake/executorch-config-version.cmake": b"",
        "executorch/extension/pybindings/_C.cpython-311-aarch64-linux-gnu.so": b"\x7fELF",
        "executorch-1.5.1.dist-info/licenses/LICENSE": b"BSD",
    }
    path = folder / f"executorch-{SDK_VERSION}-cp311-cp311-{AARCH64.wheel_platform}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


Pip = Callable[[list[str]], tuple[int, str]]


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pip], list[list[str]]]:
    """`pip(answer)`: pip download does what `answer(arguments)` does; returns the list of its calls."""

    def replace(answer: Pip) -> list[list[str]]:
        calls: list[list[str]] = []

        def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            calls.append(command)
            code, err = answer(command)
            return subprocess.CompletedProcess(command, code, "", err)

        monkeypatch.setattr(fetching.subprocess, "run", run)
        return calls

    return replace


def deliver(command: list[str]) -> tuple[int, str]:
    wheel_of(Path(command[command.index("--dest") + 1]))
    return 0, ""


@pytest.fixture(autouse=True)
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On an Arm machine the installed wheel would do. The wheel of these tests stands for the one on PyPI."""
    if "pip" in request.fixturenames:
        monkeypatch.setattr(fetching, "installed_sdk", lambda: None)
        (tmp_path / "pypi").mkdir()
        pinned = {AARCH64.name: file_sha256(wheel_of(tmp_path / "pypi"))}
        monkeypatch.setattr(fetching, "WHEEL_SHA256", pinned)


def test_what_a_build_needs_is_unpacked_and_nothing_else(cache: Path, pip: Callable[[Pip], list[list[str]]]) -> None:
    calls = pip(deliver)
    said: list[str] = []
    sdk = sdk_for(AARCH64, said.append)
    files = {path.relative_to(sdk.folder).as_posix() for path in sdk.folder.rglob("*") if path.is_file()}
    assert files == {
        "include/executorch/runtime/core/error.h",
        "lib/libexecutorch.so",
        "share/cmake/executorch-config-version.cmake",
    }
    assert left_in(sdk.folder.parent) == {sdk.folder.name}
    assert f"executorch=={SDK_VERSION}" in calls[0]
    assert "manylinux_2_28_aarch64" in calls[0]
    assert "MB" in said[0]
    assert sdk_for(AARCH64, said.append) == sdk == found_sdk(AARCH64)
    assert len(calls) == 1


def test_a_wheel_that_is_there_is_not_fetched(cache: Path, pip: Callable[[Pip], list[list[str]]]) -> None:
    """Interrupted between the two stages, or put there by a user without a network."""
    calls = pip(lambda command: (1, "never asked"))
    (cache / "native").mkdir(parents=True)
    wheel_of(cache / "native")
    assert (sdk_for(AARCH64, print).folder / "lib" / "libexecutorch.so").is_file()
    assert calls == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "WARNING: Retrying ... [Errno 101] Network is unreachable\nERROR: No matching distribution",
            "cannot be reached",
        ),
        ("ERROR: Could not install: [Errno 28] No space left on device", "no space left on device"),
        ("ERROR: No matching distribution found for executorch==1.5.1", "No matching distribution found"),
        ("", "said nothing"),
    ],
)
def test_a_failed_download_is_one_line_with_a_way_out(
    cache: Path, pip: Callable[[Pip], list[list[str]]], said: str, words: str
) -> None:
    pip(lambda command: (1, said))
    with pytest.raises(
        EdgeAsrError, match=rf"{words}.*try again, or put executorch-1\.5\.1-\S*aarch64\.whl .* into"
    ) as it:
        sdk_for(AARCH64, print)
    assert "\n" not in str(it.value)
    assert left_in(cache / "native") == set()


def test_a_python_without_pip_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(fetching, "installed_sdk", lambda: None)
    with pytest.raises(EdgeAsrError, match="no pip"):
        sdk_for(AARCH64, print)


def spoil(wheel: Path) -> None:
    """Still a wheel: one byte of a library is another, and the archive's own sums agree."""
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name).replace(b"\x7fELF", b"\x7fElf") for name in archive.namelist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def test_a_wheel_that_is_not_the_one_we_know_is_deleted_and_told(
    cache: Path, pip: Callable[[Pip], list[list[str]]]
) -> None:
    def other(command: list[str]) -> tuple[int, str]:
        spoil(wheel_of(Path(command[command.index("--dest") + 1])))
        return 0, ""

    pip(other)
    with pytest.raises(EdgeAsrError, match=r"is another file \(sha256 \w{12}, expected \w{12}\) and is deleted: try"):
        sdk_for(AARCH64, print)
    assert found_sdk(AARCH64) is None
    assert left_in(cache / "native") == set()


def test_one_that_was_put_there_by_hand_is_checked_too(cache: Path, pip: Callable[[Pip], list[list[str]]]) -> None:
    pip(lambda command: (1, "never asked"))
    (cache / "native").mkdir(parents=True)
    spoil(wheel_of(cache / "native"))
    with pytest.raises(EdgeAsrError, match="is another file"):
        sdk_for(AARCH64, print)
    assert found_sdk(AARCH64) is None


def test_every_targets_wheel_is_pinned() -> None:
    assert set(fetching.WHEEL_SHA256) == set(TARGETS)
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in fetching.WHEEL_SHA256.values())


def test_the_sdk_is_the_version_that_the_exporter_is_pinned_to() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"executorch=={SDK_VERSION}" in extras["export"]


# --- the commands


def test_the_command_builds_and_says_where(run: Run, sources: Path) -> None:
    answer = run("native", "build", "--json").json
    assert answer["target"] == named_target(None).name
    assert Path(answer["library"]).is_file()
    assert Path(answer["folder"]) / LIBRARY == Path(answer["library"])
    shown = run("native", "build")
    assert (shown.code, shown.err) == (0, "")
    for part in (answer["library"], answer["runner"], "earlier"):
        assert part in shown.out


def test_status_tells_what_is_built(run: Run, sources: Path) -> None:
    before = run("native", "status", "--json").json
    assert before["backend"] == "executorch-python"
    assert before["backends"]["native"] == "edge-asr native build"
    assert before["library"] is None
    run("native", "build")
    after = run("native", "status", "--json").json
    here = target_here()
    assert here is not None
    assert after["backend"] == "native"
    assert after["backends"]["native"] is None
    assert after["targets"][here.name]["built"]
    assert not after["targets"]["linux-aarch64"]["built"] or here == AARCH64
    assert re.search(r"backend +native", run("native", "status").out)


def test_a_target_that_is_none_is_wrong_usage(run: Run) -> None:
    run("native", "build", "--target", "linux-mips").assert_fails("--target", "linux-aarch64", code=2)


def test_the_command_fails_in_one_line(run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run("native", "build", "--target", "linux-aarch64").assert_fails("cmake", "apt install")


@pytest.mark.parametrize("part", ["build", "status"])
def test_help_of_each_part_teaches_with_examples(run: Run, part: str) -> None:
    assert f"edge-asr native {part}" in run("native", part, "--help").out.split("Examples:")[1]


def test_the_real_sources_build_without_a_warning(native_build: Build) -> None:
    """ctypes finds what the header promises; the compiler's log is kept only where it fails."""
    code = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).edge_asr_abi_version())"
    done = subprocess.run(
        [sys.executable, "-c", code, native_build.library], capture_output=True, text=True, check=True
    )
    header = (REPOSITORY / "edge_asr" / "native" / "include" / "edge_asr.h").read_text()
    assert f"#define EDGE_ASR_ABI_VERSION {done.stdout.strip()}\n" in header
