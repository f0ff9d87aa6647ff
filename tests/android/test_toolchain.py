"""What cannot be had is named; what was compiled is not compiled again."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.android import toolchain

PASSES = 'public class Passes { public static void main(String[] all) { System.out.print(String.join("+", all)); } }'


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither tools nor a cache."""
    monkeypatch.setenv("EDGE_ASR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)


@pytest.fixture
def java_source(tmp_path: Path) -> Path:
    path = tmp_path / "Passes.java"
    path.write_text(PASSES, encoding="utf-8")
    return path


@pytest.mark.usefixtures("bare_machine")
def test_a_machine_without_java_is_told_what_to_install() -> None:
    with pytest.raises(toolchain.Missing, match="no java: apt install openjdk-17-jdk-headless"):
        toolchain.kotlinc()


@pytest.mark.usefixtures("bare_machine")
def test_a_machine_without_npm_has_no_compiler(tmp_path: Path) -> None:
    (tmp_path / "java").touch(0o755)
    with pytest.raises(toolchain.Missing, match=r"kotlin-compiler \S+, is missing \(apt install npm\)"):
        toolchain.kotlinc()


@pytest.mark.usefixtures("bare_machine")
def test_what_npm_says_when_it_fails_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "java").touch(0o755)
    (tmp_path / "npm").write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    with pytest.raises(toolchain.Missing, match=r"npm pack kotlin-compiler@\S+ failed: no network"):
        toolchain.kotlinc()
    assert not list((tmp_path / "cache" / "android").glob("kotlin-compiler*"))


@pytest.mark.usefixtures("bare_machine")
def test_a_compiler_of_another_hash_fails_and_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "java").touch(0o755)
    (tmp_path / "npm").write_text('#!/bin/sh\necho "another file" >"$4/kotlin-compiler.tgz"\n')
    (tmp_path / "npm").chmod(0o755)
    with pytest.raises(AssertionError, match=rf"kotlin-compiler@{re.escape(toolchain.KOTLIN_VERSION)} has sha512-"):
        toolchain.kotlinc()
    assert not list((tmp_path / "cache" / "android").glob("kotlin-compiler*"))


@pytest.mark.usefixtures("bare_machine")
def test_a_jar_that_no_release_gives_is_named_with_every_refusal() -> None:
    with pytest.raises(toolchain.Missing) as missing:
        toolchain.jar("android-23")
    expected = "no android.jar, of Debian's libandroid-23-java (sid: this is no Debian; bullseye: this is no Debian)"
    assert str(missing.value) == expected


def test_a_program_that_fails_says_what_it_said(java_source: Path, tmp_path: Path) -> None:
    toolchain.compile_kotlin([], [], tmp_path / "out.jar", jdk=True, javac=[java_source])
    assert toolchain.run_java("Passes", [tmp_path / "out.jar"], "a", "b") == "a+b"
    with pytest.raises(AssertionError, match=r"(?s)Fails ended with 1:.*ClassNotFoundException"):
        toolchain.run_java("Fails", [tmp_path / "out.jar"])


def test_what_was_compiled_before_is_taken_from_the_cache_and_anything_else_is_not(
    java_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain.compile_kotlin([], [], tmp_path / "first.jar", jdk=True, javac=[java_source])

    def compiled(*arguments: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr(toolchain, "complete", compiled)
    toolchain.compile_kotlin([], [], tmp_path / "second.jar", jdk=True, javac=[java_source])
    assert (tmp_path / "second.jar").read_bytes() == (tmp_path / "first.jar").read_bytes()
    java_source.write_text(PASSES.replace("+", f"-{os.getpid()}-"), encoding="utf-8")
    with pytest.raises(AssertionError, match="compiled"):
        toolchain.compile_kotlin([], [], tmp_path / "third.jar", jdk=True, javac=[java_source])


def test_only_the_last_jars_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "KEPT_JARS", 2)
    for age, name in enumerate("abcd"):
        (tmp_path / f"{name}.jar").touch()
        os.utime(tmp_path / f"{name}.jar", (1_000 - age, 1_000 - age))
    toolchain.forget_old(tmp_path)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "b"]
