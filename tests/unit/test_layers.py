"""The layers: imports point down, simulators and daemon do not know each other."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Module or package to (layer, group).  The longest name that fits counts.  A module may import
# lower layers and its own group; within layers 0, 3 and 4 every group; within layer 2 none other.
LAYERS: dict[str, tuple[int, str]] = {
    "kktd": (0, "base"),
    "kktd.model": (0, "base"),
    "kktd.errors": (0, "base"),
    "kktd.events": (0, "base"),
    "kktd.log": (0, "base"),
    "kktd.metrics": (0, "base"),
    "kktd.clock": (0, "base"),
    "kktd.config": (0, "base"),
    "kktd.settings_file": (0, "base"),
    "kktd.settings_table": (0, "base"),
    "kktd.trace": (0, "base"),
    "kktd.trace_export": (2, "traces"),
    "kktd.wire": (1, "wire"),
    "kktd.printers": (2, "printers"),
    "kktd.store": (2, "store"),
    "kktd.ofd.channel": (2, "ofd"),
    "kktd.ofd.body": (2, "ofd"),
    "kktd.ofd.http": (2, "ofd"),
    "kktd.ofd.probe": (2, "ofd"),
    "kktd.ofd.rest": (2, "ofd"),
    "kktd.ofd.within": (2, "ofd"),
    "kktd.ofd.device": (2, "ofd"),
    "kktd.odoo.client": (2, "ofd"),  # the same sorts of failure, the same HTTP
    "kktd.receipts": (3, "work"),
    "kktd.ofd": (3, "work"),
    "kktd.odoo": (3, "work"),
    "kktd.network": (3, "work"),
    "kktd.alerts": (3, "work"),
    "kktd.power": (3, "work"),
    "kktd.provision": (3, "work"),
    "kktd.reload": (3, "work"),
    "kktd.upkeep": (3, "work"),
    "kktd.update": (3, "work"),
    "kktd.worker": (3, "work"),
    "kktd.api": (4, "outside"),
    "kktd.cli": (4, "outside"),
    "kktd.daemon": (5, "daemon"),
    "kktd.wiring": (5, "daemon"),
    "kktd.assembly": (5, "daemon"),
    "kktd.delivering": (5, "daemon"),
    "kktd.halting": (5, "daemon"),
    "kktd.keeping": (5, "daemon"),
    "kktd.printing": (5, "daemon"),
    "kktd.__main__": (5, "daemon"),
}
PARENTS = {"kktd", "kktd.ofd", "kktd.odoo"}  # packages whose own modules are named one by one

# What comes from outside the standard library, and who may use it.
LIBRARIES = {
    "apsw": ("kktd.store",),
    "cryptography": ("kktd.api", "kktd.update.release", "kktd.update.install"),
    "fastapi": ("kktd.api",),
    "h11": ("kktd.api",),
    "opentelemetry": ("kktd.trace_export",),
    "prometheus_client": ("kktd.metrics", "kktd.daemon"),
    "pybreaker": ("kktd.ofd",),
    "pydantic": ("kktd.api",),
    "pydantic_core": ("kktd.api",),
    "pyinotify": ("kktd.reload",),
    "redis": ("kktd.ofd.redis_lock",),
    "requests": ("kktd.ofd", "kktd.odoo", "kktd.cli", "kktd.trace_export", "kktd.update.source"),
    "sdnotify": ("kktd.daemon",),
    "serial": ("kktd.wire", "kktd.cli"),
    "starlette": ("kktd.api",),
    "structlog": ("kktd.log",),
    "typing_extensions": ("kktd.api",),
    "usb": ("kktd.wire",),
    "urllib3": ("kktd.ofd", "kktd.odoo", "kktd.cli"),
    "uvicorn": ("kktd.api",),
}


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(source: str, module: str, *, package: bool = False) -> Iterator[str]:
    """Every module that `source` imports, at the top or inside a function, by its full name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                up = node.level - (1 if package else 0)
                base = ".".join(parts[: len(parts) - up] + ([base] if base else []))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def place(module: str) -> tuple[int, str] | None:
    """The layer of a module; None for one that the table does not know."""
    name = module
    while name:
        if name in LAYERS and (name == module or name not in PARENTS or is_listed(module)):
            return LAYERS[name]
        name = name.rpartition(".")[0]
    return None


def is_listed(module: str) -> bool:
    """`kktd.ofd.x` is of the worker's side unless named; `kktd.x` has to be named."""
    return module.rpartition(".")[0] in PARENTS - {"kktd"}


def complaints(module: str, source: str, *, package: bool = False) -> list[str]:
    own = place(module)
    if own is None:
        return [f"{module}: no layer"]
    found = []
    for target in set(imports(source, module, package=package)):
        top = target.partition(".")[0]
        if top == "kktd":
            if target == "kktd" or not exists(target):
                continue  # the package itself, or a name inside a module that is listed too
            other = place(target)
            if other is None:
                found.append(f"{module}: {target} has no layer")
            elif other[0] > own[0] or (other[0] == own[0] and other[1] != own[1]):
                found.append(f"{module} ({own[0]}) imports {target} ({other[0]})")
        elif top in ("tests", "rig", "benchmarks"):
            found.append(f"{module} imports {target}")
        elif top not in sys.stdlib_module_names:
            allowed = LIBRARIES.get(top, ())
            if not any(module == one or module.startswith(one + ".") for one in allowed):
                found.append(f"{module} imports {top}")
    return sorted(found)


def exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


@pytest.mark.parametrize("path", sources("kktd"), ids=module_name)
def test_imports_point_down(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    package = path.name == "__init__.py"
    assert complaints(module_name(path), source, package=package) == []


@pytest.mark.parametrize("path", sources("tests/hil/rig"), ids=module_name)
def test_simulators_know_nothing_of_the_daemon(path: Path) -> None:
    found = imports(path.read_text(encoding="utf-8"), module_name(path))
    assert [name for name in found if name.partition(".")[0] in ("kktd", "benchmarks")] == []


def test_framing_does_no_input_or_output() -> None:
    for path in sources("kktd/printers"):
        if path.stem in ("framing", "commands", "codes", "tlv", "payload"):
            found = imports(path.read_text(encoding="utf-8"), module_name(path))
            tops = {name.partition(".")[0] for name in found}
            assert not tops & {"serial", "socket", "os", "threading", "time", "usb"}, path


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("kktd.model.money", "from kktd.store import receipts"),
        ("kktd.store.receipts", "def work():\n    from kktd.printers import base"),
        ("kktd.printers.base", "import kktd.store.store"),
        ("kktd.ofd.rest", "from kktd.ofd import delivery"),
        ("kktd.ofd.rest", "from .delivery import Delivery"),
        ("kktd.receipts.desk", "from kktd.api import app"),
        ("kktd.receipts.desk", "import apsw"),
        ("kktd.receipts.desk", "from rig.faults import Faults"),
        ("kktd.daemon", "import tests.support.till"),
        ("kktd.surprise", ""),
    ],
)
def test_a_bad_import_is_seen(module: str, source: str) -> None:
    assert complaints(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("kktd.model.money", "from decimal import Decimal"),
        ("kktd.store.receipts", "from kktd.model.states import Step\nimport apsw"),
        ("kktd.ofd.delivery", "from kktd.store.store import Store\nfrom kktd.ofd import rest"),
        ("kktd.api.app", "from kktd.receipts.desk import Desk"),
    ],
)
def test_a_good_import_is_let_through(module: str, source: str) -> None:
    assert complaints(module, source) == []
