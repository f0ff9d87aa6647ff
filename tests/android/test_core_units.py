"""The JUnit tests of `core`, each as a test of its own here. They run once, in one JVM."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from tests.android import toolchain
from tests.android.conftest import CORE
from tests.android.toolchain import Outcome
from tests.conftest import REPOSITORY

CLASS = re.compile(r"^(?:internal )?class (\w+)", re.MULTILINE)
TEST = re.compile(r"^ +@Test\b(?:\([^)]*\))?\s+fun (?:`([^`]+)`|(\w+))\(", re.MULTILINE)

UNUSABLE = "initializationError"  # JUnit's name for the one test of a class that it cannot use


def declared(sources: Path) -> list[str]:
    """package.Class.test of every test in the Kotlin files below `sources`."""
    names = []
    for file in sorted(sources.rglob("*.kt")):
        text = file.read_text(encoding="utf-8")
        package = re.findall(r"^package ([\w.]+)", text, re.MULTILINE)
        for found in TEST.finditer(text):
            holder = [match[1] for match in CLASS.finditer(text, 0, found.start())]
            names.append(f"{package[0]}.{holder[-1]}.{found[1] or found[2]}")
    return names


TESTS = declared(CORE / "test" / "kotlin")


@pytest.fixture(scope="module")
def outcomes(core_jar: Path, core_tests_jar: Path) -> dict[str, Outcome]:
    classes = dict.fromkeys(name.rpartition(".")[0] for name in TESTS)
    vectors = {"edge_asr.vectors": str(REPOSITORY / "tests" / "vectors")}
    return toolchain.run_junit(list(classes), [core_jar, core_tests_jar], vectors)


def require_passed(name: str, outcomes: dict[str, Outcome]) -> None:
    """What a test of ours comes to; a class that failed as a whole has run none of its own."""
    holder = name.rpartition(".")[0]
    outcome = next((outcomes[key] for key in (name, holder, f"{holder}.{UNUSABLE}") if key in outcomes), None)
    assert outcome is not None, f"{name} is declared, and did not run"
    assert outcome.state == "passed", f"{name} {outcome.state}\n{outcome.trace}"


@pytest.mark.slow
@pytest.mark.parametrize("name", TESTS, ids=lambda name: name.removeprefix("org.edge_asr.core."))
def test_core(name: str, outcomes: dict[str, Outcome]) -> None:
    require_passed(name, outcomes)


@pytest.mark.slow
def test_every_test_that_ran_is_one_that_the_sources_declare(outcomes: dict[str, Outcome]) -> None:
    assert sorted(outcomes) == sorted(TESTS)
    assert len(TESTS) == len(set(TESTS))


def test_every_test_file_declares_as_many_tests_as_it_has_marks() -> None:
    """So that none is missed by the way it is written."""
    files = list((CORE / "test" / "kotlin").rglob("*.kt"))
    assert sum(file.read_text(encoding="utf-8").count("@Test") for file in files) == len(TESTS)


@pytest.mark.slow
def test_core_needs_nothing_but_android_23(core_jar: Path) -> None:
    """`core_jar` was compiled without the JDK's classes; where Android's cannot be had this is skipped, and says so."""
    toolchain.jar("android-23")
    with zipfile.ZipFile(core_jar) as archive:
        users = [name for name in archive.namelist() if name.endswith(".class") and b"android/" in archive.read(name)]
        assert len(archive.namelist()) > 20
    assert users == [], "core runs on any JVM: Android's own classes belong to app"


# --- the harness itself

CONSTRUCTED = """
package constructed;
import org.junit.*;
public class ConstructedTest {
    @Test public void passes() { System.out.println("{noise}"); }
    @Test public void fails() { Assert.assertEquals("one", "two"); }
    @Test public void throwsOut() { throw new StackOverflowError("deep"); }
    @Test public void assumes() { Assume.assumeTrue(false); }
    @Test @Ignore public void ignored() {}
    public static class Broken {
        @BeforeClass public static void start() { throw new IllegalStateException("no start"); }
        @Test public void never() {}
    }
    public static class NoTests {}
}
"""


@pytest.fixture(scope="module")
def constructed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder = tmp_path_factory.mktemp("constructed")
    source = folder / "ConstructedTest.java"
    source.write_text(CONSTRUCTED, encoding="utf-8")
    libraries = [toolchain.jar("junit4"), toolchain.jar("hamcrest")]
    toolchain.compile_kotlin([], libraries, folder / "constructed.jar", jdk=True, javac=[source])
    names = ["constructed.ConstructedTest", "constructed.ConstructedTest$Broken", "constructed.ConstructedTest$NoTests"]
    return toolchain.run_junit(names, [folder / "constructed.jar"])


def test_a_junit_test_that_passes_passes(constructed: dict[str, Outcome]) -> None:
    require_passed("constructed.ConstructedTest.passes", constructed)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ConstructedTest.fails", "expected:<[one]> but was:<[two]>"),
        ("ConstructedTest.throwsOut", "StackOverflowError: deep"),
        ("ConstructedTest.assumes", "failed"),
        ("ConstructedTest.ignored", "ignored"),
        ("ConstructedTest$Broken.never", "no start"),
        ("ConstructedTest$NoTests.any", "No runnable methods"),
        ("ConstructedTest.unwritten", "did not run"),
    ],
)
def test_a_junit_test_that_fails_fails_by_name(constructed: dict[str, Outcome], name: str, said: str) -> None:
    with pytest.raises(AssertionError) as failure:
        require_passed(f"constructed.{name}", constructed)
    assert f"constructed.{name}" in str(failure.value)
    assert said in str(failure.value)


def test_what_the_compiler_refuses_is_shown(tmp_path: Path) -> None:
    source = tmp_path / "Wrong.java"
    source.write_text("class Wrong { int value = nothing; }", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"(?s)javac refuses.*nothing"):
        toolchain.compile_kotlin([], [], tmp_path / "wrong.jar", jdk=True, javac=[source])
