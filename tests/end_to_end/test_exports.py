"""Exports, opened over HTTP by those they are for: Hugging Face datasets, webdataset, nnU-Net's readers; and croissant.json."""

import io
import json
import subprocess
import tarfile

import httpx
import mlcroissant
import nibabel
import numpy as np
import pytest
import skimage.transform
import SimpleITK as sitk
from datasets import load_dataset

from service import Service

METADATA_INTEGERS = {
    "num_vertebrae", "num_discs", "NumberOfPhaseEncodingSteps", "PixelBandwidth", "SamplesPerPixel",
}
CONDITIONS = [
    "IVD label", "Modic", "UP endplate", "LOW endplate", "Spondylolisthesis", "Disc herniation", "Disc narrowing",
    "Disc bulging", "Pfirrman grade",
]


@pytest.fixture(scope="module")
def exported(program, demo):
    """A server over the demo's data folder, to which every format was exported."""
    for format, more in [("hf-parquet", ["--shard-mb", "8"]), ("webdataset", ["--render", "size=64"]), ("nnunet", [])]:
        command = [program, "export", "--data", demo.data, "--format", format, "--url", "http://data.example", *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert ".parquet" in done.stdout or ".tar" in done.stdout or "dataset.json" in done.stdout
    return demo


def exports(service: Service, folder: str) -> dict[str, str]:
    """Name in the folder → address."""
    listed = service.json("/v1/exports")["items"]
    prefix = f"{folder}/"
    return {e["path"].removeprefix(prefix): service.address + e["url"] for e in listed if e["path"].startswith(prefix)}


@pytest.fixture(scope="module")
def edition(exported, tmp_path_factory):
    """The one-liner of the published card, from this server."""
    shards = exports(exported, "hf-parquet")
    data_files = {split: [url for name, url in shards.items() if name.startswith(split)] for split in ("train", "validation", "test")}
    return load_dataset("parquet", data_files=data_files, cache_dir=str(tmp_path_factory.mktemp("cache")))


def test_the_edition_has_every_scan_in_its_split(exported, edition):
    for split, rows in edition.items():
        listed = {s["scan_id"] for s in exported.json("/v1/scans", split=split, limit=1000)["items"]}
        assert {f"{p}_{t}" for p, t in zip(rows["patient_id"], rows["scan_type"], strict=True)} == listed
        assert len(rows) == len(listed)


def test_the_edition_has_the_cards_features(edition):
    features = edition["train"].features
    assert list(features) == [
        "patient_id", "scan_type", "image", "mask", "image_path", "mask_path", "metadata", "rad_gradings",
    ]
    assert {features[name].feature._type for name in ("image", "mask")} == {"Image"}
    assert {features[name].dtype for name in ("patient_id", "scan_type", "image_path", "mask_path")} == {"string"}
    assert list(features["rad_gradings"]) == CONDITIONS
    assert {feature.feature.dtype for feature in features["rad_gradings"].values()} == {"string"}
    metadata = features["metadata"]
    assert len(metadata) == 38 and metadata["OrigSubset"].dtype == "string"
    assert {name for name, feature in metadata.items() if feature.dtype == "int32"} == METADATA_INTEGERS


def loaders_own(path, order):
    """What the published loader does to a volume, but for the element types of the result."""
    volume = sitk.GetArrayFromImage(sitk.ReadImage(path))
    if volume.shape[0] < volume.shape[2]:
        volume = np.transpose(volume, (1, 2, 0))
    return volume if order is None else skimage.transform.resize(volume, (512, 512), order=0, preserve_range=True, mode="constant", cval=0)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_edition_has_the_loaders_pixels(exported, edition, split):
    for row in edition[split].select(range(min(3, len(edition[split])))):
        scan = f"{row['patient_id']}_{row['scan_type']}"
        volume = loaders_own(exported.source / "images" / f"{scan}.mha", None)
        image = skimage.util.img_as_uint(skimage.transform.resize(volume, (512, 512)))
        mask = loaders_own(exported.source / "masks" / f"{scan}.mha", 0)
        assert len(row["image"]) == len(row["mask"]) == volume.shape[2], scan
        for k in (0, volume.shape[2] // 2, volume.shape[2] - 1):
            np.testing.assert_array_equal(np.asarray(row["image"][k]), image[:, :, k], err_msg=f"{scan} {k}")
            np.testing.assert_array_equal(np.asarray(row["mask"][k]), mask[:, :, k].astype(np.uint8), err_msg=f"{scan} {k}")


def test_the_edition_has_the_loaders_dictionaries(exported, edition):
    for row in edition["train"]:
        scan = f"{row['patient_id']}_{row['scan_type']}"
        expected = exported.json(f"/v1/scans/{scan}/metadata", format="hf")
        assert row["metadata"] == expected, scan
        assert row["rad_gradings"] == exported.json(f"/v1/scans/{scan}/gradings", format="hf"), scan
        assert row["image_path"] == f"http://data.example/v1/scans/{scan}/image.mha"


def test_archives_hold_every_slice_of_their_split_once(exported):
    shards = exports(exported, "webdataset")
    for split in ("train", "validation", "test"):
        keys = []
        for name, url in shards.items():
            if name.startswith(split):
                archive = tarfile.open(fileobj=io.BytesIO(httpx.get(url).content))
                keys += [member.split(".")[0] for member in archive.getnames() if member.endswith(".json")]
        listed, path = [], f"/v1/slices?split={split}&limit=1000&fields=scan_id,slice"
        while path:
            page = exported.json(path)
            listed += [f"{item['scan_id']}-{item['slice']:04}" for item in page["items"]]
            path = page["next"]
        assert sorted(keys) == sorted(listed)


def test_nnunet_gets_labels_without_gaps_and_the_scans_own_grid(exported, tmp_path):
    shards = exports(exported, "nnunet")
    described = json.loads(httpx.get(shards["dataset.json"]).content)
    assert sorted(described["labels"].values()) == list(range(len(described["labels"])))
    trained = [name for name in shards if name.startswith("labelsTr/")]
    assert described["numTraining"] == len(trained) > 0
    test_scans = {s["scan_id"] for s in exported.json("/v1/scans", split="test", limit=1000)["items"]}
    assert {name.removeprefix("imagesTs/").removesuffix("_0000.nii.gz") for name in shards if "imagesTs" in name} == test_scans
    number_of = {int(name.split("(")[-1].rstrip(")")): n for name, n in described["labels"].items() if n}
    for name in trained[:4]:
        scan = name.removeprefix("labelsTr/").removesuffix(".nii.gz")
        for part in (name, f"imagesTr/{scan}_0000.nii.gz"):
            (tmp_path / part.replace("/", "-")).write_bytes(httpx.get(shards[part]).content)
        labels = nibabel.load(tmp_path / name.replace("/", "-"))
        image = nibabel.load(tmp_path / f"imagesTr-{scan}_0000.nii.gz")
        assert labels.shape == image.shape and np.allclose(labels.affine, image.affine)
        mask = exported.npy(f"/v1/scans/{scan}/mask.npy").T
        expected = np.vectorize(lambda value: number_of.get(value, 0))(mask)
        np.testing.assert_array_equal(np.asarray(labels.dataobj), expected)


def test_exports_are_served_in_parts_and_no_path_leaves_their_folder(exported):
    name, url = next(iter(exports(exported, "hf-parquet").items()))
    whole = httpx.get(url).content
    part = httpx.get(url, headers={"range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole[100:300])
    assert int(httpx.head(url).headers["content-length"]) == len(whole)
    for path in ("../index.sqlite", "%2e%2e/index.sqlite", "hf-parquet/../../index.sqlite", "hf-parquet//" + name, "hf-parquet", "none"):
        assert exported.client.get(f"/v1/exports/{path}").status_code == 404, path


def test_croissant_is_valid_and_loads(demo):
    described = mlcroissant.Dataset(jsonld=f"{demo.address}/croissant.json")
    assert not described.metadata.issues.errors
    for table in ("scans", "slices", "discs", "gradings"):
        records = list(described.records(record_set=table))
        assert len(records) == demo.json(f"/v1/{table}", limit=1)["total"], table
    disc = next(iter(described.records(record_set="discs")))
    first = demo.json("/v1/discs", limit=1)["items"][0]
    assert disc["discs/scan_id"].decode() == first["scan_id"] and disc["discs/label"] == first["label"]
