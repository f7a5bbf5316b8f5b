"""The Python package: what it gives is what the files hold, what it cannot give it says, and no process gets another's slices."""

import base64
import hashlib
import io
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections import Counter
from email.parser import HeaderParser
from pathlib import Path

import files
import nibabel
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from between import Between, Fault
from service import Service

PACKAGE = Path(__file__).resolve().parents[2] / "python"
sys.path.insert(0, str(PACKAGE))

import sagittal  # noqa: E402
from sagittal import _client, _datasets, arrays  # noqa: E402

SCANS = ["1_t1", "2_t2", "5_t2_SPACE"]
SHOWN = {"size": 64, "dtype": "float32"}


@pytest.fixture(scope="module")
def client(demo):
    with sagittal.Client(demo.address) as client:
        yield client


@pytest.fixture
def waits(monkeypatch):
    """Seconds that the package waits, without waiting."""
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def nothing_wrong(number, path):
    return None


def samples_of(dataset) -> list[tuple[str, int]]:
    return [(sample.scan_id, sample.slice) for sample in dataset]


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


def test_long_work_reports_its_progress(demo):
    calls = []
    client = sagittal.Client(demo.address, progress=lambda *call: calls.append(call))
    size = len(demo.get("/v1/scans/1_t1/image.npy").content)
    client.volume("1_t1")
    assert calls[-1] == ("1_t1/image.npy", size, size, "bytes") and len(calls) > 2
    assert [done for _, done, _, _ in calls] == sorted(done for _, done, _, _ in calls)
    calls.clear()
    assert samples_of(sagittal.StreamDataset(client, scan_id="1_t1", rendering=SHOWN))
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


# Processes


# What forked processes inherit: arguments would be pickled, and a pickled client has no connections.
INHERITED: dict = {}


def slices_of_a_process(offset: int) -> list[bool]:
    """Whether each item has the pixels that one process alone got."""
    dataset, expected = INHERITED["dataset"], INHERITED["expected"]
    return [np.array_equal(dataset[n % len(dataset)].image, expected[n % len(dataset)]) for n in range(offset, offset + 60)]


def test_forked_processes_get_their_own_slices(client):
    dataset = sagittal.SliceDataset(client, scan_id=SCANS, rendering={"size": 40})
    expected = [dataset[n].image for n in range(len(dataset))]
    assert len({image.tobytes() for image in expected}) == len(expected) > 30
    INHERITED.update(dataset=dataset, expected=expected)
    # The connection that the parent has used is open while the others begin.
    before = client.http.client()
    with multiprocessing.get_context("fork").Pool(8) as pool:
        runs = pool.map(slices_of_a_process, range(0, 160, 5), chunksize=1)
    assert all(itertools.chain(*runs)) and client.http.client() is before


