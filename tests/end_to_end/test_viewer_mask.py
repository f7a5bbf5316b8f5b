"""A second mask from a local file over a scan: read, aligned, compared and shown in the browser; scored on request only."""

import io
import json
import shutil
import subprocess

import browser
import files
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from browser import place
from service import Service

SCAN = "1_t2"
ALIGNED = ["turned.nii.gz", "turned.nii", "compressed.mha", "raw.mha", "big-endian.nii", "canonical.npy", "stored.npy", "file.npy", "fortran.npy"]
TRUTH_ONLY, PREDICTED_ONLY, BOTH, OTHER = (230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 60, 150)


def prediction_of(truth: np.ndarray) -> np.ndarray:
    """Other values than the truth's, moved; one vertebra missed, two discs under one value, and a structure too many."""
    table = np.zeros(256, np.uint16)
    labels = np.unique(truth)[1:]
    table[labels] = 1000 + np.arange(len(labels))
    table[2] = 0
    table[202] = table[203]
    made = np.roll(table[truth], (0, 3, -2), (0, 1, 2))
    made[:, :6, :9] = 77
    return made


def dice_by_label(truth: np.ndarray, predicted: np.ndarray) -> dict[int, tuple[int | None, float]]:
    """The matched value and Dice of every true label: one to one, the greatest overlap first, from a Dice of 0.1."""
    pairs = []
    for label in np.unique(truth)[1:]:
        for value in np.unique(predicted)[1:]:
            both = np.count_nonzero((truth == label) & (predicted == value))
            dice = 2 * both / (np.count_nonzero(truth == label) + np.count_nonzero(predicted == value))
            if both and dice >= 0.1:
                pairs.append((-both, int(label), int(value), dice))
    found = {int(label): (None, 0.0) for label in np.unique(truth)[1:]}
    taken = set()
    for _, label, value, dice in sorted(pairs):
        if found[label][0] is None and value not in taken:
            found[label] = (value, dice)
            taken.add(value)
    return found


@pytest.fixture(scope="module")
def truth(demo) -> np.ndarray:
    return files.canonical_array(demo.source, "masks", SCAN)


@pytest.fixture(scope="module")
def predicted(truth) -> np.ndarray:
    return prediction_of(truth)


def image_of(demo, array: np.ndarray) -> sitk.Image:
    """In the canonical grid."""
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(files.canonical(demo.source, "masks", SCAN))
    return image


@pytest.fixture(scope="module")
def masks(demo, predicted, tmp_path_factory):
    """One prediction in every format, with axes of every kind."""
    folder = tmp_path_factory.mktemp("masks")
    image = image_of(demo, predicted)
    turned = sitk.DICOMOrient(image, "LAS")
    sitk.WriteImage(turned, str(folder / "turned.nii.gz"))
    sitk.WriteImage(sitk.Cast(sitk.DICOMOrient(image, "SRP"), sitk.sitkFloat32), str(folder / "turned.nii"))
    sitk.WriteImage(sitk.DICOMOrient(image, "LPS"), str(folder / "compressed.mha"), useCompression=True)
    sitk.WriteImage(sitk.Cast(sitk.DICOMOrient(image, "PIR"), sitk.sitkInt32), str(folder / "raw.mha"))
    # Big-endian, by qform alone, with a slope.
    array = sitk.GetArrayFromImage(turned).transpose()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ files.affine_lps(turned)[:, [2, 1, 0, 3]]
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    big = nibabel.Nifti1Image(array.astype(">i2"), affine, header)
    big.set_sform(None, 0)
    big.set_qform(affine, 1)
    nibabel.save(big, folder / "big-endian.nii")
    # Arrays in each layout; the demo's files have other axes than the canonical ones.
    own = sitk.GetArrayFromImage(files.read(demo.source, "masks", SCAN))
    as_file = sitk.GetArrayFromImage(sitk.DICOMOrient(image, axes_of(demo)))
    assert as_file.shape == own.shape
    np.save(folder / "file.npy", as_file.astype(np.int64))
    np.save(folder / "stored.npy", as_file.transpose(2, 0, 1))
    np.save(folder / "canonical.npy", predicted.astype(">u2"))
    np.save(folder / "fortran.npy", np.asfortranarray(predicted))
    return folder


