"""Build the native runtime for a target, into the cache folder: once for each state of its sources."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_asr import __version__
from edge_asr.errors import EdgeAsrError
from edge_asr.native.runpath import ORIGIN, set_runpath
from edge_asr.native.sdk import SDK_VERSION, Sdk, sdk_for
from edge_asr.native.target import BuildTarget
from edge_asr.shipped import CACHE_VARIABLE, cache_folder

SOURCES = Path(__file__).parent
LIBRARY = Path("lib", "libedge_asr.so")  # in the folder of a build
RUNNER = Path("bin", "edge-asr-run")
KEY_DIGITS = 16  # of the hash that names a build
NINJA_STEP = re.compile(r"\[\d+/\d+\]")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Build:
    """A finished build."""

    folder: Path  # holds LIBRARY, RUNNER, and ExecuTorch's libraries beside the first; may be moved as a whole
    target: BuildTarget
    build_s: float  # time it took; 0 where it was there already

    @property
    def library(self) -> Path:
        return self.folder / LIBRARY

    @property
    def runner(self) -> Path:
        return self.folder / RUNNER


def build(target: BuildTarget, *, sanitize: str = "", force: bool = False, tell: Tell | None = None) -> Build:
    """The build of the present sources; made where it is not there, or with `force`.

    `sanitize` names sanitizers as compilers do (`address,undefined`). `tell` gets each stage. An interrupted or failed
    build leaves what was there before.

    Raises EdgeAsrError: missing tools, no SDK to be had, errors of the compiler.
    """
    folder = build_folder(target, sanitize)
    if not force and is_build(folder):
        return Build(folder, target, 0.0)
    started_s = time.monotonic()
    tell = tell or (lambda _: None)
    require_tools(target)
    sdk = sdk_for(target, tell)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as name:
            partial = Path(name) / "installed"
            run_cmake(target, sdk, sanitize, Path(name) / "tree", partial, tell)
            for library in (partial / LIBRARY).parent.glob("*.so"):
                set_runpath(library, ORIGIN)  # ExecuTorch's look into other folders too
            put_in_place(partial, folder)
    except OSError as error:
        raise EdgeAsrError(
            f"{folder.parent}: cannot be built there ({error.strerror or error}): "
            f"make room, or set {CACHE_VARIABLE} to another folder"
        ) from None
    return Build(folder, target, round(time.monotonic() - started_s, 1))


def build_folder(target: BuildTarget, sanitize: str = "") -> Path:
    """Where the build of the present sources is kept. Other sources, another SDK or another recipe: another name."""
    digest = hashlib.sha256(f"{__version__} {SDK_VERSION} {target.name} {sanitize}".encode())
    digest.update(Path(__file__).read_bytes())
    for source in source_files():
        digest.update(f"\0{source.relative_to(SOURCES).as_posix()}\0".encode() + source.read_bytes())
    variant = f"{target.name}-sanitized" if sanitize else target.name
    return cache_folder() / "native" / f"{variant}-{digest.hexdigest()[:KEY_DIGITS]}"


def source_files() -> list[Path]:
    """What a build is made of."""
    folders = (SOURCES / "src", SOURCES / "include")
    found = [SOURCES / "CMakeLists.txt", *(file for folder in folders for file in folder.rglob("*"))]
    return sorted(file for file in found if file.is_file())


def is_build(folder: Path) -> bool:
    return (folder / LIBRARY).is_file() and (folder / RUNNER).is_file()


def require_tools(target: BuildTarget) -> None:
    """Raises EdgeAsrError with the packages to install, where a tool is missing."""
    missing = missing_tools(target)
    if missing:
        raise EdgeAsrError(
            f"building for {target.name} needs {', '.join(missing)}: on Debian, "
            f"sudo apt install {' '.join(dict.fromkeys(missing.values()))}"
        )


def missing_tools(target: BuildTarget) -> dict[str, str]:
    """Tool -> the Debian package that brings it."""
    wanted = {
        "cmake": (("cmake",), "cmake"),
        "ninja or make": (("ninja", "make"), "ninja-build"),
        target.compiler: (compilers(target), target.compiler_package),
    }
    missing = {tool: package for tool, (names, package) in wanted.items() if not any(map(shutil.which, names))}
    if not any((folder / "nlohmann" / "json.hpp").is_file() for folder in include_folders()):
        missing["nlohmann/json.hpp"] = "nlohmann-json3-dev"
    return missing


def compilers(target: BuildTarget) -> tuple[str, ...]:
    """Any of these will do."""
    named = os.environ.get("CXX")
    if not target.is_here:
        return (target.compiler,)
    return (named,) if named else ("c++", target.compiler, "clang++")


def include_folders() -> Iterator[Path]:
    """Where CMake looks for headers."""
    for variable in ("CMAKE_INCLUDE_PATH", "CPATH"):
        yield from (Path(item) for item in os.environ.get(variable, "").split(os.pathsep) if item)
    for prefix in (*os.environ.get("CMAKE_PREFIX_PATH", "").split(os.pathsep), "/usr/local", "/usr", "/opt/homebrew"):
        if prefix:
            yield Path(prefix) / "include"


def run_cmake(target: BuildTarget, sdk: Sdk, sanitize: str, tree: Path, installed: Path, tell: Tell) -> None:
    """Configure, compile and install. Raises EdgeAsrError with the compiler's first complaint."""
    said: list[str] = []
    for stage, command in (
        ("configuring", ["cmake", "-S", str(SOURCES), "-B", str(tree), *settings(target, sdk, sanitize)]),
        ("compiling", ["cmake", "--build", str(tree), "--parallel"]),
        ("installing", ["cmake", "--install", str(tree), "--prefix", str(installed)]),
    ):
        code, lines = run_stage(stage, command, tell)
        said += lines
        if code:
            log = cache_folder() / "native" / f"{target.name}.log"
            log.write_text("".join(said), encoding="utf-8")
            raise EdgeAsrError(f"{stage} for {target.name} failed ({first_complaint(lines)}): see {log}")
    if not is_build(installed):
        raise EdgeAsrError("the build made no runner and library: install edge-asr again")


