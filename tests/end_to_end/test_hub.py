"""The dataset's own name, loaded from this server by three versions of Hugging Face `datasets` and by `huggingface_hub`."""

import hashlib
import subprocess

import httpx
import hub_clients
import numpy as np
import pytest
import SimpleITK as sitk
import skimage.transform
import skimage.util
from hub_program import digest
from service import Service

NAME = "cdoswald/SPIDER"
API = f"/api/datasets/{NAME}"
RESOLVE = f"/datasets/{NAME}/resolve"

versions = pytest.mark.parametrize("version", hub_clients.VERSIONS)


def volume(source, folder: str, scan: str) -> np.ndarray:
    """As the published loader reads it: slices last."""
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(source / folder / f"{scan}.mha")))
    return np.transpose(array, (1, 2, 0)) if array.shape[0] < array.shape[2] else array


@pytest.fixture(scope="module")
def expected(hub) -> dict[str, dict[str, dict]]:
    """Split → scan → what the published loader makes of the release, with its own libraries."""
    splits: dict[str, dict[str, dict]] = {}
    for scan in hub.json("/v1/scans", limit=1000)["items"]:
        scan_id = scan["scan_id"]
        image = skimage.util.img_as_uint(skimage.transform.resize(volume(hub.source, "images", scan_id), (512, 512)))
        labels = volume(hub.source, "masks", scan_id)
        mask = skimage.transform.resize(labels, (512, 512), order=0, preserve_range=True, mode="constant", cval=0)
        splits.setdefault(scan["split"], {})[scan_id] = {
            "image": digest(np.moveaxis(image, 2, 0)),
            "mask": digest(np.moveaxis(mask.astype(np.uint8), 2, 0)),
            "image_path": f"{hub.address}/v1/scans/{scan_id}/image.mha?layout=stored",
            "mask_path": f"{hub.address}/v1/scans/{scan_id}/mask.mha?layout=stored",
            "metadata": hub.json(f"/v1/scans/{scan_id}/metadata", format="hf"),
            "rad_gradings": hub.json(f"/v1/scans/{scan_id}/gradings", format="hf"),
        }
    return splits


@versions
def test_the_cards_own_line_loads_the_editions_pixels(hub, expected, version, tmp_path):
    found = hub_clients.result(hub_clients.run(version, hub.address, tmp_path, "load"))
    assert found == expected


@versions
def test_the_first_example_streams(hub, expected, version, tmp_path):
    found = hub_clients.result(hub_clients.run(version, hub.address, tmp_path, "stream"))
    assert found["features"] == ["patient_id", "scan_type", "image", "mask", "image_path", "mask_path", "metadata", "rad_gradings"]
    assert found["count"] == len(expected["train"])
    (scan, first), = found["first"].items()
    assert first == expected["train"][scan]


@versions
def test_the_demo_is_the_start_of_every_split(hub, expected, version, tmp_path):
    found = hub_clients.result(hub_clients.run(version, hub.address, tmp_path, "load", "demo"))
    assert set(found) == {"train", "validation", "test"}
    for split, rows in found.items():
        assert len(rows) == min(2, len(expected[split])) and rows.items() <= expected[split].items()


