#!/usr/bin/env python3
"""Writes orientation.json: axis codes and re-oriented arrays as nibabel gives them.

All 48 axis-aligned orientations, then 100 oblique ones, turned by up to 44 degrees about random axes. Directions are
LPS unit vectors of the array's axes, slowest first. `codes` is `aff2axcodes` of the axes k, j, i in the order i, j, k.
`canonical` is `arange(24).reshape(2, 3, 4)` turned to the axes L, I, P, flattened, and its shape.

Needs numpy, scipy and nibabel.
"""
import itertools
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation


def case(directions):
    ras = np.eye(4)
    ras[:3, :3] = (np.array(directions) * [-1, -1, 1]).T
    ornt = nib.orientations.io_orientation(ras)
    to_canonical = nib.orientations.ornt_transform(ornt, nib.orientations.axcodes2ornt("LIP"))
    canonical = nib.orientations.apply_orientation(np.arange(24).reshape(2, 3, 4), to_canonical)
    return {
        "directions": np.round(directions, 12).tolist(),
        "codes": "".join(nib.aff2axcodes(ras)[::-1]),
        "shape": list(canonical.shape),
        "canonical": canonical.ravel().tolist(),
    }


def main():
    rng = np.random.default_rng(4)
    aligned = [
        np.eye(3)[list(order)] * np.array(signs)[:, None]
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1.0, -1.0), repeat=3)
    ]
    axes = rng.standard_normal((100, 3))
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    turns = Rotation.from_rotvec(axes * np.radians(rng.uniform(0, 44, 100))[:, None]).as_matrix()
    oblique = [aligned[n % 48] @ turn.T for n, turn in enumerate(turns)]
    cases = ",\n".join(json.dumps(case(d)) for d in [*aligned, *oblique])
    (Path(__file__).resolve().parent / "orientation.json").write_text(f"[\n{cases}\n]\n")


if __name__ == "__main__":
    main()
