"""What training reads is what the pictures show and the files hold: volumes, pairs, batches, streams, Zarr over HTTP.

SimpleITK, nibabel and numpy open the volumes, tarfile the streams, zarr-python the groups.
"""

import base64
import hashlib
import io
import itertools
import json
import shutil
import tarfile

import files
import httpx
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import zarr
from releases import EXTREMES_TOO
from service import Service
from test_store import damaged

# Odd sizes, so that few pixels lie just between two voxels.
SHOWN = [{"size": "native"}, {"size": 255}, {"size": 127, "layout": "stored"}, {"size": 97, "preset": "hf"}]
SHOWN += [{"size": 255, "fit": "contain"}, {"size": 127, "fit": "cover"}, {"spacing": 1.3}]
SENT = ["image.npy?size=native", "mask.npy?size=100", "image.nii", "mask.nii", "image.nii.gz", "mask.nii.gz", "image.mha", "mask.mha", "slices/mid/pair.npz", "stream.tar"]
STREAM = {"size": 64, "seed": 3}
SCAN, LABEL = ("patient_id", "scan_type", "split"), ("label", "class", "name", "pixels")

every_kind = pytest.mark.parametrize("folder, kind", [("images", "image"), ("masks", "mask")], ids=["image", "mask"])
every_shown = pytest.mark.parametrize("shown", SHOWN, ids=str)


def corners(affine, shape, outwards=0.0) -> np.ndarray:
    """Where the centres of a grid's outermost cells lie, or what is so many cells beyond them."""
    ends = [(-outwards, n - 1 + outwards) for n in shape]
    return np.array([[*corner, 1] for corner in itertools.product(*ends)]) @ np.asarray(affine)[:3].T


def assert_same_place(found, expected, shape):
    np.testing.assert_allclose(corners(found, shape), corners(expected, shape), rtol=0, atol=1e-3)


def pair_of(service, scan, k, **shown) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(service.get(f"/v1/scans/{scan}/slices/{k}/pair.npz", **shown).content)))


def batch(service, items, **parameters) -> httpx.Response:
    body = {"items": [{"scan_id": scan, "slice": k} for scan, k in items]}
    return service.client.post("/v1/batch", params=parameters, json=body)


def stream(service, **parameters) -> bytes:
    return service.get("/v1/stream.tar", **parameters).content


def names_of(content) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [name.removesuffix(".json") for name in archive.getnames() if name.endswith(".json")]


def decoded(content) -> list[dict]:
    """The samples of a stream: what follows the first dot of a name → what the file holds."""
    samples = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            key, kind = member.name.split(".", 1)
            data = archive.extractfile(member).read()
            samples.setdefault(key, {})[kind] = json.loads(data) if kind == "json" else np.load(io.BytesIO(data))
    return list(samples.values())


@every_kind
@EXTREMES_TOO
def test_a_volume_opens_as_its_source(service, scans, tmp_path, folder, kind):
    for scan in scans:
        source = files.canonical(service.source, folder, scan)
        expected, affine = sitk.GetArrayFromImage(source), files.affine_lps(source)
        found = {"npy": service.npy(f"/v1/scans/{scan}/{kind}.npy")}
        for suffix in ("mha", "nii", "nii.gz"):
            path = tmp_path / f"{scan}.{suffix}"
            path.write_bytes(service.get(f"/v1/scans/{scan}/{kind}.{suffix}").content)
            image = sitk.ReadImage(str(path))
            # ITK leaves out the last axes of a NIfTI file that are one voxel long.
            found[suffix] = sitk.GetArrayFromImage(image).reshape(expected.shape)
            if image.GetDimension() == 3:
                assert_same_place(files.affine_lps(image), affine, expected.shape)
            if suffix != "mha":
                image = nibabel.load(path)
                found[f"{suffix} by nibabel"] = np.asarray(image.dataobj).T
                assert image.header["sform_code"] > 0 and image.header["qform_code"] > 0, (scan, suffix)
                for affine_ras in (image.affine, image.get_sform(), image.get_qform()):
                    affine_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_ras
                    assert_same_place(affine_lps[:, [2, 1, 0, 3]], affine, expected.shape)
        for name, array in found.items():
            assert np.array_equal(array, expected), (scan, name)
            assert array.dtype == (expected.dtype if kind == "image" else np.uint8), (scan, name)
        stored = files.stored(service.source, folder, scan)
        expected = stored if stored.shape[0] < stored.shape[2] else np.moveaxis(stored, 2, 0)
        assert np.array_equal(service.npy(f"/v1/scans/{scan}/{kind}.npy", layout="stored"), expected), scan


