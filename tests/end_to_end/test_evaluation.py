"""Scores of predicted masks: against the SPIDER challenge's own script, SciPy, MedPy and surface-distance.

    SPIDER_EVALUATION=FILE    runs the challenge's script itself, beside the golden numbers that it made before
"""

import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import files
import medpy.metric.binary as medpy
import nibabel
import numpy as np
import official
import phantoms
import pytest
import SimpleITK as sitk
import surface_distance
from conftest import served
from scipy import ndimage
from service import Service

GOLDENS = json.loads((Path(__file__).resolve().parents[1] / "goldens" / "evaluation.json").read_text())
SCANS = list(phantoms.SCANS)
PREDICTIONS = list(phantoms.canonical_predictions(SCANS[0]))
LEAST_DICE = 0.1
VERTEBRAE = [1, 2, 3, 4]


@pytest.fixture(scope="module")
def phantom(program, tmp_path_factory):
    source = tmp_path_factory.mktemp("phantom-source")
    phantoms.write_release(source)
    with served(program, source, tmp_path_factory.mktemp("phantom")) as service:
        yield service


def as_bytes(image: sitk.Image, tmp_path: Path, suffix: str, compressed: bool = True) -> bytes:
    path = tmp_path / f"mask{suffix}"
    sitk.WriteImage(image, str(path), useCompression=compressed)
    return path.read_bytes()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def score(service, scan: str, mask: bytes, **parameters) -> dict:
    response = service.client.post(f"/v1/scans/{scan}/evaluation", content=mask, params=parameters)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


def refused(service, scan: str, mask: bytes, **parameters) -> dict:
    response = service.client.post(f"/v1/scans/{scan}/evaluation", content=mask, params=parameters)
    assert response.status_code == 400, response.text
    return response.json()


def matched(truth: np.ndarray, prediction: np.ndarray) -> dict[int, int]:
    """One to one, the greatest overlap first, among pairs with enough of a Dice."""
    pairs = []
    for label in np.unique(truth[truth > 0]):
        for value in np.unique(prediction[prediction > 0]):
            one, other = truth == label, prediction == value
            both = np.count_nonzero(one & other)
            if both and 2 * both / (one.sum() + other.sum()) >= LEAST_DICE:
                pairs.append((-both, int(label), int(value)))
    found = {}
    for _, label, value in sorted(pairs):
        if label not in found and value not in found.values():
            found[label] = value
    return found


def assert_close(found, expected, what=""):
    assert (found is None) == (expected is None), (what, found, expected)
    assert found is None or abs(found - expected) < 1e-9, (what, found, expected)


@pytest.mark.parametrize("name", PREDICTIONS)
@pytest.mark.parametrize("scan", SCANS)
def test_the_challenges_rule_gives_the_numbers_of_its_script(phantom, tmp_path, scan, name):
    mask = phantoms.image(scan, phantoms.canonical_predictions(scan)[name])
    for suffix in (".mha", ".nii.gz"):
        found = score(phantom, scan, as_bytes(mask, tmp_path, suffix), rule="spider")["spider"]
        expected = GOLDENS["scores"][f"{scan} {name}"]
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_close(found[key], value, (scan, name, key))


def test_the_challenges_script_still_gives_the_golden_numbers(phantom, tmp_path):
    """And the server its numbers for scans of the demo's kind, where the script is at hand."""
    if "SPIDER_EVALUATION" not in os.environ:
        pytest.skip("SPIDER_EVALUATION does not name evaluation.py of the challenge")
    script = Path(os.environ["SPIDER_EVALUATION"])
    assert hashlib.sha256(script.read_bytes()).hexdigest() == GOLDENS["evaluation.py"], "another version of the script"
    score_case = official.load(script)
    truth, prediction = tmp_path / "truth.mha", tmp_path / "prediction.mha"
    for scan in SCANS:
        sitk.WriteImage(files.read(phantom.source, "masks", scan), str(truth))
        for name, canonical in phantoms.canonical_predictions(scan).items():
            sitk.WriteImage(phantoms.image(scan, canonical), str(prediction))
            for key, value in official.numbers(score_case(truth, prediction)).items():
                assert_close(GOLDENS["scores"][f"{scan} {name}"][key], value, (scan, name, key))


