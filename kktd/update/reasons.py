"""Why an update is refused or was rejected, in words: what to do.  By the reason's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Pair = tuple[str, str]  # Russian, English

# Before anything is written.
REFUSALS: Final[Mapping[str, Pair]] = {
    "bad_signature": (
        "Подпись обновления неверна: возьмите его снова с сервера обновлений.",
        "The update is not signed for this till: fetch it again from where updates are published.",
    ),
    "not_whole": (
        "Обновление неполное или повреждено: скопируйте все его файлы снова.",
        "The update is damaged or not whole: copy all of its files again.",
    ),
    "unreadable": (
        "Обновление не читается: проверьте адрес, сеть или флешку.",
        "The update cannot be read: check address, network or stick.",
    ),
    "not_https": (
        "Обновление берут по https:// или из папки.",
        "An update comes over https:// or from a folder.",
    ),
    "not_newer": (
        "На кассе уже эта версия или новее; отклонённую версию не ставят снова: нужна следующая.",
        "The till has this version or a newer one; a rejected one needs a successor.",
    ),
    "on_battery": (
        "Касса на батарее: обновите, когда вернётся сеть.",
        "The till runs on battery: update when the mains are back.",
    ),
    "unsent": (
        "Смена открыта, и не все чеки ушли в ОФД: дождитесь отправки или закройте смену.",
        "A shift is open with unsent receipts: wait until they are sent, or close the shift.",
    ),
    "not_blessed": (
        "Нынешняя версия ещё не проверена: почините то, что мешает проверке "
        "(kktctl selftest boot), и перезагрузите кассу.",
        "The running version is not proven yet: mend what hinders its check "
        "(kktctl selftest boot) and restart the till.",
    ),
    "daemon_silent": (
        "kktd не отвечает, и состояние смены неизвестно: systemctl status kktd.",
        "kktd does not answer, and nobody knows of the shift: systemctl status kktd.",
    ),
    "no_space": (
        "На разделе состояния нет места для обновления: kktctl logs поможет найти, что его заняло.",
        "The state partition has no room for the update.",
    ),
    "no_other": (
        "Вернуться не на что: на кассе одна проверенная версия.",
        "There is nothing to go back to: the till has one proven version.",
    ),
    "not_written": (
        "Обновление не записалось: journalctl -b покажет почему. Нынешняя версия цела.",
        "The update could not be written: journalctl -b says why. The running one is whole.",
    ),
    "no_slots": (
        "Это не касса из образа: обновлять нечего.",
        "This is no till made from an image: there is nothing to update.",
    ),
}

# What the boot's check found; the version goes if it finds it in each of its tries.
FAILURES: Final[Mapping[str, Pair]] = {
    "no_boot": (
        "не загрузилась",
        "did not boot",
    ),
    "unfinished": (
        "зависла при проверке",
        "hung in its check",
    ),
    "not_ready": (
        "служба кассы не заработала",
        "the daemon did not get ready",
    ),
    "database": (
        "база чеков не открылась целой",
        "the database was not whole",
    ),
    "printer": (
        "ККТ подключена, но не отвечает",
        "the printer is connected and does not answer",
    ),
    "dry_run": (
        "пробный чек не прошёл",
        "the trial receipt failed",
    ),
    "by_hand": (
        "отклонена человеком",
        "was rejected by a person",
    ),
}
