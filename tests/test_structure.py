"""How the sources hang together: who imports whom, nobody in a circle, and no file too long to be read in one go."""

from __future__ import annotations

import ast
import functools
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCES = {"edge_asr": REPOSITORY, "edge_asr_export": REPOSITORY / "export"}  # package -> the folder it lies in
LONGEST = 400  # lines

# package -> the only ones beside itself that may import from it, also inside functions
IMPORTED_BY = {
    "edge_asr.commands": {"edge_asr.cli"},
    "edge_asr.cli": {"edge_asr.__main__"},
    "edge_asr.profiling": {"edge_asr.commands"},
    "edge_asr.training": {"edge_asr.commands"},
    "edge_asr.adoption": {"edge_asr.commands"},
    "edge_asr.terminal": {"edge_asr.__main__", "edge_asr.cli", "edge_asr.commands", "edge_asr.profiling"},
    "edge_asr_export": {"edge_asr.commands", "edge_asr.profiling", "edge_asr.shipped"},
    "edge_asr.model": {
        *("edge_asr.adoption", "edge_asr.commands", "edge_asr.profiling", "edge_asr.training", "edge_asr_export")
    },
}


def modules() -> dict[str, Path]:
    """Every module of ours, by name. A package is its `__init__.py`."""
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"): path
        for package, folder in SOURCES.items()
        for path in (folder / package).rglob("*.py")
    }


MODULES = modules()


@functools.cache
def imports_of(module: str, in_functions: bool) -> frozenset[str]:
    """The modules of ours that it imports, and the packages around those, which run first, but for its own."""
    found = set()
    for node in import_statements(ast.parse(MODULES[module].read_text("utf-8")), in_functions):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert node.module, f"{module}: a relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names = [name if name in MODULES else node.module for name in full]
        for name in names:
            found |= {name, *around(name) - around(module)}
    return frozenset(found & MODULES.keys() - {module})


def import_statements(tree: ast.AST, in_functions: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Those that are carried out: not what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        elif in_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from import_statements(node, in_functions)


def around(module: str) -> set[str]:
    """`a` and `a.b` for `a.b.c`."""
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts))}


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def test_both_packages_are_seen() -> None:
    assert {"edge_asr.commands.profile", "edge_asr.terminal.process", "edge_asr_export.build"} <= MODULES.keys()
    assert "edge_asr_export.build" in imports_of("edge_asr.shipped", in_functions=True)
    assert "edge_asr_export.build" not in imports_of("edge_asr.shipped", in_functions=False)


@pytest.mark.parametrize("package", IMPORTED_BY)
def test_a_package_is_imported_only_from_above(package: str) -> None:
    """Commands are on top; the profiler and the training below them know nothing of them."""
    allowed = {package, *IMPORTED_BY[package]}
    for module in MODULES:
        if not any(is_within(module, each) for each in allowed):
            wrong = [name for name in imports_of(module, in_functions=True) if is_within(name, package)]
            assert not wrong, f"{module} imports {', '.join(wrong)}"


@pytest.mark.parametrize("in_functions", [False, True])
def test_modules_do_not_import_one_another_in_a_circle(in_functions: bool) -> None:
    """Not when they are imported, and not later, as an import inside a function hides a circle and does not undo it."""
    try:
        graphlib.TopologicalSorter({module: imports_of(module, in_functions) for module in MODULES}).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_no_source_file_is_too_long() -> None:
    lines = {str(path.relative_to(REPOSITORY)): len(path.read_text("utf-8").splitlines()) for path in MODULES.values()}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def test_a_class_name_means_one_thing() -> None:
    """Encoder families have parts of the same names, a module a family; two meters read rails, each of its own kind."""
    places: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        if not is_within(module, "edge_asr.model"):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(module)
    assert {name for name, found in places.items() if len(found) > 1} == {"Rail"}