def axes_of(demo) -> str:
    """Towards where i, j and k of the file grow, as SimpleITK names it."""
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(files.read(demo.source, "masks", SCAN).GetDirection())


def open_mask(viewer, path):
    viewer.find("#mask-file").send_keys(str(path))


def table(viewer) -> dict[str, list[str]]:
    """Cells of the scores by the beginning of each row: a label, or a class."""
    return viewer.js(
        "return Object.fromEntries([...document.querySelectorAll('.scores tbody tr')].map((row) =>"
        " [row.cells[0].textContent.split(' ')[0], [...row.cells].slice(1).map((cell) => cell.textContent)]))"
    )


def wait_compared(viewer):
    viewer.until(lambda: viewer.all(".scores tbody tr"), "the masks are not compared")


def posted(viewer) -> list[str]:
    return [
        message["params"]["request"]["url"] for message in viewer.messages()
        if message["method"] == "Network.requestWillBeSent" and message["params"]["request"]["method"] == "POST"
    ]


@pytest.mark.parametrize("name", ALIGNED)
def test_a_mask_is_aligned_and_scored_in_the_page(viewer, demo, masks, truth, predicted, name):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    open_mask(viewer, masks / name)
    if name == "stored.npy":
        viewer.until(lambda: viewer.all("#mask-layout"), "no choice of axes")
        viewer.js("const s = document.querySelector('#mask-layout'); s.value = 'stored'; s.dispatchEvent(new Event('change'))")
        viewer.until(lambda: float(table(viewer).get("All", ["", "0"])[1]) > 0.3, "the stored layout is not taken")
    wait_compared(viewer)
    expected = dice_by_label(truth, predicted)
    shown = table(viewer)
    for label, (value, dice) in expected.items():
        assert shown[str(label)] == ["missed" if value is None else str(value), f"{dice:.3f}"], label
    assert shown["All"] == [f"{sum(v is not None for v, _ in expected.values())}/{len(expected)}", f"{np.mean([d for _, d in expected.values()]):.3f}"]
    discs = [one for label, one in expected.items() if label > 200]
    assert shown["Discs"] == [f"{sum(v is not None for v, _ in discs)}/{len(discs)}", f"{np.mean([d for _, d in discs]):.3f}"]
    assert "77 (" in viewer.text("#second-mask") and name in viewer.text("#second-mask") and name in viewer.text(".corner.top.left")
    assert not posted(viewer), "something was uploaded without being requested"


def test_the_server_scores_it_on_request(viewer, demo, masks, truth):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    open_mask(viewer, masks / "turned.nii.gz")
    wait_compared(viewer)
    before = table(viewer)
    assert "not store" in viewer.text("#second-mask") and not posted(viewer)
    viewer.click("#score-mask")
    viewer.until(lambda: "Scored on this server" in viewer.text("#second-mask"), "the server does not score it")
    assert posted(viewer) == [f"{demo.address}/v1/scans/{SCAN}/evaluation"]
    result = demo.client.post(f"/v1/scans/{SCAN}/evaluation", content=(masks / "turned.nii.gz").read_bytes()).json()
    shown = table(viewer)
    mm = lambda value: "–" if value is None else f"{value:.2f}"
    for one in result["structures"]:
        cells = [str(one["predicted_label"] or "missed"), f"{one['dice']:.3f}", f"{one['iou']:.3f}", mm(one["assd_mm"]), mm(one["hd95_mm"])]
        assert shown[str(one["label"])] == cells
        # The page's own numbers are the server's.
        assert before[str(one["label"])] == cells[:2]
    overall = result["overall"]
    assert shown["All"] == [f"{overall['found']}/{overall['structures']}", f"{overall['dice']:.3f}", f"{overall['iou']:.3f}", mm(overall["assd_mm"]), mm(overall["hd95_mm"])]
    viewer.screenshot("second-mask-scored")
    # A structure leads to its slice.
    viewer.find("[data-key='score 201']").click()
    best = next(one["best_slice"] for one in demo.json(f"/v1/scans/{SCAN}")["labels"] if one["label"] == 201)
    viewer.wait_drawn(f"{SCAN} {best}")


