"""The page as people see it: headless Chromium at a desk's and a phone's width, with --long.

`PICTURES=folder` keeps what was seen.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from kktd.model.states import NetworkMode
from kktd.ofd.channel import Unavailable
from kktd.power.power import PowerSeen
from kktd.power.table import PowerState
from kktd.store.tokens import Role
from tests.support.api import ApiBench
from tests.support.browser import DESK, PHONE, Browser

pytestmark = pytest.mark.long

DAY_S: Final = 86_400.0
# Every text that is seen, against the nearest ground behind it: WCAG 2.1, 1.4.3.
CONTRAST: Final = """
  const part = (one) => (one <= 10 ? one / 3294.6 : ((one / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([red, green, blue]) =>
    0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (node) => numbers(getComputedStyle(node).backgroundColor);
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!own || !node.checkVisibility()) continue;
    let behind = node;
    while (behind !== document.documentElement && ground(behind)[3] === 0) {
      behind = behind.parentElement;
    }
    const sides = [light(ground(behind)), light(numbers(getComputedStyle(node).color))];
    const ratio = (Math.max(...sides) + 0.05) / (Math.min(...sides) + 0.05);
    if (ratio < 4.5) poor.push([node.tagName, node.id, node.className, node.innerText, ratio]);
  }
  return poor;
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture
def till(tmp_path: Path, certificates: Path) -> Iterator[ApiBench]:
    made = ApiBench(tmp_path, certificates)
    yield made
    made.close()


@pytest.fixture(scope="module", params=[DESK, PHONE], ids=["desk", "phone"])
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("browser") / "driver.log", request.param)
    yield made
    made.close()


def _eventually(what: Callable[[], bool], seconds: float = 30.0) -> None:
    end_s = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def _status(till: ApiBench) -> dict[str, Any]:
    found: dict[str, Any] = till.lan("GET", "/v1/kkt/buffer/status").body
    return found


def _advance(till: ApiBench, seconds: float) -> None:
    assert till.till is not None
    till.till.clock.advance(seconds)


def _healthy(till: ApiBench) -> None:
    till.sell()


def _offline(till: ApiBench) -> None:
    """Four hours, a sale every eight minutes."""
    for _ in range(30):
        assert till.sell().status == 200
        _advance(till, 8 * 60)
    for _ in range(5):
        till.breaker.failed(Unavailable("ConnectionTimeout"))
    till.mode, till.mode_for_s = NetworkMode.OFFLINE, 4 * 3600.0


def _full(till: ApiBench) -> None:
    _offline(till)
    till.settings = replace(till.settings, buffer=replace(till.settings.buffer, capacity=30))


def _no_paper(till: ApiBench) -> None:
    assert till.till is not None
    till.sell()
    till.till.faults.add("printer", "paper_out")
    assert till.sell().status == 202


def _in_doubt(till: ApiBench) -> None:
    """The reply to the closing is lost, and so is the printer."""
    assert till.till is not None
    till.sell()
    port, board = till.till.port, till.till.faults
    opened = port.open

    def open_nothing(by: Any) -> None:
        if board.find("printer", "unplug") is None:
            board.add("printer", "unplug")
        opened(by)

    port.open = open_nothing  # type: ignore[method-assign]  # the cable is out by then
    board.add("printer", "power_cut", 1, command="close_receipt", when="after")
    till.sell()
    _eventually(lambda: _status(till)["in_doubt"] == 1)


def _fn_ending(till: ApiBench) -> None:
    """Registered in March 2026 for three years."""
    _advance(till, 1_085 * DAY_S)
    till.sell()

    def is_read() -> bool:
        left = till.lan("GET", "/v1/health").body["components"]["fn"]["days_left"]
        return left is not None and left < 30

    _eventually(is_read)


def _held(till: ApiBench) -> None:
    """The printer came back after the minute in which a receipt prints by itself."""
    assert till.till is not None
    till.sell()
    till.till.faults.add("printer", "unplug")
    assert till.sell().status == 202
    _advance(till, 120)
    till.till.faults.clear("printer")
    _eventually(lambda: _status(till)["held"] == 1)


def _battery(till: ApiBench) -> None:
    till.sell()
    till.power = PowerSeen(PowerState.ON_BATTERY, since_s=0.0)


def _maintenance(till: ApiBench) -> None:
    till.root(
        "POST",
        "/v1/pos/maintenance",
        {"reason": "Замена ФН", "estimated_duration_minutes": 45},
    )


# State, how it comes, kind, the one answer, what to do, and what else has to be seen.
STATES: Final = {
    "healthy": (_healthy, "yes", "Да", "делать ничего не нужно", "1/200"),
    "offline": (
        _offline,
        "limited",
        "Да, но осталось 22\u00a0ч",
        "проверьте интернет",
        "Офлайн 4ч 00мин, в буфере 30 чеков",
    ),
    "full": (_full, "no", "Нет", "Офлайн-буфер переполнен", "30/30"),
    "no_paper": (
        _no_paper,
        "limited",
        "Да, но осталось 9\u00a0чеков",
        "Вставьте чековую ленту",
        "Не готова",
    ),
    "in_doubt": (
        _in_doubt,
        "limited",
        "Да, но осталось 9\u00a0чеков",
        "проверьте кабель и питание",
        "не пробивайте повторно: проверяем",
    ),
    "fn_ending": (_fn_ending, "limited", "Да, но осталось 10\u00a0дн.", "закажите новый", "ФН"),
    "held": (
        _held,
        "yes",
        "Да",
        "напечатайте их или отмените",
        "не напечатан: напечатать или отменить?",
    ),
    "battery": (_battery, "limited", "Да, но", "от батареи", "От батареи"),
    "maintenance": (_maintenance, "no", "Нет", "на обслуживании", "Обслуживание: Замена ФН"),
}


