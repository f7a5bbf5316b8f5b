"""Filters, orders and statistics, against pandas over the release's own tables."""

import numpy as np
import pandas as pd
import pytest
from test_tables import CARD, cleaned, name_of

import files

GRADING_NAMES = {"Patient": "patient_id", "IVD label": "level", "Modic": "modic", "Pfirrman grade": "pfirrmann", "Disc herniation": "disc_herniation"}


@pytest.fixture(scope="module")
def overview(release):
    """The table, cleaned by other means, one row per scan."""
    rows = []
    for row in files.table(release.source, "overview.csv"):
        cells = {name_of(c): cleaned(c, cell) for c, cell in row.items() if c != "new_file_name"}
        patient, scan_type = row["new_file_name"].split("_", 1)
        rows.append({"scan_id": row["new_file_name"], "patient_id": int(patient), "scan_type": scan_type, **cells})
    splits = {patient: split for split, ids in release.json("/v1/splits")["splits"].items() for patient in ids}
    return pd.DataFrame(rows).assign(split=lambda table: table.patient_id.map(splits))


@pytest.fixture(scope="module")
def gradings(release):
    table = pd.DataFrame(files.table(release.source, "radiological_gradings.csv")).rename(columns=GRADING_NAMES)
    return table[list(GRADING_NAMES.values())].apply(pd.to_numeric, errors="coerce")


def walked(service, path):
    items = []
    while path:
        page = service.json(path)
        items += page["items"]
        path = page["next"]
    return items, page["total"]


def graded(gradings, condition):
    return set(gradings[condition(gradings)].patient_id)


