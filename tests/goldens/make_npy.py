#!/usr/bin/env python3
"""Writes npy.json: what `numpy.save` puts before the array, in hex, for every element type and shapes of all lengths;
and texts.npy, an array of texts.

Needs numpy.
"""
import io
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
SHAPES = [(), (0,), (7,), (512, 512), (50, 578, 450), (16, 1, 512, 512), (1, 2, 3, 4, 5, 6, 7), (1,) * 20, (1,) * 30]


def header(dtype, shape):
    file = io.BytesIO()
    array = np.zeros(shape, np.dtype(dtype).newbyteorder("<"))
    np.save(file, array)
    whole = file.getvalue()
    return whole[: len(whole) - array.nbytes].hex()


def main():
    cases = [(dtype, shape) for dtype in TYPES for shape in ((), (512, 512))] + [("int16", shape) for shape in SHAPES]
    # Texts of many lengths, among them the one that is aligned before it is padded.
    cases += [("float32", (0, *(1,) * 12, 10**digits)) for digits in range(16)]
    lines = [json.dumps({"element": d, "shape": s, "header": header(d, s)}) for d, s in cases]
    (HERE / "npy.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    np.save(HERE / "texts.npy", np.array(["1_t1", "218_t2_SPACE", "é"]))


if __name__ == "__main__":
    main()
