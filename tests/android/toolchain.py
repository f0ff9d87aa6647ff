"""What compiles and runs the Android demo's Kotlin on a plain Debian machine: found there, else fetched.

The compiler is npm's `kotlin-compiler`, of the version that Gradle compiles the app with, and pinned by hash. Jars are
Debian's; those that the installed release lacks are fetched from another one of the same mirror and unpacked into the
cache, never installed; apt checks their signatures.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_asr.shipped import cache_folder
from tests.conftest import REPOSITORY
from tests.requirements import Absent

VERSIONS = tomllib.loads((REPOSITORY / "android_demo/gradle/libs.versions.toml").read_text(encoding="utf-8"))[
    "versions"
]
KOTLIN_VERSION = VERSIONS["kotlin"]
KOTLIN_SHA512 = (  # of the package: `npm view kotlin-compiler@VERSION dist.integrity`
    "IF5IVM7LpPhA/ntHQQpaVt1yxpaaQovtEVYLyqWMuaLr0XelLPPm7/sM6HLhtcRjjjoSsK7I7lP2kzYJkMy73w=="
)
# dx reads no newer class files, and every Android runs these
KOTLIN_OPTIONS = ("-jvm-target", "1.8", "-Werror", "-no-stdlib", "-no-reflect")
JAVA_RELEASE = "8"
FETCH_TIMEOUT_S = 300.0
COMPILE_TIMEOUT_S = 600.0
RUN_TIMEOUT_S = 600.0
KEPT_JARS = 40  # compiled ones
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
INSTALLED = "installed"  # stands for the release of this machine


class Missing(Absent):  # type: ignore[misc,valid-type]
    """One line: what cannot be had, and what was tried. Where nobody catches it the test is skipped; in CI it fails."""


@dataclass(frozen=True)
class DebianJar:
    """A jar of a Debian package."""

    package: str
    path: Path  # below the root
    releases: tuple[str, ...]  # that have the package; the first that answers gives it


ANDROID_SDK = Path("usr/lib/android-sdk")
SHARE = Path("usr/share/java")
ROBOTO = Path("usr/share/fonts/truetype/roboto/unhinted/RobotoTTF")  # Android's letters, for pictures of its screens
JARS = {
    "android-23": DebianJar(
        "libandroid-23-java", ANDROID_SDK / "platforms/android-23/android.jar", ("sid", "bullseye")
    ),
    "dx": DebianJar("dalvik-exchange", SHARE / "com.android.dx.jar", ("bullseye",)),
    "json": DebianJar("libandroid-json-java", SHARE / "com.android.json.jar", (INSTALLED, "sid")),
    "junit4": DebianJar("junit4", SHARE / "junit4.jar", (INSTALLED, "sid")),
    "hamcrest": DebianJar("libhamcrest-java", SHARE / "hamcrest.jar", (INSTALLED, "sid")),
    "roboto": DebianJar("fonts-roboto-unhinted", ROBOTO / "Roboto-Regular.ttf", (INSTALLED, "sid")),
}


def folder() -> Path:
    """Where all that is fetched and compiled is kept."""
    made = cache_folder().absolute() / "android"
    made.mkdir(parents=True, exist_ok=True)
    return made


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One process at a time: a compiler takes a gigabyte, and two would fetch the same thing twice."""
    with (folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- what is needed


def kotlinc() -> Path:
    """The compiler; run it with bash. Raises Missing."""
    java("java")
    home = folder() / f"kotlin-compiler-{KOTLIN_VERSION}"
    with alone():
        if not home.is_dir():
            fetch_kotlin(home)
    return home / "bin" / "kotlinc"


def jar(name: str) -> Path:
    """One of JARS, or `kotlin-stdlib`. Raises Missing."""
    if name == "kotlin-stdlib":
        return kotlinc().parent.parent / "lib" / "kotlin-stdlib.jar"
    wanted = JARS[name]
    with alone():
        for root in (Path("/"), folder() / wanted.package):
            if (root / wanted.path).is_file():
                return root / wanted.path
        fetch_package(wanted)
    return folder() / wanted.package / wanted.path


def java(tool: str) -> Path:
    """`java`, `javac` or `jar` of a JDK. Raises Missing."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(tool, path=str(Path(home, "bin"))) if home else shutil.which(tool)
    if found is None:
        raise Missing(f"no {tool}: apt install openjdk-17-jdk-headless")
    return Path(found)


# --- fetching


def fetch_kotlin(home: Path) -> None:
    if shutil.which("npm") is None:
        raise Missing(
            f"no Kotlin compiler: npm, which fetches kotlin-compiler {KOTLIN_VERSION}, is missing (apt install npm)"
        )
    with tempfile.TemporaryDirectory(dir=home.parent) as name:
        scratch = Path(name)
        package = f"kotlin-compiler@{KOTLIN_VERSION}"
        ask(["npm", "pack", "--silent", "--pack-destination", str(scratch), package], f"npm pack {package}", scratch)
        (packed,) = scratch.glob("*.tgz")
        require_hash(packed, package)
        ask(["tar", "-xzf", str(packed), "-C", str(scratch)], f"unpacking {package}", scratch)
        (scratch / "package").rename(home)


def require_hash(packed: Path, package: str) -> None:
    """Raises AssertionError, which no test takes for something that cannot be had."""
    found = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    assert found == KOTLIN_SHA512, (
        f"{package} has sha512-{found}, and not KOTLIN_SHA512 of tests/android/toolchain.py: "
        "another version, or another file under its name"
    )


def fetch_package(wanted: DebianJar) -> None:
    """Into a folder named after the package."""
    refusals = []
    for release in wanted.releases:
        try:
            with tempfile.TemporaryDirectory(dir=folder()) as name:
                fetch_from(codename() if release == INSTALLED else release, wanted, Path(name))
                return
        except Missing as refusal:
            refusals.append(f"{release}: {refusal}")
    raise Missing(f"no {wanted.path.name}, of Debian's {wanted.package} ({'; '.join(refusals)})")


def fetch_from(release: str, wanted: DebianJar, scratch: Path) -> None:
    """apt with a configuration of its own: the machine's is neither read nor written."""
    if shutil.which("apt-get") is None or not KEYRING.is_file():
        raise Missing("this is no Debian")
    source = scratch / "sources.list"
    source.write_text(f"deb [signed-by={KEYRING}] {mirror()} {release} main\n", encoding="utf-8")
    for made in ("lists/partial", "cache/archives/partial", "unpacked"):
        (scratch / made).mkdir(parents=True)
    settings = {
        "Dir::Etc::sourcelist": str(source),
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": str(scratch / "lists"),
        "Dir::Cache": str(scratch / "cache"),
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in settings.items())]
    ask([*apt, "update", "--error-on=any"], f"apt-get update of {release}", scratch)
    ask([*apt, "download", wanted.package], f"apt-get download {wanted.package}", scratch)
    (package,) = scratch.glob("*.deb")
    ask(["dpkg-deb", "-x", str(package), "unpacked"], f"unpacking {package.name}", scratch)
    if not (scratch / "unpacked" / wanted.path).is_file():
        raise Missing(f"{package.name} has no {wanted.path}")
    (scratch / "unpacked").rename(folder() / wanted.package)