QUERIES = {
    "age=40..60": lambda o, g: o.age.between(40, 60),
    "age=60..": lambda o, g: o.age >= 60,
    "age=..30.5": lambda o, g: o.age <= 30.5,
    "age=null": lambda o, g: o.age.isna(),
    "age=!null&sex=F": lambda o, g: o.age.notna() & (o.sex == "F"),
    "scan_type=t1,t2_SPACE": lambda o, g: o.scan_type.isin(["t1", "t2_SPACE"]),
    "split=train&scan_type=t2": lambda o, g: (o.split == "train") & (o.scan_type == "t2"),
    "manufacturer=siemens,PHILIPS%20MEDICAL%20SYSTEMS": lambda o, g: o.manufacturer.str.lower().isin(["siemens", "philips medical systems"]),
    "angio_flag=null&series_description=!null": lambda o, g: o.angio_flag.isna() & o.series_description.notna(),
    "orig_subset=validation": lambda o, g: o.orig_subset == "validation",
    "num_discs=7,9..": lambda o, g: (o.num_discs == 7) | (o.num_discs >= 9),
    "pixel_spacing=0.3..0.35": lambda o, g: o.pixel_spacing.map(lambda v: any(0.3 <= x <= 0.35 for x in v or [])),
    "scanning_sequence=ir": lambda o, g: o.scanning_sequence.map(lambda v: "IR" in (v or [])),
    "patient_id=1,5..9,200": lambda o, g: o.patient_id.isin([1, 5, 6, 7, 8, 9, 200]),
    "scan_id=1_t1,5_t2_SPACE,999_t1": lambda o, g: o.scan_id.isin(["1_t1", "5_t2_SPACE"]),
    "echo_time=100..&magnetic_field_strength=1.5": lambda o, g: (o.echo_time >= 100) & (o.magnetic_field_strength == 1.5),
    "pfirrmann=5&level=1": lambda o, g: o.patient_id.isin(graded(g, lambda t: (t.pfirrmann == 5) & (t.level == 1))),
    "pfirrmann=4..5&disc_herniation=1&sex=M": lambda o, g: (o.sex == "M") & o.patient_id.isin(graded(g, lambda t: t.pfirrmann.between(4, 5) & (t.disc_herniation == 1))),
    "modic=2,3": lambda o, g: o.patient_id.isin(graded(g, lambda t: t.modic.isin([2, 3]))),
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_filter_chooses_what_pandas_chooses(release, overview, gradings, query):
    expected = set(overview[QUERIES[query](overview, gradings)].scan_id)
    items, total = walked(release, f"/v1/scans?{query}&volume=any&limit=7&fields=scan_id")
    found = [item["scan_id"] for item in items]
    assert len(found) == len(set(found)) == total
    assert set(found) == expected and expected


@pytest.mark.parametrize("sort", ["age", "-age", "manufacturer,-age", "-num_discs,sex,-scan_id"])
def test_an_order_is_pandas_order_with_missing_values_last(release, overview, sort):
    keys = [key.lstrip("-") for key in sort.split(",")]
    ascending = [not key.startswith("-") for key in sort.split(",")]
    # The natural order: by patient, then t1, t2, t2_SPACE.
    natural = overview.assign(rank=overview.scan_type.map({"t1": 0, "t2": 1, "t2_SPACE": 2}))
    ordered = natural.sort_values([*keys, "patient_id", "rank"], ascending=[*ascending, True, True], na_position="last", kind="stable")
    items, _ = walked(release, f"/v1/scans?sort={sort}&volume=any&limit=50&fields=scan_id")
    assert [item["scan_id"] for item in items] == list(ordered.scan_id)


def test_a_cursor_belongs_to_its_order(release):
    cursor = release.json("/v1/scans?volume=any&limit=5&sort=age")["next"].split("cursor=")[1]
    answer = release.client.get(f"/v1/scans?volume=any&limit=5&sort=-age&cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def slices_of(demo):
    for scan in demo.json("/v1/scans", limit=1000)["items"]:
        detail = demo.json(f"/v1/scans/{scan['scan_id']}")
        for item in demo.json(f"/v1/scans/{scan['scan_id']}/slices")["items"]:
            pixels = {found["label"]: found["pixels"] for found in item["labels"]}
            yield scan["scan_id"], item["slice"], pixels, detail


def any_of(labels, least=1):
    return lambda k, pixels, detail: any(pixels.get(label, 0) >= least for label in labels)


SLICES = {
    "has=201": any_of([201]),
    "has=201&min_pixels=150": any_of([201], 150),
    "has=201,203&min_pixels=200": any_of([201, 203], 200),
    "has=1-4,100,202&min_pixels=1100": any_of([1, 2, 3, 4, 100, 202], 1100),
    "has=discs&min_pixels=250": any_of(range(201, 226), 250),
    "has=7,101-125": any_of([7, *range(101, 126)]),
    "has=canal,207": any_of([100, 207]),
    "slice=mid": lambda k, pixels, detail: k == detail["geometry"]["mid_slice"],
    "slice=best": lambda k, pixels, detail: k == detail["geometry"]["best_slice"],
    "labelled_pixels=9000..": lambda k, pixels, detail: sum(pixels.values()) >= 9000,
    "pfirrmann=5&level=1": lambda k, pixels, detail: any(g["pfirrmann"] == 5 and g["level"] == 1 for g in detail["gradings"]),
}


@pytest.mark.parametrize("query", SLICES)
def test_slices_are_chosen_by_what_they_hold(demo, query):
    expected = [(scan, k) for scan, k, pixels, detail in slices_of(demo) if SLICES[query](k, pixels, detail)]
    items, total = walked(demo, f"/v1/slices?{query}&limit=50")
    assert [(item["scan_id"], item["slice"]) for item in items] == expected
    assert total == len(expected) > 0


def test_discs_say_what_their_scans_and_gradings_say(demo):
    items, total = walked(demo, "/v1/discs?limit=40")
    assert len(items) == total
    for item in items:
        detail = demo.json(f"/v1/scans/{item['scan_id']}")
        of_scan = next(found for found in detail["labels"] if found["label"] == item["label"])
        for name in ("voxels", "volume_mm3", "best_slice", "centroid", "centroid_mm_lps"):
            assert item[name] == of_scan[name], (item["scan_id"], name)
        assert [item["row_min"], item["row_max"]] == of_scan["rows"]
        grading = next((g for g in detail["gradings"] if g["label"] == item["label"]), None)
        assert item["pfirrmann"] == (grading and grading["pfirrmann"])


def test_the_cards_table_is_one_request(release):
    groups = release.json("/v1/stats", by="split,scan_type", volume="any")["groups"]
    assert {(g["split"], g["scan_type"]): g["count"] for g in groups} == {
        (split, kind): count for split, kinds in CARD.items() for kind, count in kinds.items()
    }


def test_distributions_are_numpys(release, overview):
    fields = release.json("/v1/stats", fields="age,echo_time,manufacturer,sex", bins=8, volume="any")["fields"]
    for name in ("age", "echo_time"):
        known = overview[name].dropna()
        counts, edges = np.histogram(known, bins=8)
        told = fields[name]
        assert told["missing"] == overview[name].isna().sum()
        assert (told["min"], told["max"]) == (known.min(), known.max()) and told["mean"] == pytest.approx(known.mean())
        np.testing.assert_allclose(told["histogram"]["edges"], edges)
        assert told["histogram"]["counts"] == list(counts)
    for name in ("manufacturer", "sex"):
        told = {value["value"]: value["count"] for value in fields[name]["values"]}
        assert told == overview[name].value_counts().to_dict()


def test_accept_chooses_what_the_suffix_chooses(demo):
    for kind, accept in [("csv", "text/csv"), ("ndjson", "application/x-ndjson"), ("parquet", "application/vnd.apache.parquet")]:
        asked = demo.client.get("/v1/scans", headers={"accept": accept})
        assert asked.content == demo.get(f"/v1/scans.{kind}").content and "accept" in asked.headers["vary"]


def test_a_parquet_file_is_served_in_parts(demo):
    path = "/v1/discs.parquet"
    whole = demo.get(path)
    assert int(demo.client.head(path).headers["content-length"]) == len(whole.content)
    part = demo.client.get(path, headers={"range": "bytes=-8"})
    assert (part.status_code, part.content) == (206, whole.content[-8:])
    other = demo.client.get(path, headers={"range": "bytes=0-3", "if-range": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)
    assert demo.client.get(path, headers={"range": f"bytes={len(whole.content)}-"}).status_code == 416


@pytest.mark.parametrize(
    ("query", "parameter", "hint"),
    [
        ("manufaturer=x", "manufaturer", "manufacturer"), ("fields=scanid", "fields", "scan_id"),
        ("sort=-agee", "sort", "age"), ("age=60..40", "age", "40.."), ("scan_type=T1", "scan_type", "t1"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(demo, query, parameter, hint):
    answer = demo.client.get(f"/v1/scans?{query}")
    problem = answer.json()
    assert (answer.status_code, problem["parameter"]) == (400, parameter)
    assert hint in problem["detail"]
