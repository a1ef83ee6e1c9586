"""A damaged database as bytes in memory: the file with the whole of its WAL, its first page mended.

Nothing on the disk is opened by SQLite or changed.  Source: [SQLITE] file format, WAL format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from kktd.store.connection import Db
from kktd.store.migrate import migrate

PAGE: Final = 4_096  # what every database of ours has
MAGIC: Final = b"SQLite format 3\x00"
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_WAL_MAGIC: Final = (0x377F0682, 0x377F0683)  # checksums of little-endian, big-endian words


@dataclass(frozen=True, slots=True)
class Wal:
    """Pages of whole transactions; `is_cut`: whole ones lie behind a frame that is broken."""

    pages: dict[int, bytes]
    size_pages: int | None
    is_cut: bool


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def read_wal(path: Path) -> Wal:
    """What SQLite would recover of it; an absent or unknown WAL holds nothing."""
    try:
        data = path.read_bytes()
    except OSError:
        return Wal({}, None, is_cut=False)
    nothing = Wal({}, None, is_cut=len(data) > _WAL_HEADER + _FRAME_HEADER)
    if len(data) < _WAL_HEADER:
        return Wal({}, None, is_cut=False)
    magic, _, page_size, _, *_ = struct.unpack(">8I", data[:_WAL_HEADER])
    order = ">" if magic == _WAL_MAGIC[1] else "<"
    sums = _checksum(order, data[:24], (0, 0))
    if magic not in _WAL_MAGIC or page_size != PAGE or sums != struct.unpack(">2I", data[24:32]):
        return nothing
    pages: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    size: int | None = None
    broken = False
    step = _FRAME_HEADER + PAGE
    for at in range(_WAL_HEADER, len(data) - step + 1, step):
        head, page = data[at : at + _FRAME_HEADER], data[at + _FRAME_HEADER : at + step]
        number, commit, *rest = struct.unpack(">6I", head)
        if head[8:16] != data[16:24]:
            break  # of the WAL before this one
        if broken:
            if commit:
                return Wal(pages, size, is_cut=True)
            continue
        sums = _checksum(order, head[:8] + page, sums)
        if sums != (rest[2], rest[3]):
            broken = True
            if commit:
                return Wal(pages, size, is_cut=True)
            continue
        pending[number] = page
        if commit:
            pages |= pending
            pending, size = {}, commit
    return Wal(pages, size, is_cut=False)


def _checksum(order: str, data: bytes, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for left, right in zip(words[::2], words[1::2], strict=True):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return first, second


def open_image(path: Path) -> Db:
    """A connection to a copy in memory that reads whatever can be read; no error is expected."""
    data = bytearray(path.read_bytes()) if path.exists() else bytearray()
    wal = read_wal(wal_of(path))
    wanted = max([len(data) // PAGE, *wal.pages, 1])
    data += bytes(wanted * PAGE - len(data)) if wanted * PAGE > len(data) else b""
    del data[wanted * PAGE :]
    for number, page in wal.pages.items():
        data[(number - 1) * PAGE : number * PAGE] = page
    first = _first_page()
    if data[:16] != MAGIC:
        data[:100] = first[:100]
    db = _load(data)
    try:
        readable = len(db.execute("SELECT name FROM sqlite_schema").fetchall()) > 0
    except (apsw.Error, UnicodeDecodeError):
        readable = False
    if readable:
        return db
    db.close(True)
    data[:PAGE] = first  # every database of ours begins with the same one
    return _load(data)


def _load(data: bytearray) -> Db:
    struct.pack_into(">H4B", data, 16, PAGE, 1, 1, 0, 64)  # no WAL: it is in here already
    struct.pack_into(">B", data, 22, 32)
    struct.pack_into(">B", data, 23, 32)
    struct.pack_into(">I", data, 28, len(data) // PAGE)
    data[92:96] = data[24:28]  # the count of pages is true
    struct.pack_into(">2I", data, 32, 0, 0)  # nobody writes: no page is free
    db = apsw.Connection(":memory:")
    db.deserialize("main", bytes(data))
    db.pragma("trusted_schema", 0)
    return db


def _first_page() -> bytes:
    db = apsw.Connection(":memory:")
    migrate(db)
    page = db.serialize("main")[:PAGE]
    db.close(True)
    return page
