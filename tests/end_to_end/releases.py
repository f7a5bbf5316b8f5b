"""The releases that tests run on: folders laid out like the SPIDER release.

`synthetic`, `made`, `demo` and `extreme` are made by this project's own scripts and need nothing else. Two more are
used where an environment variable names them:

    SAGITTAL_RELEASE     the real release, or a part of it: overview.csv, radiological_gradings.csv, and images and
                         masks as folders or as the two zip files
    SAGITTAL_METAIMAGES  a folder of MetaImage files that other programs wrote

Tests of a release that is not there are not run, and the last lines of a run say so by name and number.
"""

import os
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import make_scans
import pytest

TABLES = ("overview.csv", "radiological_gradings.csv")
# Every row of the tables, but few volumes, as in a release of which only a part was fetched.
SYNTHETIC_SCANS = {"5_t2_SPACE", "7_t2_SPACE", "200_t2_SPACE"}
# Both kinds of volume, a patient who mixes them and has two oblique series, and the tallest series of the release.
MADE_PATIENTS = {1, 55, 58}
# Of a release with more scans than this, so many are tested, evenly spread.
MOST_SCANS = 12


@dataclass(frozen=True)
class Optional:
    """A release that is not part of the project."""

    variable: str
    what: str

    def folder(self) -> Path | None:
        named = os.environ.get(self.variable)
        return Path(named).resolve() if named else None


OPTIONAL = {
    "real": Optional("SAGITTAL_RELEASE", "the real release"),
    "foreign": Optional("SAGITTAL_METAIMAGES", "MetaImage files that other programs wrote"),
}
# The releases that have the tables of the whole release.
COMPLETE = ["synthetic", "real"]
RELEASES = ["synthetic", "made", "demo", "real"]
# The releases over which a test runs that holds for any voxels whatever.
EXTREMES_TOO = pytest.mark.parametrize("service", [*RELEASES, "extreme", "foreign"], indirect=True)


def write_synthetic(folder: Path):
    make_scans.make(folder, scans=SYNTHETIC_SCANS, slices=18, scale=0.6, all_rows=True)


def write_made(folder: Path):
    """The sizes and layouts of the release, scaled down in the plane."""
    make_scans.make(folder, patients=MADE_PATIENTS, scale=0.3)


def copy_scans(release: Path, folder: Path, scans: Iterable[str]) -> Path:
    """A release of some scans of another one, whose files may be changed, with all rows of its tables."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
        for scan in scans:
            shutil.copy(release / kind / f"{scan}.mha", folder / kind)
    for table in TABLES:
        shutil.copy(release / table, folder)
    return folder


def real_part(folder: Path) -> Path:
    """The release that SAGITTAL_RELEASE names, or a folder with some of its scans where it has many."""
    release = OPTIONAL["real"].folder()
    missing = [name for name in TABLES if not (release / name).is_file()]
    if missing:
        pytest.fail(f"SAGITTAL_RELEASE is {release}, where there is no {missing[0]}")
    if (release / "images").is_dir():
        scans = sorted(path.stem for path in (release / "images").glob("*.mha"))
        if len(scans) <= MOST_SCANS:
            return release
    else:
        with zipfile.ZipFile(release / "images.zip") as archive:
            scans = sorted(Path(name).stem for name in archive.namelist() if name.endswith(".mha"))
    for name in TABLES:
        shutil.copyfile(release / name, folder / name)
    for scan in scans[:: -(-len(scans) // MOST_SCANS)]:
        for kind in ("images", "masks"):
            (folder / kind).mkdir(exist_ok=True)
            target = folder / kind / f"{scan}.mha"
            if (release / kind).is_dir():
                target.symlink_to(release / kind / f"{scan}.mha")
                continue
            with zipfile.ZipFile(release / f"{kind}.zip") as archive:
                [member] = [name for name in archive.namelist() if Path(name).name == f"{scan}.mha"]
                target.write_bytes(archive.read(member))
    return folder
