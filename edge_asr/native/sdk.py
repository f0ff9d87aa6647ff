"""ExecuTorch's C++ SDK for a target: headers and libraries, out of its wheel.

For this machine the wheel that is installed will do. For another, or where none is installed, the same version is
fetched from the package index with pip, and only what a C++ build needs is unpacked, into the cache folder.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_asr.errors import EdgeAsrError
from edge_asr.file_hash import file_sha256
from edge_asr.native.target import BuildTarget
from edge_asr.shipped import CACHE_VARIABLE, cache_folder

SDK_VERSION = "1.5.1"  # the one that the exporter is pinned to
WHEEL_PYTHON = "3.11"  # of the wheel that is fetched; its C++ libraries are the same for each
WHEEL_SHA256 = {  # of the wheels on PyPI, by target
    "linux-x86_64": "274c28c2fe2b76acb03f9fa381537425c40e0098dcf886baf6d97a1a55ffe300",
    "linux-aarch64": "8ee02348a3ea80ddf770822911ebf78da616b73afce0fbaaa79f23311c88c66a",
}
DOWNLOAD_MB = 18
RETRIES = "2"
VERSION_FILE = PurePosixPath("executorch/share/cmake/executorch-config-version.cmake")  # read by our CMakeLists.txt

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Sdk:
    """What a C++ build needs of ExecuTorch."""

    folder: Path  # holds include/ and lib/
    installed: bool  # the wheel of this Python environment, and not one in the cache folder


def sdk_for(target: BuildTarget, tell: Tell) -> Sdk:
    """Find it, or fetch it; what was fetched or unpacked whole is not done again. `tell` gets each stage.

    Raises EdgeAsrError: no network, no pip, no room, a download that is not the wheel we know.
    """
    sdk = found_sdk(target)
    if sdk is not None:
        return sdk
    folder = unpacked_folder(target)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tell(f"fetching ExecuTorch {SDK_VERSION} for {target.name} ({DOWNLOAD_MB} MB)")
        wheel = fetched_wheel(target, folder.parent)
        require_pinned(wheel, target)
        tell(f"unpacking {wheel.name}")
        unpack(wheel, folder)
        wheel.unlink()
    except OSError as error:
        raise EdgeAsrError(
            f"{folder.parent}: ExecuTorch's C++ SDK cannot be kept there ({error.strerror or error}): "
            f"make room, or set {CACHE_VARIABLE} to another folder"
        ) from None
    return Sdk(folder, installed=False)


def found_sdk(target: BuildTarget) -> Sdk | None:
    """The SDK that is on this machine already, or None."""
    if target.is_here:
        sdk = installed_sdk()
        if sdk is not None:
            return sdk
    folder = unpacked_folder(target)
    return Sdk(folder, installed=False) if is_sdk(folder) else None


def installed_sdk() -> Sdk | None:
    """That of the wheel in this Python environment, where it is of the right version."""
    try:
        distribution = importlib.metadata.distribution("executorch")
    except importlib.metadata.PackageNotFoundError:
        return None
    spec = importlib.util.find_spec("executorch")
    if distribution.version != SDK_VERSION or spec is None:
        return None
    for location in spec.submodule_search_locations or ():
        if is_sdk(Path(location)):
            return Sdk(Path(location), installed=True)
    return None


def is_sdk(folder: Path) -> bool:
    return (folder / "include" / "executorch").is_dir() and (folder / "lib" / "libexecutorch.so").is_file()


def unpacked_folder(target: BuildTarget) -> Path:
    """Named after the wheel, so that none that was unpacked unchecked is found there."""
    return cache_folder() / "native" / f"executorch-{SDK_VERSION}-{target.name}-{WHEEL_SHA256[target.name][:8]}"


def fetched_wheel(target: BuildTarget, folder: Path) -> Path:
    """The wheel for a target, in `folder`; fetched where it is not there. Raises EdgeAsrError."""
    there = wheel_in(target, folder)
    if there is not None:
        return there
    if importlib.util.find_spec("pip") is None:
        raise EdgeAsrError(
            "this Python has no pip to fetch ExecuTorch's C++ SDK with: python -m ensurepip, "
            f"or {by_hand(target, folder)}"
        )
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as partial:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *pip_arguments(target), "--dest", partial],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        fetched = wheel_in(target, Path(partial))
        if done.returncode or fetched is None:
            raise EdgeAsrError(
                f"ExecuTorch {SDK_VERSION} for {target.name} cannot be fetched "
                f"({trouble(done.stderr)}): try again, or {by_hand(target, folder)}"
            )
        return fetched.replace(folder / fetched.name)


def require_pinned(wheel: Path, target: BuildTarget) -> None:
    """Raises EdgeAsrError where a wheel, whose libraries are to run here and on boards, is not the one on PyPI that we
    know; it is deleted then. OSError."""
    found = file_sha256(wheel)
    if found == WHEEL_SHA256[target.name]:
        return
    wheel.unlink()
    raise EdgeAsrError(
        f"{wheel.name} was damaged on its way here or is another file (sha256 {found[:12]}, expected "
        f"{WHEEL_SHA256[target.name][:12]}) and is deleted: try again, or {by_hand(target, wheel.parent)}"
    )


def pip_arguments(target: BuildTarget) -> list[str]:
    chosen = ["--no-deps", "--only-binary=:all:", "--platform", target.wheel_platform, "--python-version", WHEEL_PYTHON]
    return [*chosen, "--disable-pip-version-check", "--retries", RETRIES, f"executorch=={SDK_VERSION}"]


def wheel_in(target: BuildTarget, folder: Path) -> Path | None:
    wheels = sorted(folder.glob(f"executorch-{SDK_VERSION}-*_{target.machine}.whl"))
    return wheels[0] if wheels else None


def by_hand(target: BuildTarget, folder: Path) -> str:
    """How a user without a network gets on."""
    return f"put executorch-{SDK_VERSION}-cp311-cp311-{target.wheel_platform}.whl from PyPI into {folder}"


def trouble(said: str) -> str:
    """What pip complained of, in a few words."""
    known = {
        r"No space left on device": "no space left on device",
        r"Network is unreachable|Failed to establish|NameResolution|Temporary failure|[Tt]imed? ?out|ProxyError": (
            "the package index cannot be reached"
        ),
    }
    for pattern, words in known.items():
        if re.search(pattern, said):
            return words
    errors = [line.removeprefix("ERROR:").strip() for line in said.splitlines() if line.startswith("ERROR:")]
    return errors[-1] if errors else "pip said nothing"


def unpack(wheel: Path, folder: Path) -> None:
    """Headers and libraries of a wheel that is the one we know. The folder is there whole, or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unpacking-") as name:
        partial = Path(name) / "sdk"
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                inside = wanted(PurePosixPath(member))
                if inside is not None and not member.endswith("/"):
                    path = partial / inside
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, path.open("wb") as copy:
                        shutil.copyfileobj(source, copy)
        shutil.rmtree(folder, ignore_errors=True)  # what an older edge-asr may have left
        partial.rename(folder)


def wanted(member: PurePosixPath) -> PurePosixPath | None:
    """Where a file of the wheel goes, or None where a build does not need it."""
    header = member.parts[:2] == ("executorch", "include")
    library = member.parent == PurePosixPath("executorch/lib") and member.suffix == ".so"
    return member.relative_to("executorch") if header or library or member == VERSION_FILE else None
