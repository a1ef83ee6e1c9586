"""`build.sh flash`: what it refuses, what it writes, what it notices; on a loop device."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
SIZE = 24 << 20
USED = ((0, 1 << 20), (4 << 20, 9 << 20))


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"image_{name}", ROOT / "image" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


flash, release = _load("flash"), _load("release")


@pytest.fixture
def content() -> bytes:
    """A disk with two ranges in use."""
    disk = bytearray(SIZE)
    for start, end in USED:
        disk[start:end] = hashlib.shake_256(str(start).encode()).digest(end - start)
    return bytes(disk)


@pytest.fixture
def image(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    if shutil.which("zstd") is None:
        pytest.skip("no zstd here: build.sh flash installs it")
    raw = tmp_path / "kktd_1.raw"
    raw.write_bytes(content)
    monkeypatch.setattr(release, "mapped_ranges", lambda _: iter(USED))
    release.write_bmap(raw, tmp_path / "kktd_1.bmap")
    packed = tmp_path / "kktd_1.img.zst"
    subprocess.run(["zstd", "-q", raw, "-o", packed], check=True)
    release.write_sums([packed, tmp_path / "kktd_1.bmap"], tmp_path / "kktd_1.SHA256SUMS")
    monkeypatch.setattr(flash, "LEAST_BESIDE", 4 << 20)
    return packed


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MiB full of an older life."""
    backing = tmp_path / "disk"
    backing.write_bytes(b"\xee" * (32 << 20))
    done = subprocess.run(
        ["losetup", "--find", "--show", backing], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no loop device here: {done.stderr.strip()}")
    yield Path(done.stdout.strip())
    subprocess.run(["losetup", "--detach", done.stdout.strip()], check=True)


def test_an_image_is_written_where_its_map_says_and_read_back(
    image: Path, loop: Path, content: bytes
) -> None:
    flash.flash(image, loop, lambda _: str(loop))
    written = loop.read_bytes()
    for start, end in USED:
        assert written[start:end] == content[start:end]
    assert written[9 << 20 : 10 << 20] == b"\xee" * (1 << 20)  # what the map leaves out


def test_another_name_writes_nothing(image: Path, loop: Path) -> None:
    with pytest.raises(flash.Refused, match="another name"):
        flash.flash(image, loop, lambda _: "/dev/sda")
    assert loop.read_bytes()[:16] == b"\xee" * 16


def test_a_damaged_image_writes_nothing(image: Path, loop: Path) -> None:
    with image.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    with pytest.raises(flash.Refused, match="damaged"):
        flash.flash(image, loop, lambda _: str(loop))
    assert loop.read_bytes()[:16] == b"\xee" * 16


def test_a_disk_that_is_too_small_is_refused(image: Path, loop: Path) -> None:
    with pytest.raises(flash.Refused, match="too small"):
        flash.check_disk(loop, 33 << 20)


def test_a_mounted_disk_is_refused(loop: Path, tmp_path: Path) -> None:
    subprocess.run(["mkfs.ext4", "-q", loop], check=True)
    place = tmp_path / "mounted"
    place.mkdir()
    mounted = subprocess.run(["mount", loop, place], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mount is not allowed here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(flash.Refused, match="in use"):
            flash.check_disk(loop, 1)
    finally:
        subprocess.run(["umount", place], check=True)
    assert flash.check_disk(loop, 1) == 32 << 20


def test_a_file_is_no_disk(tmp_path: Path) -> None:
    (tmp_path / "sda").touch()
    with pytest.raises(flash.Refused, match="no disk"):
        flash.check_disk(tmp_path / "sda", 1)


def test_a_disk_that_forgets_is_noticed(content: bytes) -> None:
    ranges = tuple(
        (start, end, hashlib.sha256(content[start:end]).hexdigest()) for start, end in USED
    )
    blocks = flash.Map(SIZE, ranges)
    disk = io.BytesIO(content)
    assert flash.verify(disk, blocks, lambda _: None) == []
    disk.getbuffer()[5 << 20] ^= 1
    assert flash.verify(disk, blocks, lambda _: None) == [4 << 20]


def test_the_map_covers_every_byte_in_use(tmp_path: Path) -> None:
    """A GPT with one partition, written by hand: 2 MiB of data in 8 MiB of it."""
    disk = bytearray(SIZE)
    last = SIZE // 512 - 1
    header = (b"EFI PART", 0x10000, 92, 0, 0, 1, last, 34, last - 33, bytes(16), 2, 128, 128, 0)
    release.GPT_HEADER.pack_into(disk, 512, *header)
    release.GPT_ENTRY.pack_into(disk, 1024, b"k" * 16, b"u" * 16, 2048, 2048 + 16383, 0, b"root")
    disk[1 << 20 : 3 << 20] = b"\1" * (2 << 20)
    assert list(release.mapped_ranges(io.BytesIO(disk))) == [
        (0, 1024 + 128 * 128),
        (1 << 20, 3 << 20),
        ((last - 32) * 512, SIZE),
    ]
