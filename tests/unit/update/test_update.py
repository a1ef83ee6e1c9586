"""Updates: signed, whole, newer, at a fit moment; what was rejected stays known with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kktd.update.box import Box, order
from kktd.update.install import Installer, refuse_unfit
from kktd.update.reasons import FAILURES, REFUSALS
from kktd.update.release import UpdateRefused, read_release
from kktd.update.source import Folder, Web, source_of
from kktd.update.state import Failure, Pending, UpdateState, load, save
from tests.support.clock import VirtualClock

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
ID = "0123456789abcdef" * 2
PROVEN, TRIED = "kktd_{}.efi", "kktd_{}+0-3.efi"


def a_release(folder: Path, version: str, key: Ed25519PrivateKey = KEY) -> Path:
    folder.mkdir()
    lines = []
    for part in ("efi", f"root-{ID}.raw.gz", f"verity-{ID}.raw.gz"):
        content = f"{part} of {version}".encode() * 1000
        (folder / f"kktd_{version}.{part}").write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  kktd_{version}.{part}\n")
    sums = "".join(lines).encode()
    (folder / "SHA256SUMS").write_bytes(sums)
    (folder / "SHA256SUMS.sig").write_bytes(key.sign(sums))
    return folder


def a_box(root: Path, running: str, *images: str) -> Box:
    esp = root / "efi/EFI/Linux"
    esp.mkdir(parents=True)
    for name in images or (PROVEN.format(running),):
        (esp / name).touch()
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text(f'ID=debian\nIMAGE_VERSION="{running}"\n')
    boot = root / "proc/sys/kernel/random"
    boot.mkdir(parents=True)
    (boot / "boot_id").write_text("boot-1\n")
    return Box(root)


def a_health(
    *, queued: int = 0, shift: str | None = "open", power: str = "mains"
) -> dict[str, Any]:
    return {
        "components": {
            "power": {"state": power},
            "buffer": {"current_queued": queued},
            "printers": {"kkt": {"shift": shift}},
        }
    }


@dataclass
class Till:
    """An installer with what it wrote into the other slot and what it told."""

    installer: Installer
    told: list[int] = field(default_factory=list)
    written: list[tuple[str, list[str]]] = field(default_factory=list)

    def apply(self, place: Path, health: Mapping[str, Any] | None = None) -> None:
        self.installer.apply(Folder(place), health or a_health(), 20, self.told.append)


@pytest.fixture
def till(tmp_path: Path) -> Till:
    found: list[Till] = []

    def write(version: str, folder: Path) -> None:
        found[0].written.append((version, sorted(one.name for one in folder.iterdir())))

    box = a_box(tmp_path / "root", "2", PROVEN.format(2), PROVEN.format(1))
    state = tmp_path / "state"
    found.append(Till(Installer(box, VirtualClock(), [KEY.public_key()], state, write)))
    return found[0]


def reason_of(refused: pytest.ExceptionInfo[UpdateRefused]) -> str:
    assert refused.value.reason in REFUSALS
    return refused.value.reason


# ---- what is published ------------------------------------------------------------------------


def test_a_signed_release_is_copied_whole_and_installed(till: Till, tmp_path: Path) -> None:
    till.apply(a_release(tmp_path / "stick", "3"))
    names = [f"kktd_3.{part}" for part in ("efi", f"root-{ID}.raw.gz", f"verity-{ID}.raw.gz")]
    assert till.written == [("3", names)]
    assert till.told[0] == 0
    assert till.told == sorted(till.told)
    state = till.installer.state()
    assert state.pending is not None
    assert (state.pending.version, state.progress) == ("3", None)
    assert list((till.installer.folder / "incoming").iterdir()) == []


def test_a_release_of_another_key_is_refused(till: Till, tmp_path: Path) -> None:
    with pytest.raises(UpdateRefused) as refused:
        till.apply(a_release(tmp_path / "stick", "3", OTHER_KEY))
    assert reason_of(refused) == "bad_signature"
    assert till.written == []


def test_a_till_without_keys_takes_nothing(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "stick", "3")
    sums, signature = ((folder / name).read_bytes() for name in ("SHA256SUMS", "SHA256SUMS.sig"))
    with pytest.raises(UpdateRefused) as refused:
        read_release(sums, signature, [])
    assert reason_of(refused) == "bad_signature"


@pytest.mark.parametrize("part", ["efi", f"root-{ID}.raw.gz"])
def test_a_changed_file_is_refused(till: Till, tmp_path: Path, part: str) -> None:
    folder = a_release(tmp_path / "stick", "3")
    file = folder / f"kktd_3.{part}"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(UpdateRefused) as refused:
        till.apply(folder)
    assert (reason_of(refused), str(refused.value)) == ("not_whole", file.name)
    assert (till.written, till.installer.state().progress) == ([], None)


def test_a_missing_file_is_refused(till: Till, tmp_path: Path) -> None:
    folder = a_release(tmp_path / "stick", "3")
    (folder / "kktd_3.efi").unlink()
    with pytest.raises(UpdateRefused) as refused:
        till.apply(folder)
    assert reason_of(refused) == "unreadable"


@pytest.mark.parametrize(
    "sums",
    [
        b"",
        b"no sums\n",
        f"{'0' * 64}  kktd_3.efi\n".encode(),
        f"{'0' * 64}  ../../etc/passwd\n".encode(),
        "".join(
            f"{'0' * 64}  {name}\n"
            for name in ("kktd_3.efi", f"kktd_4.root-{ID}.raw.gz", f"kktd_3.verity-{ID}.raw.gz")
        ).encode(),
    ],
    ids=["empty", "garbage", "one part", "a path", "two versions"],
)
def test_signed_sums_that_name_no_whole_version_are_refused(sums: bytes) -> None:
    with pytest.raises(UpdateRefused) as refused:
        read_release(sums, KEY.sign(sums), [KEY.public_key()])
    assert reason_of(refused) == "not_whole"


@pytest.mark.parametrize("version", ["2", "1.9", "2~rc1"])
def test_an_older_version_is_refused(till: Till, tmp_path: Path, version: str) -> None:
    with pytest.raises(UpdateRefused) as refused:
        till.apply(a_release(tmp_path / "stick", version))
    assert reason_of(refused) == "not_newer"


def test_versions_are_ordered_as_people_count() -> None:
    rising = ["0.1.0", "0.1.1~rc1", "0.1.1", "0.2", "0.10", "1"]
    assert sorted(reversed(rising), key=order) == rising


def test_a_copy_that_broke_off_goes_on_with_what_is_missing(till: Till, tmp_path: Path) -> None:
    folder = a_release(tmp_path / "stick", "3")
    incoming = till.installer.folder / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "kktd_3.efi").write_bytes((folder / "kktd_3.efi").read_bytes())
    (incoming / "kktd_2.efi").write_bytes(b"of an older try")
    (folder / "kktd_3.efi").unlink()
    till.apply(folder)
    assert "kktd_3.efi" in till.written[0][1]
    assert "kktd_2.efi" not in till.written[0][1]


def test_a_place_is_a_folder_its_sums_or_https() -> None:
    assert source_of("/media/stick/kktd_3.update/SHA256SUMS") == Folder(
        Path("/media/stick/kktd_3.update")
    )
    assert source_of("https://updates.example/kktd_3.update") == Web(
        "https://updates.example/kktd_3.update"
    )
    with pytest.raises(UpdateRefused) as refused:
        source_of("http://updates.example/kktd_3.update")
    assert reason_of(refused) == "not_https"


# ---- the moment -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        (a_health(power="on_battery"), "on_battery"),
        (a_health(queued=21), "unsent"),
        (a_health(queued=21, shift=None), "unsent"),
        (None, "daemon_silent"),
    ],
)
def test_an_unfit_moment_is_refused_with_its_reason(
    till: Till, health: Mapping[str, Any] | None, reason: str
) -> None:
    with pytest.raises(UpdateRefused) as refused:
        refuse_unfit(till.installer.box, health, 20)
    assert reason_of(refused) == reason


@pytest.mark.parametrize(
    "health", [a_health(queued=20), a_health(queued=200, shift="closed"), a_health()]
)
def test_a_fit_moment_is_not_refused(till: Till, health: Mapping[str, Any]) -> None:
    refuse_unfit(till.installer.box, health, 20)


def test_a_version_on_trial_takes_no_other(tmp_path: Path) -> None:
    box = a_box(tmp_path / "box", "2", "kktd_2+2-1.efi", PROVEN.format(1))
    with pytest.raises(UpdateRefused) as refused:
        refuse_unfit(box, a_health(), 20)
    assert reason_of(refused) == "not_blessed"


# ---- back -------------------------------------------------------------------------------------


def test_a_rollback_boots_the_proven_version_and_takes_the_rejected_no_more(
    till: Till, tmp_path: Path
) -> None:
    assert till.installer.roll_back(a_health(), 20) == "1"
    names = sorted(one.file.name for one in till.installer.box.images())
    assert names == [TRIED.format(2), PROVEN.format(1)] or names == [
        PROVEN.format(1),
        TRIED.format(2),
    ]
    state = load(till.installer.folder / "state.json")
    assert state.rejected is not None
    assert (state.rejected.version, state.rejected.reason) == ("2", "by_hand")


def test_there_is_no_rollback_to_a_version_that_was_rejected(tmp_path: Path) -> None:
    box = a_box(tmp_path / "box", "2", PROVEN.format(2), TRIED.format(3))
    installer = Installer(box, VirtualClock(), [], tmp_path / "state")
    with pytest.raises(UpdateRefused) as refused:
        installer.roll_back(a_health(), 20)
    assert reason_of(refused) == "no_other"


def test_a_rejected_version_is_not_installed_again(till: Till, tmp_path: Path) -> None:
    save(
        UpdateState(rejected=Failure("3", "not_ready", "", 1.0)),
        till.installer.folder / "state.json",
    )
    with pytest.raises(UpdateRefused) as refused:
        till.apply(a_release(tmp_path / "stick", "3"))
    assert reason_of(refused) == "not_newer"
    till.apply(a_release(tmp_path / "next", "4"))


# ---- what is remembered -----------------------------------------------------------------------

PENDING = UpdateState(pending=Pending("3", "boot-1", 1.0))


def test_a_version_that_waits_for_its_restart_is_not_rejected() -> None:
    assert PENDING.settle("2", "boot-1", 5.0) == PENDING


def test_a_version_that_runs_is_on_trial_until_it_is_proven() -> None:
    assert PENDING.settle("3", "boot-2", 5.0) == PENDING
    assert PENDING.prove("3") == UpdateState()


def test_a_version_that_did_not_boot_is_rejected() -> None:
    assert PENDING.settle("2", "boot-2", 5.0).rejected == Failure("3", "no_boot", "", 5.0)


def test_a_version_that_failed_its_check_is_rejected_with_what_it_said() -> None:
    said = Failure("3", "printer", "kkt", 4.0)
    assert PENDING.fail(said).settle("2", "boot-2", 5.0).rejected == said


def test_a_version_whose_installation_was_cut_off_tells_of_itself() -> None:
    said = Failure("3", "not_ready", "", 4.0)
    assert UpdateState().fail(said).settle("2", "boot-2", 5.0).rejected == said


def test_a_proven_successor_ends_the_word_of_the_rejected_one() -> None:
    rejected = UpdateState(rejected=Failure("3", "no_boot", "", 5.0))
    assert rejected.prove("3").rejected is None
    assert rejected.prove("2").rejected == rejected.rejected


def test_the_state_survives_the_disk_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    file = tmp_path / "new" / "state.json"
    save(PENDING.fail(Failure("3", "printer", "x" * 9000, 4.0)), file)
    found = load(file)
    assert found.pending == PENDING.pending
    assert found.failure is not None
    assert found.failure.reason in FAILURES
    assert file.stat().st_mode & 0o777 == 0o644
    for damaged in ("", "{", "[]", '{"pending": {"version": 1}}'):
        file.write_text(damaged)
        assert load(file) == UpdateState()
