"""Which device and FN each printer's place is known to have; what hangs on the old one.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from kktd.store.connection import Db
from kktd.store.receipts import IN_BUFFER


@dataclass(frozen=True, slots=True)
class Device:
    """A printer with the FN inside: together they are who prints."""

    serial: str
    fn: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What another device or FN would leave behind: documents in doubt, receipts not delivered."""

    in_doubt: int
    unsent: int


def find(db: Db, printer: str) -> Device | None:
    """None until the first printer was seen in that place."""
    for serial, fn in db.execute("SELECT serial, fn FROM devices WHERE printer = ?", (printer,)):
        return Device(str(serial), str(fn))
    return None


def is_elsewhere(db: Db, printer: str, device: Device) -> bool:
    """Whether another place is known to have this device, or its FN."""
    places = db.execute(
        "SELECT printer FROM devices WHERE printer != ? AND (serial = ? OR fn = ?)",
        (printer, device.serial, device.fn),
    )
    return places.fetchone() is not None


def forget_others(db: Db, printers: Iterable[str]) -> None:
    """Places that the settings name no more: what they had may be anywhere now."""
    db.execute(
        "DELETE FROM devices WHERE printer NOT IN (SELECT value FROM json_each(?))",
        (json.dumps(list(printers)),),
    )


def accept(db: Db, printer: str, device: Device, user: str, now_s: int) -> None:
    """From now on it is this one."""
    db.execute(
        """INSERT OR REPLACE INTO devices (printer, serial, fn, accepted_by, accepted_at)
           VALUES (?, ?, ?, ?, ?)""",
        (printer, device.serial, device.fn, user, now_s),
    )


def find_unsettled(db: Db, printer: str, device: Device) -> Unsettled:
    """Receipts of `printer` in doubt, and what `device`'s FN registered that is not delivered.

    An operation in doubt holds nobody: once the device is another one, it is told as unknown.
    """
    in_doubt = _number(
        db,
        """SELECT count(*) FROM receipts
           WHERE unfinished = 1 AND print_state IN ('printing', 'in_doubt') AND printer = ?""",
        (printer,),
    )
    unsent = _number(
        db, f"SELECT count(*) FROM receipts WHERE {IN_BUFFER} AND fn = ?", (device.fn,)
    )
    return Unsettled(in_doubt, unsent)


def _number(db: Db, sql: str, values: tuple[str, ...] = ()) -> int:
    return int(db.execute(sql, values).get)
