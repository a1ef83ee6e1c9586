"""Whatever breaks in the file, the till sells again or says why not, and nothing prints twice.

The FN is the judge: each receipt of ours once, and what it holds and the till lost is named.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kktd.errors import KktdError, RecordsMissing
from kktd.model.receipt import Receipt, ReceiptId, new_receipt_id
from kktd.receipts.answers import Answer
from kktd.receipts.books import mark_of
from kktd.store import salvages
from kktd.store.image import PAGE, wal_of
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop

Breakage = Callable[[Path, random.Random], None]


def flip_bytes(path: Path, chance: random.Random) -> None:
    """One to eight bytes anywhere."""
    data = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        data[at] ^= chance.randint(1, 255)
    path.write_bytes(data)


def break_a_page(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data) // PAGE) * PAGE
    data[at : at + PAGE] = chance.choice([bytes(PAGE), b"\xff" * PAGE, chance.randbytes(PAGE)])
    path.write_bytes(data)


def truncate(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(chance.randrange(1, path.stat().st_size))


def zero_the_header(path: Path, _: random.Random) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def lose_the_wal(path: Path, _: random.Random) -> None:
    wal_of(path).unlink()


def flip_in_the_wal(path: Path, chance: random.Random) -> None:
    if wal_of(path).stat().st_size:
        flip_bytes(wal_of(path), chance)


BREAKAGES: list[Breakage] = [
    flip_bytes,
    break_a_page,
    truncate,
    zero_the_header,
    lose_the_wal,
    flip_in_the_wal,
]


class Day:
    """A till with some trade behind it, cut off in the middle of a day."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.shop = Shop(folder)
        self.file = folder / "state" / "kktd.db"
        self.sold: list[tuple[Receipt, str]] = []
        self.checkpoint_after = chance.randint(0, 6)
        for number in range(6):
            if number == self.checkpoint_after:
                self.shop.parts.store.checkpoint(truncate=True)
            self.sell(a_receipt(a_line(100_00 + number)))
            self.shop.run(3)

    def sell(self, receipt: Receipt, key: str | None = None) -> Answer:
        if key is None:
            key = str(uuid.uuid4())
            self.sold.append((receipt, key))
        return self.shop.sell(receipt, key)

    def break_and_start(self, how: Breakage, chance: random.Random) -> None:
        """kill -9, damage, power."""
        files = (self.file, wal_of(self.file))
        held = [file.read_bytes() for file in files]  # a close would write more
        self.shop.kill()
        for file, data in zip(files, held, strict=True):
            file.write_bytes(data)
        self.file.with_name("kktd.db-shm").unlink(missing_ok=True)
        how(self.file, chance)
        self.shop.start()

    def in_fn(self) -> Counter[object]:
        """Receipts in the FN by their mark, which is their id."""
        return Counter(
            one["mark"] for one in self.shop.printer.documents() if one["type"] == "receipt"
        )


def check(folder: Path, how: Breakage, seed: int) -> None:
    chance = random.Random(seed)
    day = Day(folder, chance)
    before = day.in_fn()
    assert len(before) == 6
    day.break_and_start(how, chance)
    shop = day.shop
    try:
        shop.run(20)
        found = shop.parts.store.read(salvages.find)
        if found is not None and shop.parts.keeping.bar() is not None:
            with pytest.raises(RecordsMissing):
                shop.sell(a_receipt())
            assert found.missing, "it was counted"
            known = {
                one["fd"]
                for one in shop.printer.documents()
                if one["type"] == "receipt" and not _is_known(shop, one["mark"])
            }
            assert {fd for fds in found.missing.values() for fd in fds} == known
            shop.parts.keeping.salvage.confirm("Инженер")
        for receipt, key in day.sold:
            if key_is_known(shop, key):
                try:
                    day.sell(replace(receipt, id=new_receipt_id()), key)
                except KktdError:
                    continue
        shop.run(10)
        assert day.in_fn() == before, "nothing is printed again, neither by itself nor by a repeat"
        assert shop.sell(a_receipt()).status == 200
    finally:
        shop.close()


def _is_known(shop: Shop, mark: object) -> bool:
    rows = shop.parts.store.read(lambda db: db.execute("SELECT id FROM receipts").fetchall())
    return mark in {mark_of(ReceiptId(str(row[0]))) for row in rows}


def key_is_known(shop: Shop, key: str) -> bool:
    """A key whose row is gone is a new one to anybody: only the person at the till can tell."""
    return bool(
        shop.parts.store.read(
            lambda db: db.execute("SELECT count(*) FROM idempotency_keys WHERE key = ?", (key,)).get
        )
    )


@pytest.mark.parametrize("how", BREAKAGES, ids=lambda how: str(how.__name__))
@pytest.mark.parametrize("seed", range(2))
def test_a_broken_file_ends_in_a_till_that_sells_and_prints_nothing_twice(
    tmp_path: Path, how: Breakage, seed: int
) -> None:
    check(tmp_path, how, seed)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(how=st.sampled_from(BREAKAGES), seed=st.integers(0, 2**32))
def test_so_it_is_wherever_it_breaks(
    tmp_path_factory: pytest.TempPathFactory, how: Breakage, seed: int
) -> None:
    check(tmp_path_factory.mktemp("day"), how, seed)
