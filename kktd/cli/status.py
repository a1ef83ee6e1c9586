"""`kktctl status`: the till on three lines; the last one is what to do."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any, Final

from kktd.cli.command import FINE, PROBLEM, Context, Terminal, shown
from kktd.clock import SystemClock

HELP: Final = ("состояние кассы", "how the till is")

FEW: Final = 5  # receipts below which no rate can be told
HOUR_S: Final = 3_600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(context: Context) -> int:
    """1 unless everything is healthy."""
    health = context.client.ask("GET", "/v1/health")
    if "components" not in health.body:
        return context.terminal.refused(health)
    buffer = context.client.ask("GET", "/v1/kkt/buffer/status")
    if not buffer.fine:
        return context.terminal.refused(buffer)
    terminal = context.terminal
    terminal.data({"health": health.body, "buffer": buffer.body})
    _show(terminal, health.body, buffer.body)
    return FINE if health.body["status"] == "healthy" else PROBLEM


def _show(terminal: Terminal, health: dict[str, Any], buffer: dict[str, Any]) -> None:
    parts = health["components"]
    printer, fn, circuit = parts["kkt_device"], parts["fn"], parts["circuit_breaker"]
    tills = ", ".join(health["pos_ids"])
    number = shown(printer["shift_number"])
    shift = {"open": ("открыта", "open"), "closed": ("закрыта", "closed")}.get(
        printer["shift"], ("старше 24 ч", "expired") if printer["shift"] else ("–", "–")
    )
    ready = printer["status"] == "healthy"
    state = ("готова", "ready") if ready else (f"нет: {printer['remedy']}",) * 2
    terminal.say(
        f"{tills}   смена {number} {shift[0]}   ККТ {state[0]}   ФН {shown(fn['serial'])}",
        f"{tills}   shift {number} {shift[1]}   printer {state[1]}   FN {shown(fn['serial'])}",
    )
    queued, capacity = buffer["current_queued"], buffer["total_capacity"]
    percent = round(buffer["percent_full"])
    mode = {
        "online": ("онлайн", "online"),
        "degraded": ("частично", "degraded"),
        "offline": ("офлайн", "offline"),
    }[buffer["network_status"]]
    waits = _age(fn["oldest_unsent"]) if buffer["network_status"] == "offline" else None
    since = (f" {_span(waits, True)}", f" {_span(waits, False)}") if waits else ("", "")
    terminal.say(
        f"буфер     {queued}/{capacity} ({percent} %)   ОФД {mode[0]}{since[0]}   "
        f"предохранитель {circuit['state']}",
        f"buffer    {queued}/{capacity} ({percent} %)   OFD {mode[1]}{since[1]}   "
        f"breaker {circuit['state']}",
    )
    terminal.next(*_advice(health, buffer))


def _advice(health: dict[str, Any], buffer: dict[str, Any]) -> tuple[str, str]:
    """What stops selling first, then what will, then what wants a look."""
    if health["message"]:
        return (health["message"],) * 2
    fills_s = _fills_in_s(buffer)
    if buffer["network_status"] == "offline" and fills_s is not None:
        return (
            f"буфер заполнится примерно через {_span(fills_s, True)}: проверьте интернет (A.1)",
            f"buffer fills in about {_span(fills_s, False)}: check the uplink (A.1)",
        )
    if buffer["alerts"]:
        return (buffer["alerts"][0]["message"],) * 2
    late = health["components"]["workers"]["late"]
    if late:
        names = ", ".join(late)
        return (
            f"не отвечает: {names}; systemctl restart kktd",
            f"late: {names}; systemctl restart kktd",
        )
    return "всё в порядке, делать ничего не нужно", "all is well, nothing to do"


def _fills_in_s(buffer: dict[str, Any]) -> float | None:
    """By the rate since the oldest receipt; None while there are too few to tell."""
    oldest, queued = buffer["oldest_receipt"], buffer["current_queued"]
    if oldest is None or queued < FEW or oldest["age_hours"] <= 0:
        return None
    left = buffer["total_capacity"] - queued
    seconds: float = left * oldest["age_hours"] * HOUR_S / queued
    return seconds


def _age(instant: str | None) -> float | None:
    if instant is None:
        return None
    return max(0.0, SystemClock().wall_s() - datetime.fromisoformat(instant).timestamp())


def _span(seconds: float | None, russian: bool) -> str:
    """`6 h 12 min`."""
    minutes = round((seconds or 0.0) / 60)
    hours, minutes = divmod(minutes, 60)
    hour, minute = ("ч", "мин") if russian else ("h", "min")
    return f"{hours} {hour} {minutes} {minute}" if hours else f"{minutes} {minute}"
