"""Every Kotlin file of the app compiles with a real compiler, against Android's real classes of API 23, and stubs of
what these lack. Whether the stubs tell the truth is not tested: they are signatures read in the library's sources.
"""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.android import apk, toolchain
from tests.android.apk import Linked
from tests.android.conftest import DEMO
from tests.conftest import REPOSITORY

KOTLIN = apk.MAIN / "kotlin"
FILES = sorted(KOTLIN.rglob("*.kt"))
IMPORTS = re.compile(r"^import ([\w.]+)", re.MULTILINE)
ALLOWED = ("android.", "java.", "kotlin.", "org.edge_asr.", "org.json.", "org.pytorch.executorch.")


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(KOTLIN / "org/edge_asr/demo").as_posix())
def test_the_file_is_compiled(file: Path, app_jar: Path) -> None:
    with zipfile.ZipFile(app_jar) as jar:
        classes = jar.namelist()
    inside = file.relative_to(KOTLIN).with_suffix("").as_posix()
    assert any(re.fullmatch(rf"{inside}(Kt)?(\$.*)?\.class", name) for name in classes), f"no class of {file.name}"


MISTAKES = [  # file, what is right, what is not, what the compiler says
    ("program/ExecutorchProgram.kt", "module.loadMethod(STEP)", "module.loadMethods(STEP)", "loadMethods"),
    ("program/ShippedModel.kt", "folder.mkdirs()", "folder.mkdirs(1)", "too many arguments"),
    ("live/Microphone.kt", "recorder.startRecording()", "recorder.setVolume(1f)", "setVolume"),
    ("screen/TranscriptView.kt", "R.color.text_muted", "R.color.text_mutated", "text_mutated"),
]


@pytest.mark.slow
def test_calls_that_are_not_there_are_noticed(app_classpath: list[Path], app_jar: Path, tmp_path: Path) -> None:
    for file, right, wrong, _ in MISTAKES:
        source = (KOTLIN / "org/edge_asr/demo" / file).read_text(encoding="utf-8")
        assert right in source
        (tmp_path / Path(file).name).write_text(source.replace(right, wrong), encoding="utf-8")
    with pytest.raises(AssertionError) as refusal:
        toolchain.compile_kotlin([tmp_path], [*app_classpath, app_jar], tmp_path / "out.jar", jdk=False)
    assert [said for *_, said in MISTAKES if said not in str(refusal.value)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_only_the_framework_and_executorch_are_used(file: Path) -> None:
    foreign = [name for name in IMPORTS.findall(file.read_text(encoding="utf-8")) if not name.startswith(ALLOWED)]
    assert not foreign


def test_stubs_are_labelled() -> None:
    for stub in (Path(__file__).parent / "stubs").rglob("*.kt"):
        assert stub.read_text(encoding="utf-8").startswith("// A hand-written stub for the compiler"), stub.name


def test_the_runtime_on_the_phone_is_the_one_that_exports() -> None:
    versions = toolchain.VERSIONS
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert f"executorch=={versions['executorch']}" in extras["export"]
    told = (KOTLIN / "org/edge_asr/demo/benchmark/AndroidRuntime.kt").read_text(encoding="utf-8")
    assert f'"executorch {versions["executorch"]}"' in told


def test_the_build_is_pinned_and_the_readme_names_its_versions() -> None:
    wrapper = (DEMO / "gradle" / "wrapper" / "gradle-wrapper.properties").read_text(encoding="utf-8")
    gradle = re.search(r"^distributionUrl=.*/gradle-([\d.]+)-bin\.zip$", wrapper, re.MULTILINE)
    assert gradle
    assert re.search(r"^distributionSha256Sum=[0-9a-f]{64}$", wrapper, re.MULTILINE)
    assert apk.setting("compileSdk") == apk.setting("targetSdk")
    told = (DEMO / "README.md").read_text(encoding="utf-8")
    assert f"(platform {apk.setting('compileSdk')}) and Gradle {gradle[1]}," in told


@pytest.mark.slow
def test_the_manifest_names_classes_that_are_there(linked: Linked, app_jar: Path) -> None:
    with zipfile.ZipFile(app_jar) as jar:
        classes = set(jar.namelist())
    named = apk.components(linked.apk)
    assert len(named) == 4, "application, two activities, a service"
    assert [name for name in named if name.replace(".", "/") + ".class" not in classes] == []
