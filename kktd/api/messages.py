"""What a person reads: a code or a hint to one sentence, Russian and English, with what to do.

What the printer needs is said by `printers/remedies.py`; nothing is said twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from kktd.api.reasons import REASONS
from kktd.printers.remedies import REMEDIES


class Language(StrEnum):
    RU = "ru"
    EN = "en"


Pair = tuple[str, str]  # Russian, English

# By error code (docs/api.md).
CODES: Final[Mapping[str, Pair]] = {
    "MALFORMED": (
        "Запрос не разобран: это не тот JSON, которого ждёт касса. Исправьте программу.",
        "The request cannot be read: it is not the JSON this call takes. Correct the caller.",
    ),
    "KEY_MISSING": (
        "Нет заголовка Idempotency-Key с UUID: создайте его для каждого нового запроса.",
        "A UUID in the header Idempotency-Key is missing: make one for each new request.",
    ),
    "UNAUTHORIZED": (
        "Касса не знает этот токен: получите новый у инженера.",
        "The till does not know this token: ask an engineer for a new one.",
    ),
    "FORBIDDEN": (
        "На это нет прав: позовите того, у кого они есть.",
        "Not allowed: call somebody who may.",
    ),
    "NOT_FOUND": ("Не найдено: проверьте номер или адрес.", "Not found: check the id or the path."),
    "METHOD_NOT_ALLOWED": (
        "Так этот адрес вызвать нельзя: смотрите заголовок Allow.",
        "This path does not take that method: see the Allow header.",
    ),
    "UNKNOWN_POS": (
        "Эта касса не обслуживает такой pos_id: проверьте настройки.",
        "This till does not serve that pos_id: check the settings.",
    ),
    "TOO_LARGE": (
        "Запрос слишком велик: разделите его на части.",
        "The request is too large: split it.",
    ),
    "INVALID": (
        "Данные не приняты: исправьте поле и повторите.",
        "The data is not accepted: correct the field and send it again.",
    ),
    "DOCUMENT_TOO_LONG": (
        "Чек не поместится в ФН (30 КБ): разделите покупку на несколько чеков.",
        "The receipt does not fit the FN (30 KB): split the sale into several receipts.",
    ),
    "KEY_REUSED": (
        "Этот Idempotency-Key уже занят другим запросом: для нового запроса создайте новый ключ.",
        "This Idempotency-Key belongs to another request: make a new key for a new request.",
    ),
    "IN_PROGRESS": (
        "Этот запрос уже выполняется. Не пробивайте повторно: дождитесь ответа.",
        "This request is still running. Do not ring it up again: wait for its answer.",
    ),
    "TOO_LATE": (
        "Поздно: чек уже отправлен в ККТ или завершён. Посмотрите его состояние.",
        "Too late: the receipt was sent to the printer or is finished. Look at its state.",
    ),
    "SHIFT_CLOSED": ("Смена закрыта: откройте смену.", "The shift is closed: open it."),
    "SHIFT_OPEN": (
        "Смена уже открыта: продолжайте работу.",
        "The shift is open already: go on.",
    ),
    "SHIFT_EXPIRED": (
        "Смена длится больше 24 часов: закройте её (Z-отчёт) и откройте новую.",
        "The shift is older than 24 hours: close it (Z-report) and open a new one.",
    ),
    "NOT_ENOUGH_CASH": (
        "В кассе не хватает наличных: внесите их или уменьшите сумму.",
        "Not enough cash in the till: pay some in or ask for less.",
    ),
    "CASH_UNCLEAR": (
        "Неясно, прошло ли внесение или выплата: снимите X-отчёт, пересчитайте наличные и сверьте.",
        "It is unclear whether the cash moved: print an X-report, count the drawer, compare.",
    ),
    "DOUBT_OPEN": (
        "Судьба чека ещё выясняется: дождитесь конца проверки и повторите.",
        "A receipt is still being checked: try again when that is done.",
    ),
    "FN_CHANGED": (
        "Отвечает другая ККТ или другой ФН: верните прежние или вызовите инженера.",
        "Another printer or FN answers: put the old one back or call an engineer.",
    ),
    "UNSENT_LEFT": (
        "Чеки прежнего ФН ещё не в ОФД: верните его и дождитесь отправки. Если он сломан, "
        "примите новый с leave_unsent.",
        "Receipts of the old FN are not at the OFD yet: put it back and let them leave. If it is "
        "broken, accept the new one with leave_unsent.",
    ),
    "UNSYNC_BUFFERS": (
        "Каталог не обновляется, пока чеки не отправлены в ОФД: дождитесь отправки и повторите.",
        "The catalogue waits until all receipts are at the ОФД: try again then.",
    ),
    "RECORDS_MISSING": (
        "База кассы была повреждена и сверяется с ФН, продажи закрыты: вызовите инженера "
        "(kktctl salvage show).",
        "The database was damaged and is compared with the FN, no sales: call an engineer "
        "(kktctl salvage show).",
    ),
    "NO_BACKUP": (
        "Второе место для копий не задано: укажите [backup] directory или url в настройках.",
        "No second place for copies: set [backup] directory or url in the settings.",
    ),
    "NO_ODOO": (
        "У этой кассы нет связи с Odoo: задайте [odoo] url в настройках.",
        "This till has no Odoo: set [odoo] url in its settings.",
    ),
    "REFUND_NOT_SYNCED": (
        "Возврат пока невозможен: исходный чек не синхронизирован. Повторите через 10 мин.",
        "No refund yet: the original receipt is not synced. Try again in 10 minutes.",
    ),
    "STALE_STATE": (
        "Состояние изменилось, пока шёл запрос: посмотрите его и повторите.",
        "The state changed meanwhile: look at it and try again.",
    ),
    "SYNC_IN_PROGRESS": (
        "Синхронизация уже идёт: дождитесь её конца.",
        "A sync is running already: wait until it ends.",
    ),
    "PRINTER_REFUSED": (
        "ККТ отказала, чек не пробит: исправьте причину и пробейте заново.",
        "The printer refused, nothing was registered: mend the cause and ring it up again.",
    ),
    "PRINTER_NOT_READY": (
        "ККТ не готова: посмотрите на её экран и повторите.",
        "The printer is not ready: look at its display and try again.",
    ),
    "RATE_LIMITED": (
        "Слишком много запросов: подождите несколько секунд.",
        "Too many requests: wait a few seconds.",
    ),
    "BUFFER_FULL": (
        "Невозможно принять оплату. Офлайн-буфер переполнен. "
        "Проверьте интернет и сообщите в поддержку.",
        "No payment can be taken: the offline buffer is full. Check the network, call support.",
    ),
    "PRINTER_UNAVAILABLE": (
        "ККТ не отвечает, и чеки уже ждут её: проверьте кабель и питание ККТ.",
        "The printer does not answer and receipts already wait for it: check cable and power.",
    ),
    "NO_NETWORK": (
        "Нет связи с ОФД: чеки хранятся в буфере и уйдут сами. Проверьте интернет.",
        "The ОФД cannot be reached: receipts are kept and leave by themselves. Check the network.",
    ),
    "MAINTENANCE": (
        "Касса на обслуживании: продажи временно закрыты, дождитесь инженера.",
        "The till is in maintenance: no sales for now, wait for the engineer.",
    ),
    "SHUTTING_DOWN": (
        "Касса перезапускается: повторите через несколько секунд с тем же ключом.",
        "The till is restarting: repeat in a few seconds with the same key.",
    ),
    "DISK_FULL": (
        "Диск кассы не принимает записи, чек не сохранён: вызовите инженера.",
        "The till's disk takes no writes, nothing was stored: call an engineer.",
    ),
    "FN_FULL": (
        "ФН заполнен: замените ФН, вызовите инженера.",
        "The FN is full: it must be replaced, call an engineer.",
    ),
    "FN_EXPIRED": (
        "Срок ФН закончился: замените ФН, вызовите инженера.",
        "The FN has expired: it must be replaced, call an engineer.",
    ),
    "INTERNAL": (
        "Внутренняя ошибка кассы. Не пробивайте повторно, пока не увидите состояние чека; "
        "сообщите номер запроса в поддержку.",
        "Internal error. Do not ring it up again before you saw the receipt's state; "
        "tell support the request id.",
    ),
}

# By `hint` of an answer, where the remedies of the printer do not say it.
HINTS: Final[Mapping[str, Pair]] = {
    "waiting": (
        "Чек принят и ждёт печати. Не пробивайте повторно.",
        "The receipt is stored and waits for the printer. Do not ring it up again.",
    ),
    "winding_up": (
        "Касса завершает работу: чек сохранён и ждёт печати. Не пробивайте повторно.",
        "The till is shutting down: the receipt is stored and waits. Do not ring it up again.",
    ),
    "battery_ends": (
        "Питание от батареи: завершаем работу. Чек не принят: пробейте его, когда будет свет.",
        "The battery ends, the till is shutting down: nothing was stored, sell when power is back.",
    ),
    "on_battery": (
        "Касса работает от батареи: проверьте питание.",
        "The till runs on battery: check the mains.",
    ),
    "ups_silent": (
        "ИБП не отвечает: проверьте его кабель, о пропаже света касса не узнает.",
        "The UPS does not answer: check its cable, the till would not hear of a power cut.",
    ),
    "battery_bad": (
        "Батарея ИБП неисправна: замените её.",
        "The UPS's battery is bad: replace it.",
    ),
    "battery_gone": (
        "Батарея ИБП отсоединена: подключите её.",
        "The UPS's battery is detached: connect it.",
    ),
    "held": (
        "Чек не напечатан вовремя и сам не напечатается: выберите «напечатать» или «отменить».",
        "The receipt was not printed in time and will not print by itself: print or cancel it.",
    ),
    "in_doubt": ("Не пробивайте повторно: проверяем.", "Do not ring it up again: we are checking."),
    "paper_pending": (
        "Чек пробит, печать заканчивается. Не пробивайте повторно.",
        "The receipt is registered, the paper is coming. Do not ring it up again.",
    ),
    "cancelled": (
        "Чек отменён до печати: для новой продажи пробейте новый.",
        "The receipt was cancelled before printing: ring up a new one for a new sale.",
    ),
    "type_it_in": (
        "Товар не найден: введите название и цену вручную.",
        "No such product: type in its name and price.",
    ),
    "refund_unknown": (
        "Чек не найден в системе, повторите через 10 мин. Если ждать нельзя, позовите старшего: "
        "он оформит возврат по ФН, ФД и ФП с бумажного чека.",
        "The receipt is not found, try again in 10 minutes. If that is too long, a supervisor can "
        "go on with FN, FD and FP from the paper.",
    ),
    "refund_needs_paper": (
        "Чек не найден в системе: введите ФН, ФД и ФП с бумажного чека.",
        "The receipt is not found: type in FN, FD and FP from its paper.",
    ),
    "refund_unsynced": (
        "Исходный чек не синхронизирован: он ещё не ушёл в ОФД. Проверьте интернет, дождитесь "
        "отправки и повторите возврат.",
        "The original receipt is not synced: it has not reached the ОФД yet. Check the network, "
        "wait until it left and try again.",
    ),
    "refund_failed": (
        "Исходный чек не синхронизирован: ОФД его не принял. Вызовите инженера.",
        "The original receipt is not synced: the ОФД did not take it. Call an engineer.",
    ),
    "refund_nothing_left": (
        "По этому чеку уже возвращено всё.",
        "All of this receipt was refunded already.",
    ),
    "record_lost": (
        "Запись этого чека потеряна в повреждённой базе: найдите чек на ленте или в кабинете ОФД, "
        "не пробивайте повторно.",
        "The record of this receipt was lost in a damaged database: look for it on the paper or "
        "at the ОФД, do not ring it up again.",
    ),
    "disk_filled": (
        "Диск кассы почти заполнен, продажи закрыты: вызовите инженера. Смену закрыть можно.",
        "The till's disk is nearly full, no sales: call an engineer. The shift can be closed.",
    ),
    "dlq_resolved": (
        "Эту запись DLQ уже закрыли: обновите список.",
        "This row of the DLQ was closed before: look at the list again.",
    ),
    "copy_printed": ("Копия чека напечатана.", "A copy was printed."),
    "copy_only_last": (
        "ККТ печатает копию только последнего чека: отправьте покупателю электронный.",
        "The printer copies the last receipt only: send the customer an electronic one.",
    ),
    "pair_again": (
        "Код не подошёл или уже не действует: попросите новый (kktctl pair на кассе).",
        "The code is wrong or over: ask for a new one (kktctl pair at the till).",
    ),
    "operation_waiting": (
        "Запрос принят и ждёт ККТ: не повторяйте.",
        "The request is stored and waits for the printer: do not repeat it.",
    ),
    "operation_in_doubt": (
        "ККТ ещё не ответила: не повторяйте, проверяем.",
        "The printer has not answered yet: do not repeat it, we are checking.",
    ),
    "operation_did_not_run": (
        "ККТ этого не сделала: повторите.",
        "The printer did not do it: try again.",
    ),
    "printer_away": (
        "ККТ не отвечает: проверьте кабель и питание. Чек сохранён, не пробивайте повторно.",
        "The printer does not answer: check cable and power. The receipt is stored, do not repeat.",
    ),
    "old_printer_knows": (
        "Судьбу чека знают только прежняя ККТ и её ФН: подключите их. Если это невозможно, решите "
        "по бумаге: kktctl receipt registered или absent.",
        "Only the old printer and its FN know what became of a receipt: plug them in. If that "
        "cannot be, decide by the paper: kktctl receipt registered or absent.",
    ),
    "shift_old": (
        "Смена открыта больше 23 часов: закройте её (Z-отчёт), после 24 часов продажи остановятся.",
        "The shift is older than 23 hours: close it (Z-report), at 24 sales stop.",
    ),
    "cash_unclear": CODES["CASH_UNCLEAR"],
    "shift_open": CODES["SHIFT_OPEN"],
    "shift_closed": CODES["SHIFT_CLOSED"],
    "shift_expired": CODES["SHIFT_EXPIRED"],
    "fn_changed": CODES["FN_CHANGED"],
    "several_match": (
        "В ФН несколько похожих документов: не пробивайте повторно, вызовите инженера.",
        "Several documents of the FN fit: do not ring it up again, call an engineer.",
    ),
    "counters_strange": (
        "Счётчики ФН не сходятся с записями кассы: не пробивайте повторно, вызовите инженера.",
        "The FN's counters do not fit our records: do not ring it up again, call an engineer.",
    ),
}


def sentence(key: str, language: Language) -> str | None:
    """The sentence of a hint, a printer's remedy or a code; None if there is none."""
    pair = HINTS.get(key) or CODES.get(key)
    if pair is None:
        remedy = REMEDIES.get(key)
        if remedy is None:
            return None
        pair = (remedy.ru, remedy.en)
    return pair[0] if language is Language.RU else pair[1]


def error_sentence(
    code: str, hint: object, details: Mapping[str, object], language: Language
) -> str:
    """What to do about an error: its hint if there is one, else its code, then field and reason."""
    said = sentence(hint, language) if isinstance(hint, str) else None
    said = said or sentence(code, language) or sentence("INTERNAL", language) or code
    reason = details.get("reason")
    if code not in ("INVALID", "TOO_LARGE", "MAINTENANCE") or not isinstance(reason, str):
        return said
    if language is Language.RU:
        reason = REASONS.get(reason, reason)
    field = details.get("field")
    return f"{said} ({field}: {reason})" if field else f"{said} ({reason})"


def language_of(header: str | None) -> Language:
    """The better of Russian and English in an Accept-Language header; Russian by default."""
    best, best_weight = Language.RU, 0.0
    for part in (header or "").split(",")[:16]:
        tag, _, parameter = part.strip().partition(";")
        name = tag.strip().lower().partition("-")[0]
        if name not in ("ru", "en"):
            continue
        weight = _weight(parameter)
        if weight > best_weight:
            best, best_weight = Language(name), weight
    return best


def _weight(parameter: str) -> float:
    text = parameter.strip().removeprefix("q=")
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
