"""`edge-asr native`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from edge_asr.backends.choose import runtimes
from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build, build, build_folder, is_build, missing_tools
from edge_asr.native.library import LIBRARY_VARIABLE, find_library
from edge_asr.native.sdk import SDK_VERSION, found_sdk
from edge_asr.native.target import TARGETS, BuildTarget, named_target
from edge_asr.terminal.options import json_option, target_option
from edge_asr.terminal.screen import print_json, print_rows, stages


@click.group("native")
def command() -> None:
    """Recognize without torch: build the native runtime, or see what is built.

    The runtime is a small C++ library on the C++ SDK inside ExecuTorch's wheel. Once it is built for this machine,
    every command runs models with it. It gives the text that ExecuTorch's Python runtime gives, without the hundreds
    of MB of torch: on a device, install edge-asr without extras and build this. `edge-asr bundle` goes further, and
    needs no Python on the device at all.

    \b
    Environment:
      EDGE_ASR_NATIVE_LIBRARY   a libedge_asr.so to take instead of the one built here

    \b
    Examples:
      edge-asr native build
      edge-asr native status
      edge-asr transcribe talk.flac --backend native --json | jq .backend
    """


@command.command("build")
@target_option
@click.option("--force", is_flag=True, help="Build again, even where it is there.")
@click.option(
    "--sanitize",
    metavar="NAMES",
    default="",
    help="For finding faults in the runtime itself: sanitizers of the compiler, such as address,undefined.",
)
@json_option
def build_command(target: str | None, force: bool, sanitize: str, as_json: bool) -> None:
    """Compile the runtime into the cache folder; half a minute.

    Needs cmake, ninja or make, a C++17 compiler and the header of nlohmann-json; a missing one is told with Debian's
    package of it. Where the right ExecuTorch is not installed, its wheel (18 MB) is fetched with pip for the target:
    headers and libraries only, no torch. It happens once for each state of the sources.

    \b
    Examples:
      edge-asr native build
      edge-asr native build --target linux-aarch64
      edge-asr native build --force --json
    """
    chosen = named_target(target)
    with stages(f"native runtime for {chosen.name}") as progress:
        built = build(chosen, sanitize=sanitize, force=force, tell=progress)
    if as_json:
        print_json(build_facts(built))
        return
    print_rows(
        [
            ("target", chosen.name),
            ("library", str(built.library)),
            ("runner", str(built.runner)),
            ("built", f"now, in {built.build_s:.1f} s" if built.build_s else "earlier, from these sources"),
        ]
    )


@command.command("status")
@json_option
def status_command(as_json: bool) -> None:
    """Show which backend runs models here, what is built, and what a build still needs.

    \b
    Examples:
      edge-asr native status
      edge-asr native status --json | jq .targets
    """
    backends = {name: runtime.missing() for name, runtime in runtimes().items()}
    chosen = next((name for name, reason in backends.items() if reason is None), None)
    targets = {target.name: target_facts(target) for target in TARGETS.values()}
    facts = {"backend": chosen, "backends": backends, "library": library_facts(), "targets": targets}
    if as_json:
        print_json({**facts, "executorch": SDK_VERSION})
        return
    rows = [("backend", chosen or "none: edge-asr native build")]
    rows += [(name, "ready" if reason is None else f"missing: {reason}") for name, reason in backends.items()]
    for name, about in targets.items():
        needs = about["missing_tools"]
        waits = f"a build needs {', '.join(needs)}: apt install {' '.join(needs.values())}" if needs else "can be built"
        rows.append((name, f"built: {about['folder']}" if about["built"] else f"not built; {waits}"))
    print_rows(rows)


def build_facts(built: Build) -> dict[str, Any]:
    return {
        "target": built.target.name,
        "folder": str(built.folder),
        "library": str(built.library),
        "runner": str(built.runner),
        "build_s": built.build_s,
        "executorch": SDK_VERSION,
    }


def library_facts() -> dict[str, Any] | None:
    try:
        library = find_library()
    except EdgeAsrError as error:
        return {"path": None, "origin": LIBRARY_VARIABLE, "trouble": str(error)}
    return {**dataclasses.asdict(library), "path": str(library.path), "trouble": None} if library else None


def target_facts(target: BuildTarget) -> dict[str, Any]:
    folder: Path = build_folder(target)
    sdk = found_sdk(target)
    return {
        "here": target.is_here,
        "built": is_build(folder),
        "folder": str(folder) if is_build(folder) else None,
        "missing_tools": missing_tools(target),
        "sdk": str(sdk.folder) if sdk else None,
    }
