"""Packages of the app made with Debian's tools alone, without Gradle and ExecuTorch: to look into, not to run."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.android import toolchain
from tests.android.toolchain import Missing
from tests.conftest import REPOSITORY

APP = REPOSITORY / "android_demo" / "app"
MAIN = APP / "src" / "main"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
PACKAGES = {"aapt2": "aapt", "zipalign": "zipalign", "apksigner": "apksigner", "keytool": "openjdk-17-jdk-headless"}
ANDROID = "http://schemas.android.com/apk/res/android"


@dataclass(frozen=True)
class Linked:
    """Manifest and resources, as aapt2 links them."""

    apk: Path
    r_java: Path  # the generated class R


def tool(name: str) -> str:
    """Raises Missing."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"no {name}: apt install {PACKAGES[name]}")
    return found


def call(name: str, *arguments: object) -> str:
    """What it prints. Raises AssertionError with what it complains of."""
    command = [tool(name), *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{name} refuses:\n{done.stderr}{done.stdout}"
    return done.stdout


def gradle_script() -> str:
    return (APP / "build.gradle.kts").read_text(encoding="utf-8")


def setting(name: str) -> str:
    """A value of `app/build.gradle.kts`."""
    found = re.search(rf'^\s*{name} = "?([\w.]+)"?', gradle_script(), re.MULTILINE)
    assert found is not None, f"app/build.gradle.kts sets no {name}"
    return found[1]


def licence_texts() -> dict[str, Path]:
    """What Gradle puts beside NOTICE.txt into the assets' `licences`: name -> file of this repository."""
    listed = re.search(r"^val licenceTexts = listOf\(\n(.*?)^\)", gradle_script(), re.DOTALL | re.MULTILINE)
    assert listed is not None, "app/build.gradle.kts names no licenceTexts"
    named = [REPOSITORY / name for name in re.findall(r'"([^"]+)"', listed[1])]
    texts = [text for path in named for text in (sorted(path.glob("*.txt")) if path.is_dir() else [path])]
    assert all(text.is_file() for text in texts)
    return {text.name: text for text in texts}


def link(work: Path, main: Path = MAIN) -> Linked:
    """What Gradle does with manifest and resources: the package's name is not in the manifest, but its `namespace`."""
    if not FRAMEWORK.is_file():
        raise Missing(f"no {FRAMEWORK.name}: apt install android-framework-res")
    work.mkdir(parents=True, exist_ok=True)
    ElementTree.register_namespace("android", ANDROID)
    manifest = ElementTree.parse(main / "AndroidManifest.xml")
    manifest.getroot().set("package", setting("namespace"))
    manifest.write(work / "AndroidManifest.xml", encoding="utf-8", xml_declaration=True)
    call("aapt2", "compile", "--dir", main / "res", "-o", work / "resources.zip")
    versions = {
        "--min-sdk-version": setting("minSdk"),
        "--target-sdk-version": setting("targetSdk"),
        "--version-code": setting("versionCode"),
        "--version-name": setting("versionName"),
    }
    options = [part for option in versions.items() for part in option]
    linked = Linked(work / "linked.apk", work / "java" / Path(*setting("namespace").split(".")) / "R.java")
    sources = ["-I", FRAMEWORK, "--manifest", work / "AndroidManifest.xml", work / "resources.zip"]
    assets = ["-A", main / "assets"] if (main / "assets").is_dir() else []
    call("aapt2", "link", *sources, *options, *assets, "--java", work / "java", "-o", linked.apk)
    return linked


def components(package: Path) -> dict[str, dict[str, str]]:
    """The attributes of the application and of its parts, by the names of their classes, as the package has them."""
    tree = call("aapt2", "dump", "xmltree", "--file", "AndroidManifest.xml", package)
    found = {}
    for part in re.split(r"\n\s+E: (?=application|activity|service|receiver|provider)", tree)[1:]:
        own = re.split(r"\n\s+E: ", part)[0]
        values = dict(re.findall(r'android:(\w+)\(0x\w+\)="?([^"\s]+)', own))
        name = values.pop("name")
        found[setting("namespace") + name if name.startswith(".") else name] = values
    return found


def dex(jars: Sequence[Path], out: Path) -> None:
    """Classes for Android. `dx` is old: it takes no modules, and leaves calls that a newer tool would rewrite."""
    classes = out.with_suffix(".jar")
    seen = set()
    with zipfile.ZipFile(classes, "w") as merged:
        for jar in jars:
            with zipfile.ZipFile(jar) as archive:
                for name in archive.namelist():
                    if name.endswith(".class") and not name.startswith("META-INF/") and name not in seen:
                        seen.add(name)
                        merged.writestr(name, archive.read(name))
    toolchain.run_java(
        "com.android.dx.command.Main",
        [toolchain.jar("dx")],
        "--dex",
        "--min-sdk-version=26",
        f"--output={out}",
        str(classes),
    )


def sign(unsigned: Path, signed: Path, work: Path) -> None:
    """Aligned, and signed with a key that is thrown away."""
    aligned, store = work / "aligned.apk", work / "throw-away.p12"
    call("zipalign", "-f", "-p", 4, unsigned, aligned)
    kept = ["-keystore", store, "-storepass", "throw-away", "-storetype", "PKCS12", "-alias", "key"]
    kind = ["-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=throw-away", "-validity", 1]
    call("keytool", "-genkeypair", *kept, *kind)
    call("apksigner", "sign", "--ks", store, "--ks-pass", "pass:throw-away", "--out", signed, aligned)
