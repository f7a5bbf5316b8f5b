"""Groups and streams, opened over HTTP by the libraries that users load such data with: dask, xarray, ome-zarr-py, webdataset."""

import io
import json
import tarfile

import dask.array
import files
import numpy as np
import webdataset
import xarray
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader


def test_a_group_opens_in_dask_xarray_and_ome_zarr(service, scans):
    for scan in scans:
        address = f"{service.address}/v1/scans/{scan}.ome.zarr"
        group = zarr.open_group(address, mode="r")
        ome = {node.zarr.basename(): node.data[0] for node in Reader(parse_url(address))() if node.data}
        assert sorted(ome) == sorted([f"{scan}.ome.zarr", "spider"])
        for folder, path, name in (("images", "image", f"{scan}.ome.zarr"), ("masks", "labels/spider/0", "spider")):
            expected = files.canonical_array(service.source, folder, scan)
            lazy = dask.array.from_zarr(address, component=path)
            array = xarray.DataArray(lazy, dims=group[path].metadata.dimension_names)
            assert lazy.chunksize == (1, *expected.shape[1:]) and np.array_equal(lazy[1].compute(), expected[1]), scan
            assert np.array_equal(group[path][:], expected) and np.array_equal(ome[name].compute(), expected), scan
            assert np.array_equal(array.max("z").values, expected.max(axis=0)), scan
        found = xarray.open_zarr(address, consolidated=False).attrs["sagittal"]["affine_lps"]
        expected = files.affine_lps(files.canonical(service.source, "images", scan))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_webdataset_reads_what_tarfile_reads(demo, tmp_path):
    content = demo.get("/v1/stream.tar", size=64, seed=5).content
    (tmp_path / "stream.tar").write_bytes(content)
    samples = list(webdataset.WebDataset(str(tmp_path / "stream.tar"), shardshuffle=False).decode())
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        read = {member.name: archive.extractfile(member).read() for member in archive}
    assert len(samples) * 3 == len(read) > 100
    for sample in samples:
        assert sample["json"] == json.loads(read[f"{sample['__key__']}.json"])
        for kind in ("image.npy", "mask.npy"):
            assert np.array_equal(sample[kind], np.load(io.BytesIO(read[f"{sample['__key__']}.{kind}"])))
