"""Numbered SQL files, applied whole or not at all; the number is `user_version`.

A release opens files of the release before and after it (design: an image that rolled back finds a
newer file), so a schema change is additive with defaults.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

import apsw

from kktd.errors import StoreTooNew, StoreUnavailable
from kktd.store.connection import Db

_NAME: Final = re.compile(r"(\d{3})_\w+\.sql")


def scripts() -> dict[int, str]:
    """Version to SQL, in order, without gaps."""
    found: dict[int, str] = {}
    for entry in resources.files("kktd.store.schema").iterdir():
        if match := _NAME.fullmatch(entry.name):
            found[int(match[1])] = entry.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def migrate(db: Db, todo: dict[int, str] | None = None) -> int:
    """Bring the file up to this release's version in one transaction; returns the version found.

    Raises StoreTooNew for a file more than one version ahead, StoreUnavailable when a script fails:
    then the file is as it was.
    """
    steps = scripts() if todo is None else todo
    newest = max(steps)
    found = int(str(db.pragma("user_version")))
    if found > newest + 1:
        raise StoreTooNew("the database is of a newer release", found=found, known=newest)
    if found >= newest:
        return found
    try:
        db.execute("BEGIN IMMEDIATE")
        for version, sql in steps.items():
            if version > found:
                db.execute(sql)
        db.pragma("user_version", newest)
        db.execute("COMMIT")
    except apsw.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise StoreUnavailable("the schema cannot be brought up", reason=str(error)) from error
    return found
