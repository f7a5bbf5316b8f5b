"""Tables as files, read over HTTP by the programs that people read tables with."""

import subprocess
import sys
from pathlib import Path

import dask.dataframe
import duckdb
import duckdb_extension_httpfs
import fsspec
import polars
import pytest

COUNT = {"scans": "scan_id", "slices": "slice", "discs": "label"}


@pytest.fixture(params=COUNT)
def table(request, demo):
    return request.param, demo.json(f"/v1/{request.param}", limit=1)["total"]


def test_polars_scans_csv_and_ndjson(demo, table):
    name, rows = table
    for scan, suffix in ((polars.scan_csv, "csv"), (polars.scan_ndjson, "ndjson")):
        found = scan(f"{demo.address}/v1/{name}.{suffix}").select(COUNT[name]).collect()
        assert found.height == rows, suffix


def test_dask_reads_csv_in_blocks(demo, table):
    name, rows = table
    frame = dask.dataframe.read_csv(f"{demo.address}/v1/{name}.csv", blocksize=4096, dtype=str)
    assert len(frame) == rows and (frame.npartitions > 1 or name == "scans")


def test_fsspec_knows_the_length_and_reads_parts(demo, table):
    name, _ = table
    whole = demo.get(f"/v1/{name}.ndjson").content
    with fsspec.open(f"{demo.address}/v1/{name}.ndjson", block_size=1000) as file:
        assert file.size == len(whole)
        file.seek(-100, 2)
        assert file.read() == whole[-100:]


def test_duckdb_reads_csv_and_ndjson(demo, table):
    name, rows = table
    # The extension comes as a Python package here: DuckDB would fetch it from elsewhere.
    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
    connection = duckdb.connect()
    connection.sql(f"LOAD '{extension}'")
    for read, suffix in (("read_csv", "csv"), ("read_json", "ndjson")):
        [(found,)] = connection.execute(f"SELECT count(*) FROM {read}('{demo.address}/v1/{name}.{suffix}')").fetchall()
        assert found == rows, suffix


def test_datasets_loads_csv_and_ndjson(demo, table, tmp_path):
    name, rows = table
    # In a process of its own: what it caches, and where, it decides when it is imported.
    program = (
        "import sys, datasets\n"
        "for kind, url in (('csv', sys.argv[1] + '.csv'), ('json', sys.argv[1] + '.ndjson')):\n"
        "    print(len(datasets.load_dataset(kind, data_files=url, split='train')))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, f"{demo.address}/v1/{name}"], env={"HF_HOME": str(tmp_path), "PATH": ""},
        capture_output=True, text=True, timeout=300, check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split() == [str(rows)] * 2
