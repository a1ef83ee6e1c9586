"""The image, built or as it is, and one box of it that all tests of this folder ask."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from dev_state import DevState

from tests.image.box import Box, RefusedBox

REPOSITORY: Final = Path(__file__).resolve().parents[2]
BUILD: Final = REPOSITORY / "build"
PATIENCE_S: Final = 2_400  # of a cold build and a boot on a machine with other work


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits for the image."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(PATIENCE_S))


@pytest.fixture(scope="session")
def image() -> Path:
    """Built from this tree, or the one KKTD_IMAGE names.  Ends the run where it cannot be built."""
    if named := os.environ.get("KKTD_IMAGE"):
        return Path(named).resolve()
    done = subprocess.run(
        [REPOSITORY / "build.sh", "image"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace")[-4_000:]
        pytest.exit(f"the image cannot be built here (./build.sh image):\n{said}", 1)
    return BUILD / "image" / "kktd.raw"


@pytest.fixture(scope="session")
def box(image: Path) -> Iterator[Box]:
    """A new till: provisioned through its ESP, booted once, its first token taken by its code."""
    root = BUILD / "tests" / "till"
    shutil.rmtree(root, ignore_errors=True)
    box = Box(DevState(root), image)
    try:
        box.start()
        yield box
    finally:
        box.stop()


@pytest.fixture(scope="session")
def refused(image: Path) -> Iterator[RefusedBox]:
    """A new till with a mistake in its settings, as it is shipped: nobody's eyes in it."""
    root = BUILD / "tests" / "refused"
    shutil.rmtree(root, ignore_errors=True)
    box = RefusedBox(DevState(root), image)
    try:
        box.start()
        yield box
    finally:
        box.stop()
