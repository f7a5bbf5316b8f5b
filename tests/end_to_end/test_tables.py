"""Metadata and gradings against the tables of the release, cleaned here by other means."""

import ast
import re

import files
import numpy as np
import pytest

INTEGERS = {"num_vertebrae", "num_discs", "NumberOfPhaseEncodingSteps", "PixelBandwidth", "SamplesPerPixel"}
REALS = {
    "birth_date", "EchoNumbers", "EchoTime", "EchoTrainLength", "FlipAngle", "ImagingFrequency",
    "MagneticFieldStrength", "SliceThickness", "SpacingBetweenSlices", "WindowCenter", "WindowWidth",
    "PercentPhaseFieldOfView", "PercentSampling", "RepetitionTime", "SAR",
}
LISTS = {"PixelSpacing", "SoftwareVersions", "ScanningSequence"}
RENAMED = {"birth_date": "age", "subset": "orig_subset"}
GRADINGS = {
    "Modic": "modic", "UP endplate": "upper_endplate", "LOW endplate": "lower_endplate",
    "Spondylolisthesis": "spondylolisthesis", "Disc herniation": "disc_herniation", "Disc narrowing": "disc_narrowing",
    "Disc bulging": "disc_bulging", "Pfirrman grade": "pfirrmann",
}
# Scans by split and scan type, as the published card of the Hugging Face edition prints them.
CARD = {
    "train": {"t1": 133, "t2": 145, "t2_SPACE": 26},
    "validation": {"t1": 34, "t2": 34, "t2_SPACE": 7},
    "test": {"t1": 29, "t2": 31, "t2_SPACE": 8},
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
def overview(release):
    return files.table(release.source, "overview.csv")


def test_metadata_is_typed_and_clean(release, overview):
    assert len(overview) == 447 == len(set(row["new_file_name"] for row in overview))
    for row in overview:
        scan = row["new_file_name"]
        expected = {name_of(c): cleaned(c, cell) for c, cell in row.items() if c != "new_file_name"}
        found = release.json(f"/v1/scans/{scan}/metadata")
        assert found == expected, scan
        for column, name in ((c, name_of(c)) for c in INTEGERS):
            assert type(found[name]) is int or found[name] is None, (scan, column)


def test_gradings_are_the_tables(release, overview):
    rows = files.table(release.source, "radiological_gradings.csv")
    assert len(rows) > 1500
    expected = {}
    for row in rows:
        grading = {name: int(row[column]) if row[column].strip() else None for column, name in GRADINGS.items()}
        expected.setdefault(row["Patient"], {})[int(row["IVD label"])] = grading
    judged = 0
    for scan in (row["new_file_name"] for row in overview):
        patient = scan.split("_")[0]
        found = release.json(f"/v1/scans/{scan}/gradings")["items"]
        levels = {disc["level"]: {name: disc[name] for name in GRADINGS.values()} for disc in found}
        assert levels == expected.get(patient, {}), scan
        for disc in found:
            assert disc["patient_id"] == int(patient)
            assert disc["label"] == (200 + disc["level"] if disc["level"] else None)
        judged += len(found)
    assert judged > len(rows)


def test_the_split_is_numpys(release, overview):
    ids = np.unique([row["new_file_name"].split("_")[0] for row in overview])
    np.random.seed(9999)
    parts = np.random.choice(["train", "validation", "test"], p=[1 - 0.2 - 0.2, 0.2, 0.2], size=len(ids))
    patients = release.json("/v1/patients", limit=1000)
    assert patients["total"] == len(ids) == 218 and patients["next"] is None
    assert {str(p["patient_id"]): p["split"] for p in patients["items"]} == dict(zip(ids.tolist(), parts.tolist()))


def test_the_listing_follows_its_own_links(release, overview):
    first = release.json("/v1/scans", limit=2)
    assert len(first["items"]) == 2
    found, page = [scan["scan_id"] for scan in first["items"]], first
    while page["next"]:
        page = release.json(page["next"])
        found += [scan["scan_id"] for scan in page["items"]]
    assert first["total"] == len(found)
    assert sorted(found) == files.scans(release.source)
    for scan in first["items"]:
        row = next(r for r in overview if r["new_file_name"] == scan["scan_id"])
        assert scan["orig_subset"] == row["subset"] and scan["scan_type"] == scan["scan_id"].split("_", 1)[1]
        links = scan["links"] | {"zarr": scan["links"]["zarr"] + "/zarr.json"}
        for link in links.values():
            assert release.client.head(link).status_code == 200, link
    assert release.json("/v1/scans", volume="any", limit=1000)["total"] == len(overview)


def test_the_counts_are_the_cards_and_the_files(release):
    dataset = release.json("/v1/dataset")
    counts = {split: {} for split in CARD}
    for count in dataset["counts"]:
        counts[count["split"]][count["scan_type"]] = count["scans"]
    assert counts == CARD
    images = [files.canonical_array(release.source, "images", scan) for scan in files.scans(release.source)]
    assert dataset["scans"] == sum(sum(of_split.values()) for of_split in CARD.values()) == 447
    assert dataset["volumes"] == sum(count["volumes"] for count in dataset["counts"]) == len(images)
    assert dataset["slices"] == sum(count["slices"] for count in dataset["counts"]) == sum(map(len, images))


def test_the_dataset_has_the_facts_of_its_card(release, overview):
    dataset = release.json("/v1/dataset")
    patients = {row["new_file_name"].split("_")[0] for row in overview}
    # The card: 257 studies, of which 39 are the hidden test set.
    assert dataset["studies"] == {"total": 257, "public": len(patients), "hidden": 39}
    assert dataset["studies"]["public"] + dataset["studies"]["hidden"] == dataset["studies"]["total"]
    assert (dataset["data_doi"], dataset["arxiv"]) == ("10.5281/zenodo.10159290", "2306.12217")
    links = {link["name"]: link["url"] for link in dataset["elsewhere"]}
    assert links["preprint"] == f"https://arxiv.org/abs/{dataset['arxiv']}"
    assert links["earlier_release"] == "https://zenodo.org/records/8009680"
    assert links["release"] == "https://zenodo.org/records/10159290"
    resolutions = {kind: (r["finest_mm"], r["coarsest_mm"]) for r in dataset["resolutions"] for kind in r["scan_types"]}
    ordinary, space = ([3.3, 0.33, 0.33], [4.8, 0.9, 0.9]), ([0.9, 0.47, 0.47],) * 2
    assert resolutions == {"t1": ordinary, "t2": ordinary, "t2_SPACE": space}
    assert "not affiliated" in dataset["disclaimer"]
    assert "trainee" in dataset["annotation"] and "nearest neighbour" in dataset["mask_values"]


def test_every_row_is_listed_once_with_and_without_its_volume(release, overview):
    here = set(files.scans(release.source))
    items, page = [], "/v1/scans?volume=any&limit=60"
    while page:
        body = release.json(page)
        assert body["total"] == len(overview) and len(body["items"]) <= 60
        items, page = items + body["items"], body["next"]
    rows = {row["new_file_name"]: row for row in overview}
    assert sorted(item["scan_id"] for item in items) == sorted(rows)
    split_of_patient = {str(p["patient_id"]): p["split"] for p in release.json("/v1/patients", limit=1000)["items"]}
    for item in items:
        scan = item["scan_id"]
        patient, scan_type = scan.split("_", 1)
        assert (item["patient_id"], item["scan_type"]) == (int(patient), scan_type)
        assert item["split"] == split_of_patient[patient] and item["orig_subset"] == rows[scan]["subset"]
        assert item["has_volume"] is (scan in here)
        assert all((item[name] is None) is (scan not in here) for name in ("shape", "spacing_mm", "bytes")), scan


def test_a_row_without_a_volume_is_described_and_has_no_pixels(release, overview):
    scan = next(row["new_file_name"] for row in overview if row["new_file_name"] not in files.scans(release.source))
    body = release.json(f"/v1/scans/{scan}")
    assert body["has_volume"] is False and body["geometry"] is None and body["metadata"]["sex"] in ("F", "M")
    assert release.client.get(f"/v1/scans/{scan}/slices").json()["code"] == "no_volume"
    for name in ("slices/0/image.png", "slices/0/mask.npy", "slices/mid/overlay.png", "montage.png"):
        answer = release.client.get(f"/v1/scans/{scan}/{name}")
        assert answer.status_code == 404, name
        assert answer.headers["content-type"] == "application/problem+json", name
