"""Small scans with structures of known shape, and predictions for them that go wrong in known ways.

Made by arithmetic alone, so that the golden numbers in tests/goldens/evaluation.json belong to them for ever.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from extremes import PIR, write_empty

def oblique(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.round(PIR)


# Canonical (slices, rows, columns), millimetres between them, and where i, j and k grow (columns, LPS).
SCANS = {
    "911_t1": ((15, 120, 70), (4.4, 0.5, 0.625), np.eye(3)),
    "912_t2_SPACE": ((40, 90, 60), (0.9, 0.88, 0.87), oblique(6)),
}
# Centre in parts of the volume, half axes in parts of it, of ellipsoids with these labels.
BODIES = {
    1: ((0.50, 0.82, 0.30), (0.36, 0.085, 0.20)),
    201: ((0.50, 0.71, 0.31), (0.34, 0.035, 0.18)),
    2: ((0.52, 0.60, 0.32), (0.37, 0.080, 0.21)),
    202: ((0.50, 0.49, 0.32), (0.33, 0.033, 0.17)),
    3: ((0.49, 0.38, 0.30), (0.35, 0.078, 0.20)),
    203: ((0.50, 0.275, 0.29), (0.33, 0.030, 0.18)),
    4: ((0.50, 0.17, 0.28), (0.36, 0.075, 0.19)),
    105: ((0.50, 0.00, 0.27), (0.34, 0.070, 0.18)),
}
CANAL = 100


def canonical_truth(scan: str) -> np.ndarray:
    """(slice, row, column): vertebrae with discs between them, one cut by the upper border, and a canal over all rows."""
    shape = SCANS[scan][0]
    place = [(np.arange(n).reshape([-1 if axis == a else 1 for a in range(3)]) + 0.5) / n for axis, n in enumerate(shape)]
    truth = np.zeros(shape, np.uint8)
    for label, (centre, axes) in BODIES.items():
        truth[sum(((p - c) / a) ** 2 for p, c, a in zip(place, centre, axes, strict=True)) <= 1] = label
    truth[(((place[0] - 0.5) / 0.15) ** 2 + ((place[2] - 0.62) / 0.06) ** 2 + 0 * place[1]) <= 1] = CANAL
    return truth


def canonical_predictions(scan: str) -> dict[str, np.ndarray]:
    truth = canonical_truth(scan)
    changed = {"identical": truth}
    table = np.zeros(256, np.uint8)
    table[[1, 2, 3, 4, 105, 100, 201, 202, 203]] = [11, 12, 13, 14, 15, 60, 31, 32, 33]
    changed["shifted"] = table[np.roll(truth, (1, 2, -1), (0, 1, 2))]
    changed["missed"] = np.where(np.isin(truth, [202, CANAL, 4]), 0, truth)
    changed["merged"] = np.where(np.isin(truth, [1, 2]), 9, truth)
    extra = truth.copy()
    extra[:3, :9, :5] = 44
    extra[-1, -1, -1] = 45
    changed["extra"] = extra
    sliver = np.where(truth == 203, 0, truth)
    rows, columns = np.nonzero((truth == 203).any(0))
    sliver[truth.shape[0] // 2, rows.min() : rows.min() + 2, columns.min() : columns.max() + 1] = 203
    changed["sliver"] = sliver
    halves = truth.copy()
    halves[: truth.shape[0] // 2][truth[: truth.shape[0] // 2] == 3] = 77
    changed["halves"] = halves
    voxel = np.zeros_like(truth)
    voxel[tuple(index[0] for index in np.nonzero(truth == 2))] = 2
    changed["voxel"] = voxel
    changed["one_label"] = np.full_like(truth, 7)
    changed["empty"] = np.zeros_like(truth)
    thick = truth.copy()
    for axis in range(3):
        for step in (1, -1):
            moved = np.roll(thick, step, axis)
            thick = np.where(thick == 0, moved, thick)
    changed["thick"] = thick
    return changed


def image(scan: str, canonical: np.ndarray) -> sitk.Image:
    """As a file of the scan's kind has it: superior, posterior, left as numpy axes, or right, inferior, posterior."""
    _, (slice_mm, row_mm, column_mm), direction = SCANS[scan]
    is_lps = np.array_equal(direction, np.eye(3))
    made = sitk.GetImageFromArray(canonical[:, ::-1].transpose(1, 2, 0) if is_lps else canonical[::-1])
    made.SetSpacing((slice_mm, column_mm, row_mm) if is_lps else (column_mm, row_mm, slice_mm))
    made.SetDirection(direction.ravel().tolist())
    made.SetOrigin((-30.25, -40.5, 60.125))
    return made


def write_release(folder: Path):
    """The scans as a release without rows in its tables."""
    write_empty(folder)
    for scan in SCANS:
        truth = sitk.Cast(image(scan, canonical_truth(scan)), sitk.sitkInt16)
        for kind, volume in (("images", truth * 3 + 7), ("masks", truth)):
            sitk.WriteImage(volume, str(folder / kind / f"{scan}.mha"), useCompression=True)