@every_shown
@every_kind
def test_a_volume_is_its_slices(service, scans, folder, kind, shown):
    for scan in scans[:6]:
        for k, slice_ in enumerate(service.npy(f"/v1/scans/{scan}/{kind}.npy", **shown)):
            found = service.npy(f"/v1/scans/{scan}/slices/{k}/{kind}.npy", **shown)
            assert np.array_equal(found, slice_) and found.dtype == slice_.dtype, (scan, k)


@pytest.mark.parametrize("name", SENT)
def test_a_part_of_a_file_is_that_part_of_the_whole(service, scans, name):
    path = f"/v1/stream.tar?scan_id={scans[-1]}&size=64" if name == "stream.tar" else f"/v1/scans/{scans[-1]}/{name}"
    whole, head = service.get(path), service.client.head(path)
    content, tag, n = whole.content, whole.headers["etag"], len(whole.content)
    assert (head.status_code, head.headers["etag"], int(head.headers["content-length"])) == (200, tag, n)
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
    # Around where one slice ends and the next begins, for all but the stream, whatever the length of the header.
    border = n - (n // service.json(f"/v1/scans/{scans[-1]}")["shape"][0]) * 3
    spans = [(0, 0), (0, 99), (border - 600, border + 600), (n // 3, n - 7), (n - 1, n - 1)]
    asked = [(f"bytes={first}-{last}", first, last) for first, last in spans]
    asked += [("bytes=-500", n - 500, n - 1), (f"bytes={n - 9}-", n - 9, n - 1), (f"bytes=7-{n + 99}", 7, n - 1)]
    for range_, first, last in asked:
        headers = {"range": range_, "if-range": tag, "want-repr-digest": "sha-512=3, sha-256=1"}
        found = service.client.get(path, headers=headers)
        assert found.status_code == 206 and found.content == content[first : last + 1], range_
        assert found.headers["content-range"] == f"bytes {first}-{last}/{n}" and found.headers["etag"] == tag, range_
        assert found.headers["repr-digest"] == digest, "the digest is that of the whole"
    assert service.client.get(path, headers={"want-repr-digest": "sha-256=1"}).headers["repr-digest"] == digest
    assert "repr-digest" not in service.client.get(path, headers={"want-repr-digest": "sha-256=0"}).headers
    other = service.client.get(path, headers={"range": "bytes=0-9", "if-range": '"another"'})
    assert other.status_code == 200 and other.content == content
    beyond = service.client.get(path, headers={"range": f"bytes={n}-"})
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{n}"
    unchanged = service.client.get(path, headers={"if-none-match": f'"another", {tag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)


def test_what_breaks_off_is_noticed(program, release, tmp_path):
    """The server comes upon a flipped bit when half of the answer is sent, and ends the connection."""
    scan, data = files.scans(release.source)[0], tmp_path / "data"
    shutil.copytree(release.data, data)
    slices = release.json(f"/v1/scans/{scan}")["shape"][0]
    damaged(data, scan, "image", slices * 2 // 3)
    paths = [f"/v1/scans/{scan}/image.{suffix}" for suffix in ("npy", "nii", "mha")]
    paths += [f"/v1/stream.tar?scan_id={scan}&image={image}" for image in ("npy", "png")]
    with Service([program, "serve", "--data", data], release.source, data) as service:
        for path in paths:
            with pytest.raises(httpx.RemoteProtocolError):
                service.client.get(path)
        # This one is made whole before it is sent.
        zipped = service.client.get(f"/v1/scans/{scan}/image.nii.gz")
        assert (zipped.status_code, zipped.json()["code"]) == (500, "internal_error")
        with pytest.raises(httpx.RemoteProtocolError):
            batch(service, [(scan, k) for k in range(slices)])


@every_shown
def test_a_pair_is_its_image_and_its_mask(service, scans, shown):
    for scan, k in itertools.product(scans, (0, "mid", "best")):
        pair = pair_of(service, scan, k, **shown)
        for kind in ("image", "mask"):
            found = service.npy(f"/v1/scans/{scan}/slices/{k}/{kind}.npy", **shown)
            assert np.array_equal(pair[kind], found) and pair[kind].dtype == found.dtype, (scan, k, kind)
        np.testing.assert_allclose(pair["spacing"], np.linalg.norm(pair["affine"][:3, :3], axis=0), rtol=1e-12)


@every_shown
def test_a_pair_lies_where_its_affine_says(service, scans, shown):
    """The voxel of the source that is nearest to a pixel's centre has the pixel's label; outside there is none."""
    for scan, k in itertools.product(scans, (0, 2)):
        source = files.canonical(service.source, "masks", scan)
        volume, affine = sitk.GetArrayFromImage(source), files.affine_lps(source)
        pair = pair_of(service, scan, k, **shown)
        shape = pair["mask"].shape
        # The affine takes (0, row, column, 1): its slices are counted from the pair's own.
        pixels = np.stack([np.zeros(shape), *np.indices(shape), np.ones(shape)], axis=-1)
        places = (pixels @ (np.linalg.inv(affine) @ pair["affine"]).T)[..., :3]
        nearest = np.rint(places).astype(int)
        inside = np.all((nearest >= 0) & (nearest < volume.shape), axis=-1)
        expected = np.where(inside, volume[tuple(np.moveaxis(nearest.clip(0, np.array(volume.shape) - 1), -1, 0))], 0)
        sure = np.all(np.abs(places - nearest) < 0.5 - 1e-6, axis=-1)
        assert sure.mean() > 0.5 and np.array_equal(pair["mask"][sure], expected[sure]), (scan, k)
        if shown == {"size": "native"}:
            np.testing.assert_allclose(pair["affine"] @ [0, 0, 0, 1], affine @ [k, 0, 0, 1], rtol=0, atol=1e-9)
            np.testing.assert_allclose(pair["affine"][:, :3], affine[:, :3], rtol=0, atol=1e-9)


@pytest.mark.parametrize("layout", ["canonical", "stored"])
def test_a_stretched_image_has_the_corners_of_its_slice(service, scans, layout):
    for scan in scans:
        pairs = [pair_of(service, scan, 2, size=size, layout=layout) for size in (256, "native")]
        # Half a pixel beyond the centres of the outermost ones.
        found, native = (corners(one["affine"][:, 1:], one["mask"].shape, 0.5) for one in pairs)
        np.testing.assert_allclose(found, native, rtol=0, atol=1e-6, err_msg=scan)


@pytest.mark.parametrize("layout", ["canonical", "stored"])
def test_context_is_the_neighbours_with_the_outermost_repeated(service, scans, layout):
    for scan, context in itertools.product(scans, (1, 3)):
        volume = service.npy(f"/v1/scans/{scan}/image.npy", size=96, layout=layout)
        last = len(volume) - 1
        for k in (0, 1, last // 2, last):
            pair = pair_of(service, scan, k, size=96, layout=layout, context=context)
            expected = volume[np.arange(k - context, k + context + 1).clip(0, last)]
            assert np.array_equal(pair["image"], expected) and pair["mask"].shape == (96, 96), (scan, k)


@pytest.mark.parametrize("context", [0, 1])
def test_a_batch_is_its_pairs_in_the_requested_order(service, scans, context):
    asked = {"size": 64, "dtype": "float32", "context": context}
    every = list(itertools.product(scans, (3, "mid", 0, "best", 1)))
    items = [every[n] for n in np.random.default_rng(1).choice(len(every), 200)]
    answer = batch(service, items, **asked)
    assert answer.status_code == 200 and int(answer.headers["content-length"]) == len(answer.content)
    found, pairs = np.load(io.BytesIO(answer.content)), {item: pair_of(service, *item, **asked) for item in every}
    for kind, element in (("image", np.float32), ("mask", np.uint8)):
        assert found[kind].dtype == element
        assert np.array_equal(found[kind], np.stack([pairs[item][kind] for item in items])), kind
    assert found["image"].shape == ((200, 3, 64, 64) if context else (200, 64, 64))
    assert np.array_equal(np.load(io.BytesIO(batch(service, items, format="npy", **asked).content)), found["image"])


def test_a_batch_names_the_item_that_is_wrong(made):
    shapes = {scan: made.json(f"/v1/scans/{scan}")["shape"] for scan in files.scans(made.source)}
    scan, shape = next(iter(shapes.items()))
    other = next(other for other in shapes if shapes[other][1:] != shape[1:])
    cases = [("9999_t1", 0, 404, "unknown_scan"), ("t2", 0, 404, "unknown_scan"), (scan, 999, 404, "unknown_slice")]
    cases += [(scan, "worst", 404, "unknown_slice"), (other, 0, 400, "conflicting_parameters")]
    for *item, status, code in cases:
        answer = batch(made, [(scan, 0), (scan, 1), item, (scan, 1)], size="native")
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["parameter"]) == (status, code, "items[2]"), item


def test_a_batch_that_cannot_be_read_is_refused(release):
    scan = files.scans(release.source)[0]
    item = {"scan_id": scan, "slice": 1}
    bodies = [{"items": []}, {"items": [item] * 4097}, {"items": [item], "more": 1}, {"items": [{**item, "more": 1}]}]
    answers = [release.client.post("/v1/batch?size=8", json=body) for body in [*bodies, {}, [item]]]
    json_type = {"content-type": "application/json"}
    answers.append(release.client.post("/v1/batch", content=b'{"items"', headers=json_type))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body"), answer.request.content[:80]
    text = release.client.post("/v1/batch", content=json.dumps({"items": [item]}), headers={"content-type": "text/plain"})
    assert (text.status_code, text.json()["code"]) == (415, "unsupported_media_type")
    assert batch(release, [(scan, 1)] * 4096, size=8).status_code == 200


@pytest.mark.parametrize("shown", [{"size": 64}, {"size": 48, "layout": "stored"}, {"size": 32, "context": 1}], ids=str)
def test_a_sample_is_its_pair_and_what_is_known_of_it(service, scans, shown):
    paths = {"scan": "", "slices": "/slices", "gradings": "/gradings", "metadata": "/metadata"}
    told = {scan: {name: service.json(f"/v1/scans/{scan}{path}") for name, path in paths.items()} for scan in scans}
    found = []
    for sample in decoded(stream(service, seed=5, **shown)):
        said, image, mask = sample["json"], sample["image.npy"], sample["mask.npy"]
        scan, k = said["scan_id"], said["slice"]
        found.append((scan, k))
        pair = pair_of(service, scan, said["shown_slice"], **shown)
        assert np.array_equal(image, pair["image"]) and np.array_equal(mask, pair["mask"]), (scan, k)
        assert np.array_equal(said["affine_lps"], pair["affine"]), (scan, k)
        labels = [{key: label[key] for key in LABEL} for label in told[scan]["slices"]["items"][k]["labels"]]
        assert said["labels"] == labels and said["gradings"] == told[scan]["gradings"]["items"], (scan, k)
        assert said["metadata"] == told[scan]["metadata"], scan
        assert [said[key] for key in SCAN] == [told[scan]["scan"][key] for key in SCAN], scan
    assert sorted(found) == sorted((scan, k) for scan in scans for k in range(told[scan]["scan"]["shape"][0]))


def test_the_order_depends_on_seed_and_epoch_alone(service):
    assert stream(service, **STREAM) == stream(service, epoch=0, **STREAM)
    others = [{}, {"seed": 3}, {"seed": 3, "epoch": 1}, {"seed": 3, "epoch": 2}, {"seed": 4}]
    orders = [names_of(stream(service, size=48, **other)) for other in others]
    assert orders[1] == names_of(stream(service, **STREAM))
    assert all(sorted(order) == sorted(set(orders[0])) for order in orders)
    assert all(one != other for one, other in itertools.combinations(orders, 2))


@pytest.mark.parametrize("world", [2, 3, 7])
def test_the_readers_share_the_samples(service, world):
    whole = names_of(stream(service, **STREAM))
    parts = [names_of(stream(service, world=world, rank=rank, **STREAM)) for rank in range(world)]
    assert [name for turn in itertools.zip_longest(*parts) for name in turn if name] == whole
    assert names_of(stream(service, world=world, rank=1, start=3, **STREAM)) == parts[1][3:]


def test_a_stream_goes_on_where_it_was_cut_off(service):
    """What is cut inside a file cannot be read on; what is cut between two lacks a part of a sample, or samples."""
    whole = stream(service, **STREAM)
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        members = archive.getmembers()
    for start in (0, 1, 5, len(members) // 3 - 1):
        assert stream(service, start=start, **STREAM) == whole[members[3 * start].offset :], start
    assert names_of(stream(service, start=len(members) // 3, **STREAM)) == []
    with pytest.raises(tarfile.ReadError):
        decoded(whole[: members[7].offset_data + 100])
    assert "mask.npy" not in decoded(whole[: members[7].offset + 200])[-1]
    assert names_of(whole[: members[6].offset]) == names_of(whole)[:2]


def test_a_stream_of_png_has_the_images(service):
    content = stream(service, image="png", slice="0..2", **STREAM)
    assert names_of(content) == names_of(stream(service, slice="0..2", **STREAM)) != []
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name, kind in itertools.product(names_of(content), ("image", "mask")):
            scan, k = name.rsplit("-", 1)
            expected = service.get(f"/v1/scans/{scan}/slices/{int(k)}/{kind}.png", size=64).content
            assert archive.extractfile(f"{name}.{kind}.png").read() == expected, (name, kind)


@pytest.mark.parametrize("chosen", [{"split": "train", "has": 201}, {"slice": "mid"}, {"min_pixels": 50, "has": 5}])
def test_a_filter_chooses_what_the_listing_lists(service, chosen):
    listed = service.json("/v1/slices", limit=1000, **chosen)
    assert listed["total"] == len(listed["items"])
    expected = [f"{item['scan_id']}-{item['slice']:04}" for item in listed["items"]]
    assert names_of(stream(service, size=8, **chosen)) == expected


def test_the_url_of_a_group_itself_tells_how_it_is_opened(service, scans):
    linked = service.json(f"/v1/scans/{scans[0]}")["links"]["zarr"]
    assert "image" in zarr.open_group(service.address + linked, mode="r")
    answer = service.client.get(linked)
    assert answer.status_code == 404 and f"{linked}/zarr.json" in answer.json()["detail"], answer.text


def test_labels_of_a_served_group_carry_the_gradings(service, scans):
    known = {label["label"]: label for label in service.json("/v1/labels")["items"]}
    for scan in scans:
        group = zarr.open_group(f"{service.address}/v1/scans/{scan}.ome.zarr/labels/spider", mode="r")
        gradings = {grading.pop("label"): grading for grading in service.json(f"/v1/scans/{scan}/gradings")["items"]}
        properties = group.attrs["ome"]["image-label"]["properties"]
        present = np.unique(files.stored(service.source, "masks", scan))
        assert {one["label-value"] for one in properties} == set(present.tolist()) - {0}, scan
        for found in properties:
            label = found.pop("label-value")
            grading = gradings.get(label, {})
            told = {key: value for key, value in grading.items() if key not in ("patient_id", "level", "level_name")}
            assert found == {"class": known[label]["class"], "name": known[label]["name"], **told}, (scan, label)
        assert any(one in gradings for one in present), scan


def test_a_key_that_is_not_there_is_not_found(service, scans):
    group = f"/v1/scans/{scans[0]}.ome.zarr"
    missing = ["image/c/999/0/0", "image/c/0/0/1", "image/c/0", "image", ".zgroup", ".zattrs", "image/.zarray"]
    missing += ["zarr.json/more", "labels/other/zarr.json", "%2e%2e/%2e%2e/index.sqlite", "image/c/-1/0/0", ""]
    for path in [f"{group}/{key}" for key in missing] + ["/v1/scans/9999_t1.ome.zarr/zarr.json"]:
        assert service.client.get(path).status_code == 404, path
