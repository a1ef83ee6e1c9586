"""Idempotency keys, stored with what they accepted: a repeat after a crash finds its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kktd.errors import KeyReused
from kktd.store.connection import Db


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What a key stands for.  `answer` is (HTTP status, body), None until it is final."""

    receipt_id: str | None
    operation_id: str | None
    answer: tuple[int, dict[str, Any]] | None


def find(db: Db, key: str, digest: bytes) -> StoredKey | None:
    """None for a new key; raises KeyReused if it belongs to another request."""
    for found, receipt_id, operation_id, status, answer in db.execute(
        """SELECT digest, receipt_id, operation_id, http_status, answer
           FROM idempotency_keys WHERE key = ?""",
        (key,),
    ):
        if found != digest:
            raise KeyReused("the key belongs to another request", key=key)
        final = None if answer is None else (status, json.loads(answer))
        return StoredKey(receipt_id, operation_id, final)
    return None


def claim(
    db: Db,
    key: str,
    digest: bytes,
    now_s: int,
    *,
    receipt_id: str | None = None,
    operation_id: str | None = None,
) -> None:
    """Store a new key beside what it accepts, in the same transaction."""
    db.execute(
        """INSERT INTO idempotency_keys (key, digest, receipt_id, operation_id, created_at)
           VALUES (?, ?, ?, ?, ?)""",
        (key, digest, receipt_id, operation_id, now_s),
    )


def store_answer(db: Db, key: str, status: int, answer: dict[str, Any]) -> None:
    """The final answer of a request that neither prints nor waits."""
    db.execute(
        "UPDATE idempotency_keys SET http_status = ?2, answer = ?3 WHERE key = ?1",
        (key, status, json.dumps(answer, ensure_ascii=False)),
    )


def store_receipt_answer(db: Db, receipt_id: str, status: int, answer: dict[str, Any]) -> None:
    """The final answer to the POST that accepted this receipt, once; later calls change nothing."""
    db.execute(
        """UPDATE idempotency_keys SET http_status = ?2, answer = ?3
           WHERE receipt_id = ?1 AND http_status IS NULL""",
        (receipt_id, status, json.dumps(answer, ensure_ascii=False)),
    )


def store_operation_answer(db: Db, operation_id: str, status: int, answer: dict[str, Any]) -> None:
    """The same for a device operation."""
    db.execute(
        """UPDATE idempotency_keys SET http_status = ?2, answer = ?3
           WHERE operation_id = ?1 AND http_status IS NULL""",
        (operation_id, status, json.dumps(answer, ensure_ascii=False)),
    )