def client_of_a_fork(client) -> tuple[bool, int]:
    """Over a pipe, because an HTTP client cannot be sent."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    before = client.http.client()
    if os.fork() == 0:
        own = client.http.client()
        sender.send((own is before, len(client.dataset())))
        os._exit(0)
    found = receiver.recv()
    os.wait()
    return found


def test_a_fork_has_an_http_client_of_its_own(client):
    is_shared, fields = client_of_a_fork(client)
    assert not is_shared and fields == len(client.dataset())


def test_clients_and_datasets_can_be_sent_to_other_processes(client):
    dataset = pickle.loads(pickle.dumps(sagittal.SliceDataset(client, scan_id="1_t1", rendering=SHOWN)))
    assert dataset[2].slice == 2 and dataset.client.http.client() is not client.http.client()


# Datasets


def test_slices_come_by_number_and_in_batches(demo, client):
    dataset = sagittal.SliceDataset(client, split="train", has=201, rendering=SHOWN)
    listed = demo.json("/v1/slices?split=train&has=201&limit=1000")["items"]
    assert [(row["scan_id"], row["slice"]) for row in listed] == dataset.items and len(dataset) == len(listed)
    chosen = [5, 0, len(dataset) - 1]
    for n, pair in zip(chosen, dataset.__getitems__(chosen), strict=True):
        assert (pair.scan_id, pair.slice) == dataset.items[n]
        np.testing.assert_array_equal(pair.image, dataset[n].image, strict=True)
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    mixed = sagittal.SliceDataset(client, [("1_t1", 0), ("2_t2", "mid")], rendering={"size": "native"}, transform=lambda pair: pair.scan_id)
    assert mixed.__getitems__([1, 0]) == ["2_t2", "1_t1"]
    with pytest.raises(ValueError, match="items or conditions"):
        sagittal.SliceDataset(client, [("1_t1", 0)], split="train")
    with pytest.raises(ValueError, match="layout=stored"):
        sagittal.SliceDataset(client, split="train", rendering={"preset": "hf"})


def test_a_stream_has_the_pairs_in_an_order_of_seed_and_epoch(client):
    stream = sagittal.StreamDataset(client, seed=3, scan_id=SCANS, rendering=SHOWN)
    orders = []
    for epoch in (0, 1, 0):
        stream.set_epoch(epoch)
        orders.append(samples_of(stream))
    assert orders[0] == orders[2] != orders[1] and sorted(orders[0]) == sorted(orders[1])
    assert len(set(orders[0])) == len(orders[0]) == len(stream)
    for sample in itertools.islice(stream, 5):
        pair = client.pair(sample.scan_id, sample.slice, **SHOWN)
        for name in ("image", "mask", "affine"):
            np.testing.assert_array_equal(getattr(sample, name), getattr(pair, name), strict=True)
        assert sample.about["scan_id"] == sample.scan_id and sample.image.flags.writeable


@pytest.mark.parametrize("share, counts", [("all", {11, 10}), ("drop", {10}), ("pad", {11})])
def test_ranks_get_n_or_n_plus_one_samples_unless_they_are_shared_equally(client, share, counts):
    """43 samples among four readers."""
    chosen = {"scan_id": "1_t1,2_t2,5_t2_SPACE", "slice": "0..13", "rendering": {"size": 16, "dtype": "float32"}}
    whole = samples_of(sagittal.StreamDataset(client, seed=1, **chosen))
    assert len(whole) % 4 != 0, "these divide evenly and would show nothing"
    streams = [sagittal.StreamDataset(client, seed=1, rank=rank, world=4, share=share, **chosen) for rank in range(4)]
    parts = [samples_of(stream) for stream in streams]
    n = len(whole) // 4
    assert {len(part) for part in parts} == {"all": {n, n + 1}, "drop": {n}, "pad": {n + 1}}[share]
    assert [len(stream) for stream in streams] == [len(part) for part in parts]
    found = Counter(itertools.chain(*parts))
    if share == "all":
        assert found == Counter(whole)
    elif share == "drop":
        assert found == Counter(whole[: 4 * n])
    else:
        assert found == Counter(whole) + Counter(whole[: 4 * (n + 1) - len(whole)])


@pytest.mark.parametrize("readers", [6, 11, 1])
def test_other_readers_go_on_where_eight_stopped(client, readers):
    chosen = {"seed": 5, "split": "train", "rendering": {"size": 16, "dtype": "float32"}}
    whole = samples_of(sagittal.StreamDataset(client, **chosen))
    eight = [sagittal.StreamDataset(client, rank=rank, world=8, **chosen) for rank in range(8)]
    read = [samples_of(itertools.islice(stream, 7)) for stream in eight]
    state = pickle.loads(pickle.dumps(eight[3].state_dict()))
    others = [sagittal.StreamDataset(client, rank=rank, world=readers, **chosen) for rank in range(readers)]
    for stream in others:
        stream.load_state_dict(state)
        # The same epoch goes on.
        stream.set_epoch(0)
    rest = [samples_of(stream) for stream in others]
    assert Counter(itertools.chain(*read, *rest)) == Counter(whole)
    assert {name for turn in itertools.zip_longest(*rest) for name in turn if name} == set(whole[56:])
    # The next epoch is whole again.
    others[0].set_epoch(1)
    assert len(others[0]) == -(-len(whole) // readers)


def test_a_reader_goes_on_where_it_was(client):
    chosen = {"seed": 5, "rank": 1, "world": 3, "split": "validation", "rendering": {"size": 16, "dtype": "float32"}}
    stream = sagittal.StreamDataset(client, **chosen)
    whole, again = samples_of(stream), []
    for _ in range(0, len(whole), 4):
        again += samples_of(itertools.islice(stream, 4))
        state, stream = stream.state_dict(), sagittal.StreamDataset(client, **chosen)
        stream.load_state_dict(state)
        assert len(stream) == len(whole) - len(again)
    assert again == whole
    # Training says how much it used where others read ahead.
    stream = sagittal.StreamDataset(client, **chosen)
    stream.load_state_dict(sagittal.StreamDataset(client, **chosen).state_dict(samples=2))
    assert samples_of(stream) == whole[2:] and samples_of(stream) == whole
    with pytest.raises(ValueError, match="seed 5"):
        sagittal.StreamDataset(client, **{**chosen, "seed": 6}).load_state_dict(state)
    with pytest.raises(ValueError, match="size"):
        sagittal.StreamDataset(client, **{**chosen, "rendering": {"size": 8}}).load_state_dict(state)


def test_each_worker_goes_on_where_it_was(client, monkeypatch):
    """As a loader that saves the states of its workers does."""
    chosen = {"seed": 5, "rank": 1, "world": 2, "split": "validation", "rendering": {"size": 16, "dtype": "float32"}}
    whole, states, used = samples_of(sagittal.StreamDataset(client, **chosen)), {}, {}
    for worker, count in enumerate((3, 5, 4)):
        monkeypatch.setattr(_datasets, "_worker", lambda worker=worker: (worker, 3))
        stream = sagittal.StreamDataset(client, **chosen)
        used[worker] = samples_of(itertools.islice(stream, count))
        states[worker] = stream.state_dict()
    rest = {}
    for worker, state in states.items():
        monkeypatch.setattr(_datasets, "_worker", lambda worker=worker: (worker, 3))
        stream = sagittal.StreamDataset(client, **chosen)
        stream.load_state_dict(state)
        rest[worker] = samples_of(stream)
        assert used[worker] + rest[worker] == whole[worker::3]
    monkeypatch.setattr(_datasets, "_worker", lambda: (0, 2))
    with pytest.raises(ValueError, match="one of 3 worker processes"):
        sagittal.StreamDataset(client, **chosen).load_state_dict(states[0])


def test_a_stream_whose_connection_breaks_goes_on(demo, client, waits):
    """Each response is cut somewhere: inside of a header, of an image, between two samples."""
    chosen = {"seed": 2, "scan_id": "1_t1", "rendering": {"size": 32, "dtype": "float32"}}
    expected = list(sagittal.StreamDataset(client, **chosen))
    sample = 3 * 512 + 4 * 1024 + 512 + 1536 + 8192
    cuts = iter([0, 100, 700, sample, sample + 5000, 3 * sample - 9000, 2 * sample + 1])

    def cut(number, path):
        return Fault(bytes=next(cuts, None)) if "stream.tar" in path else None

    with Between(demo.address, cut) as between:
        found = list(sagittal.StreamDataset(sagittal.Client(between.address), **chosen))
        assert len([path for path in between.paths if "stream.tar" in path]) == 8 == len(waits) + 1
    assert [(s.scan_id, s.slice) for s in found] == [(s.scan_id, s.slice) for s in expected]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(found, expected, strict=True))


def test_a_stream_that_never_comes_is_an_error(demo, waits):
    with Between(demo.address, lambda _, path: Fault(bytes=100) if "stream.tar" in path else None) as between:
        with pytest.raises(sagittal.TransportError, match="stream.tar: .*in each of 3 attempts"):
            list(sagittal.StreamDataset(sagittal.Client(between.address, attempts=3), scan_id="1_t1"))


def test_an_epoch_is_of_one_revision(demo, client, waits):
    current = client.dataset()["revision"]
    assert sagittal.StreamDataset(client).revision == current
    with pytest.raises(sagittal.ProblemError, match="410 revision_gone"):
        next(iter(sagittal.StreamDataset(client, revision=current - 1)))
    # One that nobody named and nobody shares is exchanged for the current one before the first sample.
    stream = sagittal.StreamDataset(client, scan_id="1_t1", rendering=SHOWN)
    stream._revision = current - 1
    assert len(samples_of(stream)) == 15 and stream.revision == current


def test_samples_that_do_not_belong_together_are_an_error(demo):
    content = demo.get("/v1/stream.tar?scan_id=1_t1&size=8").content
    image, mask, json = 512 + 512, 512 + 512, 512 + 8192
    sample = image + mask + json
    assert len(content) == 15 * sample + 1024
    for broken in (
        content[:sample] + content[sample + image :],
        content[:image] + content[image + mask :],
        content[: sample + image] + content[-1024:],
        content[:image] + content[image + sample :],
    ):
        with pytest.raises(ValueError, match="not whole|not one sample"):
            list(arrays.samples(io.BytesIO(broken)))


# The package itself


def test_the_types_hold():
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=PACKAGE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The wheel that flit builds."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, PACKAGE]
    subprocess.run(command, timeout=120, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_server_has_the_wheel_that_a_build_makes(demo, built):
    found, expected = contents(demo.get(f"/python/simple/sagittal/{built.name}").content), contents(built.read_bytes())
    assert set(found) == set(expected)
    generated = {name for name in found if name.endswith((".dist-info/WHEEL", ".dist-info/RECORD", ".dist-info/METADATA"))}
    assert all(found[name] == expected[name] for name in set(found) - generated) and len(generated) == 3
    (name,) = (name for name in generated if name.endswith("METADATA"))
    metadata, own = (HeaderParser().parsestr(files[name].decode()) for files in (expected, found))
    assert sorted(own.items()) == sorted(metadata.items())
    assert own.get_payload().strip() == metadata.get_payload().strip()


def test_the_record_of_the_wheel_names_every_file(demo, built):
    wheel = contents(demo.get(f"/python/simple/sagittal/{built.name}").content)
    (record,) = (name for name in wheel if name.endswith("/RECORD"))
    lines = [line.split(",") for line in wheel[record].decode().splitlines()]
    assert [name for name, _, _ in lines] == list(wheel)
    for name, digest, size in lines:
        expected = base64.urlsafe_b64encode(hashlib.sha256(wheel[name]).digest()).rstrip(b"=").decode()
        assert (digest, size) == (("", "") if name == record else (f"sha256={expected}", str(len(wheel[name])))), name


def install(folder: Path, index: str) -> subprocess.CompletedProcess:
    """As a user does; what the package needs is here already."""
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
    return subprocess.run(
        [*command, "--target", folder, "--index-url", f"{index}/python/simple", "sagittal"],
        capture_output=True, text=True, timeout=120, check=False,
    )


def test_pip_installs_the_client_from_the_server(demo, tmp_path):
    done = install(tmp_path, demo.address)
    assert done.returncode == 0, done.stderr
    program = f"import sagittal; print(sagittal.__file__, sagittal.__version__, len(sagittal.Client({demo.address!r}).scan('1_t1')))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    path, version, _ = done.stdout.split()
    assert Path(path).is_relative_to(tmp_path), done.stderr
    assert f'"{version}"' == next(line for line in demo.get("/openapi.json").text.split('"version":')[1:])[: len(version) + 2]


def test_pip_installs_the_client_with_a_token(program, demo, tmp_path):
    made = subprocess.run([program, "token", "ann"], capture_output=True, text=True, timeout=60, check=True)
    (tmp_path / "tokens").write_text(made.stdout)
    command = [program, "serve", "--data", demo.data, "--token-file", tmp_path / "tokens"]
    with Service(command, demo.source, demo.data) as service:
        address = service.address.replace("http://", f"http://any:{made.stderr.split()[-1]}@")
        done = install(tmp_path / "package", address)
        assert done.returncode == 0 and (tmp_path / "package" / "sagittal" / "py.typed").is_file(), done.stderr
        assert service.client.get("/python/simple/sagittal/").status_code == 401


def test_the_index_is_as_pip_wants_it(demo, built):
    index = demo.get("/python/simple/sagittal/")
    assert index.headers["content-type"].startswith("text/html") and 'href="sagittal/"' in demo.get("/python/simple/").text
    content = demo.get(f"/python/simple/sagittal/{built.name}").content
    assert f'href="{built.name}#sha256={hashlib.sha256(content).hexdigest()}"' in index.text
    assert 'data-requires-python="&gt;=3.10"' in index.text
    missing = demo.client.get("/python/simple/sagittal/sagittal-0.0.1-py3-none-any.whl")
    assert missing.status_code == 404 and built.name in missing.json()["detail"]
    assert demo.client.get("/python/simple/numpy/").status_code == 404
