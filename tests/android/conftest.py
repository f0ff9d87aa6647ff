"""The Android demo's Kotlin, compiled once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.android import apk, toolchain
from tests.android.apk import Linked
from tests.conftest import REPOSITORY

DEMO = REPOSITORY / "android_demo"
CORE = DEMO / "core" / "src"
STUBS = Path(__file__).parent / "stubs"


@pytest.fixture(scope="session")
def core_jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`core`, compiled against Android's classes where they can be had, so that it uses nothing a phone lacks."""
    out = tmp_path_factory.mktemp("core") / "core.jar"
    try:
        system = [toolchain.jar("android-23")]
    except toolchain.Missing:
        system = []  # `test_core_needs_nothing_but_android_23` says so
    toolchain.compile_kotlin([CORE / "main" / "kotlin"], [*system, toolchain.jar("json")], out, jdk=not system)
    return out


@pytest.fixture(scope="session")
def core_tests_jar(core_jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JUnit tests of `core`, without `core` itself."""
    out = tmp_path_factory.mktemp("core-tests") / "core-tests.jar"
    libraries = [core_jar, *map(toolchain.jar, ("json", "junit4", "hamcrest"))]
    toolchain.compile_kotlin([CORE / "test" / "kotlin"], libraries, out, jdk=True, friends=[core_jar])
    return out


@pytest.fixture(scope="session")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Linked:
    """The app's manifest and resources, linked by aapt2."""
    return apk.link(tmp_path_factory.mktemp("linked"))


@pytest.fixture(scope="session")
def app_classpath(core_jar: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the app's Kotlin is compiled against: Android's API 23, `core`, and stubs of what neither has."""
    stubs = tmp_path_factory.mktemp("stubs") / "stubs.jar"
    android = toolchain.jar("android-23")
    toolchain.compile_kotlin([STUBS], [android], stubs, jdk=False)
    return [android, core_jar, stubs]


@pytest.fixture(scope="session")
def app_jar(app_classpath: list[Path], linked: Linked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every Kotlin file of the app, with its class R."""
    out = tmp_path_factory.mktemp("app") / "app.jar"
    toolchain.compile_kotlin([apk.MAIN / "kotlin"], app_classpath, out, jdk=False, javac=[linked.r_java])
    return out
