"""`kktctl products find|refresh`: the catalogue as the till has it, and its import now."""

from __future__ import annotations

import argparse
from typing import Final
from urllib.parse import urlencode

from kktd.cli.command import FINE, Context, WrongUse

HELP: Final = ("каталог: найти товар, обновить", "the catalogue: find a product, import it")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("find", "refresh"))
    parser.add_argument("name", nargs="?", help="часть названия / part of the name")
    parser.add_argument("--sku")
    parser.add_argument("--barcode")


def run(context: Context) -> int:
    return _find(context) if context.options.action == "find" else _refresh(context)


def _find(context: Context) -> int:
    options, terminal = context.options, context.terminal
    asked = {"q": options.name, "sku": options.sku, "barcode": options.barcode}
    given = {name: value for name, value in asked.items() if value is not None}
    if len(given) != 1:
        raise WrongUse("products find NAME | --sku SKU | --barcode CODE")
    reply = context.client.ask("GET", f"/v1/kkt/products?{urlencode(given)}")
    if not reply.fine:
        return terminal.refused(reply)
    terminal.data(reply.body)
    terminal.table(
        [
            (one["sku"], f"{one['price']}  {one['vat']}  {one['name']}")
            for one in reply.body["items"]
        ]
    )
    terminal.next("цена не та: kktctl products refresh", "a wrong price: kktctl products refresh")
    return FINE


def _refresh(context: Context) -> int:
    reply = context.client.ask("POST", "/v1/kkt/cache/refresh")
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    known = reply.body["products"]
    context.terminal.say(
        f"обновление начато, сейчас товаров: {known}", f"import begun, {known} products so far"
    )
    context.terminal.next("следите: kktctl logs", "watch it: kktctl logs")
    return FINE