@pytest.mark.parametrize("name", PREDICTIONS)
@pytest.mark.parametrize("scan", SCANS)
def test_the_corrected_rule_measures_as_medpy_does(phantom, scan, name):
    truth, prediction = phantoms.canonical_truth(scan), phantoms.canonical_predictions(scan)[name]
    spacing = phantoms.SCANS[scan][1]
    found = score(phantom, scan, npy(prediction))
    pairs = matched(truth, prediction)
    labels = [int(label) for label in np.unique(truth[truth > 0])]
    assert [structure["label"] for structure in found["structures"]] == labels
    assert found["missed"] == [label for label in labels if label not in pairs]
    extra = sorted(set(map(int, np.unique(prediction[prediction > 0]))) - set(pairs.values()))
    assert [structure["predicted_label"] for structure in found["extra"]] == extra
    scores = []
    for structure in found["structures"]:
        one = truth == structure["label"]
        assert structure["predicted_label"] == pairs.get(structure["label"])
        assert_close(structure["volume_mm3"], one.sum() * np.prod(spacing))
        if structure["predicted_label"] is None:
            assert (structure["dice"], structure["iou"], structure["assd_mm"], structure["hd95_mm"]) == (0, 0, None, None)
            scores.append((0, 0))
            continue
        other = prediction == structure["predicted_label"]
        assert_close(structure["dice"], medpy.dc(other, one))
        assert_close(structure["iou"], medpy.jc(other, one))
        assert_close(structure["assd_mm"], medpy.assd(other, one, voxelspacing=spacing))
        assert_close(structure["hd95_mm"], medpy.hd95(other, one, voxelspacing=spacing))
        scores.append((structure["dice"], 1))
    overall = found["overall"]
    assert_close(overall["dice"], np.mean([dice for dice, _ in scores]))
    assert_close(overall["found_share"], np.mean([is_found for _, is_found in scores]))
    distances = [structure["assd_mm"] for structure in found["structures"] if structure["assd_mm"] is not None]
    assert_close(overall["assd_mm"], np.mean(distances) if distances else None)
    [vertebrae] = [scores for scores in found["classes"] if scores["class"] == "vertebra"]
    assert_close(vertebrae["dice"], np.mean([s["dice"] for s in found["structures"] if s["label"] in VERTEBRAE]))