@versions
def test_another_configuration_is_another_export(hub, program, version, tmp_path):
    command = [program, "export", "--data", hub.data, "--format", "hf-parquet", "--render", "preset=hf&size=64"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    found = hub_clients.result(hub_clients.run(version, hub.address, tmp_path, "load", "64x64"))
    scan, row = next(iter(found["test"].items()))
    image = skimage.util.img_as_uint(skimage.transform.resize(volume(hub.source, "images", scan), (64, 64)))
    assert row["image"] == digest(np.moveaxis(image, 2, 0))


@versions
def test_files_and_snapshots_are_those_of_the_server(hub, version, tmp_path):
    found = hub_clients.result(hub_clients.run(version, hub.address, tmp_path, "files"))
    exported = {e["file"]: e["sha256"] for e in hub.json("/v1/exports")["items"] if e["name"] == "demo"}
    assert found["snapshot"] == {f"demo/{file}": sha256 for file, sha256 in exported.items()}
    assert found["sha"] == found["commit"] == hub.json(API)["sha"]
    assert "van der Graaf" in found["readme"] and "config_name: 'default'" in found["readme"]
    assert {"README.md", *found["snapshot"]} <= set(found["listed"])


@versions
def test_pandas_reads_a_hub_path(hub, expected, version, tmp_path):
    found = hub_clients.result(hub_clients.run(version, hub.address, tmp_path, "pandas", "demo"))
    assert found and set(found) <= set(expected["train"])


@versions
def test_before_an_export_the_error_says_what_to_do(made, version, tmp_path):
    done = hub_clients.run(version, made.address, tmp_path, "load")
    assert done.returncode != 0 and "sagittal export --format hf-parquet" in done.stderr, done.stderr[-3000:]


@versions
def test_the_servers_token_is_the_hubs(hub, program, version, tmp_path):
    made = subprocess.run([program, "token", "someone"], capture_output=True, text=True, check=True)
    token = made.stderr.split()[-1]
    (tmp_path / "tokens").write_text(made.stdout)
    command = [program, "serve", "--data", hub.data, "--token-file", tmp_path / "tokens"]
    with Service(command, hub.source, hub.data) as service:
        assert hub_clients.run(version, service.address, tmp_path / "a", "load", "demo").returncode != 0
        found = hub_clients.result(hub_clients.run(version, service.address, tmp_path / "b", "load", "demo", token=token))
        assert set(found) == {"train", "validation", "test"}
        frame = hub_clients.run(version, service.address, tmp_path / "b", "pandas", "demo", token=token)
        assert hub_clients.result(frame)


def test_the_tree_has_exact_sizes_at_every_depth(hub):
    sha = hub.json(API)["sha"]
    assert hub.json(f"{API}/revision/{sha}")["sha"] == sha
    top = hub.json(f"{API}/tree/main")
    assert {"default", "demo"} <= {e["path"] for e in top if e["type"] == "directory"}
    everything = [e for e in hub.json(f"{API}/tree/{sha}", recursive="True") if e["type"] == "file"]
    assert {e["path"] for e in everything} == {s["rfilename"] for s in hub.json(API)["siblings"]}
    for entry in everything:
        reply = httpx.get(f"{hub.address}{RESOLVE}/{sha}/{entry['path']}", headers={"accept-encoding": "identity"})
        assert len(reply.content) == entry["size"] == int(reply.headers["content-length"]), entry
        assert reply.headers["x-repo-commit"] == sha and reply.headers["etag"]
        if lfs := entry.get("lfs"):
            assert hashlib.sha256(reply.content).hexdigest() == lfs["oid"]
        head = httpx.head(f"{hub.address}{RESOLVE}/main/{entry['path']}")
        assert head.headers["content-length"] == str(entry["size"])
        part = httpx.get(f"{hub.address}{RESOLVE}/{sha}/{entry['path']}", headers={"range": "bytes=4-99"})
        assert part.status_code == 206 and part.content == reply.content[4:100]
    infos = hub.client.post(f"{API}/paths-info/main", data={"paths": ["default", "README.md", "none"]}).json()
    assert [(e["type"], e["path"]) for e in infos] == [("directory", "default"), ("file", "README.md")]


def test_what_is_missing_has_the_hubs_names(hub):
    for path, code in [
        (f"{RESOLVE}/main/SPIDER.py", "EntryNotFound"),
        (f"{RESOLVE}/main/../../../v1/dataset", None),
        (f"{API}/tree/main/none", "EntryNotFound"),
        (f"{RESOLVE}/{'0' * 40}/README.md", "RevisionNotFound"),
        (f"{API}/revision/refs%2Fconvert%2Fparquet", "RevisionNotFound"),
        ("/api/agent-harnesses", None),
        ("/api/datasets/someone/else", None),
    ]:
        reply = hub.client.get(path)
        if code is None and reply.status_code == 200:
            continue
        assert (reply.status_code, reply.headers.get("x-error-code")) == (404, code), path
        assert code is None or reply.headers["x-error-message"] == reply.json()["detail"]


def test_an_old_revision_gives_its_bytes_or_404(hub, program):
    options = ["--format", "hf-parquet", "--name", "replaced"]
    commits = []
    for size in ("16", "24"):
        command = [program, "export", "--data", hub.data, *options, "--render", f"size={size}"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        commits.append(hub.json(API)["sha"])
    assert commits[0] != commits[1]
    file = next(s["rfilename"] for s in hub.json(API)["siblings"] if s["rfilename"].startswith("replaced/"))
    assert hub.client.get(f"{RESOLVE}/{commits[0]}/{file}").status_code == 404
    assert hub.client.get(f"{RESOLVE}/{commits[1]}/{file}").status_code == 200
