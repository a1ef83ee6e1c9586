"""Copies of a till that sells: whole, of one moment, checked, kept and pruned; or none, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import pytest

from kktd.errors import StoreCorrupt
from kktd.store import buffer
from kktd.store.copying import check_copy
from kktd.store.store import Store
from kktd.upkeep.backup import AGAIN_S, Backup, BackupRules
from kktd.upkeep.check import NightCheck
from kktd.upkeep.nightly import is_due, last_due_s
from tests.support.clock import VirtualClock
from tests.support.stores import Numbers, accept, fill_history

MOSCOW = ZoneInfo("Europe/Moscow")
RULES = BackupRules(None, "", None, None, 3, "03:30", MOSCOW)


@pytest.fixture
def stick() -> Iterator[Path]:
    """Another disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


class Bench:
    """A store with some history and the worker that copies it."""

    def __init__(self, folder: Path, rules: BackupRules) -> None:
        self.clock = VirtualClock()
        self.file = folder / "kktd.db"
        self.store = Store(self.file)
        self.numbers = Numbers()
        self.rules = rules
        self.start()

    def start(self) -> None:
        self.backup = Backup(self.clock, self.store, self.file, "POS-001", self.rules)

    def run(self, steps: int = 10_000, *, selling: bool = False) -> int:
        """Until no copy is under way; how many steps it took."""
        for step in range(steps):
            self.backup.step(self.clock.monotonic_s())
            if not self.backup.seen.running:
                return step
            if selling:
                accept(self.store, self.numbers)
            self.clock.advance(0.01)
        raise AssertionError("it never ends")


@pytest.fixture
def bench(tmp_path: Path, stick: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, replace(RULES, directory=stick))
    yield bench
    bench.backup.close()
    bench.store.close()


def copied(stick: Path) -> list[Path]:
    return sorted(stick.glob("*.db"))


def test_a_copy_is_of_one_moment_whoever_sells_meanwhile(bench: Bench, stick: Path) -> None:
    fill_history(bench.store, 5_000)
    before = bench.store.read(lambda db: int(str(db.execute("SELECT count(*) FROM receipts").get)))
    steps = bench.run(selling=True)
    assert steps > 3, "it was not one step"
    (copy,) = copied(stick)
    check_copy(copy)
    found = Store(copy)
    rows = found.read(lambda db: int(str(db.execute("SELECT count(*) FROM receipts").get)))
    assert rows == before
    assert found.read(lambda db: db.execute("PRAGMA foreign_key_check").fetchall()) == []
    found.close()
    assert bench.store.read(buffer.count_queued) == steps


def test_a_missed_night_is_made_up_at_once_and_the_next_waits_for_its_hour(
    bench: Bench, stick: Path
) -> None:
    bench.run()
    assert len(copied(stick)) == 1
    bench.clock.advance(8 * 3_600)
    bench.run()
    assert len(copied(stick)) == 1
    bench.start()
    bench.run()
    assert len(copied(stick)) == 1, "a restart knows what the night did"
    bench.clock.advance(16 * 3_600)
    bench.run()
    assert len(copied(stick)) == 2


def test_only_so_many_copies_are_kept_and_nothing_else_is_touched(
    bench: Bench, stick: Path
) -> None:
    (stick / "kktd-POS-002-20260101T000000Z.db").write_text("another till's")
    for _ in range(5):
        bench.clock.advance(60)
        bench.backup.ask()
        bench.run()
    assert [name for name, _ in bench.backup.find_copies()] == [
        one.name for one in reversed(copied(stick)) if "POS-001" in one.name
    ]
    assert len(bench.backup.find_copies()) == 3
    assert (stick / "kktd-POS-002-20260101T000000Z.db").exists()


def test_a_stick_that_is_not_there_is_said_once_and_tried_again_in_an_hour(
    bench: Bench, stick: Path, tmp_path: Path
) -> None:
    bench.rules = replace(bench.rules, directory=stick / "not mounted")
    bench.start()
    for _ in range(3):
        bench.run()
        bench.clock.advance(AGAIN_S)
    assert bench.backup.seen.problem == "the folder is not there"
    rows = "SELECT count(*) FROM buffer_events WHERE event_type = 'backup_failed'"
    assert bench.store.read(lambda db: int(str(db.execute(rows).get))) == 1
    (stick / "not mounted").mkdir()
    bench.run()
    assert bench.backup.seen.problem is None
    assert bench.backup.seen.done_at_s is not None