def test_distances_are_those_of_scipy_and_simpleitk(phantom):
    """From the definition, by two distance transforms that share nothing."""
    scan = SCANS[0]
    truth, prediction = phantoms.canonical_truth(scan), phantoms.canonical_predictions(scan)["shifted"]
    spacing = phantoms.SCANS[scan][1]
    for structure in score(phantom, scan, npy(prediction))["structures"]:
        one, other = truth == structure["label"], prediction == structure["predicted_label"]
        surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (one, other)]
        by_scipy = [ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
        by_itk = []
        for surface in surfaces:
            image = sitk.GetImageFromArray(surface.astype(np.uint8))
            image.SetSpacing(spacing[::-1])
            far = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
            by_itk.append(np.maximum(sitk.GetArrayFromImage(far), 0))
        for distances, tolerance in ((by_scipy, 1e-9), (by_itk, 1e-4)):
            directed = [distances[1][surfaces[0]], distances[0][surfaces[1]]]
            assert abs(structure["assd_mm"] - np.concatenate(directed).mean()) < tolerance
            assert abs(structure["hd95_mm"] - np.percentile(np.concatenate(directed), 95)) < tolerance


def test_distances_are_near_those_of_surface_distance(phantom):
    """It measures between surface elements rather than voxels, so that half a voxel may lie between the two."""
    scan = "912_t2_SPACE"
    truth, prediction = phantoms.canonical_truth(scan), phantoms.canonical_predictions(scan)["shifted"]
    spacing = phantoms.SCANS[scan][1]
    for structure in score(phantom, scan, npy(prediction))["structures"]:
        one, other = truth == structure["label"], prediction == structure["predicted_label"]
        distances = surface_distance.compute_surface_distances(one, other, spacing)
        expected = np.mean(surface_distance.compute_average_surface_distance(distances))
        assert abs(structure["assd_mm"] - expected) < max(spacing) / 2


@pytest.mark.parametrize("scan", SCANS)
def test_axes_are_aligned_by_affine(phantom, tmp_path, scan):
    """As SimpleITK and nibabel turn them."""
    expected = score(phantom, scan, npy(phantoms.canonical_predictions(scan)["shifted"]))
    mask = phantoms.image(scan, phantoms.canonical_predictions(scan)["shifted"])
    turned = [sitk.DICOMOrient(mask, axes) for axes in ("LPS", "RAI", "PIR", "SAL", "ASR")]
    turned += [sitk.Flip(mask, flips) for flips in ((True, False, False), (False, True, True))]
    turned += [sitk.PermuteAxes(mask, order) for order in ([2, 0, 1], [1, 0, 2])]
    for n, image in enumerate(turned):
        for suffix, compressed in ((".mha", bool(n % 2)), (".nii", False), (".nii.gz", True)):
            found = score(phantom, scan, as_bytes(image, tmp_path, suffix, compressed))
            assert found["structures"] == expected["structures"], (n, suffix)
            assert found["alignment"]["by"] == "affine" and found["hints"] == []
    by_nibabel = nibabel.as_closest_canonical(nibabel.load(write(tmp_path / "a.nii.gz", as_bytes(mask, tmp_path, ".nii.gz"))))
    assert score(phantom, scan, by_nibabel.to_bytes())["structures"] == expected["structures"]
    floats = nibabel.Nifti1Image(by_nibabel.get_fdata(dtype=np.float32), by_nibabel.affine)
    assert score(phantom, scan, floats.to_bytes())["structures"] == expected["structures"]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("scan", SCANS)
def test_arrays_are_in_the_layout_that_is_named(phantom, scan):
    canonical = phantoms.canonical_predictions(scan)["shifted"]
    expected = score(phantom, scan, npy(canonical))
    file = sitk.GetArrayFromImage(phantoms.image(scan, canonical))
    stored = file if file.shape[0] < file.shape[2] else np.moveaxis(file, 2, 0)
    for layout, array in (("canonical", canonical), ("file", file), ("stored", stored), ("file", np.asfortranarray(file))):
        found = score(phantom, scan, npy(array), layout=layout)
        assert found["structures"] == expected["structures"] and found["alignment"]["by"] == "layout"
    truth = phantom.npy(f"/v1/scans/{scan}/mask.npy", layout="stored")
    assert score(phantom, scan, npy(truth), layout="stored")["overall"]["dice"] == 1


@pytest.mark.parametrize("scan", SCANS)
def test_another_grid_is_refused_and_resampled_on_request(phantom, tmp_path, scan):
    mask = phantoms.image(scan, phantoms.canonical_predictions(scan)["thick"])
    spacing = [mm * factor for mm, factor in zip(mask.GetSpacing(), (1.7, 0.8, 1.3), strict=True)]
    size = [round(n / factor) for n, factor in zip(mask.GetSize(), (1.7, 0.8, 1.3), strict=True)]
    other = sitk.Resample(mask, size, sitk.Transform(), sitk.sitkNearestNeighbor, mask.GetOrigin(), spacing, mask.GetDirection())
    problem = refused(phantom, scan, as_bytes(other, tmp_path, ".mha"))
    assert problem["code"] == "grid_mismatch" and "mm apart" in problem["detail"] and "resample=nearest" in problem["detail"]
    back = sitk.Resample(other, mask, sitk.Transform(), sitk.sitkNearestNeighbor)
    expected = score(phantom, scan, as_bytes(back, tmp_path, ".mha"))
    found = score(phantom, scan, as_bytes(sitk.PermuteAxes(other, [1, 2, 0]), tmp_path, ".nii.gz"), resample="nearest")
    assert found["alignment"]["by"] == "nearest_voxel"
    # Halves are rounded by affines of 32 bits.
    for ours, theirs in zip(found["structures"], expected["structures"], strict=True):
        assert abs(ours["dice"] - theirs["dice"]) < 2e-3, (ours, theirs)


def test_orientation_errors_are_distinguished_from_bad_models(phantom):
    scan = SCANS[0]
    truth = phantoms.canonical_truth(scan)
    assert "orientation error" in score(phantom, scan, npy(truth[:, ::-1, ::-1]))["hints"][0]
    assert score(phantom, scan, npy(phantoms.canonical_predictions(scan)["missed"]))["hints"] == []
    problem = refused(phantom, scan, npy(truth.transpose(1, 2, 0)[::-1]))
    assert problem["code"] == "grid_mismatch" and "layout=file" in problem["detail"]


def test_semantic_masks_are_scored_by_class(phantom):
    scan = SCANS[1]
    truth = phantoms.canonical_truth(scan)
    for name, values in (("semantic", (1, 2, 3)), ("semantic_vdc", (1, 3, 2))):
        mask = phantom.npy(f"/v1/scans/{scan}/mask.npy", map=name)
        found = score(phantom, scan, npy(np.roll(mask, 1, 1)), map=name)
        assert sorted(structure["label"] for structure in found["structures"]) == [1, 2, 3]
        for structure, is_class in zip(found["structures"], ((truth < 10) & (truth > 0) | (truth == 105), truth == 100, truth > 200), strict=True):
            assert_close(structure["dice"], medpy.dc(np.roll(is_class, 1, 1), is_class), name)
        assert [structure["label"] for structure in found["structures"]] == list(values)


def test_what_is_no_mask_is_refused(phantom):
    scan = SCANS[0]
    truth = phantoms.canonical_truth(scan)
    for mask, words in (
        (b"", "not known"), (b"\x1f\x8b" + bytes(50), "damaged"), (npy(truth.astype(np.float32) / 2), "probability map"),
        (npy(truth.astype(np.int16) - 5), "-5"), (npy(truth[0]), "three axes"), (npy(truth.astype(np.complex64)), "astype"),
    ):
        problem = refused(phantom, scan, mask)
        assert problem["code"] == "invalid_body" and words in problem["detail"], problem
    assert refused(phantom, scan, npy(truth), resample="nearest")["parameter"] == "resample"
    assert refused(phantom, scan, npy(truth), rule="official")["allowed"] == ["corrected, spider"]
    missing = phantom.client.post("/v1/scans/1_t1/evaluation", content=npy(truth))
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_scan")
    compressed = phantom.client.post(f"/v1/scans/{scan}/evaluation", content=b"x", headers={"content-encoding": "gzip"})
    assert compressed.status_code == 415


def test_masks_have_limits_of_size_and_memory(program, phantom):
    scan = SCANS[0]
    mask = npy(phantoms.canonical_truth(scan))
    path = f"/v1/scans/{scan}/evaluation"
    with Service([program, "serve", "--data", phantom.data, "--max-mask-bytes", "1000"], phantom.source, phantom.data) as small:
        for body in (mask, iter([mask[:600], mask[600:]])):
            response = small.client.post(path, content=body)
            assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    # On a grid of terabytes, in a file of some kilobytes.
    header = bytearray(nibabel.Nifti1Image(np.zeros((1, 1, 1), np.uint8), np.eye(4)).to_bytes()[:352])
    header[42:48] = np.array([30_000] * 3, "<i2").tobytes()
    bomb = gzip.compress(bytes(header) + bytes(1 << 20))
    assert refused(phantom, scan, bomb)["code"] == "grid_mismatch"
    response = phantom.client.post(path, content=bomb, params={"resample": "nearest"})
    assert (response.status_code, response.json()["code"]) == (413, "output_too_large"), response.text


def test_many_masks_at_once_are_scored_like_one(phantom):
    """On the pool, each in its turn; images meanwhile are not kept waiting for all of them."""
    scan = SCANS[1]
    masks = [npy(phantoms.canonical_predictions(scan)[name]) for name in PREDICTIONS]
    expected = [score(phantom, scan, mask)["structures"] for mask in masks]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda mask: score(phantom, scan, mask)["structures"], masks * 3))
    assert found == expected * 3


