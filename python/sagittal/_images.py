"""Arrays with their place in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array

if TYPE_CHECKING:
    import nibabel
    import SimpleITK

Affine = NDArray[np.float64]

# LPS, the convention of DICOM and ITK, to RAS, that of NIfTI, and back.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# (slice, row, column) to NIfTI's (column, row, slice).
_REVERSED = [2, 1, 0, 3]


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels of a scan or of its mask, and where they lie.

    `array` is (rows, columns) of one slice, or (slices, rows, columns). `affine` takes (slices from the first one, row,
    column, 1) to millimetres in the patient: towards left, back and head (LPS). `slices` are the numbers of the slices in the
    scan. `numpy.asarray` gives the array.
    """

    array: Array
    affine: Affine
    scan_id: str
    slices: range

    @property
    def spacing(self) -> Affine:
        """Millimetres from slice to slice, row to row, column to column."""
        return spacing_of(self.affine)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy or (dtype is not None and np.dtype(dtype) != self.array.dtype):
            return self.array.astype(dtype or self.array.dtype)
        return self.array

    def to_sitk(self) -> SimpleITK.Image:
        """As a three-dimensional SimpleITK image. Needs SimpleITK."""
        return to_sitk(self.array, self.affine)

    def to_nibabel(self) -> nibabel.Nifti1Image:
        """As a three-dimensional NIfTI image. Needs nibabel."""
        return to_nibabel(self.array, self.affine)


@dataclass(frozen=True, eq=False)
class Pair:
    """A slice and its mask, pixel for pixel.

    `image` is (rows, columns), with `context=n` (2n + 1, rows, columns): the slice between its neighbours. `mask` is (rows,
    columns), `uint8`. `affine` takes (slices from this one, row, column, 1) to millimetres in the patient, LPS.
    """

    scan_id: str
    slice: int
    image: Array
    mask: Array
    affine: Affine

    @property
    def spacing(self) -> Affine:
        """Millimetres from slice to slice, row to row, column to column."""
        return spacing_of(self.affine)

    def to_sitk(self) -> tuple[SimpleITK.Image, SimpleITK.Image]:
        """Image and mask as SimpleITK images of one slice, without its neighbours. Needs SimpleITK."""
        return to_sitk(self._own(), self.affine), to_sitk(self.mask, self.affine)

    def to_nibabel(self) -> tuple[nibabel.Nifti1Image, nibabel.Nifti1Image]:
        """Image and mask as NIfTI images of one slice, without its neighbours. Needs nibabel."""
        return to_nibabel(self._own(), self.affine), to_nibabel(self.mask, self.affine)

    def _own(self) -> Array:
        return self.image if self.image.ndim == 2 else self.image[len(self.image) // 2]


@dataclass(frozen=True, eq=False)
class Sample(Pair):
    """A pair of a stream, with what is known of it.

    `about` has `labels` (label, class, name and pixels of each in the slice), `metadata`, `gradings`, `split`, `patient_id`
    and `scan_type`.
    """

    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Batch:
    """Many slices with their masks, all of one shape, in the requested order.

    `image` is (n, rows, columns) or (n, channels, rows, columns), `mask` is (n, rows, columns), `affines` is (n, 4, 4).
    `scan_ids` and `slices` say what each of them shows, also where `"mid"` or `"best"` was requested.
    """

    scan_ids: list[str]
    slices: list[int]
    image: Array
    mask: Array
    affines: Affine

    def __len__(self) -> int:
        return len(self.scan_ids)

    def __getitem__(self, n: int) -> Pair:
        return Pair(self.scan_ids[n], self.slices[n], self.image[n], self.mask[n], self.affines[n])


def spacing_of(affine: Affine) -> Affine:
    """Millimetres from slice to slice, row to row, column to column."""
    lengths: Affine = np.linalg.norm(affine[:3, :3], axis=0)
    return lengths


def to_sitk(array: Array, affine: Affine) -> SimpleITK.Image:
    """ITK counts column, row, slice; its arrays are the other way round, as ours are."""
    try:
        import SimpleITK as sitk
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError("to_sitk needs SimpleITK: pip install 'sagittal[itk]'") from missing
    image = sitk.GetImageFromArray(array if array.ndim == 3 else array[None])
    axes, spacing = affine[:3, 2::-1], spacing_of(affine)[::-1]
    image.SetSpacing(spacing.tolist())
    image.SetDirection((axes / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def to_nibabel(array: Array, affine: Affine) -> nibabel.Nifti1Image:
    """NIfTI counts column, row, slice, and right, front and head are positive."""
    try:
        import nibabel
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError("to_nibabel needs nibabel: pip install 'sagittal[itk]'") from missing
    return nibabel.Nifti1Image((array if array.ndim == 3 else array[None]).T, (_LPS_TO_RAS @ affine)[:, _REVERSED])
