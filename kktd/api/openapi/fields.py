"""Fields that many answers have; `Closed` is an object without any other fields than its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

_DATE_TIME = {"format": "date-time"}
Instant = Annotated[str, Field(json_schema_extra=_DATE_TIME, description="UTC")]
Local = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d$", description="the printer's own time")
]
Rubles = Annotated[str, Field(pattern=r"^-?\d+\.\d\d$", description="rubles")]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Count = Annotated[int, Field(ge=0)]
Fn = Annotated[str, Field(pattern=r"^\d{16}$")]
Percent = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Message = Annotated[str, Field(description="for a person, with what to do")]


class Closed(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # pydantic's own way
