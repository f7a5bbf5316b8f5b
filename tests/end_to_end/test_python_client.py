"""The Python client: what it gives is what the files hold, and what it cannot give it says."""

import io
import itertools
import pickle
import subprocess
import warnings

import files
import nibabel
import numpy as np
import pandas as pd
import pytest
import sagittal
import SimpleITK as sitk
from between import Between, Fault
from sagittal import _client, arrays
from service import Service

SCANS = ["1_t1", "2_t2", "5_t2_SPACE"]
SHOWN = {"size": 64, "dtype": "float32"}


def nothing_wrong(number, path):
    return None


# Tables


@pytest.mark.parametrize("table", ["scans", "slices", "discs", "gradings", "patients"])
def test_rows_are_those_of_the_table_file(demo, client, monkeypatch, table):
    monkeypatch.setattr(_client, "_PAGE_ROWS", 7)
    rows, expected = list(client.rows(table)), pd.read_csv(io.BytesIO(demo.get(f"/v1/{table}.csv").content))
    assert len(rows) == len(expected) > 7
    frame = client.frame(table)
    for column in expected.columns:
        if expected[column].dtype.kind in "if":
            np.testing.assert_array_equal(frame[column].to_numpy(float), expected[column].to_numpy(float), err_msg=column)
    assert list(frame.columns) == list(expected.columns)


def test_conditions_choose_rows_and_limits_end_them(demo, client):
    discs = list(client.discs(split="train", scan_type=["t1", "t2"], pfirrmann="4..5", sort="-volume_mm3"))
    listed = demo.json("/v1/discs?split=train&scan_type=t1,t2&pfirrmann=4..5&sort=-volume_mm3&limit=1000")["items"]
    assert discs == listed != []
    assert list(client.discs(limit=3, split="train", scan_type=["t1", "t2"], pfirrmann="4..5", sort="-volume_mm3")) == listed[:3]
    assert list(client.scans(limit=0)) == []
    named = {row["scan_id"] for row in client.scans(series_description=["T2, sag", "other"])}
    assert named == {row["scan_id"] for row in demo.json("/v1/scans", series_description='"T2, sag",other')["items"]}
    with pytest.raises(ValueError, match="scan_type is an empty list"):
        list(client.scans(scan_type=[]))
    with pytest.raises(TypeError, match="age is dict"):
        list(client.scans(age={"min": 3}))


def test_facts_are_the_services(demo, client):
    assert client.scan("1_t1") == demo.json("/v1/scans/1_t1")
    assert client.splits() == demo.json("/v1/splits")["splits"] and client.labels() == demo.json("/v1/labels")["items"]
    assert client.get("/v1/stats", by=["split", "scan_type"]) == demo.json("/v1/stats?by=split,scan_type")


# Arrays, and where they lie


@pytest.mark.parametrize("folder, is_mask", [("images", False), ("masks", True)], ids=["image", "mask"])
def test_a_volume_is_what_simpleitk_and_nibabel_read(demo, client, folder, is_mask):
    for scan in files.scans(demo.source):
        source, volume = files.canonical(demo.source, folder, scan), client.volume(scan, mask=is_mask)
        image = volume.to_sitk()
        assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(source)), scan
        assert image.GetPixelID() == (sitk.sitkUInt8 if is_mask else source.GetPixelID())
        for name in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(image, name)(), getattr(source, name)(), rtol=0, atol=1e-4, err_msg=f"{scan} {name}")
        turned, affine = files.canonical_by_nibabel(demo.source, folder, scan)
        nifti = volume.to_nibabel()
        assert np.array_equal(np.asarray(nifti.dataobj).T, turned), scan
        np.testing.assert_allclose(nifti.affine[:, [2, 1, 0, 3]], affine, rtol=0, atol=1e-4)
        np.testing.assert_allclose(volume.spacing, np.linalg.norm(affine[:3, :3], axis=0), rtol=1e-6)
        assert volume.slices == range(len(turned)) and volume.scan_id == scan


