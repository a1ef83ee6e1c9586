"""Bearer tokens: who may call the API.  Only hashes are stored; a token is shown once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kktd.errors import NotFound
from kktd.store.connection import Db


class Role(StrEnum):
    """Each may do what those before it may."""

    CASHIER = "cashier"
    SUPERVISOR = "supervisor"
    ENGINEER = "engineer"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER: Final = tuple(Role)


@dataclass(frozen=True, slots=True)
class Token:
    """One row, without its secret."""

    id: str
    role: Role
    name: str
    created_at_s: int
    revoked_at_s: int | None


_COLUMNS: Final = "id, role, name, created_at, revoked_at"


def create(db: Db, token_id: str, role: Role, name: str, digest: bytes, now_s: int) -> None:
    """Store a new token's SHA-256."""
    db.execute(
        "INSERT INTO tokens (id, role, name, hash, created_at) VALUES (?, ?, ?, ?, ?)",
        (token_id, role, name, digest, now_s),
    )


def find_valid(db: Db, digest: bytes) -> tuple[Token, bytes] | None:
    """The token with this SHA-256 and the hash as stored; None if unknown or revoked."""
    for *columns, found in db.execute(
        f"SELECT {_COLUMNS}, hash FROM tokens WHERE hash = ? AND revoked_at IS NULL", (digest,)
    ):
        return _from_row(tuple(columns)), bytes(found)
    return None


def find_all(db: Db) -> list[Token]:
    """Revoked ones too, oldest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY created_at, rowid")
    return [_from_row(row) for row in rows]


def revoke(db: Db, token_id: str, now_s: int) -> Token:
    """It opens nothing from now on; revoking twice keeps the first instant.  Raises NotFound."""
    for row in db.execute(
        f"""UPDATE tokens SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1
            RETURNING {_COLUMNS}""",
        (token_id, now_s),
    ):
        return _from_row(row)
    raise NotFound("no such token", token_id=token_id)


def _from_row(row: tuple[Any, ...]) -> Token:
    return Token(
        id=row[0], role=Role(row[1]), name=row[2], created_at_s=row[3], revoked_at_s=row[4]
    )
