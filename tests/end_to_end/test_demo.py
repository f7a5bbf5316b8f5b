"""The made-up release is one that the field's programs read."""

import files
import numpy as np
import pytest
import SimpleITK as sitk


@pytest.fixture
def release(demo):
    return demo.source


def test_simpleitk_reads_every_pair(release):
    assert len(files.scans(release)) == len(files.table(release, "overview.csv")) > 10
    for scan in files.scans(release):
        image, mask = (files.read(release, folder, scan) for folder in ("images", "masks"))
        assert image.GetSize() == mask.GetSize() and mask.GetPixelID() == sitk.sitkInt16
        assert image.GetPixelID() in (sitk.sitkInt16, sitk.sitkUInt16)
        for ours, its in zip(files.affine_lps(image), files.affine_lps(mask)):
            np.testing.assert_allclose(ours, its, atol=1e-6)


def test_upright_the_vertebrae_count_from_the_bottom_and_the_canal_is_behind(release):
    for scan in files.scans(release):
        mask = files.canonical_array(release, "masks", scan)
        middle = mask[mask.shape[0] // 2]
        centre = {v: np.argwhere(middle == v).mean(axis=0) for v in np.unique(middle).tolist()}
        heights = [centre[v][0] for v in range(1, 8)]
        assert heights == sorted(heights, reverse=True), scan
        assert all(centre[200 + v][1] < centre[100][1] + 12 for v in range(2, 8)), scan
        rows = np.argwhere(middle == 204)
        canal = np.argwhere(middle == 100)
        level = canal[np.isin(canal[:, 0], rows[:, 0])]
        assert level[:, 1].min() >= rows[:, 1].mean(), scan
