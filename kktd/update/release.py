"""A release as it is published: SHA256SUMS with a signature names its three files.

The signature is Ed25519 over the sums; the public keys lie in the image (docs/decisions/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

KEYS: Final = Path("/usr/lib/kktd-update")
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
SMALL_MAX: Final = 65_536  # bytes of either
LINE: Final = re.compile(r"([0-9a-f]{64})  (\S{1,200})")
NAME: Final = re.compile(
    r"kktd_(?P<version>[\w.~-]+?)\.(?P<part>efi|root-[0-9a-f]{32}\.raw\.gz|verity-[0-9a-f]{32}\.raw\.gz)"
)
PARTS: Final = ("efi", "root", "verity")


class UpdateRefused(Exception):
    """Nothing was changed.  `reason` is a name of reasons.REFUSALS, the text a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Release:
    """`files`: name to SHA-256 in hex; the UKI is the last, for it makes the version bootable."""

    version: str
    files: Mapping[str, str]


def public_keys(folder: Path = KEYS) -> list[Ed25519PublicKey]:
    """Those whose owner may publish; two while one is being replaced."""
    found = (load_pem_public_key(file.read_bytes()) for file in sorted(folder.glob("*.pem")))
    return [key for key in found if isinstance(key, Ed25519PublicKey)]


def read_release(sums: bytes, signature: bytes, keys: Sequence[Ed25519PublicKey]) -> Release:
    """Raises UpdateRefused for what none of `keys` signed, or what is not one whole version."""
    if not any(_is_signed(key, sums, signature) for key in keys):
        raise UpdateRefused("bad_signature")
    files, versions, parts = {}, set(), []
    for line in sums.decode(errors="replace").splitlines():
        match = LINE.fullmatch(line)
        name = NAME.fullmatch(match[2]) if match else None
        if match is None or name is None:
            raise UpdateRefused("not_whole", f"a strange line: {line[:80]}")
        files[match[2]] = match[1]
        versions.add(name["version"])
        parts.append(name["part"].partition("-")[0])
    if sorted(parts) != sorted(PARTS) or len(versions) != 1:
        raise UpdateRefused("not_whole", f"it names {sorted(files)}")
    ordered = sorted(files, key=lambda name: name.endswith(".efi"))
    return Release(versions.pop(), {name: files[name] for name in ordered})


def _is_signed(key: Ed25519PublicKey, sums: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, sums)
    except InvalidSignature:
        return False
    return True