def test_a_flipped_mask_is_called_an_orientation_error(viewer, truth, tmp_path):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    np.save(tmp_path / "flipped.npy", truth[:, ::-1])
    open_mask(viewer, tmp_path / "flipped.npy")
    wait_compared(viewer)
    viewer.click("#score-mask")
    viewer.until(lambda: "orientation error, not a model error" in viewer.text("#second-mask"), "nothing is said about the orientation")


def test_why_the_server_refuses_is_shown(chromium, program, demo, masks, tmp_path):
    shutil.copytree(demo.data, tmp_path / "data")
    command = [program, "serve", "--data", tmp_path / "data", "--max-mask-bytes", "1000"]
    with Service(command, demo.source, tmp_path / "data") as service:
        viewer = browser.Viewer(chromium, service.address)
        viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
        open_mask(viewer, masks / "turned.nii.gz")
        wait_compared(viewer)
        viewer.click("#score-mask")
        viewer.until(lambda: "The server did not score it" in viewer.text("#second-mask"), "a refusal is not shown")
        assert "1000 bytes" in viewer.text("#second-mask") or "cannot be reached" in viewer.text("#second-mask")
        viewer.close(may_fail="evaluation")


def test_differences_and_outlines_are_where_the_masks_differ(viewer, demo, masks, truth, predicted):
    viewer.open(f"#scan={SCAN}&slice=7&alpha=1&zoom=3", drawn=f"{SCAN} 7")
    plain = viewer.picture()
    open_mask(viewer, masks / "turned.nii.gz")
    wait_compared(viewer)
    viewer.until(lambda: (viewer.picture() != plain).any(), "no outline is drawn")
    outlined = viewer.picture()
    scan = demo.json(f"/v1/scans/{SCAN}")
    (left, top), (right, bottom) = place(viewer, scan, 0, 0, zoom=3), place(viewer, scan, 100, 100, zoom=3)
    spot = lambda row, column: (round(left + (right - left) * column / 100), round(top + (bottom - top) * row / 100))
    inside = lambda x, y: 4 < x < plain.shape[1] - 4 and 4 < y < plain.shape[0] - 40  # Below is the scale.
    # An outline changes the picture at edges of the prediction only, and near each of them.
    own, other = truth[7], predicted[7]
    padded = np.pad(other, 2, constant_values=0)
    window = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    is_far = (window == other[:, :, None, None]).all(axis=(2, 3))
    changed = (plain != outlined).any(axis=2)
    spots = lambda where: [(x, y) for x, y in (spot(row, column) for row, column in np.argwhere(where)) if inside(x, y)]
    assert len(spots(is_far)) > 500 and not [1 for x, y in spots(is_far) if changed[y, x]]
    assert changed.sum() > 1000
    viewer.button("Difference", "#second-mask").click()
    viewer.until(lambda: viewer.canvas().get_attribute("data-second").startswith("difference"), "no difference is drawn")
    shown = viewer.picture()
    match = {label: value for label, (value, _) in dice_by_label(truth, predicted).items()}
    matched = np.vectorize(lambda label: match.get(label) or -1)(own)
    kinds = {
        TRUTH_ONLY: (own > 0) & (other == 0), PREDICTED_ONLY: (own == 0) & (other > 0), BOTH: (own > 0) & (other == matched),
        OTHER: (own > 0) & (other > 0) & (other != matched),
    }
    for colour, where in kinds.items():
        found = np.array([shown[y, x] for x, y in spots(where)])
        assert len(found) > 20, colour
        if colour == BOTH:
            # Fainter than the others: greys shine through.
            assert (found[:, 1] > found[:, 0]).all()
        else:
            assert (np.abs(found - colour) <= 2).all(), (colour, found[:5])
    viewer.screenshot("second-mask-difference")
    viewer.button("Off", "#second-mask").click()
    viewer.until(lambda: (viewer.picture() == plain).all(), "it is still drawn")


