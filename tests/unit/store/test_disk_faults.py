"""A disk that is full, and one that breaks: what the till still says and what it stores."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.errors import StoreUnavailable
from kktd.store.store import Store
from tests.support.disk import Disk

# Reads a word a line: `write NAME`, `read`, `checkpoint`, `failed`, `close`; answers a line.
CHILD = """
import sys
from pathlib import Path
from kktd import log
from kktd.errors import StoreUnavailable
from kktd.events import Event
from kktd.store import journal
from kktd.store.store import Store

log.configure()
store = Store(Path(sys.argv[1]))
read = "SELECT group_concat(receipt_id) FROM buffer_events"
for line in sys.stdin:
    word, *rest = line.split()
    try:
        if word == "write":
            store.write(lambda db: journal.append(db, Event.TOKEN_CREATED, 1, receipt_id=rest[0]))
            answer = "stored"
        elif word == "read":
            answer = store.read(lambda db: str(db.execute(read).get))
        elif word == "checkpoint":
            store.checkpoint()
            answer = "done"
        elif word == "failed":
            answer = str(store.failed is not None)
        else:
            store.close()
            answer = "closed"
    except StoreUnavailable:
        answer = "unavailable"
    print(answer, flush=True)
"""


class Till:
    """A store in a process of its own, on a disk with faults."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "kktd.db"
        self.disk = Disk(folder)
        self._child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(self.path)],
            env=self.disk.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, words: str) -> str:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(words + "\n")
        self._child.stdin.flush()
        return self._child.stdout.readline().strip()

    def kill(self) -> None:
        self._child.kill()
        self._child.communicate()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    till = Till(tmp_path)
    yield till
    till.kill()


def after_restart(till: Till) -> list[str]:
    """What the file holds once the disk is well and the till has started again."""
    till.kill()
    till.disk.set()
    store = Store(till.path)
    rows = store.read(
        lambda db: [str(row[0]) for row in db.execute("SELECT receipt_id FROM buffer_events")]
    )
    store.close()
    return rows


def test_a_full_disk_refuses_and_selling_goes_on_when_there_is_space(till: Till) -> None:
    assert till.ask("write a") == "stored"
    till.disk.set(write_errno=errno.ENOSPC)
    assert till.ask("write b") == "unavailable"
    assert till.ask("read") == "a"
    assert till.ask("failed") == "False"
    till.disk.set()
    assert till.ask("write c") == "stored"
    assert till.ask("read") == "a,c"
    assert after_restart(till) == ["a", "c"]


def test_a_full_disk_at_a_checkpoint_loses_nothing(till: Till) -> None:
    assert till.ask("write a") == "stored"
    till.disk.set(write_errno=errno.ENOSPC)
    assert till.ask("checkpoint") == "unavailable"
    assert till.ask("failed") == "False"
    till.disk.set()
    assert till.ask("write b") == "stored"
    assert till.ask("checkpoint") == "done"
    assert after_restart(till) == ["a", "b"]


@pytest.mark.parametrize("fault", ["flush_errno", "write_errno"])
def test_after_a_failed_flush_nothing_is_written_until_the_next_start(
    till: Till, fault: str
) -> None:
    assert till.ask("write a") == "stored"
    till.disk.set(**{fault: errno.EIO})
    assert till.ask("write b") == "unavailable"
    till.disk.set()
    assert till.ask("failed") == "True"
    assert till.ask("write c") == "unavailable"
    assert till.ask("checkpoint") == "unavailable"
    assert till.ask("read") == "a"
    assert till.ask("close") == "closed"
    # "b" was refused, yet its pages may have reached the disk: both are true accounts of it.
    assert after_restart(till) in (["a"], ["a", "b"])


def test_a_checkpoint_that_cannot_flush_stops_the_writing(till: Till) -> None:
    assert till.ask("write a") == "stored"
    till.disk.set(flush_errno=errno.EIO)
    assert till.ask("checkpoint") == "unavailable"
    assert till.ask("failed") == "True"
    till.disk.set()
    assert till.ask("write b") == "unavailable"
    assert after_restart(till) == ["a"]


def test_a_failed_disk_at_the_start_is_an_error_of_the_store(till: Till) -> None:
    till.kill()
    till.disk.set(write_errno=errno.EIO)
    again = subprocess.run(
        [sys.executable, "-c", CHILD, str(till.path.with_name("new.db"))],
        env=till.disk.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert StoreUnavailable.__name__ in again.stderr.splitlines()[-1]
