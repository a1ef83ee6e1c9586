"""kill -9 while threads sell: what was acknowledged is there, and nothing is there by halves."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kktd.store import sessions
from kktd.store.connection import Db
from kktd.store.store import Store
from tests.crash.seller import POS_ID

KILLS = 50
THREADS = 6
ROOT = Path(__file__).resolve().parents[2]

# Rows that no transaction leaves: each query counts halves.
HALVES = {
    "a receipt without its key": """SELECT count(*) FROM receipts WHERE id NOT IN
        (SELECT receipt_id FROM idempotency_keys WHERE receipt_id IS NOT NULL)""",
    "a key without its receipt": """SELECT count(*) FROM idempotency_keys WHERE receipt_id NOT IN
        (SELECT id FROM receipts)""",
    "a receipt without its event": """SELECT count(*) FROM receipts WHERE id NOT IN
        (SELECT receipt_id FROM buffer_events WHERE event_type = 'receipt_added')""",
    "an event without its receipt": """SELECT count(*) FROM buffer_events
        WHERE event_type = 'receipt_added' AND receipt_id NOT IN (SELECT id FROM receipts)""",
    "an event told twice": """SELECT count(*) - count(DISTINCT receipt_id) FROM buffer_events
        WHERE event_type = 'receipt_added'""",
    "sent without an intent": """SELECT count(*) FROM receipts WHERE print_state != 'accepted'
        AND id NOT IN (SELECT receipt_id FROM intents WHERE receipt_id IS NOT NULL)""",
    "registered and not booked": """SELECT count(*) FROM receipts WHERE fd IS NOT NULL
        AND id NOT IN (SELECT receipt_id FROM cash_transactions)""",
    "booked and not registered": """SELECT count(*) FROM cash_transactions
        WHERE receipt_id NOT IN (SELECT id FROM receipts WHERE fd IS NOT NULL)""",
}


@dataclass
class Told:
    """What the killed processes had acknowledged."""

    accepted: dict[str, str] = field(default_factory=dict)
    registered: dict[str, int] = field(default_factory=dict)

    def hear(self, line: str) -> None:
        word, receipt_id, value = line.split()
        if word == "accepted":
            self.accepted[receipt_id] = value
        else:
            self.registered[receipt_id] = int(value)


def sell_and_kill(path: Path, told: Told, after_s: float) -> None:
    """Let a process sell and kill it `after_s` after its first acknowledgement."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.seller", str(path), str(THREADS)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told.hear(child.stdout.readline())
    killer = threading.Timer(after_s, child.kill)
    killer.start()
    for line in child.stdout:
        told.hear(line)
    killer.join()
    assert child.wait() == -9


def count(db: Db, sql: str) -> int:
    return int(str(db.execute(sql).get))


def check_whole(db: Db) -> None:
    assert {name: count(db, sql) for name, sql in HALVES.items() if count(db, sql)} == {}
    session = sessions.find_open(db, POS_ID)
    if session is not None:
        assert sessions.find_differences(db, session.session_id) == {}


def check_told(db: Db, told: Told) -> None:
    stored = {
        str(receipt_id): str(key)
        for key, receipt_id in db.execute("SELECT key, receipt_id FROM idempotency_keys")
    }
    assert {one: stored.get(one) for one in told.accepted} == told.accepted
    documents = {
        str(receipt_id): fd
        for receipt_id, fd in db.execute("SELECT id, fd FROM receipts WHERE fd IS NOT NULL")
    }
    assert {one: documents.get(one) for one in told.registered} == told.registered


def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    path = tmp_path / "kktd.db"
    chance = random.Random(20260302)
    told = Told()
    for _ in range(KILLS):
        sell_and_kill(path, told, chance.uniform(0, 0.1))
        store = Store(path)  # checks the integrity of the whole file
        store.read(check_whole)
        store.read(lambda db: check_told(db, told))
        store.close()
    assert len(told.accepted) > KILLS * 5
    assert len(told.registered) > 10


# ---- a cut of the power, at the level of files --------------------------------------------------


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """A database whose WAL holds the sales of a killed process, and what was told of them."""
    folder = tmp_path_factory.mktemp("killed")
    told = Told()
    path = folder / "kktd.db"
    child = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_CHECKPOINTS, str(path), "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        told.hear(line)
        if len(told.registered) >= 40:
            child.kill()
    child.wait()
    return path, told


WITHOUT_CHECKPOINTS = """
import sys, threading
from pathlib import Path
from tests.crash import seller
seller.checkpoint_for_ever = lambda store: threading.Event().wait()
seller.main(Path(sys.argv[1]), int(sys.argv[2]))
"""


def cut(path: Path, to: Path, length: int, noise: bytes = b"") -> Store:
    """The files after a power cut that left `length` bytes of the WAL, then `noise`."""
    wal = path.with_name("kktd.db-wal").read_bytes()
    to.write_bytes(path.read_bytes())
    to.with_name(to.name + "-wal").write_bytes(wal[:length] + noise)
    return Store(to)


def test_the_whole_wal_holds_all_that_was_told(killed: tuple[Path, Told], tmp_path: Path) -> None:
    path, told = killed
    store = cut(path, tmp_path / "copy.db", 1 << 40)
    store.read(check_whole)
    store.read(lambda db: check_told(db, told))
    store.close()


def test_a_wal_cut_anywhere_opens_whole_and_ends_at_a_commit(
    killed: tuple[Path, Told], tmp_path: Path
) -> None:
    """The tail beyond the last flush may be missing or be anything; what is before it stands."""
    path, _told = killed
    size = path.with_name("kktd.db-wal").stat().st_size
    chance = random.Random(7)
    found = []
    for number, length in enumerate(sorted(chance.randrange(size) for _ in range(40))):
        noise = chance.randbytes(chance.choice([0, 24, 4_120, 10_000]))
        copy = tmp_path / f"cut-{number}.db"
        store = cut(path, copy, length, noise)
        store.read(check_whole)
        found.append(store.read(lambda db: count(db, "SELECT count(*) FROM receipts")))
        store.close()
        for file in tmp_path.glob("cut-*"):
            file.unlink()
    assert found == sorted(found), "a longer WAL never holds less"
    assert found[0] < found[-1]
