"""A packaged and signed APK: manifest, resources, the app's and Kotlin's classes; a model and licences as its assets.

**It proves packaging, not running.** ExecuTorch's classes and libraries, which only Gradle fetches, are missing; `dx`
is not the tool that Gradle uses: it leaves calls in (invokedynamic) that Android does not know.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from edge_asr.licences import licence_texts
from edge_asr.shipped import CORPUS_LICENCE
from tests.android import apk, toolchain
from tests.android.apk import Linked
from tests.conftest import REPOSITORY

MODEL = b"\0\0\0\0ET12" + bytes(range(256)) * 40  # no model: any bytes do, as nothing runs
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def signed(linked: Linked, app_jar: Path, core_jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("apk")
    apk.dex([app_jar, core_jar, toolchain.jar("kotlin-stdlib")], work / "classes.dex")
    unsigned = Path(shutil.copyfile(linked.apk, work / "unsigned.apk"))
    with zipfile.ZipFile(unsigned, "a") as package:
        package.write(work / "classes.dex", "classes.dex", zipfile.ZIP_DEFLATED)
        package.writestr("assets/model.pte", MODEL, zipfile.ZIP_STORED)
        for name, text in apk.licence_texts().items():
            package.write(text, f"assets/licences/{name}", zipfile.ZIP_DEFLATED)
    apk.sign(unsigned, work / "signed.apk", work)
    return work / "signed.apk"


def test_the_signature_holds(signed: Path) -> None:
    told = apk.call("apksigner", "verify", "--verbose", "--print-certs", signed)
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in told
    assert "CN=throw-away" in told


def test_a_changed_byte_breaks_the_signature(signed: Path, tmp_path: Path) -> None:
    content = signed.read_bytes()
    at = content.index(MODEL[:64])
    changed = tmp_path / "changed.apk"
    changed.write_bytes(content[:at] + b"X" + content[at + 1 :])
    with pytest.raises(AssertionError, match="refuses"):
        apk.call("apksigner", "verify", changed)


def test_what_is_in_it(signed: Path) -> None:
    with zipfile.ZipFile(signed) as package:
        names = set(package.namelist())
        assert {"AndroidManifest.xml", "resources.arsc", "classes.dex", "assets/model.pte"} <= names
        assert package.getinfo("assets/model.pte").compress_type == zipfile.ZIP_STORED
        dex = package.read("classes.dex")
    assert dex.startswith(b"dex\n")
    for name in (b"Lorg/edge_asr/demo/screen/MainActivity;", b"Lorg/edge_asr/core/stream/Stream;", b"Lkotlin/Unit;"):
        assert name in dex
    assert (
        b"uses-permission: name='android.permission.RECORD_AUDIO'"
        in apk.call("aapt2", "dump", "badging", signed).encode()
    )


def test_it_carries_its_notices(signed: Path) -> None:
    """Every text that NOTICE.txt names, and none that it does not; the bundle's own texts of what both carry."""
    with zipfile.ZipFile(signed) as package:
        texts = {
            Path(name).name: package.read(name).decode()
            for name in package.namelist()
            if name.startswith("assets/licences/")
        }
    notice = texts.pop("NOTICE.txt")
    named = set(re.findall(r"[\w-]+\.(?:txt|md)|\bLICENSE\b", notice))
    assert named == set(texts)
    assert "fbjni" in notice
    for text in licence_texts():
        assert texts[text.name] == text.read_text(encoding="utf-8")
    assert texts["AN4-LICENSE.txt"] == CORPUS_LICENCE.read_text(encoding="utf-8")
    assert texts["LICENSE"] == (REPOSITORY / "LICENSE").read_text(encoding="utf-8")


def test_it_is_aligned(signed: Path) -> None:
    apk.call("zipalign", "-c", "-p", 4, signed)
