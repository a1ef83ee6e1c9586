"""The last receipt's stamp, read before there is a daemon: nothing of the file is changed."""

from __future__ import annotations

from pathlib import Path

import apsw

from kktd.clock import HlcStamp
from kktd.errors import StoreUnavailable
from kktd.store.connection import open_reader
from kktd.store.receipts import highest_stamp


def find_last_stamp(path: Path) -> HlcStamp:
    """Raises StoreUnavailable where the file cannot be read; the daemon judges why."""
    try:
        db = open_reader(path)
        try:
            return highest_stamp(db)
        finally:
            db.close()
    except apsw.Error as error:
        raise StoreUnavailable("the database cannot be read", reason=str(error)) from error
