"""Why a field was not taken: the reason as raised, in Russian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# `details.reason` of INVALID and its kin, as raised, to Russian.
REASONS: Final[Mapping[str, str]] = {
    "discount exceeds the line": "скидка больше суммы позиции",
    "the line is too dear": "сумма позиции слишком велика",
    "no lines": "в чеке нет позиций",
    "the receipt is too dear": "сумма чека слишком велика",
    "paid less than the total": "оплачено меньше суммы чека",
    "change is given from cash only": "сдача возможна только с наличных",
    "only a sale gives change": "сдача бывает только при продаже: оплаты должны равняться сумме",
    "a correction says what it corrects": "укажите, что исправляет чек коррекции",
    "not a correction": "только чек коррекции что-то исправляет",
    "FFD 1.05 undoes a sale by a refund": "в ФФД 1.05 лишнюю продажу исправляет возврат",
    "an order of the tax office has a number": "номер есть у предписания, и только у него",
    "a date is needed, YYYY-MM-DD": "нужна дата ГГГГ-ММ-ДД",
    "a refund names its original": "укажите исходный чек",
    "one original, not two": "укажите исходный чек одним способом",
    "only a refund has an original": "исходный чек бывает только у возврата",
    "not a registered sale": "исходный чек не пробитая продажа",
    "not the sign of that document": "ФП не от этого документа",
    "more than is left of the original": "больше, чем осталось вернуть по исходному чеку",
    "not the text of a receipt's QR code": "это не текст QR-кода чека",
    "not the FN it was sent to": "чек отправлялся в другой ФН",
    "not a document made since": "этот документ сделан раньше или намного позже",
    "the document of another receipt": "это документ другого чека",
    "another sum or kind": "другая сумма или другой признак расчёта",
    "not a receipt id": "это не номер чека",
    "16 digits are needed": "нужно 16 цифр",
    "up to 10 digits are needed": "нужно до 10 цифр",
    "a document number is needed": "нужен номер документа",
    "fn:fd is needed": "нужно ФН:ФД",
    "FFD 1.05 sells no marked goods": (
        "касса работает по ФФД 1.05, маркированный товар не продать: вызовите инженера"
    ),
    "not a marking code as scanned": (
        "это не код маркировки: включите у сканера английскую раскладку и отсканируйте снова"
    ),
    "a marking code is of one piece": "код маркировки у каждой штуки свой: укажите количество 1",
    "only goods are marked": "код маркировки бывает только у товара",
    "the same code twice": "этот код маркировки в чеке уже есть: отсканируйте другой экземпляр",
    "the field is missing": "поле не указано",
    "unknown field": "лишнее поле",
    "not one of the known names": "такого значения нет",
    "rubles above zero": "нужна сумма больше нуля",
    "rubles with at most two decimals": "нужны рубли не более чем с двумя знаками после запятой",
    "a quantity above zero with at most six decimals": (
        "нужно количество больше нуля не более чем с шестью знаками после запятой"
    ),
    "not an INN": "это не ИНН",
    "not an e-mail address": "это не адрес электронной почты",
    "not a phone number": "это не номер телефона",
    "empty": "пусто",
    "too long": "слишком длинно",
    "not text": "нужен текст",
    "not a list": "нужен список",
    "not an object": "нужен объект",
    "not true or false": "нужно true или false",
    "one of sku, barcode and q is needed": "нужно одно из sku, barcode и q",
    "not accepted": "значение не подходит",
    "given twice": "указано дважды",
    "not an ISO timestamp": "нужны дата и время ISO 8601, например 2026-03-02T09:30:00Z",
    "not a number in range": "число вне допустимых границ",
}
