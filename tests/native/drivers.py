"""C++ programs of the tests, compiled against a build of the native runtime, and sanitizers that must say nothing."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_asr.native.build import Build
from edge_asr.native.sdk import sdk_for

FUZZ = Path(__file__).parent / "fuzz"
NATIVE = Path(__file__).parent.parent.parent / "edge_asr" / "native"
SANITIZERS = "address,undefined"
FLAGS = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-O1", "-g", "-pthread"]
FOUND_STATUS = 99  # exit status where a sanitizer found something
DRIVER_LIMIT_S = 600

SANITIZER_OPTIONS = {
    "exitcode": str(FOUND_STATUS),
    "handle_abort": "1",  # who aborted is told, too
    "allocator_may_return_null": "1",  # a file may ask for any amount of memory: without sanitizers it gets none, too
    "max_allocation_size_mb": "2048",
}


def sanitizer_environment(**options: str) -> dict[str, str]:
    joined = ":".join(f"{name}={value}" for name, value in (SANITIZER_OPTIONS | options).items())
    return {**os.environ, "ASAN_OPTIONS": joined, "UBSAN_OPTIONS": joined + ":print_stacktrace=1"}


def compile_driver(build: Build, name: str, folder: Path, *others: str, sanitize: str = SANITIZERS) -> Path:
    """`fuzz/{name}.cpp` with the other sources, named from `fuzz` or from the native runtime's own, as a program."""
    sources = [
        FUZZ / f"{name}.cpp",
        *(FUZZ / other if (FUZZ / other).is_file() else NATIVE / other for other in others),
    ]
    lib = build.library.parent
    link = [f"-L{lib}", "-ledge_asr", f"-Wl,-rpath,{lib},-rpath-link,{lib}"]
    return compile_program(folder / name, sources, link, sanitize)


def compile_program(
    program: Path, sources: Sequence[Path], link: Sequence[str] = (), sanitize: str = SANITIZERS
) -> Path:
    """Warnings are errors."""
    checks = [f"-fsanitize={sanitize}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"] if sanitize else []
    headers = [f"-I{NATIVE / part}" for part in ("include", "src", "src/runner")]
    command = [os.environ.get("CXX", "c++"), *FLAGS, *checks, *headers, *map(str, sources), "-o", str(program), *link]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


EXECUTORCH_LIBRARIES = (
    "executorch",
    "executorch_threadpool",
    "executorch_kernels_optimized",
    "executorch_backend_xnnpack",
)


def executorch_flags(build: Build) -> tuple[list[str], list[str]]:
    """Flags to compile and to link code that calls ExecuTorch itself, with the libraries that a build runs on."""
    include, lib = sdk_for(build.target, lambda _: None).folder / "include", build.library.parent
    headers = [include, include / "executorch/runtime/core/portable_type/c10"]
    compiling = [part for header in headers for part in ("-isystem", str(header))] + [
        "-DC10_USING_CUSTOM_GENERATED_MACROS"
    ]
    # kernels and backends register themselves when they are loaded: nothing refers to them
    names = [f"-l{name}" for name in EXECUTORCH_LIBRARIES]
    return compiling, [f"-L{lib}", f"-Wl,-rpath,{lib}", "-Wl,--push-state,--no-as-needed", *names, "-Wl,--pop-state"]


def compile_module_driver(build: Build, folder: Path) -> Path:
    """`extension_module/streams_of_one_module.cpp` as a program."""
    source = Path(__file__).parent / "extension_module" / "streams_of_one_module.cpp"
    program = folder / source.stem
    compiling, linking = executorch_flags(build)
    headers = [f"-I{NATIVE / 'include'}", *compiling]
    command = [os.environ.get("CXX", "c++"), *FLAGS, *headers, str(source), "-o", str(program), *linking, "-ledge_asr"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


@dataclass(frozen=True)
class Ran:
    """A driver that came to its end."""

    counts: Counter[str]  # what became of its cases
    lines: list[list[str]]  # what else it printed, cut at tabs
    out: str


def run_cases(driver: Path, mode: str, cases: range, *arguments: object) -> Ran:
    """Fails the test where a case crashes, hangs, is reported by a sanitizer, or ends otherwise than it should."""
    note = driver.with_name(f"{driver.name}-{mode}-case")

    def command(first: object, count: object) -> list[str]:
        return [str(part) for part in (driver, mode, note, first, count, *arguments)]

    done = subprocess.run(
        command(cases.start, len(cases)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=sanitizer_environment(),
        timeout=DRIVER_LIMIT_S,
        check=False,
    )
    if done.returncode:
        at = note.read_text().strip()
        pytest.fail(
            f"status {done.returncode}; the last case was {at}, which runs alone with\n"
            f"  {' '.join(command(at, 1))}\n{done.stderr[-10_000:]}"
        )
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    counts = Counter({line[2]: int(line[1]) for line in lines if line[0] == "count"})
    assert counts.pop("cases") == len(cases)
    return Ran(counts, [line for line in lines if line[0] != "count"], done.stdout)
