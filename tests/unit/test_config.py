"""Settings: a bad file is refused whole, and says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from kktd.config import Settings
from kktd.errors import BadConfig
from kktd.model.receipt import TaxSystem
from kktd.settings_file import load, parse

WHOLE = """
[till]
pos_ids = ["POS-007", "POS-008"]
timezone = "Asia/Vladivostok"
state_dir = "/srv/kktd"
[api]
listen = "[::1]:8443"
metrics = ""
origins = ["https://shop.example"]
open_reading = false
[printer]
url = "serial:///dev/ttyUSB0?baudrate=115200"
print_timeout_ms = 7000
[buffer]
capacity = 300
[ofd]
url = "https://ofd.example/api/v1"
token_file = "/run/credentials/kktd.service/ofd"
[organisation]
inn = "7707083893"
tax_system = "usn_income"
"""


def test_an_empty_file_is_all_defaults() -> None:
    assert parse("") == Settings()
    assert Settings().buffer.capacity == 200
    assert Settings().printer.print_timeout_ms == 10_000


def test_what_is_set_is_taken_and_the_rest_stays() -> None:
    settings = parse(WHOLE)
    assert settings.till.pos_ids == ("POS-007", "POS-008")
    assert settings.till.state_dir == Path("/srv/kktd")
    assert settings.zone.key == "Asia/Vladivostok"
    assert settings.api.metrics == ""
    assert settings.buffer.capacity == 300
    assert settings.tax_system is TaxSystem.USN_INCOME
    assert settings.printer.max_unprinted == Settings().printer.max_unprinted


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[bufer]", "bufer"),
        ("buffer = 5", "buffer"),
        ("[buffer]\nsize = 5", "buffer.size"),
        ("[buffer]\ncapacity = 0", "buffer.capacity"),
        ("[buffer]\ncapacity = 10001", "buffer.capacity"),
        ("[buffer]\ncapacity = '200'", "buffer.capacity"),
        ("[buffer]\ncapacity = 200.0", "buffer.capacity"),
        ("[buffer]\ncapacity = true", "buffer.capacity"),
        ("[api]\nopen_reading = 1", "api.open_reading"),
        ("[api]\nlisten = 'everywhere'", "api.listen"),
        ("[api]\nlisten = ''", "api.listen"),
        ("[api]\norigins = ['*']", "api.origins"),
        ("[api]\nsocket = 'api.sock'", "api.socket"),
        ("[till]\npos_ids = []", "till.pos_ids"),
        ("[till]\npos_ids = 'POS-001'", "till.pos_ids"),
        ("[till]\npos_ids = ['']", "till.pos_ids"),
        ("[till]\npos_ids = ['A', 'A']", "till.pos_ids"),
        ("[till]\npos_ids = ['A B']", "till.pos_ids"),
        ("[till]\ntimezone = 'Mars/Olympus'", "till.timezone"),
        ("[till]\ntimezone = 'Europe'", "till.timezone"),
        ("[till]\ntimezone = '../../etc/passwd'", "till.timezone"),
        ("[till]\ntimezone = ''", "till.timezone"),
        ("[till]\nstate_dir = ''", "till.state_dir"),
        ("[printer]\nfamily = 'abacus'", "printer.family"),
        ("[printer]\nurl = '/dev/ttyUSB0'", "printer.url"),
        ("[printer]\nurl = 'tcp://kkt'", "printer.url"),
        ("[ofd]\nurl = 'ofd.example'", "ofd.url"),
        ("[ofd]\nbackoff_initial_ms = 60000\nbackoff_max_ms = 50000", "ofd.backoff_initial_ms"),
        ("[organisation]\ninn = '123'", "organisation.inn"),
        ("[organisation]\ntax_system = 'none'", "organisation.tax_system"),
    ],
)
def test_a_bad_file_is_refused_and_names_the_key(text: str, key: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(text)
    assert caught.value.details["key"] == key


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(BadConfig) as caught:
        parse("[buffer]\ncapacity = = 5")
    assert "line 2" in str(caught.value.details["reason"])


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig):
        load(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadConfig):
        load(tmp_path / "binary.toml")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "kktd.toml").write_text(WHOLE, encoding="utf-8")
    assert load(tmp_path / "kktd.toml") == parse(WHOLE)
