"""What keeps the source readable and safe: sizes, broad handlers, money, clocks, SQL, names."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd import config, errors
from kktd.errors import KktdError
from kktd.events import Event

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "kktd").rglob("*.py"))
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

# Broad handlers that do not raise again: tops of threads, the API's edge, the group commit.
BROAD_HANDLERS = {
    "kktd/worker.py",
    "kktd/api/gate.py",
    "kktd/api/server.py",
    "kktd/ofd/http.py",
    "kktd/ofd/within.py",
    "kktd/store/writer.py",
}
# Codes that several classes share, because the caller does the same in each case.
SHARED_CODES = {
    "PRINTER_UNAVAILABLE": {"Unreachable", "PrinterUnavailable"},
    "DISK_FULL": {"StoreUnavailable", "DiskFilled"},
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted names of everything that is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func), node.lineno


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 40


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_reads_in_a_sitting(path: Path) -> None:
    assert len(text_of(path).splitlines()) <= MODULE_LINES_MAX


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_function_fits_a_screen(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= FUNCTION_LINES_MAX, node.name


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = text_of(path)
    assert not text or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_broad_handlers_stand_where_they_are_listed(path: Path) -> None:
    found = [ast.unparse(node) for node in ast.walk(tree_of(path)) if swallows_everything(node)]
    assert not found or name_of(path) in BROAD_HANDLERS, found


def swallows_everything(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    broad = node.type is None or (
        isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
    )
    raises = [one for one in ast.walk(node) if isinstance(one, ast.Raise) and one.exc is None]
    return broad and not raises


def test_a_broad_handler_is_seen() -> None:
    def handler(body: str) -> ast.AST:
        tree = ast.parse(f"try:\n    f()\nexcept Exception:\n    {body}")
        return next(node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))

    assert swallows_everything(handler("pass"))
    assert not swallows_everything(handler("raise"))


MONEY = re.compile(r"kopeck|ruble|price|amount|total|discount|balance|payment|cash", re.IGNORECASE)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_binary_fraction_comes_near_money(path: Path) -> None:
    """Neither by annotation nor by a call of float() on a line that speaks of money."""
    lines = text_of(path).splitlines()
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(lines, 1)
        if re.search(r"\bfloat\b", line) and MONEY.search(line) and "parse_float" not in line
    ]
    assert found == []
    if name_of(path).startswith("kktd/model/"):
        assert not re.search(r"\bfloat\b", "\n".join(lines))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_time_is_read_from_the_injected_clock(path: Path) -> None:
    allowed = {
        "kktd/clock.py": {"time.time", "time.monotonic", "time.sleep"},
        "kktd/log.py": {"datetime.now"},
        "kktd/ofd/breaker.py": {"datetime.now"},  # pybreaker compares with the wall clock
    }.get(name_of(path), set())
    forbidden = {"time.time", "time.monotonic", "time.sleep", "datetime.now", "datetime.utcnow"}
    found = {(name, line) for name, line in calls(tree_of(path)) if name in forbidden - allowed}
    assert found == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_sleeps_to_wait_for_a_thread(path: Path) -> None:
    """`clock.sleep` belongs to protocols: the wire, and asking an ОФД again that said 202."""
    if name_of(path) == "kktd/clock.py":
        return
    found = [line for name, line in calls(tree_of(path)) if name.rpartition(".")[2] == "sleep"]
    assert not found or name_of(path).startswith(
        ("kktd/wire/", "kktd/printers/", "kktd/ofd/rest")
    ), found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sql_stands_in_the_store_alone(path: Path) -> None:
    if name_of(path).startswith("kktd/store/"):
        return
    words = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA)\b", re.S)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not words.search(node.value), node.lineno


STATE_WRITE = re.compile(r"UPDATE\s+\w+\s+SET\s[^;]*?\b(print_state|status|state)\s*=", re.S)


def test_states_are_written_by_the_functions_that_know_the_tables() -> None:
    """Every UPDATE of a state stands in a function that takes its value from model/states.py."""
    writers = []
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                source = ast.unparse(node)
                if STATE_WRITE.search(source.replace("\\n", "\n").partition("WHERE")[0]):
                    writers.append(f"{name_of(path)}:{node.name}")
    assert sorted(writers) == [
        "kktd/store/operations.py:_move",
        "kktd/store/receipts.py:advance",
        "kktd/store/receipts.py:confirm",
        "kktd/store/receipts.py:move_delivery",
        # A shift has two states, and the printer's word decides: no table.
        "kktd/store/sessions.py:close_session",
        "kktd/store/sessions.py:close_shift",
    ]


# ---- names --------------------------------------------------------------------------------------


def test_event_names_are_unique_and_spelt_alike() -> None:
    names = Counter(event.log_name for event in Event)
    assert [name for name, times in names.items() if times > 1] == []
    stored = Counter(event.stored_name for event in Event if event.stored_name)
    assert [name for name, times in stored.items() if times > 1] == []
    for event in Event:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", event.log_name)
        assert event.level in ("INFO", "WARN", "ERROR", "CRITICAL")


def test_every_event_is_used() -> None:
    text = "\n".join(text_of(path) for path in SOURCES if path.name != "events.py")
    unused = [event.name for event in Event if f"Event.{event.name}" not in text]
    assert unused == [] or set(unused) <= {"SESSION_MISSING"}, unused


def test_log_events_are_members_of_the_table() -> None:
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "log.event":
                assert not isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"


def metric_names(text: str) -> list[str]:
    return re.findall(r"\"((?:kkt|pos|kktd)_[a-z_]+)\"", text)


def test_metrics_are_declared_once_and_in_one_place() -> None:
    declared: list[str] = []
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).rpartition(".")[2] in ("Gauge", "Counter", "Histogram")
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                assert path.name == "metrics.py", f"{path}:{node.lineno}"
                declared.append(str(node.args[0].value))
    assert len(declared) == len(set(declared))


def classes() -> list[type[KktdError]]:
    found = inspect.getmembers(errors, inspect.isclass)
    return [one for _, one in found if issubclass(one, KktdError)]


def test_every_error_has_a_code_of_its_own_or_shares_it_knowingly() -> None:
    owners: dict[str, set[str]] = {}
    for one in classes():
        if "code" in vars(one):
            owners.setdefault(one.code, set()).add(one.__name__)
    assert {code: names for code, names in owners.items() if len(names) > 1} == SHARED_CODES
    for one in classes():
        assert one.__doc__
        assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", one.code)


def test_every_error_that_can_be_raised_has_a_code() -> None:
    families = {one.__name__ for one in classes() if one.__subclasses__()}
    for one in classes():
        assert "code" in vars(one) or one.__name__ in families, one


# ---- settings -----------------------------------------------------------------------------------


def settings() -> list[tuple[str, dataclasses.Field[object]]]:
    return [
        (f"{section}.{one.name}", one)
        for section, kind in config.SECTIONS.items()
        for one in dataclasses.fields(kind)
    ]


@pytest.mark.parametrize(("key", "rule"), settings(), ids=[key for key, _ in settings()])
def test_every_setting_has_default_range_and_sentence(
    key: str, rule: dataclasses.Field[object]
) -> None:
    assert rule.default is not dataclasses.MISSING
    assert str(rule.metadata["sentence"]).endswith(".")
    default = rule.default
    if isinstance(default, bool | Path):
        return
    if isinstance(default, int):
        assert rule.metadata["least"] <= default <= rule.metadata["most"]
        return
    texts = default if isinstance(default, tuple) else (default,)
    if rule.metadata["choices"]:
        assert set(texts) <= set(rule.metadata["choices"])
        return
    assert rule.metadata["form"], f"{key}: a text needs a form"
    for text in texts:
        assert re.fullmatch(rule.metadata["form"], str(text))


def test_decisions_have_a_number_each_and_none_is_missing() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:03}-" for n in range(1, len(pages) + 1)]
    for page in pages:
        assert text_of(page).startswith(f"# {page.name[:3]} "), page.name


def test_no_page_keeps_the_marks_of_a_merge() -> None:
    pages = [ROOT / "CHANGELOG.md", ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    kept = [(name_of(one), line) for one in pages for line in text_of(one).splitlines()]
    assert [place for place in kept if place[1].startswith(marks)] == []