# The command line


@pytest.fixture(scope="module")
def predictions(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("predictions")
    for scan, name in zip(SCANS, ("shifted", "missed"), strict=True):
        sitk.WriteImage(phantoms.image(scan, phantoms.canonical_predictions(scan)[name]), str(folder / f"{scan}.nii.gz"))
    return folder


def evaluate(program, service, folder: Path, *options) -> subprocess.CompletedProcess:
    command = [program, "evaluate", folder, "--data", service.data, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["scan_id"]: row for row in csv.DictReader(file)}


def test_a_folder_is_scored_as_the_server_scores_its_files(program, phantom, predictions, tmp_path):
    out = tmp_path / "scores.csv"
    done = evaluate(program, phantom, predictions, "--out", out)
    assert done.returncode == 0, done.stderr
    for scan in SCANS:
        found, expected = rows(out)[scan], score(phantom, scan, (predictions / f"{scan}.nii.gz").read_bytes())
        assert found["status"] == "scored"
        assert_close(float(found["dice"]), expected["overall"]["dice"])
        assert_close(float(found["hd95_mm"]), expected["overall"]["hd95_mm"])
        of_class = {scores["class"]: scores for scores in expected["classes"]}
        assert_close(float(found["disc_assd_mm"]), of_class["disc"]["assd_mm"])
        assert float(found["extra"]) == len(expected["extra"])
    means = [float(row["dice"]) for row in rows(out).values()]
    lines = done.stdout.splitlines()
    [mean] = [line.split() for line in lines if line.startswith("mean")]
    [sd] = [line.split() for line in lines if line.startswith("± SD")]
    assert mean[1] == f"{np.mean(means):.3f}" and sd[2] == f"{np.std(means, ddof=1):.3f}"
    assert all(any(line.startswith(scan) for line in lines) for scan in SCANS)


def test_the_challenges_numbers_of_a_folder(program, phantom, predictions, tmp_path):
    out = tmp_path / "scores.csv"
    assert evaluate(program, phantom, predictions, "--rule", "spider", "--out", out).returncode == 0
    for scan, name in zip(SCANS, ("shifted", "missed"), strict=True):
        for key, value in GOLDENS["scores"][f"{scan} {name}"].items():
            cell = rows(out)[scan][key]
            assert_close(float(cell) if cell else None, value, key)


def test_missing_and_unreadable_predictions_are_named_and_count_as_missed(program, phantom, tmp_path):
    one, other = SCANS
    folder, out = tmp_path / "predictions", tmp_path / "scores.csv"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a prediction")
    (folder / "77_t1.mha").write_bytes(b"for a scan that is not there")
    np.save(folder / f"{one}.npy", phantoms.canonical_truth(one))
    done = evaluate(program, phantom, folder, "--out", out)
    assert done.returncode == 1 and f"without a prediction: all their structures count as missed ({other})" in done.stdout
    assert "1 predictions for scans that are not scored (77_t1)" in done.stdout
    assert rows(out)[one]["dice"] == "1"
    missing = rows(out)[other]
    assert (missing["status"], missing["dice"], missing["found_share"], missing["assd_mm"]) == ("missing", "0", "0", "")
    (folder / f"{other}.mha").write_bytes(b"rubbish")
    done = evaluate(program, phantom, folder, "--out", out)
    assert done.returncode == 1 and f"{other}: the format is not known" in done.stdout
    assert rows(out)[other]["status"] == "refused"
    np.save(folder / f"{other}.npy", phantoms.canonical_truth(other))
    twice = evaluate(program, phantom, folder)
    assert twice.returncode == 2 and "keep one of them" in twice.stderr


def test_what_cannot_be_scored_at_all_ends_with_2(program, phantom, predictions, tmp_path):
    assert "has no predictions" in evaluate(program, phantom, tmp_path).stderr
    assert evaluate(program, phantom, tmp_path / "nowhere").returncode == 2
    assert evaluate(program, phantom, predictions, "--out", tmp_path / "no" / "scores.csv").returncode == 2
    # Without rows in the table no scan is in a split.
    assert evaluate(program, phantom, predictions, "--split", "test").returncode == 2
    assert "expected corrected, spider" in evaluate(program, phantom, predictions, "--rule", "official").stderr


# The Python package


@pytest.mark.parametrize("scan", SCANS)
def test_the_package_scores_arrays_files_and_images(phantom, tmp_path, scan):
    import sagittal

    canonical = phantoms.canonical_predictions(scan)["shifted"]
    image = phantoms.image(scan, canonical)
    expected = score(phantom, scan, npy(canonical))
    path = tmp_path / "mask.nii.gz"
    sitk.WriteImage(image, str(path))
    with sagittal.Client(phantom.address) as client:
        masks = [canonical, canonical.astype(np.float64), canonical[::-1][::-1], path, str(path), image, nibabel.load(path)]
        for mask in masks:
            assert client.evaluate(scan, mask)["structures"] == expected["structures"], type(mask)
        file = sitk.GetArrayFromImage(image)
        assert client.evaluate(scan, file, layout="file")["structures"] == expected["structures"]
        official_scores = client.evaluate(scan, image, rule="spider")["spider"]
        assert_close(official_scores["OveralASD"], GOLDENS["scores"][f"{scan} shifted"]["OveralASD"])
        assert client.evaluate(scan, client.volume(scan, mask=True))["overall"]["dice"] == 1
        with pytest.raises(sagittal.ProblemError, match="another grid|grid_mismatch"):
            client.evaluate(scan, canonical[1:])
        with pytest.raises(TypeError, match="array, a path"):
            client.evaluate(scan, 7)
    assert "SimpleITK" in sys.modules
