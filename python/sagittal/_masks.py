"""Masks as files that the server reads."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import ArrayLike

from ._images import Affine, Image, spacing_of
from .arrays import Array

if TYPE_CHECKING:
    import nibabel
    import SimpleITK

Mask = Union[ArrayLike, Image, str, "os.PathLike[str]", "SimpleITK.Image", "nibabel.Nifti1Image"]

# Masks are long runs of equal values, which the fastest level compresses well enough.
_LEVEL = 1


def encoded(mask: Mask) -> bytes:
    """The bytes of a file: of the one that is named, or of one made from an image or an array."""
    if isinstance(mask, (str, os.PathLike)):
        return Path(mask).read_bytes()
    if isinstance(mask, Image):
        axes, spacing = mask.affine[:3, 2::-1], spacing_of(mask.affine)[::-1]
        return _metaimage(mask.array, spacing, (axes / spacing).T, mask.affine[:3, 3])
    if hasattr(mask, "GetDirection"):
        return _of_sitk(mask)
    if hasattr(mask, "get_fdata") and hasattr(mask, "affine"):
        return _of_nibabel(mask)
    array = np.asarray(mask)
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        raise TypeError(f"the mask is {type(mask).__name__}; give a whole volume: an array, a path, or a SimpleITK or nibabel image")
    file = io.BytesIO()
    np.save(file, _narrow(array), allow_pickle=False)
    return file.getvalue()


def _of_sitk(image: Any) -> bytes:
    import SimpleITK as sitk

    if image.GetDimension() != 3:
        raise TypeError(f"the mask has {image.GetDimension()} dimensions; give a whole volume")
    directions = np.array(image.GetDirection()).reshape(3, 3).T
    return _metaimage(sitk.GetArrayViewFromImage(image), image.GetSpacing(), directions, image.GetOrigin())


def _of_nibabel(image: Any) -> bytes:
    import nibabel

    array = np.asarray(image.dataobj)
    return bytes(nibabel.Nifti1Image(_narrow(array), image.affine).to_bytes())


def _metaimage(array: Array, spacing: Affine, directions: Affine, origin: Affine) -> bytes:
    """Spacing and directions are those of the file's axes i, j, k: the array's, last one first."""
    array = np.ascontiguousarray(_narrow(array))
    types = {"uint8": "MET_UCHAR", "uint16": "MET_USHORT", "int16": "MET_SHORT", "int32": "MET_INT", "float32": "MET_FLOAT"}
    if array.dtype.name not in types:
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
    voxels = zlib.compress(array.astype(array.dtype.newbyteorder("<")).tobytes(), _LEVEL)
    fields = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "CompressedData": True,
        "CompressedDataSize": len(voxels),
        "TransformMatrix": _numbers(np.ravel(directions)),
        "Offset": _numbers(origin),
        "ElementSpacing": _numbers(spacing),
        "DimSize": " ".join(str(n) for n in reversed(array.shape)),
        "ElementType": types[array.dtype.name],
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{key} = {value}\n" for key, value in fields.items()).encode() + voxels


def _numbers(values: Any) -> str:
    return " ".join(repr(float(value)) for value in values)


def _narrow(array: Array) -> Array:
    """The same labels in the smallest type. What are no labels stays as it is: the server says why."""
    if array.size == 0:
        return array
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = array.astype(np.int64)
        if not np.array_equal(whole, array):
            return array
        array = whole
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > np.iinfo(np.uint16).max:
        return array
    narrow: Array = array.astype(np.uint8 if high <= np.iinfo(np.uint8).max else np.uint16)
    return narrow
