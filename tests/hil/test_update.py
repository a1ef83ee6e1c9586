"""The virtual till takes an update, proves it, and goes back from a bad one by itself.

With --long alone: three images are built and a dozen boots emulated.  What was measured is printed.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from dev_state import DevState
from till import Bench
from virtual_till import HOST, REPOSITORY
from watched_till import WatchedTill

from tests.support.web import a_certificate

pytestmark = [pytest.mark.long, pytest.mark.timeout(3_600)]

BUILD: Final = REPOSITORY / "build"
GOOD, BAD = "0.1.1", "0.1.2"
HTTPS: Final = 443  # the one port of the web that the till's firewall lets root reach


@pytest.fixture(scope="module")
def releases() -> Path:
    """The folder of the update folders: a good one and one whose daemon ends at once."""
    bad = BUILD / "bad" / "usr" / "bin"
    bad.mkdir(parents=True, exist_ok=True)
    (bad / "kktd").write_text("#!/bin/sh\n# A release whose daemon ends at once.\nexit 1\n")
    (bad / "kktd").chmod(0o755)
    build = str(REPOSITORY / "image" / "build.sh")
    for options in ([], ["--version", GOOD], ["--version", BAD, "--extra-tree=/src/build/bad"]):
        subprocess.run([build, *options], check=True)
    return BUILD


@pytest.fixture(scope="module")
def web(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of the releases, as the guest reaches it, and the CA in PEM."""
    key_file, certificate = a_certificate(tmp_path_factory.mktemp("web"), HOST)
    handler = partial(SimpleHTTPRequestHandler, directory=str(releases))
    server = ThreadingHTTPServer(("127.0.0.1", HTTPS), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://{HOST}", certificate.read_text()
    server.shutdown()


@pytest.fixture(scope="module")
def till(releases: Path) -> Iterator[WatchedTill]:
    """A till that sells, of the first version."""
    folder = BUILD / "till-update"
    shutil.rmtree(folder, ignore_errors=True)
    bench = Bench(DevState(folder), BUILD / "image" / "kktd.raw")
    found = WatchedTill(folder / "box", BUILD / "image" / "kktd.raw", bench.till.ports)
    bench.till = found
    try:
        _say("first boot until it sells", bench.start()["ready_s"])
        yield found
    finally:
        bench.stop()


def _say(what: str, seconds: Any) -> None:
    print(f"{what}: {seconds:.1f} s")


def _apply(till: WatchedTill, web: tuple[str, str], version: str) -> str:
    url, ca = web
    till.look.run(f"cat >/run/ca.pem <<'END'\n{ca}END")
    began_s = time.monotonic()
    said = till.look.run(
        f"LANG=C kktctl update apply {url}/kktd_{version}.update --cacert /run/ca.pem 2>&1", 1_800
    )
    _say(f"apply {version}", time.monotonic() - began_s)
    return said


def test_a_good_release_is_installed_booted_and_proven(
    till: WatchedTill, web: tuple[str, str]
) -> None:
    till.wait(lambda: till.version() != "")
    first = till.version()
    till.wait(lambda: till.images() == [f"kktd_{first}.efi"])  # proven
    said = _apply(till, web, GOOD)
    assert "60 %" in said
    assert till.images() == [f"kktd_{first}.efi", f"kktd_{GOOD}+3-0.efi"]
    till.look.ask("systemctl reboot")
    _say("restart into it", till.wait(lambda: till.version() == GOOD))
    _say("until it is proven", till.wait(lambda: f"kktd_{GOOD}.efi" in till.images()))
    assert till.sells()
    assert f"running              {GOOD} (proven)" in till.status()


def test_a_release_whose_daemon_dies_is_left_by_itself_and_named(
    till: WatchedTill, web: tuple[str, str]
) -> None:
    _apply(till, web, BAD)
    till.look.ask("systemctl reboot")
    till.wait(lambda: till.version() == BAD)
    took_s = till.wait(lambda: till.version() == GOOD and till.sells(), 2_400)
    _say("from the bad one's first boot until the good one sells", took_s)
    assert f"kktd_{BAD}+0-3.efi" in till.images()
    said = till.status()
    assert f"{BAD}: the daemon did not get ready" in said
    status, health = till.ask("/v1/health")
    assert status == 200
    assert health["components"]["update"]["rejected"]["version"] == BAD
