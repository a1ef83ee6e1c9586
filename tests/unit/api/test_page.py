"""The status page: what is served, its words, and that it has a sentence for whatever may be."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from typing import Any, Final

import pytest

from kktd.api.messages import CODES, Language, error_sentence, sentence
from kktd.api.page import PARTS
from kktd.model.states import CircuitState, Delivery, FiscalState, NetworkMode
from kktd.power.table import PowerState
from kktd.printers.base import Paper
from kktd.printers.remedies import REMEDIES
from kktd.store.tokens import Role
from tests.support.api import ApiBench, exchange

LANGUAGES: Final = ("ru", "en")
VOID: Final = {"meta", "link", "input"}


def file_of(name: str) -> str:
    return (resources.files("kktd.api.page") / name).read_text(encoding="utf-8")


def texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(
        file_of("texts.js").partition("const TEXTS = ")[2].rstrip().removesuffix(";")
    )
    return found


CODE: Final = file_of("page.js") + file_of("actions.js")


class Page(HTMLParser):
    """Every tag closed by its own, every address and attribute noted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


# ---- what is served -----------------------------------------------------------------------------


def test_the_page_asks_no_token_and_trusts_nothing_from_elsewhere(bench: ApiBench) -> None:
    page = bench.lan("GET", "/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-cache"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in page.headers


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_is_served_as_what_it_is(bench: ApiBench, name: str) -> None:
    part = bench.lan("GET", f"/page/{name}")
    assert part.status == 200
    assert part.headers["Content-Type"] == f"{PARTS[name]}; charset=utf-8"
    assert part.raw.decode() == file_of(name)


def test_a_page_that_is_known_is_not_sent_again(bench: ApiBench) -> None:
    known = bench.lan("GET", "/").headers["ETag"]
    for given in (known, f'"other", {known}'):
        again = bench.lan("GET", "/", headers={"If-None-Match": given})
        assert (again.status, again.raw) == (304, b"")
        assert again.headers["ETag"] == known
    assert bench.lan("GET", "/", headers={"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize("name", ["page.html", "..%2f__init__.py", "__init__.py", "x.js"])
def test_nothing_else_is_served(bench: ApiBench, name: str) -> None:
    assert bench.lan("GET", f"/page/{name}").code == "NOT_FOUND"


def test_the_metrics_listener_has_no_page(bench: ApiBench) -> None:
    import http.client

    for path in ("/", "/page/page.js"):
        connection = http.client.HTTPConnection("localhost", bench.metrics_port, timeout=20)
        assert exchange(connection, "GET", path).status == 404


def test_the_page_changes_nothing(bench: ApiBench) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert bench.lan(method, "/", {}).code == "METHOD_NOT_ALLOWED"


def test_the_page_comes_without_a_token_where_readings_are_closed(own_bench: ApiBench) -> None:
    api = replace(own_bench.settings.api, open_reading=False)
    own_bench.settings = replace(own_bench.settings, api=api)
    assert own_bench.lan("GET", "/").status == 200
    assert own_bench.lan("GET", "/page/page.js").status == 200
    assert own_bench.lan("GET", "/v1/health").status == 401


def test_the_tills_own_page_may_act_and_no_other(bench: ApiBench) -> None:
    own = f"https://localhost:{bench.lan_port}"
    token = bench.token(Role.CASHIER)
    for origin, status in (
        (own, 400),  # past the door: the key is missing
        (own.replace("https", "http"), 403),
        (f"{own}0", 403),
        ("https://localhost", 403),
        ("null", 403),
    ):
        reply = bench.lan("POST", "/v1/kkt/x_report", {}, {"Origin": origin}, token=token)
        assert reply.status == status, origin


# ---- what the files say -------------------------------------------------------------------------


def test_the_page_is_whole_and_takes_nothing_from_elsewhere() -> None:
    page = Page(file_of("page.html"))
    assert (page.open, page.wrong) == ([], [])
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("for")) <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)
    for address in page.values("src") + page.values("href"):
        assert address == "data:," or address.removeprefix("page/") in PARTS
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert not page.values("style")
    for name in ("page.html", *PARTS):
        assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", file_of(name)), name


def test_whatever_the_code_looks_for_is_in_the_page() -> None:
    ids = set(Page(file_of("page.html")).values("id"))
    assert set(re.findall(r'\$\("([\w-]+)"\)', CODE)) <= ids


def test_the_code_makes_no_markup_from_text_and_keeps_nothing() -> None:
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "caches",
    ):
        assert forbidden not in CODE


def _keys() -> set[str]:
    """Every key that page and code name; `*` where part of it is made at run time."""
    found = set(Page(file_of("page.html")).values("data-text"))
    found |= set(re.findall(r'"([a-z0-9_]+)"', CODE)) & set(texts()["ru"])
    named = re.findall(r"\bt\(([^;]*?)[,)]", CODE)
    for one in named:
        found |= set(re.findall(r'"([a-z]\w*)"', one))
    found |= {re.sub(r"\$\{[^}]*\}", "*", one) for one in re.findall(r"\bt\(`([^`]+)`", CODE)}
    return found


