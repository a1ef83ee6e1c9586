"""What is given away of a build: the image with its block map, the update, the SBOM, their sums.

Run by image/build.sh in the tools tree, so the standard library has to do.  The same input gives
the same bytes.  Into DIR go

    kktd_V.img.zst  kktd_V.bmap  kktd_V.manifest  kktd_V.spdx.json  SHA256SUMS
    kktd_V.update/  root and verity (gzip: systemd-import reads it), UKI, SHA256SUMS

Source: [BMAP] 2.0, [SPDX] 2.3, [VERITY] superblock.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, BinaryIO, Final

BLOCK: Final = 4096
CHUNK: Final = 1 << 20
SECTOR: Final = 512
GPT_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
GPT_HEADER: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
VERITY: Final = struct.Struct("<8sII16s32sIIQ")  # signature .. number of data blocks


def main() -> int:
    options = _options()
    version, into = options.version, options.into
    name = f"kktd_{version}"
    image: Path = options.image
    for old in (*into.glob(f"{name}.*"),):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    raw = image / f"{name}.raw"
    write_bmap(raw, into / f"{name}.bmap")
    _run("zstd", "-q", "-f", "-9", "-T0", "--no-check", raw, "-o", into / f"{name}.img.zst")
    shutil.copyfile(image / f"{name}.manifest", into / f"{name}.manifest")
    packages = list(packages_of(image, options.site, version))
    write_spdx(packages, name, options.epoch, into / f"{name}.spdx.json")
    write_update(image, name, into / f"{name}.update")
    write_sums(sorted(into.glob(f"{name}.*")), into / f"{name}.SHA256SUMS")
    return 0


# ---- the disk ---------------------------------------------------------------------------------


def mapped_ranges(disk: BinaryIO) -> Iterator[tuple[int, int]]:
    """Byte ranges that a flasher has to write: both partition tables, each partition up to its
    last byte that is not zero.  Zeros between are written too: an old disk holds others."""
    size = disk.seek(0, 2)
    disk.seek(SECTOR)
    header = GPT_HEADER.unpack(disk.read(GPT_HEADER.size))
    if header[0] != b"EFI PART":
        raise SystemExit(f"no GPT: {disk.name}")
    entries_at, count, entry_bytes = header[10] * SECTOR, header[11], header[12]
    disk.seek(entries_at)
    table = disk.read(count * entry_bytes)
    yield 0, entries_at + len(table)
    for at in range(0, len(table), entry_bytes):
        kind, _, first, last, _, _ = GPT_ENTRY.unpack_from(table, at)
        if kind.strip(b"\0"):
            start, end = first * SECTOR, (last + 1) * SECTOR
            used = _used(disk, start, end)
            if used > start:
                yield start, used
    yield (header[8] + 1) * SECTOR, size  # what follows the last usable sector: the second table


def _used(disk: BinaryIO, start: int, end: int) -> int:
    """Where the zeros begin that reach to `end`, rounded up to a chunk."""
    nothing, used = bytes(CHUNK), start
    disk.seek(start)
    for at in range(start, end, CHUNK):
        chunk = disk.read(min(CHUNK, end - at))
        if chunk != nothing[: len(chunk)]:
            used = at + len(chunk)
    return used


def write_bmap(raw: Path, output: Path) -> None:
    """[BMAP] 2.0, as bmaptool and ./build.sh flash read it."""
    size = raw.stat().st_size
    ranges: list[list[int]] = []
    with raw.open("rb") as disk:
        for start, end in sorted(mapped_ranges(disk)):
            first, last = start // BLOCK, (end + BLOCK - 1) // BLOCK - 1
            if ranges and first <= ranges[-1][1] + 1:
                ranges[-1][1] = max(last, ranges[-1][1])
            else:
                ranges.append([first, last])
        lines = []
        for first, last in ranges:
            digest = _digest_range(disk, first * BLOCK, min((last + 1) * BLOCK, size))
            lines.append(f'        <Range chksum="{digest}"> {first}-{last} </Range>')
    mapped = sum(last - first + 1 for first, last in ranges)
    zeros = "0" * 64
    text = "\n".join(
        [
            '<?xml version="1.0" ?>',
            '<bmap version="2.0">',
            f"    <ImageSize> {size} </ImageSize>",
            f"    <BlockSize> {BLOCK} </BlockSize>",
            f"    <BlocksCount> {(size + BLOCK - 1) // BLOCK} </BlocksCount>",
            f"    <MappedBlocksCount> {mapped} </MappedBlocksCount>",
            "    <ChecksumType> sha256 </ChecksumType>",
            f"    <BmapFileChecksum> {zeros} </BmapFileChecksum>",
            "    <BlockMap>",
            *lines,
            "    </BlockMap>",
            "</bmap>\n",
        ]
    )
    own = hashlib.sha256(text.encode()).hexdigest()  # of the text with zeros in its place
    output.write_text(text.replace(zeros, own), encoding="ascii")


def _digest_range(disk: BinaryIO, start: int, end: int) -> str:
    digest = hashlib.sha256()
    disk.seek(start)
    for at in range(start, end, CHUNK):
        digest.update(disk.read(min(CHUNK, end - at)))
    return digest.hexdigest()


# ---- the update -------------------------------------------------------------------------------


def write_update(image: Path, name: str, folder: Path) -> None:
    """Root and verity cut to what is in use; their names carry the partitions' ids."""
    folder.mkdir()
    verity = _only(image.glob(f"{name}.verity-*.raw"))
    root = _only(image.glob(f"{name}.root-*.raw"))
    data_bytes, hash_bytes = verity_sizes(verity)
    _gzip(root, data_bytes, folder / f"{root.name}.gz")
    _gzip(verity, hash_bytes, folder / f"{verity.name}.gz")
    shutil.copyfile(image / f"{name}.efi", folder / f"{name}.efi")
    write_sums(sorted(folder.iterdir()), folder / "SHA256SUMS")


