"""The source files, read by SimpleITK and by nibabel's rules; never by the program that is judged."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

# Towards where i, j and k grow when numpy's (k, j, i) is (right to left, superior to inferior, anterior to posterior).
CANONICAL = "PIL"


def scans(source: Path) -> list[str]:
    return sorted(path.stem for path in (source / "images").glob("*.mha"))


def read(source: Path, folder: str, scan: str) -> sitk.Image:
    return sitk.ReadImage(str(source / folder / f"{scan}.mha"))


def stored(source: Path, folder: str, scan: str) -> np.ndarray:
    """As the file has it: (k, j, i)."""
    return sitk.GetArrayFromImage(read(source, folder, scan))


def canonical(source: Path, folder: str, scan: str) -> sitk.Image:
    """Permuted and flipped by SimpleITK."""
    return sitk.DICOMOrient(read(source, folder, scan), CANONICAL)


def canonical_array(source: Path, folder: str, scan: str) -> np.ndarray:
    """(slice, row, column)."""
    return sitk.GetArrayFromImage(canonical(source, folder, scan))


def affine_lps(image: sitk.Image) -> np.ndarray:
    """(k, j, i, 1) to LPS millimetres."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = (direction * image.GetSpacing())[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return affine


def canonical_by_nibabel(source: Path, folder: str, scan: str) -> tuple[np.ndarray, np.ndarray]:
    """The canonical array and its affine (slice, row, column, 1) to RAS millimetres, turned by nibabel."""
    image = read(source, folder, scan)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_lps(image)
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(affine), nibabel.orientations.axcodes2ornt("LIP")
    )
    array = sitk.GetArrayFromImage(image)
    turned = nibabel.orientations.apply_orientation(array, turn)
    return turned, affine @ nibabel.orientations.inv_ornt_aff(turn, array.shape)


def table(source: Path, name: str) -> list[dict[str, str]]:
    with open(source / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
