"""Write an image to a till's disk and read it back.  Run by ./build.sh flash /dev/X.

Only what the block map names is written: partition tables and what partitions hold.  What the disk
had elsewhere is gone for the till: its first boot makes the other partitions anew.
Source: [BMAP] 2.0.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from xml.etree import ElementTree

CHUNK: Final = 1 << 20
LEAST_BESIDE: Final = 2 * (256 << 20)  # state and data: rootfs-overlay/usr/lib/repart.d
BLKFLSBUF: Final = 0x1261


class Refused(Exception):
    """Nothing was written."""


@dataclass(frozen=True, slots=True)
class Map:
    """`ranges` of bytes, each with its SHA-256 in hex."""

    size: int
    ranges: tuple[tuple[int, int, str], ...]

    @classmethod
    def read(cls, file: Path) -> Map:
        root = ElementTree.parse(file).getroot()  # noqa: S314 - made by our own build

        def number(name: str) -> int:
            return int((root.findtext(name) or "").strip())

        size, block = number("ImageSize"), number("BlockSize")
        found = []
        for one in root.iter("Range"):
            first, _, last = (one.text or "").strip().partition("-")
            end = min((int(last or first) + 1) * block, size)
            found.append((int(first) * block, end, one.attrib["chksum"]))
        return cls(size, tuple(found))

    @property
    def mapped(self) -> int:
        return sum(end - start for start, end, _ in self.ranges)


def check_disk(disk: Path, wanted: int) -> int:
    """Its size in bytes; raises Refused for what is no free disk of at least `wanted` bytes."""
    if not disk.exists() or not stat.S_ISBLK(disk.stat().st_mode):
        raise Refused(f"{disk} is no disk")
    real = disk.resolve()
    if (Path("/sys/class/block") / real.name / "partition").exists():
        raise Refused(f"{disk} is a partition: name the whole disk")
    if used := sorted(in_use(real)):
        raise Refused(f"{disk} is in use ({', '.join(used)}): unmount it first")
    with real.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
    if size < wanted:
        raise Refused(f"{disk} is too small: {size >> 20} MiB, {wanted >> 20} MiB are needed")
    return size


def in_use(disk: Path) -> Iterator[str]:
    """Mount points, swap and device-mapper names that stand on the disk or a partition of it."""
    folder = Path("/sys/class/block") / disk.name
    parts = [folder, *(one for one in folder.iterdir() if (one / "partition").exists())]
    numbers = {(one / "dev").read_text().strip() for one in parts}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[2] in numbers:
            yield fields[4]
    names = {f"/dev/{one.name}" for one in parts}
    for line in Path("/proc/swaps").read_text().splitlines()[1:]:
        if line.split()[0] in names:
            yield "swap"
    for one in parts:
        yield from (holder.name for holder in (one / "holders").iterdir())


def write(image: IO[bytes], disk: IO[bytes], blocks: Map, tell: Callable[[int], None]) -> None:
    """Raises Refused when the image ends early: the disk is written in part then."""
    at = done = 0
    for start, end, _ in blocks.ranges:
        _skip(image, start - at)
        disk.seek(start)
        for chunk in _read(image, end - start):
            disk.write(chunk)
            done += len(chunk)
            tell(done * 100 // blocks.mapped)
        at = end
    disk.flush()
    os.fsync(disk.fileno())


def verify(disk: IO[bytes], blocks: Map, tell: Callable[[int], None]) -> list[int]:
    """Where ranges begin that did not come back as they were written."""
    bad, done = [], 0
    for start, end, wanted in blocks.ranges:
        disk.seek(start)
        digest = hashlib.sha256()
        for chunk in _read(disk, end - start):
            digest.update(chunk)
            done += len(chunk)
            tell(done * 100 // blocks.mapped)
        if digest.hexdigest() != wanted:
            bad.append(start)
    return bad


def _read(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        chunk = file.read(min(CHUNK, size))
        if not chunk:
            raise Refused("the image ends too early: copy it again")
        size -= len(chunk)
        yield chunk


def _skip(file: IO[bytes], size: int) -> None:
    for _ in _read(file, size):
        pass


def check_sums(image: Path, sums: Path) -> None:
    """Raises Refused when a file of the image is not what was published."""
    for line in sums.read_text(encoding="utf-8").splitlines():
        wanted, _, name = line.partition("  ")
        if name in (image.name, image.name.replace(".img.zst", ".bmap")):
            with (image.parent / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                    raise Refused(f"{name} is damaged: copy it again")


def flash(image: Path, disk: Path, answer: Callable[[str], str]) -> None:
    """Raises Refused.  `answer` asks a person."""
    base = image.name.removesuffix(".img.zst")
    blocks = Map.read(image.with_name(f"{base}.bmap"))
    check_sums(image, image.with_name(f"{base}.SHA256SUMS"))
    size = check_disk(disk, blocks.size + LEAST_BESIDE)
    model = Path("/sys/class/block") / disk.resolve().name / "device" / "model"
    named = model.read_text().strip() if model.exists() else "no model"
    print(f"{image.name} -> {disk} ({named}, {size >> 20} MiB). All that is on it will be lost.")
    if answer(f"Type the disk's name again ({disk}): ").strip() != str(disk):
        raise Refused("that is another name")
    fd = os.open(disk.resolve(), os.O_RDWR | os.O_EXCL)  # nobody mounts it meanwhile
    with os.fdopen(fd, "r+b") as target:
        command = ["zstd", "-dcq", str(image)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as unpack:  # noqa: S603 - ours
            assert unpack.stdout is not None  # noqa: S101 - it was asked for
            try:
                write(unpack.stdout, target, blocks, _bar("writing"))
            finally:
                unpack.terminate()
        fcntl.ioctl(target, BLKFLSBUF)  # read from the disk, not from memory
        if bad := verify(target, blocks, _bar("reading")):
            raise Refused(f"{disk} does not keep what is written at {bad}: take another disk")
    print(f"{disk} is written and read back: {blocks.mapped >> 20} MiB")


def _bar(what: str) -> Callable[[int], None]:
    shown = [-1]

    def tell(percent: int) -> None:
        if percent != shown[0]:
            shown[0] = percent
            print(f"\r{what} {percent:3d} %", end="\n" if percent == 100 else "", flush=True)

    return tell


def main() -> int:
    parser = argparse.ArgumentParser(prog="./build.sh flash", description=__doc__)
    parser.add_argument("disk", type=Path, metavar="/dev/X")
    parser.add_argument("--image", type=Path, required=True, metavar="kktd_V.img.zst")
    options = parser.parse_args()
    try:
        flash(options.image, options.disk, input)
    except (Refused, OSError, EOFError) as error:
        print(f"flash: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