def test_the_tills_own_disk_is_no_second_place(bench: Bench, tmp_path: Path) -> None:
    bench.rules = replace(bench.rules, directory=tmp_path)
    bench.start()
    bench.run()
    assert "own disk" in str(bench.backup.seen.problem)
    assert list(tmp_path.glob("kktd-*")) == []


def test_a_copy_that_was_cut_short_leaves_no_copy(bench: Bench, stick: Path) -> None:
    fill_history(bench.store, 5_000)
    bench.backup.step(bench.clock.monotonic_s())
    bench.backup.step(bench.clock.monotonic_s())
    assert bench.backup.seen.running
    bench.backup.close()
    bench.start()
    assert list(stick.iterdir()) == []
    bench.run()
    assert len(copied(stick)) == 1
    assert len(list(stick.iterdir())) == 1


def test_a_damaged_copy_is_found(bench: Bench, stick: Path) -> None:
    fill_history(bench.store, 2_000)
    bench.run()
    (copy,) = copied(stick)
    with copy.open("r+b") as file:
        file.seek(40 * 4_096)
        file.write(b"\xff" * 4_096)
    with pytest.raises(StoreCorrupt):
        check_copy(copy)


def test_a_server_gets_the_whole_file_under_its_name(tmp_path: Path) -> None:
    taken: dict[str, bytes] = {}
    status = [201]

    class Server(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            size = int(self.headers["Content-Length"])
            taken[self.path] = self.rfile.read(size)
            assert self.headers["Authorization"] == "Bearer secret"
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/tills"
    bench = Bench(tmp_path, replace(RULES, url=url, token=lambda: "secret\n"))
    bench.run()
    ((path, data),) = taken.items()
    assert path.startswith("/tills/kktd-POS-001-20260302T")
    (tmp_path / "fetched.db").write_bytes(data)
    check_copy(tmp_path / "fetched.db")
    assert list(tmp_path.glob("*.part")) == []
    status[0] = 507
    bench.backup.ask()
    bench.run()
    assert bench.backup.seen.problem == "507 Insufficient Storage"
    assert bench.backup.seen.done_at_s is not None, "the last good one still counts"
    bench.store.close()
    server.shutdown()
    server.server_close()


# ---- the night ----------------------------------------------------------------------------------


def moscow(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW).timestamp()


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-02 03:29", "2026-03-01 03:30"),
        ("2026-03-02 03:30", "2026-03-02 03:30"),
        ("2026-03-02 23:59", "2026-03-02 03:30"),
    ],
)
def test_the_night_is_by_the_shops_clocks(now: str, due: str) -> None:
    assert last_due_s(moscow(now), "03:30", MOSCOW) == moscow(due)


def test_a_night_noted_by_a_clock_of_another_year_does_not_count() -> None:
    now_s = datetime(2026, 3, 2, 12, 0, tzinfo=UTC).timestamp()
    assert is_due(int(now_s + 10 * 365 * 86_400), now_s, "03:30", MOSCOW)
    assert not is_due(int(now_s), now_s, "03:30", MOSCOW)
    assert is_due(None, now_s, "03:30", MOSCOW)


def test_the_file_is_checked_once_a_night(bench: Bench) -> None:
    found: list[str] = []
    check = NightCheck(bench.clock, bench.store, MOSCOW, "03:30", lambda: found.append("damaged"))
    commits = bench.store.commits
    for _ in range(10):
        bench.clock.advance(60)
        check.step(bench.clock.monotonic_s())
    assert bench.store.commits == commits + 1
    bench.clock.advance(24 * 3_600)
    check.step(bench.clock.monotonic_s())
    assert bench.store.commits == commits + 2
    assert found == []


def test_a_file_found_damaged_at_night_makes_the_daemon_start_anew(bench: Bench) -> None:
    fill_history(bench.store, 2_000)
    with bench.file.open("r+b") as file:
        file.seek(40 * 4_096)
        file.write(b"\xff" * 4_096)
    found: list[str] = []
    check = NightCheck(bench.clock, bench.store, MOSCOW, "03:30", lambda: found.append("damaged"))
    for _ in range(3):
        check.step(bench.clock.monotonic_s())
        bench.clock.advance(60)
    assert found == ["damaged"]