def run_stage(stage: str, command: Sequence[str], tell: Tell) -> tuple[int, list[str]]:
    """Exit status and lines of a command. It and all that it started end where we do."""
    tell(stage)
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
    ) as running:
        assert running.stdout
        try:
            for line in running.stdout:
                said.append(line)
                step = NINJA_STEP.match(line)
                if step:
                    tell(f"{stage} {step[0]}")
        except BaseException:
            os.killpg(running.pid, signal.SIGTERM)
            running.stdout.read()  # it ends when the last of them has ended, and writes no more
            raise
    return running.returncode, said


def settings(target: BuildTarget, sdk: Sdk, sanitize: str) -> list[str]:
    chosen = {"EXECUTORCH_SDK": str(sdk.folder), "EDGE_ASR_SANITIZE": sanitize, "CMAKE_INSTALL_LIBDIR": "lib"}
    if not target.is_here:
        chosen |= {
            "CMAKE_SYSTEM_NAME": "Linux",
            "CMAKE_SYSTEM_PROCESSOR": target.machine,
            "CMAKE_CXX_COMPILER": target.compiler,
        }
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    return [*generator, *(f"-D{name}={value}" for name, value in chosen.items())]


def first_complaint(lines: Sequence[str]) -> str:
    for line in lines:
        if re.search(r"\berror\b", line, re.I):
            return " ".join(line.split())
    return "it did not say why"


def put_in_place(made: Path, folder: Path) -> None:
    """A process that has the build before this one open keeps it: files are replaced, not written over."""
    if folder.exists():
        folder.rename(made.with_name("replaced"))
    try:
        made.rename(folder)
    except OSError:
        if not is_build(folder):  # another process was quicker with the same build
            raise