def mirror() -> str:
    """The machine's own mirror of Debian's main archive."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]
    for line in ask(asked, "apt-get indextargets", folder()).splitlines():
        uri, _, release = line.partition(" ")
        if release == codename():
            return uri
    raise Missing(f"apt has no source of {codename()}")


def codename() -> str:
    try:
        return platform.freedesktop_os_release()["VERSION_CODENAME"]
    except (OSError, KeyError):
        raise Missing("this is no Debian") from None


def ask(command: Sequence[str], what: str, where: Path) -> str:
    """What it prints. Raises Missing where it fails."""
    try:
        done = subprocess.run(
            command, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{what} failed: {error}") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).split("\n")
        said = next((line for line in lines if line.strip()), f"exit status {done.returncode}")
        raise Missing(f"{what} failed: {said.strip()}")
    return done.stdout


# --- compiling and running


def compile_kotlin(
    sources: Sequence[Path],
    classpath: Sequence[Path],
    out_jar: Path,
    *,
    jdk: bool,
    javac: Sequence[Path] = (),
    friends: Sequence[Path] = (),
) -> None:
    """Kotlin `sources`, and Java ones in `javac` that may use one another, into `out_jar`; a folder: all in it.

    Without `jdk` the classpath must bring java.lang, as android.jar does. What is internal to `friends`, jars of the
    classpath, may be used, as tests may. Warnings are errors. What was compiled before is taken from the cache. Raises
    AssertionError with the compiler's lines, Missing where there is no compiler.
    """
    kotlin_files, java_files = files(sources, ".kt"), files(javac, ".java")
    jars = [*classpath, jar("kotlin-stdlib")]
    kept = folder() / "compiled" / f"{digest(kotlin_files, java_files, jars, f'{jdk} {len(friends)}')}.jar"
    compiler = kotlinc()
    with alone():
        if not kept.is_file():
            kept.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder()) as name:
                made = Path(name) / "out.jar"
                compile_now(compiler, kotlin_files, java_files, jars, made, jdk, friends)
                made.rename(kept)
                forget_old(kept.parent)
        os.utime(kept)
    out_jar.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, out_jar)


def forget_old(compiled: Path) -> None:
    """Keep what was used last."""
    jars = sorted(compiled.glob("*.jar"), key=lambda path: path.stat().st_mtime)
    for old in jars[:-KEPT_JARS]:
        old.unlink()


def files(paths: Sequence[Path], ending: str) -> list[Path]:
    found = [file for path in paths for file in (path.rglob(f"*{ending}") if path.is_dir() else [path])]
    return sorted(set(found))


def digest(kotlin_files: Sequence[Path], java_files: Sequence[Path], jars: Sequence[Path], options: str) -> str:
    """Of all that decides what comes out."""
    tools = (KOTLIN_VERSION, KOTLIN_OPTIONS, JAVA_RELEASE, str(java("javac").resolve()), options)
    total = hashlib.sha256(repr(tools).encode())
    for file in (*kotlin_files, *java_files, *jars):
        total.update(f"\0{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:24]


def compile_now(
    compiler: Path,
    kotlin_files: Sequence[Path],
    java_files: Sequence[Path],
    jars: Sequence[Path],
    made: Path,
    jdk: bool,
    friends: Sequence[Path],
) -> None:
    joined = os.pathsep.join(map(str, jars))
    if kotlin_files:
        options = [*KOTLIN_OPTIONS, *([] if jdk else ["-no-jdk"])]
        options += [f"-Xfriend-paths={','.join(map(str, friends))}"] if friends else []
        command = ["bash", str(compiler), *options, "-cp", joined, "-d", str(made)]
        complete("kotlinc", [*command, *map(str, kotlin_files), *map(str, java_files)])
    else:
        zipfile.ZipFile(made, "w").close()
    if java_files:
        classes = made.with_suffix("")
        classes.mkdir()
        system = ["--release", JAVA_RELEASE] if jdk else ["-source", JAVA_RELEASE, "-target", JAVA_RELEASE]
        system += [] if jdk else ["-bootclasspath", joined]
        command = [
            str(java("javac")),
            *system,
            "-Xlint:-options",
            "-encoding",
            "UTF-8",
            "-cp",
            f"{made}{os.pathsep}{joined}",
        ]
        complete("javac", [*command, "-d", str(classes), *map(str, java_files)])
        with zipfile.ZipFile(made, "a") as archive:
            for file in sorted(classes.rglob("*.class")):
                archive.write(file, file.relative_to(classes).as_posix())


def complete(tool: str, command: Sequence[str]) -> None:
    # Serial collection and the quick compiler: such a run is too short for more
    environment = os.environ | {"JAVA_OPTS": "-Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=COMPILE_TIMEOUT_S,
    )
    assert done.returncode == 0, f"{tool} refuses:\n{done.stdout}"


def run_java(
    main: str,
    classpath: Sequence[Path],
    *arguments: str,
    properties: Mapping[str, str] | None = None,
    heap_mb: int = 512,
) -> str:
    """What the program prints. Raises AssertionError with all it said where it fails."""
    options = [f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8"]
    options += [f"-D{name}={value}" for name, value in (properties or {}).items()]
    jars = os.pathsep.join(map(str, [*classpath, jar("kotlin-stdlib")]))
    done = subprocess.run(
        [str(java("java")), *options, "-cp", jars, main, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=RUN_TIMEOUT_S,
    )
    assert done.returncode == 0, f"{main} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


# --- JUnit


@dataclass(frozen=True)
class Outcome:
    """What became of one JUnit test."""

    state: str  # passed, failed or ignored
    trace: str  # of what failed


JUNIT_MAIN = "org.edge_asr.junit.Report"
JUNIT_HEAP_MB = 64  # tests that something is never in memory as a whole rely on it
JUNIT_SOURCE = Path(__file__).parent / "junit" / "Report.java"


def run_junit(
    classes: Sequence[str], classpath: Sequence[Path], properties: Mapping[str, str] | None = None
) -> dict[str, Outcome]:
    """Class.test -> what became of it. A class that fails as a whole is there under its own name."""
    jars = [jar("junit4"), jar("hamcrest"), jar("json")]
    with tempfile.TemporaryDirectory(dir=folder()) as name:
        runner = Path(name) / "junit-report.jar"
        compile_kotlin([], jars, runner, jdk=True, javac=[JUNIT_SOURCE])
        every = [runner, *jars, *classpath]
        printed = run_java(JUNIT_MAIN, every, *classes, properties=properties, heap_mb=JUNIT_HEAP_MB)
    results = {}
    for line in printed.splitlines():
        if line.startswith("{"):
            said = json.loads(line)
            results[said["test"]] = Outcome(said["state"], said["trace"])
    return results
