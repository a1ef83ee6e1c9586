"""Request bodies of what engineers do at the printer."""

from __future__ import annotations

import re
from typing import Annotated

from kktd.api.schemas import Body, ResolveBody
from kktd.api.values import FN, MAX_ID, MAX_NOTE, DocumentNumber, Identifier, text


class RegisteredBody(ResolveBody):
    """Of a receipt in doubt whose paper a person holds; the numbers are the FN's, from it."""

    qr: Annotated[str, text(None, MAX_NOTE, "empty")]  # the text of its square, tag 1196
    shift: DocumentNumber  # tag 1038
    receipt_no: DocumentNumber  # tag 1042


class AbsentBody(ResolveBody):
    """Of one that was never made."""


class AcceptBody(Body):
    """The printer that answers, as the person saw it."""

    serial: Identifier
    fn: Annotated[str, text(FN, 16, "16 digits are needed")]
    leave_unsent: bool = False
    accepted_by: Identifier | None = None  # the caller where it is left out


class FieldBody(Body):
    """The new value of a table's field, as text; a number in digits."""

    value: Annotated[str, text(re.compile(r"[^\x00-\x1f]*"), MAX_ID, "not text")]
