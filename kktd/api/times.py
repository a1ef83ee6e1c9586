"""Instants as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at_s: float | None) -> str | None:
    """`2025-10-05T14:30:00Z`; None stays None."""
    if at_s is None:
        return None
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def iso_ms(at_ms: int) -> str:
    """`2025-10-05T14:30:00.123Z`."""
    seconds, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"