def test_every_text_is_there_in_both_languages_and_used() -> None:
    table = texts()
    assert set(table) == set(LANGUAGES)
    assert set(table["ru"]) == set(table["en"])
    patterns = [re.compile(one.replace("*", r"\w+")) for one in _keys()]
    for pattern in patterns:
        assert [one for one in table["ru"] if pattern.fullmatch(one)], pattern.pattern
    unused = [one for one in table["ru"] if not any(two.fullmatch(one) for two in patterns)]
    assert unused == []


def test_both_languages_fill_in_the_same() -> None:
    table = texts()
    for key, russian in table["ru"].items():
        assert russian.strip(), key
        holes = [set(re.findall(r"\{(\w+)\}", table[one][key])) for one in LANGUAGES]
        assert holes[0] == holes[1], key


def test_every_state_of_the_till_has_its_words() -> None:
    wanted = [f"receipt_{one}" for one in FiscalState]
    wanted += [f"receipt_{one}" for one in ("held", Delivery.SYNCED, Delivery.FAILED)]
    wanted += [f"breaker_{one}" for one in CircuitState]
    wanted += [f"paper_{one}" for one in Paper]
    wanted += [str(one) for one in NetworkMode]
    wanted += [f"power_{one}" for one in PowerState]
    wanted += [f"role_{one}" for one in (Role.CASHIER, Role.SUPERVISOR, Role.ENGINEER)]
    for language in LANGUAGES:
        assert not [one for one in wanted if one not in texts()[language]]


@pytest.mark.parametrize("language", list(Language))
def test_whatever_keeps_the_till_from_selling_is_said_with_what_to_do(language: Language) -> None:
    unknown = sentence("INTERNAL", language)
    for reason in (*REMEDIES, *(code for code in CODES if code != "INTERNAL")):
        said = error_sentence(reason, None, {}, language)
        assert said
        assert said != unknown, reason


# ---- what it shows comes from health and status ------------------------------------------------


def _limits(bench: ApiBench, language: str = "ru") -> tuple[str, list[dict[str, Any]]]:
    health = bench.lan("GET", "/v1/health", headers={"Accept-Language": language}).body
    return health["sell"]["answer"], health["sell"]["limits"]


def test_a_till_that_is_well_says_yes(own_bench: ApiBench) -> None:
    own_bench.sell()
    assert _limits(own_bench) == ("yes", [])


def test_a_nearly_full_buffer_says_how_many_are_left(own_bench: ApiBench) -> None:
    for _ in range(4):
        own_bench.sell()
    buffer = replace(own_bench.settings.buffer, capacity=5)
    own_bench.settings = replace(own_bench.settings, buffer=buffer)
    answer, limits = _limits(own_bench)
    assert (answer, limits[0]["name"], limits[0]["receipts_left"]) == ("limited", "buffer", 1)
    assert "проверьте интернет" in limits[0]["message"]
    own_bench.sell()
    assert _limits(own_bench) == ("no", [])


def test_a_printer_without_paper_is_named_before_all_else(own_bench: ApiBench) -> None:
    assert own_bench.till is not None
    own_bench.sell()
    own_bench.till.faults.add("printer", "paper_out")
    own_bench.sell()
    answer, limits = _limits(own_bench, "en")
    assert (answer, limits[0]["name"]) == ("limited", "printer")
    assert limits[0]["receipts_left"] == own_bench.settings.printer.max_unprinted - 1
    assert "Load paper" in limits[0]["message"]


def test_an_open_shift_has_its_age(own_bench: ApiBench) -> None:
    till = own_bench.lan("GET", "/v1/health").body["tills"]["POS-001"]
    assert till["shift_age_seconds"] is None
    own_bench.sell()
    till = own_bench.lan("GET", "/v1/health").body["tills"]["POS-001"]
    assert till["shift_age_seconds"] >= 0


def test_receipts_that_are_not_in_the_fn_are_listed_by_id_and_state_alone(
    own_bench: ApiBench,
) -> None:
    assert own_bench.till is not None
    sold = own_bench.sell().body["receipt_id"]
    with own_bench.paused():
        keys = [str(uuid.uuid4()) for _ in range(2)]
        waiting = [own_bench.sell(key=key).body["receipt_id"] for key in keys]
        listed = own_bench.lan("GET", "/v1/kkt/buffer/status").body["unfinished"]
    assert {one["receipt_id"] for one in listed} == set(waiting)
    assert sold not in str(listed)
    assert all(set(one) == {"receipt_id", "state"} for one in listed)
    for key in keys:
        own_bench.until_final(key)
    assert own_bench.lan("GET", "/v1/kkt/buffer/status").body["unfinished"] == []