def refusal(viewer) -> str:
    viewer.until(lambda: viewer.all("#second-mask [role=alert]"), "the file is not refused")
    return viewer.text("#second-mask [role=alert]")


def test_a_mask_on_another_grid_is_refused_with_what_differs(viewer, demo, truth, tmp_path):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    image = image_of(demo, truth)

    def refused(name, made):
        sitk.WriteImage(made, str(tmp_path / name))
        open_mask(viewer, tmp_path / name)
        viewer.until(lambda: name in viewer.text("#second-mask"), f"{name} is not named")
        text = refusal(viewer)
        server = demo.client.post(f"/v1/scans/{SCAN}/evaluation", content=(tmp_path / name).read_bytes())
        assert server.status_code == 400
        # The server says the same, and besides how to resample.
        differs = server.json()["detail"].split(". Save it")[0]
        assert differs in text, (text, differs)
        assert not viewer.all(".scores") and not viewer.canvas().get_attribute("data-second")

    refused("cropped.mha", image[:, :-1, :])
    moved = sitk.Image(image)
    moved.SetOrigin(np.add(image.GetOrigin(), [0.0, 3.0, 0.0]).tolist())
    refused("moved.nii.gz", moved)
    wide = sitk.Image(image)
    wide.SetSpacing(np.multiply(image.GetSpacing(), 1.1).tolist())
    refused("wide.nii", wide)
    c, s = np.cos(0.2), np.sin(0.2)
    oblique = sitk.Image(image)
    oblique.SetDirection((np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    refused("oblique.mha", oblique)
    viewer.screenshot("second-mask-refused")


def choose(viewer, selector: str, value: str):
    viewer.until(lambda: viewer.all(selector), f"there is no {selector}")
    viewer.js("const s = document.querySelector(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))", selector, value)


def by_class(mask: np.ndarray) -> np.ndarray:
    """1 vertebra, also partly visible, 2 canal, 3 disc."""
    kinds = [(mask > 200, 3), ((mask > 0) & (mask != 100), 1), (mask == 100, 2)]
    return np.select([where for where, _ in kinds], [value for _, value in kinds], 0).astype(np.uint8)


def scores_command(viewer) -> str:
    if not viewer.find("#recipes").get_property("open"):
        viewer.click("#recipes summary")
    viewer.button("Scores", "#recipes .tabs").click()
    return viewer.find("#recipes pre").get_property("textContent")


@pytest.mark.parametrize(("map_", "order"), [("semantic", (1, 2, 3)), ("semantic_vdc", (1, 3, 2))])
def test_a_mask_of_classes_is_compared_by_class(viewer, demo, truth, tmp_path, map_, order):
    true_classes = by_class(truth)
    made = np.roll(true_classes, (0, 3, -2), (0, 1, 2))
    file = tmp_path / "it's classes.nii.gz"
    sitk.WriteImage(image_of(demo, np.array([0, *order], np.uint8)[made]), str(file))
    viewer.open(f"#scan={SCAN}&slice=7&map={map_}&alpha=1", drawn=f"{SCAN} 7")
    open_mask(viewer, file)
    wait_compared(viewer)
    dice = {order[n - 1]: 2 * np.count_nonzero((made == n) & (true_classes == n)) / (np.count_nonzero(made == n) + np.count_nonzero(true_classes == n)) for n in (1, 2, 3)}
    shown = table(viewer)
    assert shown == {str(value): [str(value), f"{dice[value]:.3f}"] for value in dice} | {"All": ["3/3", f"{np.mean(list(dice.values())):.3f}"]}
    assert viewer.fragment()["map"] == map_
    # The same from the server, by the button and by the command under Code.
    viewer.click("#score-mask")
    viewer.until(lambda: "Scored on this server" in viewer.text("#second-mask"), "the server does not score it")
    assert posted(viewer) == [f"{demo.address}/v1/scans/{SCAN}/evaluation?map={map_}"]
    assert {key: cells[:2] for key, cells in table(viewer).items()} == shown
    command = scores_command(viewer)
    done = subprocess.run(["bash", "-ec", command + " --fail --silent"], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert {one["label"]: f"{one['dice']:.3f}" for one in json.loads(done.stdout)["structures"]} == {value: f"{share:.3f}" for value, share in dice.items()}
    # Where both say the same class, the picture says so.
    viewer.button("Difference", "#second-mask").click()
    viewer.until(lambda: viewer.canvas().get_attribute("data-second").startswith("difference"), "no difference is drawn")
    picture, scan = viewer.picture(), demo.json(f"/v1/scans/{SCAN}")
    for where, colour in (((true_classes[7] > 0) & (made[7] == 0), TRUTH_ONLY), ((true_classes[7] == 0) & (made[7] > 0), PREDICTED_ONLY), ((true_classes[7] > 0) & (made[7] > 0) & (made[7] != true_classes[7]), OTHER)):
        spots = [place(viewer, scan, row, column) for row, column in np.argwhere(where)]
        found = np.array([picture[round(y), round(x)] for x, y in spots if 4 < x < picture.shape[1] - 4 and 4 < y < picture.shape[0] - 40])
        assert np.median(np.abs(found - colour).max(axis=1)) <= 2, colour
    # Instances are no classes.
    choose(viewer, "#mask-map", "native")
    viewer.until(lambda: "Discs" in table(viewer), "it is not read as structures")
    assert "map" not in viewer.fragment()
    np.save(tmp_path / "instances.npy", truth)
    open_mask(viewer, tmp_path / "instances.npy")
    wait_compared(viewer)
    choose(viewer, "#mask-map", map_)
    assert "a mask of classes 1 to 3 only" in refusal(viewer)


def test_a_mask_on_another_grid_takes_the_nearest_voxels_on_request(viewer, demo, truth, tmp_path):
    """Against SimpleITK's nearest neighbours."""
    image = image_of(demo, truth.astype(np.uint8))
    other = sitk.Image([n - 3 for n in image.GetSize()], sitk.sitkUInt8)
    c, s = np.cos(0.03), np.sin(0.03)
    other.SetDirection((np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    other.SetSpacing([spacing * factor for spacing, factor in zip(image.GetSpacing(), (1.07, 0.93, 1.11), strict=True)])
    other.SetOrigin(np.add(image.GetOrigin(), [0.4, 1.3, -2.1]).tolist())
    moved = sitk.DICOMOrient(sitk.Resample(image, other, sitk.Transform(), sitk.sitkNearestNeighbor), "LAS")
    expected = sitk.GetArrayFromImage(sitk.Resample(moved, image, sitk.Transform(), sitk.sitkNearestNeighbor))
    for name in ("moved.nii.gz", "moved.mha"):
        sitk.WriteImage(moved, str(tmp_path / name))
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    open_mask(viewer, tmp_path / "moved.nii.gz")
    assert "on another grid" in refusal(viewer)
    choose(viewer, "#mask-resample", "nearest")
    wait_compared(viewer)
    scores = {label: share for label, (_, share) in dice_by_label(truth, expected).items()}
    assert len(set(scores.values())) > 10
    shown = table(viewer)
    assert {label: float(shown[str(label)][1]) for label in scores} == pytest.approx(scores, abs=1e-3)
    assert viewer.fragment()["resample"] == "nearest"
    viewer.click("#score-mask")
    viewer.until(lambda: "Scored on this server" in viewer.text("#second-mask"), "the server does not score it")
    assert posted(viewer) == [f"{demo.address}/v1/scans/{SCAN}/evaluation?resample=nearest"]
    assert {key: cells[:2] for key, cells in table(viewer).items()} == shown
    assert scores_command(viewer).endswith(f"{demo.address}/v1/scans/{SCAN}/evaluation?resample=nearest'")
    # The address alone has it read so; what other software wrote makes no difference.
    viewer.driver.refresh()
    viewer.wait_drawn(f"{SCAN} 7")
    open_mask(viewer, tmp_path / "moved.mha")
    wait_compared(viewer)
    assert table(viewer) == shown
    # An array has no grid of its own.
    np.save(tmp_path / "array.npy", truth)
    open_mask(viewer, tmp_path / "array.npy")
    viewer.until(lambda: "array.npy" in viewer.text("#second-mask") and viewer.all(".scores tbody tr"), "the array is not compared")
    assert not viewer.all("#mask-resample") and "resample" not in scores_command(viewer)


def test_files_that_are_no_masks_are_refused(viewer, demo, truth, tmp_path):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    whole = io.BytesIO()
    np.save(whole, truth)
    compressed = tmp_path / "whole.nii.gz"
    sitk.WriteImage(image_of(demo, truth), str(compressed))
    contents = {
        "short.npy": (whole.getvalue()[:-9], "bytes of voxels but"),
        "text.nii.gz": (b"hello", "format of text.nii.gz is not known"),
        "cut.nii.gz": (compressed.read_bytes()[:-2000], "cannot be shown"),
        "empty.mha": (b"", "is not known"),
    }
    arrays = {
        "image.npy": (files.canonical_array(demo.source, "images", SCAN).astype(np.float32) / 7, "labels are whole numbers"),
        "values.npy": (np.arange(truth.size).reshape(truth.shape) % 1000, "more than 255 different labels"),
        "negative.npy": (truth.astype(np.int16) - 1, "from 0 to 65535"),
        "negative64.npy": (truth.astype(np.int64) - 1, "from 0 to 65535"),
        "plane.npy": (truth[0], "three axes"),
        "shape.npy": (truth[:, :-1], "for layout=stored"),
        "text.npy": (np.full(truth.shape, "a"), "elements of type"),
    }
    for name, (array, _) in arrays.items():
        np.save(tmp_path / name, array)
    for name, (content, _) in contents.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "huge.nii").open("wb") as file:
        file.truncate(2**30 + 1)
    expected = {name: text for name, (_, text) in (contents | arrays).items()} | {"huge.nii": "at most 1074 MB"}
    for name, text in expected.items():
        open_mask(viewer, tmp_path / name)
        viewer.until(lambda name=name: name in viewer.text("#second-mask"), f"{name} is not named")
        assert text in refusal(viewer), (name, refusal(viewer))


def test_a_mask_belongs_to_the_scan_that_is_named(viewer, demo, masks, tmp_path):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    plain = viewer.picture()
    shutil.copy(masks / "turned.nii.gz", tmp_path / "2_t1.nii.gz")
    open_mask(viewer, tmp_path / "2_t1.nii.gz")
    wait_compared(viewer)
    assert "named like 2_t1" in viewer.text("#second-mask")
    # 1_t1 has the same grid; it is not shown there either, nor over another series beside its own.
    for other in ("2_t2", "1_t1"):
        viewer.find(f"#list a[href*='scan={other}']").click()
        viewer.until(lambda other=other: any(drawn.startswith(other) for drawn in viewer.drawn()), "the scan does not come")
        assert viewer.canvas().get_attribute("data-second") == "" and "2_t1.nii.gz" not in viewer.text(".corner.top.left")
        assert "not shown over another scan" in viewer.text("#second-mask") and not viewer.all(".scores")
    viewer.press("c")
    viewer.until(lambda: len(viewer.drawn()) == 2 and all(viewer.drawn()), "not drawn")
    shown = {drawn.split()[0]: pane.get_attribute("data-second") for drawn, pane in zip(viewer.drawn(), viewer.all(".pane canvas"), strict=True)}
    assert shown == {"1_t1": "", SCAN: "outline 2_t1.nii.gz"}
    viewer.press("c")
    viewer.button(f"Go to {SCAN}", "#second-mask").click()
    viewer.wait_drawn(f"{SCAN} 7")
    viewer.until(lambda: viewer.canvas().get_attribute("data-second") == "outline 2_t1.nii.gz", "it does not come back")
    viewer.button("Remove", "#second-mask").click()
    viewer.until(lambda: (viewer.picture() == plain).all(), "it is still drawn")
    assert "2_t1" not in viewer.text("#second-mask") and viewer.find("#mask-file").get_property("value") == ""
    assert viewer.js("return document.activeElement.closest('#second-mask') !== null"), "the focus is lost"
    viewer.driver.refresh()
    viewer.wait_drawn(f"{SCAN} 7")
    assert "Open a mask" in viewer.text("#second-mask")


def test_a_mask_is_dropped_onto_the_page(viewer, masks):
    viewer.open(f"#scan={SCAN}&slice=7&folded=details", drawn=f"{SCAN} 7")
    content = list((masks / "turned.nii.gz").read_bytes())
    viewer.js(
        "window.given = new DataTransfer(); given.items.add(new File([new Uint8Array(arguments[0])], 'dropped.nii.gz'));"
        "document.querySelector('.pane canvas').dispatchEvent(new DragEvent('dragover', { dataTransfer: given, bubbles: true, cancelable: true }))", content,
    )
    assert viewer.text("#drop") == f"Drop a mask to show it over {SCAN}"
    viewer.js("document.querySelector('.pane canvas').dispatchEvent(new DragEvent('drop', { dataTransfer: given, bubbles: true, cancelable: true }))")
    viewer.until(lambda: viewer.canvas().get_attribute("data-second") == "outline dropped.nii.gz", "it is not shown")
    assert not viewer.find("#drop").is_displayed() and viewer.find("#second-mask").is_displayed()


@pytest.mark.parametrize("size", [(390, 844), (1280, 800)])
def test_it_is_for_everyone_and_every_width(viewer, masks, size):
    viewer.resize(*size)
    is_phone = size[0] < 600
    viewer.open(f"#scan={SCAN}&slice=7" + ("&panel=details" if is_phone else ""))
    viewer.until(lambda: viewer.all("#mask-file"), "no details")
    open_mask(viewer, masks / "turned.nii.gz")
    wait_compared(viewer)
    viewer.click("#score-mask")
    viewer.until(lambda: "Scored on this server" in viewer.text("#second-mask"), "the server does not score it")
    viewer.button("Difference", "#second-mask").click()
    viewer.js("document.querySelector('#second-mask').scrollIntoView()")
    viewer.screenshot(f"second-mask-{size[0]}")
    assert viewer.axe_violations() == []
    assert viewer.js("return document.documentElement.scrollWidth") <= size[0]
    small = viewer.js(
        "return [...document.querySelectorAll('#second-mask :is(button, select)')].filter((e) => e.checkVisibility())"
        ".map((e) => [e.textContent, e.getBoundingClientRect().height]).filter(([, height]) => height < 24)"
    )
    assert not small, small
    if is_phone:
        viewer.button("Picture", ".panels").click()
        viewer.until(lambda: viewer.canvas().get_attribute("data-second") == "difference turned.nii.gz", "no difference is drawn")
        viewer.screenshot("second-mask-390-picture")
