"""The till's own CA (20 years) and leaf (2 years), both valid from 2020: a wrong clock still works.

`ensure` is cheap and runs at every start.  The certificates are made in a process of its own,
`python -m kktd.api.tls DIR NAME…`, since the library that makes them costs 9 MiB for good.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import ssl
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kktd.clock import Clock, SystemClock
from kktd.errors import KktdError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CA_YEARS: Final = 20
LEAF_YEARS: Final = 2
RENEW_DAYS: Final = 90
NOT_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
# No clock of a till is right before this; counting two years from 1970 would end in the past.
RELEASED: Final = datetime(2026, 1, 1, tzinfo=UTC)
MAKE_S: Final = 60.0
ALWAYS: Final = ("localhost", "127.0.0.1")


class CertificateFailed(KktdError):
    """No usable certificate could be made; the LAN listener cannot open."""

    code = "CERTIFICATE_FAILED"


@dataclass(frozen=True, slots=True)
class Files:
    """What lies in `<state_dir>/tls`."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def leaf(self) -> Path:
        return self.folder / "leaf.pem"

    @property
    def leaf_key(self) -> Path:
        return self.folder / "leaf.key"

    @property
    def facts(self) -> Path:
        """Expiry and names of the leaf, with its hash, so that nobody has to parse X.509."""
        return self.folder / "leaf.json"


def ensure(folder: Path, names: tuple[str, ...], clock: Clock) -> ssl.SSLContext:
    """A context that serves a valid leaf for `names`; made or renewed first if it has to be.

    Raises CertificateFailed.
    """
    files = Files(folder)
    if is_due(files, names, clock):
        command = [sys.executable, "-m", "kktd.api.tls", str(folder), *names]
        made = subprocess.run(command, capture_output=True, timeout=MAKE_S, check=False)  # noqa: S603 - ours
        if made.returncode != 0:
            raise CertificateFailed(
                "no certificate was made", reason=made.stderr.decode(errors="replace")[-500:]
            )
    try:
        return _context(files)
    except (OSError, ssl.SSLError) as error:
        raise CertificateFailed("the certificate cannot be used", reason=str(error)) from error


def is_due(files: Files, names: tuple[str, ...], clock: Clock) -> bool:
    """Missing, torn, for other names, or over in less than 90 days."""
    try:
        facts = json.loads(files.facts.read_text(encoding="utf-8"))
        leaf = files.leaf.read_bytes()
        _context(files)
        ends_s = float(facts["not_after_s"])
        known = facts["sha256"] == hashlib.sha256(leaf).hexdigest()
    except (OSError, ValueError, KeyError, TypeError, ssl.SSLError):
        return True
    fits = facts.get("names") == list(all_names(names))
    return not (known and fits and clock.wall_s() < ends_s - RENEW_DAYS * 86_400)


def all_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *ALWAYS)))


def fingerprint(files: Files) -> str | None:
    """SHA-256 of the CA, as browsers show it; None while there is none."""
    try:
        der = ssl.PEM_cert_to_DER_cert(files.ca.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def _context(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.leaf, files.leaf_key)
    return context


# ---- making them, in the process of its own -----------------------------------------------------


def make(files: Files, names: tuple[str, ...], clock: Clock) -> None:
    """Write a new leaf, and the CA if there is none; each file whole or not at all."""
    files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = max(datetime.fromtimestamp(clock.wall_s(), UTC), RELEASED)
    ca, ca_key = _find_ca(files) or _make_ca(files, now)
    wanted = all_names(names)
    leaf, key_pem = _make_leaf(ca, ca_key, wanted, now)
    leaf_pem = _pem(leaf) + _pem(ca)
    facts = {
        "names": list(wanted),
        "not_after_s": leaf.not_valid_after_utc.timestamp(),
        "sha256": hashlib.sha256(leaf_pem).hexdigest(),
    }
    # The facts last: until they fit the leaf, the next start makes everything again.
    _write(files.leaf_key, key_pem, 0o600)
    _write(files.leaf, leaf_pem, 0o644)
    _write(files.facts, json.dumps(facts).encode(), 0o644)


def _find_ca(files: Files) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """The CA that tills and browsers were told to trust; None if it cannot be used."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
        key = load_pem_private_key(files.ca_key.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != ca.public_key():
        return None
    return ca, key


def _make_ca(files: Files, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("kktd till CA")
    public = key.public_key()
    ca = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(now + timedelta(days=365 * CA_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(files.ca_key, _key_pem(key), 0o600)
    _write(files.ca, _pem(ca), 0o644)
    return ca, key


def _make_leaf(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    now: datetime,
) -> tuple[x509.Certificate, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(now + timedelta(days=365 * LEAF_YEARS), ca.not_valid_after_utc)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([_san(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    return leaf, _key_pem(key)


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _san(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, ca: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    """The old file or the new one, never half of it, also after a power cut."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


if __name__ == "__main__":
    make(Files(Path(sys.argv[1])), tuple(sys.argv[2:]), SystemClock())
