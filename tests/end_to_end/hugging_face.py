"""What the Hugging Face edition of the dataset yields for a scan, computed with its own libraries.

The steps, as that edition documents and performs them:

  1. SimpleITK reads the file; numpy axes are (k, j, i) as stored, no re-orientation.
  2. If axis 0 is shorter than axis 2 the axes become (1, 2, 0), so that slices lie on the last axis.
  3. Image: skimage.transform.resize(volume, (H, W)) with its defaults (order 1, mode 'reflect', Gaussian
     anti-aliasing when an axis shrinks), then skimage.img_as_uint: an int16 value v becomes
     round(v / 32767 * 65535), so NEGATIVE values become 0.
  4. Mask: cast to uint8, skimage.transform.resize(order=0, mode 'constant', preserve_range) and img_as_ubyte.

Arrays that come back are (slice, row, column); slice k is element k of the edition's `image` or `mask` sequence.
"""

import numpy as np
import skimage
from skimage.transform import resize


def slices_last(volume):
    return np.transpose(volume, (1, 2, 0)) if volume.shape[0] < volume.shape[2] else volume


def image(volume, height_width):
    """uint16"""
    return np.moveaxis(skimage.img_as_uint(resize(slices_last(volume), height_width)), -1, 0)


def mask(volume, height_width):
    """uint8"""
    labels = slices_last(np.asarray(volume, dtype="uint8"))
    labels = resize(labels, height_width, order=0, preserve_range=True, mode="constant", cval=0)
    return np.moveaxis(skimage.img_as_ubyte(labels), -1, 0)
