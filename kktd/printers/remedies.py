"""What a cashier can do about a printer that says no: one key, one sentence in two languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Remedy:
    """A sentence for the person at the till; `text` of the API picks the language."""

    ru: str
    en: str


REMEDIES: Final = {
    "paper": Remedy(
        "Вставьте чековую ленту и закройте крышку: печать продолжится сама.",
        "Load paper and close the cover: printing goes on by itself.",
    ),
    "cover": Remedy("Закройте крышку принтера.", "Close the printer's cover."),
    "cutter": Remedy(
        "Выключите ККТ, уберите застрявшую ленту у отрезчика, включите снова.",
        "Switch the printer off, remove the jammed paper at the cutter, switch it on.",
    ),
    "busy": Remedy(
        "ККТ печатает предыдущий документ: подождите.",
        "The printer is still printing the previous document: wait.",
    ),
    "cooling": Remedy(
        "Печатающая головка перегрелась: подождите минуту.",
        "The print head is too hot: wait a minute.",
    ),
    "continue": Remedy(
        "Лента вставлена: продолжите печать командой «продолжить».",
        "Paper is back: choose 'continue printing'.",
    ),
    "power": Remedy(
        "Проверьте блок питания ККТ.", "Check the printer's power supply and its plug."
    ),
    "clock": Remedy(
        "Проверьте дату и время ККТ и подтвердите их.",
        "Check the printer's date and time and confirm them.",
    ),
    "clock_back": Remedy(
        "В ФН есть документ с более поздним временем: проверьте часы кассы.",
        "The FN holds a document of a later time: check the till's own clock.",
    ),
    "table_value": Remedy(
        "Такое значение в это поле не помещается.", "That value does not fit the field."
    ),
    "link": Remedy("Проверьте кабель и питание ККТ.", "Check the printer's cable and power."),
    "printer_line": Remedy(
        "Касса не может открыть линию к ККТ: позовите инженера (kktctl printer discover). Чеки "
        "сохраняются, не пробивайте повторно.",
        "The till cannot open the line to the printer: call an engineer (kktctl printer discover). "
        "Receipts are stored, do not repeat them.",
    ),
    "open_shift": Remedy("Откройте смену.", "Open the shift."),
    "close_shift": Remedy(
        "Смена длится больше 24 часов: закройте её (Z-отчёт) и откройте новую.",
        "The shift is older than 24 hours: close it (Z-report) and open a new one.",
    ),
    "shift_is_open": Remedy(
        "Смена уже открыта: продолжайте работу.", "The shift is open already: go on."
    ),
    "shift_is_closed": Remedy(
        "Смена уже закрыта: закрывать нечего.", "The shift is closed already: nothing to close."
    ),
    "cancel_receipt": Remedy(
        "В ККТ остался открытый чек: отмените его.", "A receipt is left open: cancel it."
    ),
    "cash": Remedy(
        "В кассе не хватает наличных: внесите их.", "Not enough cash in the till: pay some in."
    ),
    "payments": Remedy(
        "Суммы оплаты не сходятся с чеком: проверьте и пробейте заново.",
        "The payments do not fit the receipt: check them and ring it up again.",
    ),
    "data": Remedy(
        "ККТ не приняла данные чека: проверьте товар, цену и количество.",
        "The printer does not take the receipt's data: check item, price and quantity.",
    ),
    "ofd": Remedy(
        "Документы давно не уходят в ОФД: проверьте интернет, вызовите инженера.",
        "Documents have not reached the ОФД for too long: check the network, call an engineer.",
    ),
    "fn_full": Remedy(
        "Архив ФН заполнен: замените ФН, вызовите инженера.",
        "The FN's archive is full: the FN must be replaced, call an engineer.",
    ),
    "fn_expired": Remedy(
        "Срок ФН закончился: замените ФН, вызовите инженера.",
        "The FN has expired: it must be replaced, call an engineer.",
    ),
    "fn_failed": Remedy(
        "ФН не отвечает или неисправен: выключите и включите ККТ, вызовите инженера.",
        "The FN does not answer: switch the printer off and on, call an engineer.",
    ),
    "password": Remedy(
        "Пароль ККТ в настройках неверен: вызовите инженера.",
        "The printer's password in the settings is wrong: call an engineer.",
    ),
    "password_hidden": Remedy(
        "Пароли ККТ касса не показывает и не меняет.",
        "The till neither shows nor changes the printer's passwords.",
    ),
    "close_shift_first": Remedy(
        "Часы ККТ ставят при закрытой смене: закройте её (Z-отчёт).",
        "The clock is set while the shift is closed: close it (Z-report).",
    ),
    "setup": Remedy(
        "Настройка ККТ не подходит: вызовите инженера.",
        "The printer's settings do not fit: call an engineer.",
    ),
    "nothing_to_copy": Remedy("Нет документа для копии.", "There is no document to copy."),
    "marking": Remedy(
        "Код маркировки не принят: продавать этот товар нельзя.",
        "The marking code was not accepted: this item may not be sold.",
    ),
    "vat_missing": Remedy(
        "В ККТ нет такой ставки НДС: нужна новая прошивка. Вызовите инженера.",
        "The printer does not know that VAT rate: it needs new firmware. Call an engineer.",
    ),
    "vat_replaced": Remedy(
        "ККТ сама меняет НДС 20 % на 22 %: инженер ставит в таблице 17 поле 71 = 2.",
        "The printer turns VAT 20 % into 22 %: an engineer sets table 17 field 71 to 2.",
    ),
    "marking_forged": Remedy(
        "Код маркировки не прошёл проверку: отложите этот товар и пробейте чек без него.",
        "The marking code failed its check: put that item aside, ring up the rest without it.",
    ),
    "marking_withdrawn": Remedy(
        "Товар с этим кодом маркировки продан или не введён в оборот: пробейте чек без него.",
        "Goods of this marking code are sold or not in turnover: ring up the rest without them.",
    ),
    "marking_unchecked": Remedy(
        "Код маркировки некому проверить: проверьте интернет ККТ, пробейте чек без этого товара.",
        "Nobody can check the marking code: see to the printer's network, ring up without it.",
    ),
    "marking_ffd": Remedy(
        "ККТ работает по ФФД 1.05: маркированный товар на ней не продать. Вызовите инженера.",
        "The printer registers by FFD 1.05: it cannot sell marked goods. Call an engineer.",
    ),
    "marking_discount": Remedy(
        "Скидка на маркированный товар не делится нацело: измените её.",
        "That discount gives a marked item no whole price: change it.",
    ),
    "marking_setup": Remedy(
        "ККТ не зарегистрирована для маркированных товаров: вызовите инженера.",
        "The printer is not registered for marked goods: call an engineer.",
    ),
    "marking_blocked": Remedy(
        "Уведомления о продаже маркированных товаров не уходят: проверьте интернет ККТ.",
        "Notices of marked goods do not leave the printer: check its network.",
    ),
    "engineer": Remedy("Вызовите инженера.", "Call an engineer."),
}