@pytest.mark.parametrize("name", STATES)
def test_each_state_is_seen_as_one_answer_with_what_to_do(
    till: ApiBench, browser: Browser, tmp_path: Path, name: str
) -> None:
    prepare, kind, verdict, todo, besides = STATES[name]
    prepare(till)
    browser.open(f"https://localhost:{till.lan_port}/")
    browser.wait_for("#verdict", verdict)
    assert todo in browser.text("#todo")
    assert besides in browser.text("main")
    assert browser.run("return document.body.dataset.answer") == kind
    _picture(browser, tmp_path, name)
    _fits(browser)
    # An answer that does not come is the console's complaint too; a breach of the policy is ours.
    assert [one for one in browser.complaints() if "Failed to load resource" not in one] == []


def _picture(browser: Browser, folder: Path, name: str) -> None:
    width = browser.run("return innerWidth")
    kept = Path(os.environ.get("PICTURES", folder))
    browser.whole_picture(kept / f"{name}-{width}.png")


def _fits(browser: Browser) -> None:
    """Nothing is cut off at the side, and all of it can be read."""
    width, wanted = browser.run("return [innerWidth, document.documentElement.scrollWidth]")
    assert wanted <= width
    assert browser.run(CONTRAST) == []


def test_a_daemon_that_is_away_is_said_and_found_again(
    till: ApiBench, browser: Browser, tmp_path: Path
) -> None:
    till.sell()
    browser.open(f"https://localhost:{till.lan_port}/")
    browser.wait_for("#line", "на связи")
    till.stop_server()
    browser.wait_for("#verdict", "Нет связи с кассой")
    assert "подключится сама" in browser.text("#todo")
    browser.wait_for("#stale", "устарели")
    _picture(browser, tmp_path, "away")


def test_a_sale_is_seen_as_it_happens(till: ApiBench, browser: Browser) -> None:
    browser.open(f"https://localhost:{till.lan_port}/?lang=en")
    browser.wait_for("#line", "live")
    sold = till.sell().body["receipt_id"]
    browser.wait_for("#receipts", sold[:8], 5.0)  # sooner than any poll
    browser.wait_for("#tile-buffer", "1/200", 5.0)
    assert browser.text("#verdict") == "Yes"


def test_an_engineer_signs_in_and_acts_with_the_keyboard_alone(
    till: ApiBench, browser: Browser, tmp_path: Path
) -> None:
    for _ in range(5):
        till.breaker.failed(Unavailable("ConnectionTimeout"))
    browser.open(f"https://localhost:{till.lan_port}/")
    browser.wait_for("#tile-link", "OPEN")
    assert browser.text("#actions") == ""
    browser.run("document.querySelector('summary').focus()")
    browser.press("\ue007")
    browser.press("\ue004", *till.token(Role.ENGINEER), "\ue007")
    browser.wait_for("#role", "инженер")
    browser.run("document.querySelector('#actions button:nth-child(4)').focus()")
    assert browser.run("return document.activeElement.textContent") == "Снять паузу ОФД"
    browser.press("\ue007")
    browser.wait_for("#ask", "Снять паузу")
    _picture(browser, tmp_path, "dialog")
    browser.press("\ue004", "\ue007")
    browser.wait_for("#result", "Готово")
    browser.wait_for("#verdict", "Да")
    assert till.breaker.snapshot().failure_count == 0
    browser.open(f"https://localhost:{till.lan_port}/")
    browser.wait_for("#verdict", "Да")
    assert browser.run("return [page.token, page.role, localStorage.length, document.cookie]") == [
        "",
        None,
        0,
        "",
    ]


def test_a_held_receipt_is_cancelled_once(till: ApiBench, browser: Browser) -> None:
    _held(till)
    browser.open(f"https://localhost:{till.lan_port}/")
    browser.wait_for("#open", "напечатать или отменить?")
    assert "Отменить чек" not in browser.text("#open")
    browser.run("document.querySelector('details').open = true")
    browser.run("document.querySelector('#token').value = arguments[0]", till.token(Role.CASHIER))
    browser.click("#sign-in button")
    browser.wait_for("#open", "Отменить чек")
    browser.click("#open button:last-child")
    browser.wait_for("#ask", "Отменить чек")
    browser.click("#yes")
    browser.wait_for("#result", "Чек отменён")
    _eventually(lambda: _status(till)["held"] == 0)


def test_closed_readings_ask_for_a_token(till: ApiBench, browser: Browser, tmp_path: Path) -> None:
    api = replace(till.settings.api, open_reading=False)
    till.settings = replace(till.settings, api=api)
    browser.open(f"https://localhost:{till.lan_port}/")
    browser.wait_for("#verdict", "Нужен токен")
    _picture(browser, tmp_path, "locked")
    browser.run("document.querySelector('details').open = true")
    code = till.root("POST", "/v1/pair", {"role": "supervisor", "name": str(uuid.uuid4())}).body
    browser.run("document.querySelector('#token').value = arguments[0]", code["code"])
    browser.click("#sign-in button")
    browser.wait_for("#verdict", "Да")
    browser.wait_for("#line", "на связи")
    browser.wait_for("#role", "старший")
