"""kill -9 of the daemon under load: what was acknowledged is in the FN and at the ОФД, once."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests

from tests.support.live import LiveDaemon, LiveRig, a_sale

KILLS: Final = 50
CLIENTS: Final = 4


class Cashier(threading.Thread):
    """Sells until told to stop; repeats a sale under the same key until it is told how it ended."""

    def __init__(self, daemon: LiveDaemon, number: int) -> None:
        super().__init__(daemon=True)
        self._daemon_ = daemon
        self._number = number
        self.stop = threading.Event()
        self.acknowledged: dict[str, dict[str, object]] = {}  # key to the last answer
        self.unexpected: list[str] = []

    def run(self) -> None:
        session = self._daemon_.session()
        while not self.stop.is_set():
            key = str(uuid.uuid4())
            rubles = f"{100 + len(self.acknowledged)}.{self._number:02d}"
            while not self._tell_end(session, key, rubles):
                time.sleep(0.03)

    def _tell_end(self, session: requests.Session, key: str, rubles: str) -> bool:
        try:
            answer = self._daemon_.ask(
                "POST", "/v1/kkt/receipt", a_sale(rubles), key=key, session=session
            )
        except requests.RequestException:
            session.close()
            return False
        if answer.status_code == 200:
            self.acknowledged[key] = answer.json()
            return True
        if answer.status_code not in (202, 409, 503):
            self.unexpected.append(answer.text)
            return True
        return False


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig, "[buffer]\ncapacity = 10000")
    daemon.start()
    yield daemon, rig
    daemon.stop()
    rig.stop()


@pytest.mark.timeout(900)
def test_fifty_kills_under_load_lose_nothing_and_double_nothing(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, rig = shop
    dice = random.Random(20260322)
    cashiers = [Cashier(daemon, number) for number in range(CLIENTS)]
    for cashier in cashiers:
        cashier.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.05, 0.7))
        daemon.kill()
        daemon.start()
    for cashier in cashiers:
        cashier.stop.set()
    for cashier in cashiers:
        cashier.join(240)
        assert not cashier.is_alive(), "a sale was never answered"
        assert not cashier.unexpected

    answers = {key: one for cashier in cashiers for key, one in cashier.acknowledged.items()}
    documents = {one["fd"]: one for one in rig.fn_receipts()}
    marks = Counter(one["mark"] for one in documents.values())
    assert max(marks.values()) == 1, "a receipt twice in the FN"
    assert len(documents) == len(answers), "each acknowledged sale is one document, and no other"
    numbers = [answer["fiscal_doc"]["fd"] for answer in answers.values()]  # type: ignore[index]
    assert sorted(numbers) == sorted(documents), "two keys share a document"

    daemon.wait_until(lambda: len(set(rig.delivered_keys())) >= len(answers), 60)
    delivered = Counter(rig.delivered_keys())
    assert set(delivered) == {str(answer["receipt_id"]) for answer in answers.values()}
    assert max(delivered.values()) == 1, "the ОФД stored a receipt twice"
    assert len(answers) > KILLS, "too little was sold to prove anything"