@pytest.mark.parametrize("shown", [{}, {"size": 96, "fit": "contain"}, {"layout": "stored", "size": 50}], ids=str)
def test_a_slice_is_a_part_of_its_volume(client, shown):
    for scan, is_mask in itertools.product(SCANS, (False, True)):
        volume = client.volume(scan, mask=is_mask, **({"size": "native"} | shown))
        for k in (0, np.int64(3), "mid", "best"):
            image = (client.mask if is_mask else client.image)(scan, k, **({"size": "native"} | shown))
            (n,) = image.slices
            assert isinstance(k, str) or n == k
            assert np.array_equal(image, volume.array[n]) and image.array.dtype == volume.array.dtype, (scan, k)
            np.testing.assert_allclose(image.affine @ [0, 5, 7, 1], volume.affine @ [n, 5, 7, 1], rtol=0, atol=1e-6)
            pair = client.pair(scan, k, **({"size": "native"} | shown))
            assert np.array_equal(pair.mask if is_mask else pair.image, image) and pair.slice == n
            np.testing.assert_allclose(pair.affine, image.affine, rtol=0, atol=1e-9)
            one = pair.to_sitk()[is_mask]
            assert np.array_equal(sitk.GetArrayFromImage(one)[0], image.array)
            np.testing.assert_allclose(one.TransformIndexToPhysicalPoint((7, 5, 0)), (image.affine @ [0, 5, 7, 1])[:3], atol=1e-4)
            assert np.array_equal(np.asarray(pair.to_nibabel()[is_mask].dataobj).T[0], image.array)


@pytest.mark.parametrize("shown", [{"mm": 40, "spacing": 0.7}, {"margin": 4, "dims": 3}], ids=str)
def test_a_patch_lies_where_its_affine_says(demo, client, shown):
    """The voxel of the source that is nearest to a pixel's centre has the pixel's label."""
    for disc in client.discs(limit=6, scan_id=SCANS):
        scan = disc["scan_id"]
        source = files.canonical(demo.source, "masks", scan)
        volume, affine = sitk.GetArrayFromImage(source), files.affine_lps(source)
        patch = client.patch(scan, disc["label"], of="mask", **shown)
        shape = (1, *patch.array.shape)[-3:]
        pixels = np.stack([*np.indices(shape), np.ones(shape)], axis=-1)
        places = (pixels @ (np.linalg.inv(affine) @ patch.affine).T)[..., :3]
        nearest = np.rint(places).astype(int)
        inside = np.all((nearest >= 0) & (nearest < volume.shape), axis=-1)
        expected = np.where(inside, volume[tuple(np.moveaxis(nearest.clip(0, np.array(volume.shape) - 1), -1, 0))], 0)
        sure = np.all(np.abs(places - nearest) < 0.5 - 1e-6, axis=-1)
        assert sure.mean() > 0.9 and np.array_equal(patch.array.reshape(shape)[sure], expected[sure]), disc
        assert disc["label"] in patch.array and disc["best_slice"] in patch.slices


def test_context_is_channels_and_an_image_has_the_slice_between_them(client):
    pair, alone = client.pair("1_t1", 4, size=50, context=1), client.pair("1_t1", 4, size=50)
    assert pair.image.shape == (3, 50, 50) and np.array_equal(pair.image[1], alone.image)
    assert np.array_equal(sitk.GetArrayFromImage(pair.to_sitk()[0])[0], alone.image)


@pytest.mark.parametrize("context", [0, 1])
def test_a_batch_is_its_pairs(client, context):
    items = [("2_t2", 3), ("1_t1", "mid"), ("5_t2_SPACE", np.int64(0)), ("1_t1", "best"), ("2_t2", 3)]
    batch = client.batch(items, context=context, **SHOWN)
    assert len(batch) == 5 and batch.image.dtype == np.float32
    for n, item in enumerate(items):
        expected, found = client.pair(*item, context=context, **SHOWN), batch[n]
        assert (found.scan_id, found.slice) == (expected.scan_id, expected.slice)
        for name in ("image", "mask", "affine"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), strict=True)


def test_arrays_are_those_that_numpy_reads(demo):
    body = {"items": [{"scan_id": "1_t1", "slice": k} for k in (3, 0, 7)]}
    content = demo.client.post("/v1/batch?size=50&context=1", json=body).content
    expected, found = np.load(io.BytesIO(content)), arrays.arrays(memoryview(content))
    assert list(found) == list(expected) == ["image", "mask", "scan_id", "slice", "affine"]
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name], strict=True)
    objects = io.BytesIO()
    np.save(objects, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="never read from a network"):
        arrays.array(objects.getvalue())


