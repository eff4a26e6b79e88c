"""Imports go one way: schemas <- processors.domain <- everything else; ingest and processors never meet."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = frozenset({"schemas", "ingest", "processors", "snag", "snag_sdk", "deploy", "sdk", "tests", "bench"})
IMPURE = frozenset(
    {"asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "subprocess"}
    | {"sys", "tempfile", "threading", "time", "urllib", "uuid"}
)
PURE = ("urllib.parse.", "sys.intern")
"""What impure modules have that is pure."""

PACKAGES = ("fastdigest", "msgspec", "zstandard")
"""What the domain uses of others: numbers and bytes in, numbers and bytes out."""

CLOCKS = frozenset({"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"})
NO_IO = frozenset({"open", "print", "input"})


@dataclass(frozen=True)
class Found:
    """One import or call: where it stands and the dotted name it brings in or calls."""

    where: str
    name: str


def sources(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if "lib" not in path.relative_to(ROOT).parts)


def imports(path: Path, text: str | None = None) -> Iterator[Found]:
    """Every import of a module, wherever in it, relative ones made absolute."""
    module = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text() if text is None else text)):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Found(where, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*module[: -node.level], *([node.module] if node.module else [])))
            name = base if node.level else str(node.module)
            yield from (Found(where, f"{name}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _dotted(node.func) in {"importlib.import_module", "__import__"}:
            given = node.args[0] if node.args else None
            yield Found(where, str(given.value) if isinstance(given, ast.Constant) else "an import by a computed name")


def calls(path: Path, text: str | None = None) -> Iterator[Found]:
    for node in ast.walk(ast.parse(path.read_text() if text is None else text)):
        if isinstance(node, ast.Call):
            yield Found(f"{path.relative_to(ROOT)}:{node.lineno}", _dotted(node.func))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def offences(package: str, allowed: tuple[str, ...]) -> list[str]:
    """Imports of ours in `package` that are not of an `allowed` package."""
    return [
        f"{found.where} imports {found.name}; {package} may import of ours only {', '.join(allowed)}"
        for path in sources(package)
        for found in imports(path)
        if found.name.split(".")[0] in OURS and not within(found.name, allowed)
    ]


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("schemas", ("schemas",)),
        ("processors/domain", ("schemas", "processors.domain")),
        ("processors", ("schemas", "processors")),
        ("ingest", ("schemas", "ingest")),
        ("deploy", ("schemas", "deploy")),
    ],
)
def test_imports_go_one_way(package: str, allowed: tuple[str, ...]) -> None:
    assert sources(package) != []
    assert offences(package, allowed) == []


def test_the_domain_uses_the_standard_library_and_pure_packages_only() -> None:
    foreign = [
        f"{found.where} imports {found.name}"
        for path in sources("processors/domain")
        for found in imports(path)
        if found.name.split(".")[0] not in {*PACKAGES, "schemas", "processors", *sys.stdlib_module_names}
    ]
    assert foreign == []


def test_the_python_sdk_uses_the_standard_library_only() -> None:
    assert sources("sdk/python") != []
    foreign = [
        f"{found.where} imports {found.name}"
        for path in sources("sdk/python")
        for found in imports(path)
        if found.name.split(".")[0] not in {"snag_sdk", *sys.stdlib_module_names}
    ]
    assert foreign == []


def test_the_domain_has_no_clock_no_chance_and_no_input_or_output() -> None:
    impure = [
        f"{found.where} imports {found.name}; time and chance come in as data"
        for path in sources("processors/domain")
        for found in imports(path)
        if found.name.split(".")[0] in IMPURE and not found.name.startswith(PURE)
    ]
    impure += [
        f"{found.where} calls {found.name}"
        for path in sources("processors/domain")
        for found in calls(path)
        if found.name in NO_IO or ("." in found.name and found.name.rsplit(".", 1)[1] in CLOCKS)
    ]
    assert impure == []


def test_only_snag_imports_snag() -> None:
    packages = [package for package in ("schemas", "processors", "ingest", "deploy") if sources(package)]
    found = [f for package in packages for path in sources(package) for f in imports(path)]
    assert [f"{f.where} imports {f.name}" for f in found if within(f.name, ("snag",))] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import ingest.app", "ingest.app"),
        ("def f():\n    from ingest import app", "ingest.app"),
        ("if TYPE_CHECKING:\n    from ingest.app import create", "ingest.app.create"),
        ("from ...ingest import app", "ingest.app"),
        ("from . import rates", "processors.domain.rates"),
        ("importlib.import_module('ingest.app')", "ingest.app"),
        ("importlib.import_module(name)", "an import by a computed name"),
    ],
)
def test_no_way_of_importing_is_overlooked(text: str, name: str) -> None:
    (found,) = imports(ROOT / "processors" / "domain" / "fact.py", text)
    assert found.name == name
    assert found.where == f"processors/domain/fact.py:{text.count(chr(10)) + 1}"


@pytest.mark.parametrize("text", ["datetime.now(UTC)", "time.time()", "dt.datetime.utcnow()", "open('x')"])
def test_no_call_of_a_clock_is_overlooked(text: str) -> None:
    (found,) = calls(ROOT / "processors" / "domain" / "fact.py", text)
    assert found.name in NO_IO or found.name.rsplit(".", 1)[1] in CLOCKS
