"""A release of volumes at the edges of what the format and the dataset allow, with masks on the same grids.

Extreme shapes, constant volumes, values at both ends of their types, element types and grids that the release does not
have; and a release of volumes that other programs wrote. No scan has a row in overview.csv.
"""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from make_scans import read

LABELS = np.array([0, 0, 0, 1, 2, 9, 25, 100, 101, 125, 201, 209, 225])
# Columns: where i, j and k grow, in LPS.
LPS = np.eye(3)
PIR = np.array([[0, 4.897e-12, -1], [1, 0, 0], [4.897e-12, -1, 0]])
RAS = np.diag([-1.0, -1.0, 1.0])
CORONAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def turned(degrees: float) -> np.ndarray:
    """The PIR grid, turned about the patient's long axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ PIR


def noise(shape, dtype, low=None, high=None) -> np.ndarray:
    """Values all over a type's range unless limited, both ends among them. Shape is (k, j, i)."""
    limits = np.iinfo(dtype)
    low, high = limits.min if low is None else low, limits.max if high is None else high
    values = np.random.default_rng(list(shape)).integers(low, high, size=shape, dtype=dtype, endpoint=True)
    values.flat[:2] = low, high
    return values


def ends(shape) -> np.ndarray:
    """Nothing but the ends of int16, where -32768 lies outside -1..1 of a floating-point image."""
    return np.random.default_rng(5).choice(np.array([-32768, -32767, 32767, 0], np.int16), size=shape)


def volumes() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Array (k, j, i) and direction of each scan."""
    return {
        "901_t1": (noise((3682, 384, 8), np.int16, -1000, 3096), LPS),
        "902_t1": (noise((216, 264, 9), np.int16, -1000, 3096), LPS),
        "903_t1": (np.full((80, 70, 6), 500, np.int16), LPS),
        "903_t2": (np.full((80, 70, 6), -7, np.int16), LPS),
        "903_t2_SPACE": (np.full((6, 80, 70), 65535, np.uint16), PIR),
        "904_t1": (noise((300, 200, 7), np.int16), LPS),
        "904_t2": (ends((300, 200, 7)), LPS),
        "905_t2": (noise((11, 320, 290), np.uint16), PIR),
        # As many slices as columns, or more: the Hugging Face edition then slices across the patient.
        "906_t1": (noise((40, 30, 40), np.uint16, 0, 1500), PIR),
        "906_t2": (noise((64, 50, 24), np.uint16, 0, 1500), PIR),
        "907_t1": (noise((12, 60, 90), np.int16, 0, 900), RAS),
        "907_t2": (noise((33, 90, 70), np.int16, 0, 900), CORONAL),
        "907_t2_SPACE": (noise((9, 75, 60), np.uint16, 0, 900), turned(44)),
        "908_t1": (noise((50, 61, 5), np.uint8), LPS),
        "908_t2": (noise((50, 62, 5), np.int8), LPS),
        "908_t2_SPACE": (noise((50, 63, 5), np.int32), LPS),
        "909_t1": (noise((50, 64, 5), np.uint32), LPS),
        # One voxel across, or two.
        "909_t2": (noise((1, 40, 30), np.int16, 0, 900), PIR),
        "909_t2_SPACE": (noise((2, 1, 30), np.int16, 0, 900), PIR),
    }


FOREIGN = {
    "911_t1": "3DCT_lung_baseline_small.mha",
    "911_t2": "3DCT_lung_baseline_mask.mha",
    "912_t1": "mha.mha",
    "913_t2": "tptbox_t2w.mha",
    "913_t2_SPACE": "tptbox_t2w_raw.mha",
}
# A mask that another program wrote, over the image it was made for.
FOREIGN_MASK = ("913_t2", "tptbox_vert_mask.mha")


def mask_for(image: sitk.Image, seed: int) -> sitk.Image:
    """Blocks of labels on the grid of an image."""
    shape = image.GetSize()[::-1]
    blocks = np.random.default_rng(seed).choice(LABELS, size=[-(-n // 5) for n in shape])
    array = np.kron(blocks, np.ones((5, 5, 5), int))[tuple(slice(n) for n in shape)]
    mask = sitk.GetImageFromArray(array.astype(np.int16))
    mask.CopyInformation(image)
    return mask


def write_empty(folder: Path):
    """Folders without scans, and tables without rows."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for name in ("overview.csv", "radiological_gradings.csv"):
        with open(folder / name, "w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerow(read(name)[0])


def write_extremes(folder: Path):
    write_empty(folder)
    for seed, (scan, (array, direction)) in enumerate(volumes().items()):
        image = sitk.GetImageFromArray(array)
        image.SetDirection(direction.astype(float).ravel().tolist())
        image.SetSpacing((0.7, 0.55, 3.3))
        image.SetOrigin((-31.25, 12.5, 104.75))
        sitk.WriteImage(image, str(folder / "images" / f"{scan}.mha"), useCompression=seed % 2 == 0)
        sitk.WriteImage(mask_for(image, seed), str(folder / "masks" / f"{scan}.mha"), useCompression=True)


def write_foreign(folder: Path, metaimages: Path):
    missing = [name for name in [*FOREIGN.values(), FOREIGN_MASK[1]] if not (metaimages / name).is_file()]
    if missing:
        pytest.fail(f"SAGITTAL_METAIMAGES is {metaimages}, where there is no {missing[0]}")
    write_empty(folder)
    for seed, (scan, name) in enumerate(FOREIGN.items()):
        shutil.copyfile(metaimages / name, folder / "images" / f"{scan}.mha")
        image = sitk.ReadImage(str(metaimages / name))
        sitk.WriteImage(mask_for(image, seed), str(folder / "masks" / f"{scan}.mha"), useCompression=True)
    shutil.copyfile(metaimages / FOREIGN_MASK[1], folder / "masks" / f"{FOREIGN_MASK[0]}.mha")
