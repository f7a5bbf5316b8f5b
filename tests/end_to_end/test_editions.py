"""Splits and the Hugging Face edition's dictionaries, computed here with numpy as the edition and our documentation do."""

import files
import numpy as np
import pytest

INT32 = {"num_vertebrae", "num_discs", "NumberOfPhaseEncodingSteps", "PixelBandwidth", "SamplesPerPixel"}
FLOAT32 = {
    "EchoNumbers", "EchoTime", "EchoTrainLength", "FlipAngle", "ImagingFrequency", "MagneticFieldStrength",
    "SliceThickness", "SpacingBetweenSlices", "WindowCenter", "WindowWidth",
}
FLOAT64 = {"PercentPhaseFieldOfView", "PercentSampling", "RepetitionTime", "SAR"}
LEVELS = [str(level) for level in range(10)]


@pytest.fixture(scope="module")
def overview(release):
    return files.table(release.source, "overview.csv")


@pytest.fixture(scope="module")
def patients(overview):
    return np.unique([row["new_file_name"].split("_")[0] for row in overview])


def cast(column, cell):
    """As the edition's loader casts; a type called without a value gives its zero."""
    for columns, kind in ((INT32, np.int32), (FLOAT32, np.float32), (FLOAT64, np.float64)):
        if column in columns:
            return (kind(float(cell)) if cell else kind()).item()
    return cell


def test_metadata_dictionaries_are_the_editions(release, overview):
    for row in overview:
        expected = {c: cast(c, cell) for c, cell in row.items() if c not in ("new_file_name", "subset")}
        expected["OrigSubset"] = row["subset"]
        assert release.json(f"/v1/scans/{row['new_file_name']}/metadata?format=hf") == expected, row["new_file_name"]


def test_grading_dictionaries_are_the_editions(release, overview):
    rows = files.table(release.source, "radiological_gradings.csv")
    columns = [column for column in rows[0] if column != "Patient"]
    for scan in {row["new_file_name"].split("_")[0]: row["new_file_name"] for row in overview}.values():
        own = {row["IVD label"]: row for row in rows if row["Patient"] == scan.split("_")[0]}
        expected = {c: [own.get(level, {}).get(c, "") for level in LEVELS] for c in columns}
        expected["IVD label"] = LEVELS
        assert release.json(f"/v1/scans/{scan}/gradings?format=hf") == expected, scan


@pytest.mark.parametrize(("seed", "validation", "test"), [(9999, 0.2, 0.2), (0, 0.1, 0.3), (4294967295, 0.25, 0.0), (7, 0.5, 0.5)])
def test_rendered_splits_are_numpys(release, patients, seed, validation, test):
    np.random.seed(seed)
    shares = [max(1.0 - validation - test, 0.0), validation, test]
    part = np.random.choice(["train", "validation", "test"], p=shares, size=len(patients))
    found = release.json(f"/v1/splits?seed={seed}&validation_share={validation}&test_share={test}")["splits"]
    for split in ("train", "validation", "test"):
        assert sorted(map(str, found[split])) == sorted(patients[part == split]), split


@pytest.mark.parametrize(("folds", "seed"), [(5, 9999), (2, 1), (218, 3)])
def test_folds_are_numpys(release, patients, folds, seed):
    order = np.random.RandomState(seed).permutation(len(patients))
    dealt = {patients[i]: place % folds for place, i in enumerate(order)}
    found = release.json(f"/v1/splits?folds={folds}&seed={seed}")["members"]
    for fold, members in enumerate(found):
        assert sorted(map(str, members)) == sorted(p for p, n in dealt.items() if n == fold)


def test_the_original_split_is_the_tables(release, overview):
    expected = {row["new_file_name"].split("_")[0]: row["subset"] for row in overview}
    found = release.json("/v1/splits?scheme=original")["splits"]
    for split, subset in (("train", "training"), ("validation", "validation")):
        assert sorted(map(str, found[split])) == sorted(p for p, s in expected.items() if s == subset)
    assert found["test"] == []
