"""The till's certificates: made once, renewed in time, whole, right on a wrong clock."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from kktd.api import tls
from tests.support.clock import VirtualClock

NAMES = ("pos-001.local", "192.0.2.7")


def _leaf(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "leaf.pem").read_bytes())


def test_ca_and_leaf_say_what_the_contract_says(tmp_path: Path) -> None:
    clock = VirtualClock()
    tls.make(tls.Files(tmp_path), NAMES, clock)
    leaf = _leaf(tmp_path)
    ca = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    now = datetime.fromtimestamp(clock.wall_s(), UTC)
    assert leaf.not_valid_before_utc == ca.not_valid_before_utc == datetime(2020, 1, 1, tzinfo=UTC)
    assert leaf.not_valid_after_utc == now + timedelta(days=730)
    assert ca.not_valid_after_utc == now + timedelta(days=7300)
    leaf.verify_directly_issued_by(ca)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pos-001.local", "localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [
        "192.0.2.7",
        "127.0.0.1",
    ]
    for name, mode in (("ca.key", 0o600), ("leaf.key", 0o600), ("leaf.pem", 0o644)):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert not list(tmp_path.glob("*.new"))


def test_nothing_is_made_while_the_leaf_is_good(tmp_path: Path) -> None:
    clock = VirtualClock()
    tls.ensure(tmp_path, NAMES, clock)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    tls.ensure(tmp_path, NAMES, clock)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_it_is_renewed_90_days_before_its_end_under_the_same_ca(tmp_path: Path) -> None:
    files, clock = tls.Files(tmp_path), VirtualClock()
    tls.make(files, NAMES, clock)
    authority = files.ca.read_bytes()
    clock.advance((730 - 91) * 86_400)
    assert not tls.is_due(files, NAMES, clock)
    clock.advance(2 * 86_400)
    assert tls.is_due(files, NAMES, clock)
    tls.make(files, NAMES, clock)
    assert not tls.is_due(files, NAMES, clock)
    assert files.ca.read_bytes() == authority


@pytest.mark.parametrize("name", ["leaf.pem", "leaf.key", "leaf.json"])
@pytest.mark.parametrize("content", [None, b"", b"half"])
def test_a_missing_or_torn_file_is_made_anew(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    files, clock = tls.Files(tmp_path), VirtualClock()
    tls.make(files, NAMES, clock)
    authority = files.ca.read_bytes()
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    assert tls.is_due(files, NAMES, clock)
    tls.make(files, NAMES, clock)
    assert not tls.is_due(files, NAMES, clock)
    assert files.ca.read_bytes() == authority


def test_other_names_want_another_leaf(tmp_path: Path) -> None:
    files, clock = tls.Files(tmp_path), VirtualClock()
    tls.make(files, NAMES, clock)
    assert tls.is_due(files, ("pos-002.local",), clock)


def test_a_cut_between_key_and_certificate_is_noticed(tmp_path: Path) -> None:
    files, clock = tls.Files(tmp_path), VirtualClock()
    tls.make(files, NAMES, clock)
    old = files.leaf.read_bytes(), files.facts.read_bytes()
    tls.make(files, NAMES, clock)
    files.leaf.write_bytes(old[0])
    files.facts.write_bytes(old[1])
    assert tls.is_due(files, NAMES, clock)


def test_a_clock_of_1970_makes_a_certificate_that_works(tmp_path: Path) -> None:
    files = tls.Files(tmp_path)
    tls.make(files, NAMES, VirtualClock(datetime(1970, 1, 2, tzinfo=UTC)))
    assert _leaf(tmp_path).not_valid_after_utc > datetime(2027, 12, 1, tzinfo=UTC)
    assert json.loads(files.facts.read_text())["names"][0] == "pos-001.local"


def test_the_daemon_never_loads_the_library_that_makes_them(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from kktd.api import tls; import kktd.api.server;"
        "from kktd.clock import SystemClock;"
        f"tls.ensure(Path({str(tmp_path)!r}), ('a.local',), SystemClock());"
        "sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(tls.CertificateFailed):
        tls.ensure(blocked, NAMES, VirtualClock())
