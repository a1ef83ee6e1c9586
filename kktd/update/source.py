"""Where a release is read from: a folder of a stick, or a web server; copied with its sums checked.

It is copied first and used then, so that what was checked is what is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import requests

from kktd.update.release import SIGNATURE, SMALL_MAX, SUMS, Release, UpdateRefused
from kktd.update.state import sync_folder

CHUNK_BYTES: Final = 1 << 20
TIMEOUT_S: Final = (10, 60)  # to connect, between two chunks
SPARE_BYTES: Final = 16 << 20

Tell = Callable[[int], None]  # percent of all bytes


class Source(Protocol):
    """Raises UpdateRefused('unreadable')."""

    def size(self, name: str) -> int: ...

    def chunks(self, name: str) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path

    def size(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_size
        except OSError as error:
            raise UpdateRefused("unreadable", str(error)) from error

    def chunks(self, name: str) -> Iterator[bytes]:
        try:
            with (self.path / name).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise UpdateRefused("unreadable", str(error)) from error


@dataclass(frozen=True, slots=True)
class Web:
    """`url` of the folder; `ca_file` of a server that no public authority knows."""

    url: str
    ca_file: Path | None = None

    def size(self, name: str) -> int:
        with self._get(name) as answer:
            return int(answer.headers.get("Content-Length", 0))

    def chunks(self, name: str) -> Iterator[bytes]:
        with self._get(name) as answer:
            try:
                yield from answer.iter_content(CHUNK_BYTES)
            except requests.RequestException as error:
                raise UpdateRefused("unreadable", str(error)) from error

    def _get(self, name: str) -> requests.Response:
        verify = str(self.ca_file) if self.ca_file else True
        try:
            answer = requests.get(
                f"{self.url.rstrip('/')}/{name}",
                stream=True,
                timeout=TIMEOUT_S,
                verify=verify,
                headers={"Accept-Encoding": "identity"},
                allow_redirects=False,
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise UpdateRefused("unreadable", str(error)) from error
        return answer


def source_of(text: str, ca_file: Path | None = None) -> Source:
    """A folder, its SHA256SUMS, or the https address of either."""
    text = text.removesuffix(f"/{SUMS}")
    if text.startswith("https://"):
        return Web(text, ca_file)
    if "://" in text:
        raise UpdateRefused("not_https", text)
    return Folder(Path(text))


def read_signed(source: Source) -> tuple[bytes, bytes]:
    """The sums and their signature."""
    found = []
    for name in (SUMS, SIGNATURE):
        content = b""
        for chunk in source.chunks(name):
            content += chunk
            if len(content) > SMALL_MAX:
                raise UpdateRefused("not_whole", f"{name} is too long")
        found.append(content)
    return found[0], found[1]


def copy_release(source: Source, release: Release, folder: Path, tell: Tell) -> None:
    """Every file into `folder`, and nothing else; on disk when it returns.  A copy that a power
    cut broke off goes on with the files it lacks.  Raises UpdateRefused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.iterdir():
        if stale.name not in release.files:
            stale.unlink()
    missing = {
        name: digest
        for name, digest in release.files.items()
        if not (folder / name).is_file() or _digest_of(folder / name) != digest
    }
    total = sum(source.size(name) for name in missing)
    if total + SPARE_BYTES > shutil.disk_usage(folder).free:
        raise UpdateRefused("no_space", f"{total} bytes are needed")
    done = 0
    for name, digest in missing.items():
        for count in _copy_file(source, name, digest, folder):
            done += count
            tell(min(100, done * 100 // max(total, 1)))
    sync_folder(folder)


def _copy_file(source: Source, name: str, digest: str, folder: Path) -> Iterator[int]:
    draft, seen = folder / f"{name}.part", hashlib.sha256()
    try:
        with draft.open("wb") as output:
            for chunk in source.chunks(name):
                seen.update(chunk)
                output.write(chunk)
                yield len(chunk)
            output.flush()
            os.fsync(output.fileno())
        if seen.hexdigest() != digest:
            raise UpdateRefused("not_whole", name)
        draft.replace(folder / name)
    except OSError as error:
        raise UpdateRefused("no_space", str(error)) from error
    finally:
        draft.unlink(missing_ok=True)


def _digest_of(file: Path) -> str:
    with file.open("rb") as reads:
        return hashlib.file_digest(reads, "sha256").hexdigest()