def test_files_are_saved_whole_or_not_at_all(demo, client, tmp_path):
    path = client.download("/v1/scans/1_t1/image.nii.gz", tmp_path / "scan.nii.gz")
    turned, _ = files.canonical_by_nibabel(demo.source, "images", "1_t1")
    assert np.array_equal(np.asarray(nibabel.load(path).dataobj).T, turned)
    with pytest.raises(sagittal.ProblemError, match="unknown_scan"):
        client.download("/v1/scans/99_t1/image.nii.gz", tmp_path / "other.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]


def test_a_download_continues_where_it_broke_off(demo, waits, tmp_path):
    path = "/v1/scans/1_t1/image.mha"
    whole = demo.get(path).content
    cut = len(whole) // 3

    def breaks_once(number, _):
        return Fault(bytes=cut) if number == 1 else None

    with Between(demo.address, breaks_once) as between, sagittal.Client(between.address) as client:
        assert client.download(path, tmp_path / "scan.mha").read_bytes() == whole
        assert between.ranges[0] is None and len(between.ranges) == 2
        # The client may not have read everything that was sent.
        first = int(between.ranges[1].removeprefix("bytes=").removesuffix("-"))
        assert 0 < first <= cut
    # A call that failed is continued by the next one.
    with Between(demo.address, lambda *_: Fault(bytes=cut)) as between, sagittal.Client(between.address, attempts=1) as client:
        with pytest.raises(sagittal.TransportError):
            client.download(path, tmp_path / "other.mha")
    (part,) = tmp_path.glob("other.mha.*.part")
    assert part.read_bytes() == whole[: part.stat().st_size] and not (tmp_path / "other.mha").exists()
    had = part.stat().st_size
    with Between(demo.address, lambda *_: None) as between, sagittal.Client(between.address) as client:
        assert client.download(path, tmp_path / "other.mha").read_bytes() == whole
        assert between.ranges == [None, f"bytes={had}-"]
        # Another file of the same name is not continued.
        part.write_bytes(b"x" * 10)
        assert client.download("/v1/scans/1_t2/image.mha", tmp_path / "other.mha").read_bytes() == demo.get("/v1/scans/1_t2/image.mha").content
        assert between.ranges[2:] == [None]


def test_a_server_of_another_version_is_named_once(demo):
    def other(number, path):
        return Fault(503, {"x-sagittal-version": "9.8.7", "retry-after": "0"})

    with warnings.catch_warnings(record=True) as caught, sagittal.Client(demo.address) as client:
        warnings.simplefilter("always")
        client.dataset()
        assert not caught, "client and server have one version"
    with Between(demo.address, other) as between, sagittal.Client(between.address, attempts=2) as client:
        with pytest.warns(sagittal.VersionWarning, match="9.8.7.*pip install sagittal==9.8.7 --extra-index-url") as caught:
            with pytest.raises(sagittal.ProblemError):
                client.dataset()
        assert len(caught) == 1 and caught[0].filename == __file__


def test_long_work_reports_its_progress(demo):
    calls = []
    client = sagittal.Client(demo.address, progress=lambda *call: calls.append(call))
    size = len(demo.get("/v1/scans/1_t1/image.npy").content)
    client.volume("1_t1")
    assert calls[-1] == ("1_t1/image.npy", size, size, "bytes") and len(calls) > 2
    assert [done for _, done, _, _ in calls] == sorted(done for _, done, _, _ in calls)
    calls.clear()
    assert len(list(sagittal.StreamDataset(client, scan_id="1_t1", rendering=SHOWN))) == 15
    assert [done for _, done, total, _ in calls if total == 15] == list(range(1, 16))


# Errors


def test_an_error_has_the_problem_of_the_service(client):
    with pytest.raises(sagittal.ProblemError) as raised:
        client.pair("1_t1", "mid", sise=256)
    for error in (raised.value, pickle.loads(pickle.dumps(raised.value))):
        assert (error.status, error.code, error.parameter) == (400, "unknown_parameter", "sise")
        assert "did you mean size?" in error.detail and "size" in error.allowed and error.request_id and not error.is_temporary
        assert "unknown_parameter: " in str(error) and "sise=256" in str(error)
    with pytest.raises(sagittal.ProblemError, match="404 unknown_slice"):
        client.batch([("1_t1", 0), ("1_t1", 999)], **SHOWN)
    with pytest.raises(sagittal.ProblemError, match="unknown_parameter"):
        next(iter(sagittal.StreamDataset(client, sed=1)))


def test_a_server_that_is_not_there_is_named(waits):
    with pytest.raises(sagittal.TransportError, match=r"http://127\.0\.0\.1:9/v1/dataset: .*3 attempts.*is a sagittal server running"):
        sagittal.Client("http://127.0.0.1:9/", attempts=3).dataset()
    assert len(waits) == 2
    with pytest.raises(ValueError, match="attempts is 0"):
        sagittal.Client(attempts=0)


def test_a_token_opens_a_server_that_wants_one(program, demo, tmp_path):
    made = subprocess.run([program, "token", "ann"], capture_output=True, text=True, timeout=60, check=True)
    (tmp_path / "tokens").write_text(made.stdout)
    command = [program, "serve", "--data", demo.data, "--token-file", tmp_path / "tokens"]
    with Service(command, demo.source, demo.data) as service:
        with pytest.raises(sagittal.ProblemError, match="401 unauthorized"):
            sagittal.Client(service.address).dataset()
        client = sagittal.Client(service.address, token=made.stderr.split()[-1])
        assert client.pair("1_t1", "mid", **SHOWN).slice == client.image("1_t1", "mid", **SHOWN).slices[0]


def test_a_busy_server_is_tried_again_when_it_says(demo, waits):
    def busy(number, path):
        return Fault(503, {"retry-after": "7"}) if number % 3 else None

    with Between(demo.address, busy) as between, sagittal.Client(between.address) as client:
        assert client.pair("1_t1", 3, **SHOWN).slice == 3
        assert len(between.paths) == 3 and waits == [7.0, 7.0]
        assert len(client.batch([("1_t1", 3)], **SHOWN)) == 1 and waits == [7.0] * 4
    with Between(demo.address, lambda *_: Fault(503, {"retry-after": "1"})) as between:
        with pytest.raises(sagittal.ProblemError, match="503 unknown: <html>busy") as raised:
            sagittal.Client(between.address, attempts=2).dataset()
        assert len(between.paths) == 2 and raised.value.retry_after == 1.0


def test_what_cannot_succeed_is_not_tried_again(demo, waits):
    with Between(demo.address, nothing_wrong) as between:
        with pytest.raises(sagittal.ProblemError, match="unknown_scan"):
            sagittal.Client(between.address).scan("99_t1")
        assert len(between.paths) == 1 and not waits


def test_a_response_that_is_cut_off_is_requested_again(demo, waits):
    with Between(demo.address, lambda number, _: Fault(bytes=5000) if number < 3 else None) as between:
        pair = sagittal.Client(between.address).pair("1_t1", 3, **SHOWN)
        assert np.array_equal(pair.image, demo.npy("/v1/scans/1_t1/slices/3/image.npy", **SHOWN)) and len(waits) == 2


@pytest.mark.parametrize("other", ["/v1/scans/1_t1/slices/4/{}?size=64", "/v1/scans/2_t2/slices/3/{}?size=64"])
def test_another_slice_than_the_requested_one_is_an_error(demo, other):
    for read, name in (("pair", "pair.npz"), ("image", "image.npy"), ("mask", "mask.npy")):
        with Between(demo.address, lambda *_, name=name: Fault(path=other.format(name))) as between:
            with pytest.raises(sagittal.WrongSampleError, match="was requested and the response is slices"):
                getattr(sagittal.Client(between.address), read)("1_t1", 3, size=64)


def test_another_volume_or_patch_than_the_requested_one_is_an_error(demo):
    with Between(demo.address, lambda _, path: Fault(path=path.replace("1_t1", "2_t2"))) as between:
        client = sagittal.Client(between.address)
        for read in (lambda: client.volume("1_t1"), lambda: client.patch("1_t1", 201)):
            with pytest.raises(sagittal.WrongSampleError, match="of 2_t2"):
                read()
