"""Machines that the native runtime is built for."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

from edge_asr.errors import EdgeAsrError


@dataclass(frozen=True)
class BuildTarget:
    """One kind of machine, and what builds for it."""

    name: str  # what the user types
    machine: str  # as `uname -m` and CMake call it
    wheel_platform: str  # of the ExecuTorch wheel whose C++ SDK is for it
    cross_prefix: str  # of the compiler and tools on another machine; Debian's names

    @property
    def is_here(self) -> bool:
        """Whether this process runs on such a machine."""
        return sys.platform == "linux" and platform.machine() == self.machine

    @property
    def compiler(self) -> str:
        return "g++" if self.is_here else f"{self.cross_prefix}g++"

    @property
    def compiler_package(self) -> str:
        """Debian's package of the compiler."""
        return "g++" if self.is_here else f"g++-{self.cross_prefix.removesuffix('-')}"


TARGETS = {
    target.name: target
    for target in (
        BuildTarget("linux-x86_64", "x86_64", "manylinux_2_28_x86_64", "x86_64-linux-gnu-"),
        BuildTarget("linux-aarch64", "aarch64", "manylinux_2_28_aarch64", "aarch64-linux-gnu-"),
    )
}


def target_here() -> BuildTarget | None:
    """That of this machine, or None where there is none for it."""
    return next((target for target in TARGETS.values() if target.is_here), None)


def named_target(name: str | None) -> BuildTarget:
    """The named target, or this machine's. Raises EdgeAsrError."""
    if name is not None:
        if name not in TARGETS:
            raise EdgeAsrError(f"no target is named '{name}': choose among {', '.join(TARGETS)}")
        return TARGETS[name]
    here = target_here()
    if here is None:
        raise EdgeAsrError(
            f"no native runtime for {sys.platform} on {platform.machine()}: name a target: {', '.join(TARGETS)}"
        )
    return here
