"""Tables as Parquet, CSV and NDJSON: the same for pandas, polars and DuckDB as the pages are."""

import json
from pathlib import Path

import duckdb
import duckdb_extension_httpfs
import httpx
import numpy as np
import pandas as pd
import polars as pl
import pytest
from test_queries import walked

TABLES = ["scans", "slices", "discs", "gradings", "patients"]


def plain(value):
    """A cell as JSON has it."""
    if isinstance(value, (np.ndarray, list)):
        return [plain(item) for item in value]
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def records(frame):
    return [{name: plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def database():
    """DuckDB with its extension for HTTP, which comes as a Python package here: DuckDB would fetch it from elsewhere."""
    package = Path(duckdb_extension_httpfs.__file__).parent
    (extension,) = package.rglob("httpfs.duckdb_extension")
    connection = duckdb.connect()
    connection.sql(f"LOAD '{extension}'")
    return connection


@pytest.mark.parametrize("table", TABLES)
def test_parquet_is_typed_and_the_same_for_pandas_polars_and_duckdb(demo, table):
    items, _ = walked(demo, f"/v1/{table}?fields=all&limit=1000")
    url = f"{demo.address}/v1/{table}.parquet?fields=all"
    assert records(pd.read_parquet(url, dtype_backend="numpy_nullable")) == items
    assert pl.read_parquet(httpx.get(url).content).to_dicts() == items
    assert pl.read_parquet(url).to_dicts() == items
    found = database().sql(f"SELECT * FROM read_parquet('{url}')")
    assert [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()] == items


@pytest.mark.parametrize("table", TABLES)
def test_csv_and_ndjson_are_the_same_for_pandas_polars_and_duckdb(demo, table):
    items, _ = walked(demo, f"/v1/{table}?fields=all&limit=1000")
    csv, ndjson = (f"{demo.address}/v1/{table}.{kind}?fields=all" for kind in ("csv", "ndjson"))
    assert [json.loads(line) for line in httpx.get(ndjson).text.splitlines()] == items
    assert pl.read_ndjson(httpx.get(ndjson).content, infer_schema_length=None).to_dicts() == items
    lists = {name for item in items for name, value in item.items() if isinstance(value, list)}
    # In CSV a list is JSON.
    expected = [{k: v for k, v in item.items() if k not in lists} for item in items]
    texts = {k for item in expected for k, v in item.items() if isinstance(v, str)}
    frame = pd.read_csv(csv, dtype={name: "string" for name in texts}, keep_default_na=False, na_values=[""])
    assert records(frame.drop(columns=list(lists))) == expected
    for name in lists:
        assert [json.loads(cell) if isinstance(cell, str) else None for cell in frame[name]] == [item[name] for item in items]
    assert pl.read_csv(httpx.get(csv).content, infer_schema_length=None).height == len(items)
    assert pd.read_json(ndjson, lines=True).shape[0] == len(items)
    assert database().sql(f"SELECT count(*) FROM read_csv('{csv}')").fetchone() == (len(items),)
