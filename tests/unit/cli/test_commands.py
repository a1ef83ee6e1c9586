"""`kktctl` reaches everything of the API; each command says what to do and exits alike."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import kktd.cli
from kktd.api.app import ROUTES
from kktd.cli import main as kktctl
from kktd.model.money import Kopecks
from kktd.model.product import Product
from kktd.model.receipt import VatRate
from kktd.store import odoo
from tests.support.api import ApiBench

# For programs: the point of sale, the page, the monitoring, systemd.
NOT_FOR_HANDS: Final = {
    "POST /v1/kkt/receipt",
    "GET /",
    "GET /page/{file}",
    "GET /v1/events",
    "GET /v1/openapi.json",
    "GET /v1/ready",
    "GET /metrics",
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiBench]:
    made = ApiBench(tmp_path_factory.mktemp("till"), tmp_path_factory.mktemp("tls"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "KKTD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def _run(bench: ApiBench, *arguments: str) -> int:
    return kktctl.main([*arguments, "--socket", str(bench.socket_path)])


def _last(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_every_route_has_a_command() -> None:
    folder = Path(inspect.getfile(kktd.cli)).parent
    sources = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    asked = set(re.findall(r'"(/v1/[a-z_/]+)', sources))
    for route in ROUTES:
        if f"{route.method} {route.path}" in NOT_FOR_HANDS:
            continue
        stem = route.path.partition("{")[0]
        assert any(stem.startswith(one) for one in asked), route.path


def test_a_pairing_code_is_shown_with_its_role_and_redeemed(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bench, "pair", "cashier", "Till 2") == 0
    shown = capsys.readouterr().out
    found = re.search(r"^code +(\d{4}) (\d{4})$", shown, re.MULTILINE)
    assert found is not None
    assert "cashier, Till 2" in shown
    assert "within 10 min" in _last(shown)
    paired = bench.lan("POST", "/v1/pair", {"code": "".join(found.groups())})
    assert (paired.status, paired.body["name"]) == (201, "Till 2")
    assert _run(bench, "pair", "cashier", "Till 3", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["code"]) == 8
    with pytest.raises(SystemExit) as stopped:
        _run(bench, "pair", "king", "x")
    assert stopped.value.code == 2


def test_the_session_is_shown(bench: ApiBench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.sell()
    assert _run(bench, "session") == 0
    shown = capsys.readouterr().out
    assert re.search(r"^shift +1 open$", shown, re.MULTILINE)
    assert _last(shown) == "next      send the receipts: kktctl sync"
    assert _run(bench, "session", "POS-777") == 1
    assert "UNKNOWN_POS" in capsys.readouterr().err


def test_a_refund_is_asked_for_beforehand(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    sold = bench.sell().body["receipt_id"]
    assert _run(bench, "refund", "check", sold) == 1
    assert "no: refund_unsynced" in capsys.readouterr().out
    assert _run(bench, "refund", "check", "9999078902019097:99999", "--json") == 0
    assert json.loads(capsys.readouterr().out)["sync_status"] == "not_found"
    assert _run(bench, "refund", "check", "nonsense") == 1
    assert "INVALID" in capsys.readouterr().err


def test_the_drawer_opens(bench: ApiBench, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(bench, "drawer") == 0
    assert _last(capsys.readouterr().out) == "next      it is open: close it by hand"
    assert _run(bench, "drawer", "--pos-id", "POS-777") == 1


def test_products_are_found_and_the_import_says_why_not(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    milk = Product("MILK", "46000", "Milk", Kopecks(99_50), VatRate.V10)
    bench.api_till.store.write(lambda db: odoo.store_page(db, [milk], [], "1", 0))
    assert _run(bench, "products", "find", "--sku", "MILK") == 0
    shown = capsys.readouterr().out
    assert "99.50" in shown
    assert _last(shown) == "next      a wrong price: kktctl products refresh"
    assert _run(bench, "products", "find", "nobody sells this") == 1
    assert _run(bench, "products", "find") == 2
    assert _run(bench, "products", "refresh") == 1
    assert "NO_ODOO" in capsys.readouterr().err


def test_a_new_till_shows_a_code_for_its_first_token_until_there_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "till").mkdir()
    new = ApiBench(tmp_path / "till", tmp_path / "tls")
    try:
        assert _run(new, "pair", "--first") == 75
        found = re.search(r"(\d{4}) (\d{4})", capsys.readouterr().out)
        assert found is not None
        paired = new.lan("POST", "/v1/pair", {"code": "".join(found.groups())})
        assert (paired.status, paired.body["role"]) == (201, "admin")
        assert _run(new, "pair", "--first") == 0
        assert capsys.readouterr().out == ""
    finally:
        new.close()
