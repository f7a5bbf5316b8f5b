#!/usr/bin/env python3
"""Writes evaluation.json: what the SPIDER challenge's own script says of the predictions in tests/end_to_end/phantoms.py.

    make_evaluation.py EVALUATION_PY

EVALUATION_PY is `evaluation.py` of https://github.com/DIAGNijmegen/SPIDER-Evaluation (Apache-2.0), which is not part of this
project. Not-a-number is null. Needs numpy, pandas, scipy and SimpleITK.
"""

import hashlib
import json
import sys
import tempfile
import warnings
from pathlib import Path

import SimpleITK as sitk

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "end_to_end"), str(TESTS / "fixtures")]
import official  # noqa: E402
import phantoms  # noqa: E402


def main():
    script = Path(sys.argv[1])
    score_case = official.load(script)
    scores = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth, prediction = Path(folder) / "truth.mha", Path(folder) / "prediction.mha"
        for scan in phantoms.SCANS:
            sitk.WriteImage(phantoms.image(scan, phantoms.canonical_truth(scan)), str(truth))
            for name, canonical in phantoms.canonical_predictions(scan).items():
                sitk.WriteImage(phantoms.image(scan, canonical), str(prediction))
                scores[f"{scan} {name}"] = official.numbers(score_case(truth, prediction))
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    target = Path(__file__).with_name("evaluation.json")
    target.write_text(json.dumps({"evaluation.py": digest, "scores": scores}, indent=1) + "\n")


if __name__ == "__main__":
    main()
