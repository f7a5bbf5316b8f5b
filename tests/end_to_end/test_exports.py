"""Exports, opened over HTTP by those they are for: Hugging Face datasets, webdataset, nnU-Net's readers; and croissant.json."""

import io
import json
import subprocess
import tarfile
import threading

import httpx
import mlcroissant
import nibabel
import numpy as np
import pytest
import skimage.transform
import SimpleITK as sitk
from conftest import served
from datasets import load_dataset
from releases import copy_scans
from service import Service

METADATA_INTEGERS = {
    "num_vertebrae", "num_discs", "NumberOfPhaseEncodingSteps", "PixelBandwidth", "SamplesPerPixel",
}
CONDITIONS = [
    "IVD label", "Modic", "UP endplate", "LOW endplate", "Spondylolisthesis", "Disc herniation", "Disc narrowing",
    "Disc bulging", "Pfirrman grade",
]


def export(program, service: Service, format: str, *options: str, code: int = 0) -> subprocess.CompletedProcess:
    command = [program, "export", "--data", service.data, "--format", format, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def exported(program, demo):
    """A server over the demo's data folder, to which every format was exported."""
    for format, more in [("hf-parquet", ["--shard-mb", "8"]), ("webdataset", ["--render", "size=64", "--name", "default"]), ("nnunet", [])]:
        said = export(program, demo, format, "--url", "http://data.example", *more).stdout
        assert ".parquet" in said or ".tar" in said or "dataset.json" in said
    return demo


@pytest.fixture(scope="module")
def partial(program, demo, tmp_path_factory):
    """A server over some scans of train patients: the other splits are empty."""
    train = [scan["scan_id"] for scan in demo.json("/v1/scans", split="train", limit=4)["items"]]
    source = copy_scans(demo.source, tmp_path_factory.mktemp("partial-source") / "release", train)
    with served(program, source, tmp_path_factory.mktemp("partial")) as service:
        yield service


def exports(service: Service, format: str, name: str = "default") -> dict[str, str]:
    """File → URL."""
    listed = service.json("/v1/exports")["items"]
    return {e["file"]: service.address + e["url"] for e in listed if (e["format"], e["name"]) == (format, name)}


@pytest.fixture(scope="module")
def edition(exported, tmp_path_factory):
    """The one-liner of the published card, from this server."""
    shards = exports(exported, "hf-parquet")
    return load_dataset("parquet", data_files=by_split(shards), cache_dir=str(tmp_path_factory.mktemp("cache")))


def by_split(shards: dict[str, str]) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for name, url in shards.items():
        files.setdefault(name.split("-")[0], []).append(url)
    return files


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
        assert row["image_path"] == f"http://data.example/v1/scans/{scan}/image.mha?layout=stored"


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
    assert "CC-BY-4.0" in described["licence"] and "10.1038/s41597-024-03090-w" in described["reference"]
    trained = [name for name in shards if name.startswith("labelsTr/")]
    assert described["numTraining"] == len(trained) > 0
    test_scans = {s["scan_id"] for s in exported.json("/v1/scans", split="test", limit=1000)["items"]}
    assert {name.removeprefix("imagesTs/").removesuffix("_0000.nii.gz") for name in shards if "imagesTs" in name} == test_scans
    tested = [name for name in shards if name.startswith("labelsTs/")]
    assert {name.removeprefix("labelsTs/").removesuffix(".nii.gz") for name in tested} == test_scans
    number_of = {int(name.split("(")[-1].rstrip(")")): n for name, n in described["labels"].items() if n}
    for name in [*trained[:4], *tested[:1]]:
        images = name.split("/")[0].replace("labels", "images")
        scan = name.split("/")[1].removesuffix(".nii.gz")
        for part in (name, f"{images}/{scan}_0000.nii.gz"):
            (tmp_path / part.replace("/", "-")).write_bytes(httpx.get(shards[part]).content)
        labels = nibabel.load(tmp_path / name.replace("/", "-"))
        image = nibabel.load(tmp_path / f"{images}-{scan}_0000.nii.gz")
        assert labels.shape == image.shape and np.allclose(labels.affine, image.affine)
        mask = exported.npy(f"/v1/scans/{scan}/mask.npy").T
        expected = np.vectorize(lambda value: number_of.get(value, 0))(mask)
        np.testing.assert_array_equal(np.asarray(labels.dataobj), expected)


def test_no_fold_of_nnunet_has_a_patient_on_both_sides(exported):
    """nnU-Net trains fold f on `splits[f]["train"]` and validates on `splits[f]["val"]`, cases being file names."""
    shards = exports(exported, "nnunet")
    splits = json.loads(httpx.get(shards["splits_final.json"]).content)
    assert len(splits) == 6
    cases = {name.removeprefix("labelsTr/").removesuffix(".nii.gz") for name in shards if name.startswith("labelsTr/")}
    for split in splits:
        assert set(split["train"]) | set(split["val"]) == cases and split["train"] and split["val"]
        patients = [{case.split("_")[0] for case in split[side]} for side in ("train", "val")]
        assert not patients[0] & patients[1]
    for side, name in (("train", "train"), ("val", "validation")):
        listed = {s["scan_id"] for s in exported.json("/v1/scans", split=name, limit=1000)["items"]}
        assert set(splits[0][side]) == listed, "the first is the published split"


def test_an_empty_split_is_no_file_and_the_others_load(program, partial, tmp_path):
    for format in ("hf-parquet", "webdataset", "nnunet"):
        export(program, partial, format, *(["--render", "size=32", "--name", "default"] if format != "nnunet" else []))
    shards = exports(partial, "hf-parquet")
    loaded = load_dataset("parquet", data_files=by_split(shards), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"] and len(loaded["train"]) == partial.json("/v1/scans")["total"]
    assert {name.split("-")[0] for name in exports(partial, "webdataset")} == {"train"}
    assert not [name for name in exports(partial, "nnunet") if "Ts/" in name]


def test_a_new_export_replaces_its_predecessor_as_a_whole(program, partial):
    """Readers of the old one get its bytes or 404, never those of the new one."""
    rendered = ["--name", "replaced", "--render", "size=96"]
    export(program, partial, "webdataset", *rendered, "--shard-mb", "1")
    before = exports(partial, "webdataset", "replaced")
    whole = {url: httpx.get(url).content for url in before.values()}
    assert len(before) > 2
    seen, is_over = [], threading.Event()

    def read():
        while not is_over.is_set():
            for url, bytes_ in whole.items():
                part = httpx.get(url, headers={"range": "bytes=1000-200000"})
                listed = exports(partial, "webdataset", "replaced")
                seen.append((part.status_code, part.status_code == 404 or part.content == bytes_[1000:200001], tuple(sorted(listed))))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        export(program, partial, "webdataset", *rendered, "--shard-mb", "2")
        after = exports(partial, "webdataset", "replaced")
    finally:
        is_over.set()
        reader.join()
    assert {status for status, _, _ in seen} <= {206, 404} and all(is_right for _, is_right, _ in seen)
    assert {files for _, _, files in seen} <= {tuple(sorted(before)), tuple(sorted(after))}, "an export was listed in part"
    assert len(after) < len(before) and not set(after.values()) & set(before.values())
    assert {httpx.get(url).status_code for url in before.values()} == {404}
    keys = []
    for url in after.values():
        names = tarfile.open(fileobj=io.BytesIO(httpx.get(url).content)).getnames()
        keys += [name.split(".")[0] for name in names if name.endswith(".json")]
    assert len(keys) == len(set(keys)) == partial.json("/v1/slices", split="train", limit=1)["total"]
    folders = list((partial.data / "exports/webdataset/replaced").iterdir())
    assert len(folders) == 1, folders


def test_exporting_the_same_again_keeps_the_urls(program, partial):
    options = ["--name", "same", "--render", "size=16"]
    export(program, partial, "webdataset", *options)
    first = exports(partial, "webdataset", "same")
    export(program, partial, "webdataset", *options)
    assert exports(partial, "webdataset", "same") == first


def test_shards_have_the_requested_size_whatever_is_in_them(program, partial):
    """PNG has no length before it is made: the number of shards comes from a part of the samples."""
    export(program, partial, "webdataset", "--name", "png", "--render", "image=png&size=256", "--shard-mb", "1")
    sizes = [e["bytes"] for e in partial.json("/v1/exports")["items"] if e["name"] == "png"]
    assert len(sizes) > 2
    assert all(0.5 < size / 2**20 < 1.6 for size in sizes), sizes


def test_parameters_reach_what_they_are_for_and_others_are_errors(program, partial):
    export(program, partial, "hf-parquet", "--render", "size=32&map=semantic&window=auto", "--name", "mapped")
    shards = exports(partial, "hf-parquet", "mapped")
    rows = load_dataset("parquet", data_files={"train": list(shards.values())}, split="train", streaming=True)
    row = next(iter(rows))
    scan = f"{row['patient_id']}_{row['scan_type']}"
    k = len(row["mask"]) // 2
    expected = partial.npy(f"/v1/scans/{scan}/slices/{k}/mask.npy", size=32, map="semantic")
    np.testing.assert_array_equal(np.asarray(row["mask"][k]), expected)
    assert set(np.unique(expected)) <= {0, 1, 2, 3}
    for format, render, said in [
        ("hf-parquet", "siez=1", "did you mean size?"),
        ("hf-parquet", "size=0", "size=0 is not valid"),
        ("webdataset", "siez=1", "did you mean size?"),
        ("webdataset", "map=nothing", "map=nothing is not valid"),
        ("webdataset", "split=test", "given twice"),
        ("nnunet", "size=256", "takes no --render"),
    ]:
        before = exports(partial, format)
        done = export(program, partial, format, "--render", render, "--name", "default", code=2)
        assert said in done.stderr, done.stderr
        assert exports(partial, format) == before


def test_scan_types_choose_scans(program, demo, partial):
    types = {scan["scan_type"] for scan in partial.json("/v1/scans")["items"]}
    chosen = min(types)
    export(program, partial, "hf-parquet", "--render", "size=16", "--scan-types", chosen)
    shards = exports(partial, "hf-parquet", f"size-16-{chosen}")
    rows = load_dataset("parquet", data_files=by_split(shards), split="train", streaming=True)
    assert len(types) > 1 and {row["scan_type"] for row in rows} == {chosen}


def test_a_folder_of_the_users_is_replaced_only_if_it_is_an_export(program, partial, tmp_path):
    out = tmp_path / "Dataset501_SPIDER"
    for _ in range(2):
        export(program, partial, "nnunet", "--out", out)
        assert (out / "dataset.json").is_file() and (out / "splits_final.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    (out / "notes.txt").write_text("mine")
    said = export(program, partial, "nnunet", "--out", out, code=2).stderr
    assert "notes.txt" in said and (out / "notes.txt").is_file() and (out / "dataset.json").is_file()


def test_exports_are_served_in_parts_and_no_path_leaves_their_folder(exported):
    name, url = next(iter(exports(exported, "hf-parquet").items()))
    whole = httpx.get(url).content
    part = httpx.get(url, headers={"range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole[100:300])
    assert int(httpx.head(url).headers["content-length"]) == len(whole)
    for path in ("../index.sqlite", "%2e%2e/index.sqlite", "hf-parquet/../../index.sqlite", "hf-parquet//" + name, "hf-parquet", "none", "x.part/y"):
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
