"""Metadata and gradings against the real tables, cleaned here by other means."""

import ast
import re

import files
import numpy as np
import pytest

INTEGERS = {"num_vertebrae", "num_discs", "NumberOfPhaseEncodingSteps", "PixelBandwidth", "SamplesPerPixel"}
REALS = {
    "birth_date", "EchoNumbers", "EchoTime", "EchoTrainLength", "FlipAngle", "ImagingFrequency", "MagneticFieldStrength",
    "SliceThickness", "SpacingBetweenSlices", "WindowCenter", "WindowWidth", "PercentPhaseFieldOfView",
    "PercentSampling", "RepetitionTime", "SAR",
}
LISTS = {"PixelSpacing", "SoftwareVersions", "ScanningSequence"}
RENAMED = {"birth_date": "age", "subset": "orig_subset"}
GRADINGS = {
    "Modic": "modic", "UP endplate": "upper_endplate", "LOW endplate": "lower_endplate",
    "Spondylolisthesis": "spondylolisthesis", "Disc herniation": "disc_herniation", "Disc narrowing": "disc_narrowing",
    "Disc bulging": "disc_bulging", "Pfirrman grade": "pfirrmann",
}


def name_of(column):
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", column)
    return RENAMED.get(column, words.lower())


def cleaned(column, cell):
    cell = cell.strip()
    if not cell:
        return None
    if column in INTEGERS:
        return int(cell)
    if column in REALS:
        return float(cell)
    if column in LISTS:
        return ast.literal_eval(cell) if cell.startswith("[") else [cell]
    return str(int(float(cell))) if column == "DeviceSerialNumber" else cell


@pytest.fixture(scope="module")
def overview(real):
    return files.table(real.source, "overview.csv")


def test_metadata_is_typed_and_clean(real, overview):
    assert len(overview) == 447
    for row in overview:
        scan = row["new_file_name"]
        expected = {name_of(c): cleaned(c, cell) for c, cell in row.items() if c != "new_file_name"}
        found = real.json(f"/v1/scans/{scan}/metadata")
        assert found == expected, scan
        for column, name in ((c, name_of(c)) for c in INTEGERS):
            assert type(found[name]) is int or found[name] is None, (scan, column)


def test_gradings_are_the_tables(real, overview):
    rows = files.table(real.source, "radiological_gradings.csv")
    assert len(rows) == 1520
    expected = {}
    for row in rows:
        grading = {name: int(row[column]) if row[column].strip() else None for column, name in GRADINGS.items()}
        expected.setdefault(row["Patient"], {})[int(row["IVD label"])] = grading
    judged = 0
    for scan in (row["new_file_name"] for row in overview):
        patient = scan.split("_")[0]
        found = real.json(f"/v1/scans/{scan}/gradings")
        levels = {disc["level"]: {name: disc[name] for name in GRADINGS.values()} for disc in found}
        assert levels == expected.get(patient, {}), scan
        for disc in found:
            assert disc["patient_id"] == int(patient)
            assert disc["label"] == (200 + disc["level"] if disc["level"] else None)
        judged += len(found)
    assert judged > 1520


def test_the_split_is_numpys(real, overview):
    ids = np.unique([row["new_file_name"].split("_")[0] for row in overview])
    np.random.seed(9999)
    parts = np.random.choice(["train", "validation", "test"], p=[1 - 0.2 - 0.2, 0.2, 0.2], size=len(ids))
    patients = real.json("/v1/patients", limit=1000)
    assert patients["total"] == len(ids) == 218 and patients["next"] is None
    assert {str(p["patient_id"]): p["split"] for p in patients["items"]} == dict(zip(ids.tolist(), parts.tolist()))


def test_the_listing_follows_its_own_links(real, overview):
    first = real.json("/v1/scans", limit=2)
    assert first["total"] == 3 and len(first["items"]) == 2
    rest = real.json(first["next"])
    assert rest["next"] is None
    found = [scan["scan_id"] for scan in first["items"] + rest["items"]]
    assert sorted(found) == files.scans(real.source)
    for scan in first["items"]:
        row = next(r for r in overview if r["new_file_name"] == scan["scan_id"])
        assert scan["orig_subset"] == row["subset"] and scan["scan_type"] == "t2_SPACE"
        for link in scan["links"].values():
            assert real.client.head(link).status_code == 200, link
    assert real.json("/v1/scans", volume="any", limit=1000)["total"] == len(overview)