def verity_sizes(verity: Path) -> tuple[int, int]:
    """Bytes that the hashes cover, and bytes of the hashes, up to the last that is not zero."""
    with verity.open("rb") as file:
        found = VERITY.unpack(file.read(VERITY.size))
        if found[0] != b"verity\0\0":
            raise SystemExit(f"no verity superblock: {verity}")
        return found[5] * found[7], _used(file, 0, verity.stat().st_size)


def _gzip(source: Path, size: int, output: Path) -> None:
    """The first `size` bytes, without name and time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    with source.open("rb") as reads, output.open("wb") as writes:
        while size:
            chunk = reads.read(min(CHUNK, size))
            size -= len(chunk)
            writes.write(packer.compress(chunk))
        writes.write(packer.flush())


def write_sums(files: Iterable[Path], output: Path) -> None:
    """As sha256sum prints; folders are left out."""
    lines = []
    for file in files:
        if file.is_file():
            with file.open("rb") as reads:
                lines.append(f"{hashlib.file_digest(reads, 'sha256').hexdigest()}  {file.name}\n")
    output.write_text("".join(lines), encoding="utf-8")


# ---- what is in it ----------------------------------------------------------------------------


def packages_of(image: Path, site: Path, version: str) -> Iterator[dict[str, str]]:
    """Debian's packages by mkosi's manifests, Python's by their dist-info; each once, in order."""
    debian: set[tuple[str, str, str]] = set()
    for manifest in (image / f"kktd_{version}.manifest", image / f"initrd_{version}.manifest"):
        found = json.loads(manifest.read_text(encoding="utf-8"))
        debian |= {(one["name"], one["version"], one["architecture"]) for one in found["packages"]}
    for name, its_version, architecture in sorted(debian):
        purl = f"pkg:deb/debian/{name}@{its_version}?arch={architecture}&distro=trixie"
        yield {"name": name, "version": its_version, "purl": purl, "licence": "NOASSERTION"}
    for metadata in sorted(site.glob("*.dist-info/METADATA")):
        found_here = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        name, its_version = found_here["Name"], found_here["Version"]
        licence = found_here["License-Expression"] or "NOASSERTION"
        purl = f"pkg:pypi/{re.sub('[-_.]+', '-', name.lower())}@{its_version}"
        yield {"name": name, "version": its_version, "purl": purl, "licence": licence}


def write_spdx(packages: list[dict[str, str]], name: str, epoch: int, output: Path) -> None:
    """[SPDX] 2.3: the image contains each package."""
    body = [_spdx_package(f"SPDXRef-{index}", one) for index, one in enumerate(packages)]
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    version = name.partition("_")[2]
    itself = {"name": "kktd", "version": version, "licence": "Apache-2.0"}
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://kktd.invalid/spdx/{name}-{digest[:32]}",
        "creationInfo": {
            "created": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: kktd-image-release"],
        },
        "packages": [_spdx_package("SPDXRef-image", itself), *body],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
            *(_relation("SPDXRef-image", "CONTAINS", one["SPDXID"]) for one in body),
        ],
    }
    output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _spdx_package(identity: str, one: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "SPDXID": identity,
        "name": one["name"],
        "versionInfo": one["version"],
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": one["licence"],
        "copyrightText": "NOASSERTION",
    }
    if "purl" in one:
        reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
        found["externalRefs"] = [reference | {"referenceLocator": one["purl"]}]
    return found


def _relation(whole: str, kind: str, part: str) -> dict[str, str]:
    return {"spdxElementId": whole, "relationshipType": kind, "relatedSpdxElement": part}


def _only(found: Iterable[Path]) -> Path:
    files = list(found)
    if len(files) != 1:
        raise SystemExit(f"expected one file, found {files}")
    return files[0]


def _run(*command: object) -> None:
    subprocess.run([str(one) for one in command], check=True)  # noqa: S603 - our own arguments


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    for name in ("--image", "--site", "--into"):
        parser.add_argument(name, type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
