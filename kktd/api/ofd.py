"""A test of the ОФД by hand (procedure A.5), on the Unix socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kktd.api.body import read_body
from kktd.api.call import Call
from kktd.api.messages import Language, Pair
from kktd.api.receipts import parse_optional
from kktd.ofd.probe import Verdict
from kktd.receipts.answers import Answer

WHAT_TO_DO: Final[Mapping[Verdict, Pair]] = {
    Verdict.FINE: (
        "ОФД отвечает и принимает ключ кассы. Если чеки не уходят: kktctl sync --force.",
        "The OFD answers and takes the till's key. If receipts stay: kktctl sync --force.",
    ),
    Verdict.NO_NAME: (
        "Имя ОФД не находится: проверьте интернет, DNS и адрес в [ofd] url.",
        "The name of the OFD is not found: check the network, DNS and [ofd] url.",
    ),
    Verdict.NO_CONNECTION: (
        "Нет соединения с ОФД: проверьте интернет и брандмауэр.",
        "No connection to the OFD: check the network and the firewall.",
    ),
    Verdict.NO_TLS: (
        "Защищённое соединение не установлено: проверьте часы кассы и [ofd] ca_file.",
        "No secure connection: check the till's clock and [ofd] ca_file.",
    ),
    Verdict.NO_ANSWER: (
        "ОФД не ответил вовремя: чеки хранятся и уйдут сами. Повторите проверку позже.",
        "The OFD did not answer in time: receipts are kept and leave by themselves. Try later.",
    ),
    Verdict.NO_KEY: (
        "Ключ ОФД не читается: проверьте файл из [ofd] token_file.",
        "The key cannot be read: check the file of [ofd] token_file.",
    ),
    Verdict.KEY_REFUSED: (
        "ОФД не принимает ключ кассы: запишите новый в файл из [ofd] token_file, дальше само.",
        "The OFD refuses the till's key: write a new one into the file of [ofd] token_file, "
        "the rest happens by itself.",
    ),
    Verdict.THROTTLED: (
        "ОФД просит обращаться реже: касса уже шлёт медленнее, ждите.",
        "The OFD asks for fewer requests: the till sends more slowly already, wait.",
    ),
    Verdict.BUSY: (
        "ОФД на обслуживании: чеки хранятся и уйдут сами. Узнайте у провайдера, когда.",
        "The OFD is down for maintenance: receipts are kept. Ask the provider until when.",
    ),
    Verdict.FAILING: (
        "ОФД отвечает ошибкой: чеки хранятся. Сообщите провайдеру ОФД код ответа.",
        "The OFD answers with an error: receipts are kept. Tell the provider the status.",
    ),
    Verdict.PRINTER_AWAY: (
        "Чеки в ОФД передаёт сама ККТ, а она не отвечает: проверьте её кабель и питание.",
        "The printer itself delivers, and it does not answer: check its cable and power.",
    ),
    Verdict.PRINTER_BEHIND: (
        "ККТ не передаёт чеки в ОФД: проверьте её интернет и настройки ОФД в ней (таблица 19).",
        "The printer does not deliver: check its network and its settings of the OFD (table 19).",
    ),
}


async def probe(call: Call) -> Answer:
    """POST /v1/ofd/probe: 200 whatever it finds; `verdict` says where it ends."""
    parse_optional(await read_body(call.request))
    seen = await call.write(call.till.probe_ofd)
    russian, english = WHAT_TO_DO[seen.verdict]
    return Answer(
        200,
        {
            "host": seen.host,
            "verdict": seen.verdict,
            "stages": [
                {
                    "stage": one.name,
                    "ok": one.is_ok,
                    "duration_ms": one.duration_ms,
                    "found": one.found,
                }
                for one in seen.stages
            ],
            "status": seen.status,
            "retry_after": seen.retry_after,
            "message": english if call.language is Language.EN else russian,
        },
    )
