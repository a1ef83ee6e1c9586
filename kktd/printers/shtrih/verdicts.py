"""What the till and the line say, as what the caller may do next.  Source: [SHTRIH] 5, 10."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kktd.errors import InDoubt, NotReady, Refused, Unreachable
from kktd.printers.base import Paper
from kktd.printers.shtrih import answers, codes
from kktd.printers.shtrih.answers import BadAnswer, DeviceRefused, Mode, Submode, TillState
from kktd.wire.exchange import NotSent, Unanswered
from kktd.wire.port import PortUnusable

FAILURES: Final = (NotSent, Unanswered, BadAnswer, DeviceRefused)  # what a command can end with


@contextmanager
def translated(*, wrong_moment_passes: bool = False) -> Iterator[None]:
    """What till and line say, as what the caller may do; where nothing can be registered.

    A receipt is not at fault when the till left the state it was brought to (somebody switched it
    off and on): with `wrong_moment_passes` it may be tried again.
    """
    try:
        yield
    except (NotSent, Unanswered, BadAnswer) as error:
        unusable = isinstance(error.__cause__, PortUnusable)
        raise Unreachable(str(error), line_unusable=unusable) from error
    except DeviceRefused as error:
        if wrong_moment_passes and error.device_code in codes.WRONG_MOMENT:
            row = codes.explain(error.device_code)
            raise NotReady(row.text, device_code=row.code, remedy=row.remedy) from error
        raise verdict(error.device_code) from error


@contextmanager
def doubtful(before: answers.FnStatus) -> Iterator[None]:
    """The same where a document may exist already: then any failure is a doubt."""
    try:
        yield
    except FAILURES as error:
        raise in_doubt(before) from error


def in_doubt(before: answers.FnStatus) -> InDoubt:
    return InDoubt("sent, not confirmed", fn=before.fn, fd_before=before.last_fd)


def verdict(device_code: int) -> NotReady | Refused:
    error = codes.explain(device_code)
    kind = NotReady if error.passes else Refused
    return kind(error.text, device_code=device_code, remedy=error.remedy)


def no_paper() -> NotReady:
    return NotReady("нет бумаги или открыта крышка", device_code=None, remedy="paper")


def require_open_shift(state: TillState) -> None:
    """Before a receipt is begun: some tills would open a shift by themselves."""
    if state.mode == Mode.SHIFT_OPEN:
        return
    if state.mode == Mode.SHIFT_EXPIRED:
        raise verdict(codes.SHIFT_EXPIRED)
    if state.mode == Mode.SHIFT_CLOSED:
        raise verdict(codes.SHIFT_NOT_OPEN)
    if state.mode == Mode.DATE_CONFIRMATION:
        raise verdict(codes.CONFIRM_DATE)
    raise NotReady(f"ККТ в режиме {state.mode}", device_code=None, remedy="engineer")


def paper_of(state: TillState) -> Paper:
    if state.cover_open or state.submode in answers.PAPER_IS_OUT:
        return Paper.OUT
    if state.submode == Submode.WAITS_CONTINUE:
        return Paper.WAITS_CONTINUE
    if state.submode in answers.IS_PRINTING:
        return Paper.PRINTING
    return Paper.READY
