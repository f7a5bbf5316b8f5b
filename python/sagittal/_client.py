"""The client: tables, images, volumes."""

from __future__ import annotations

import io
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, Union

import numpy as np

from . import _masks, arrays
from ._download import download
from ._errors import WrongSampleError
from ._http import Http
from ._images import Affine, Batch, Image, Pair
from ._masks import Mask
from ._parameters import Value, segment
from ._progress import Bar, Progress, ignore

if TYPE_CHECKING:
    import pandas

Table = Literal["scans", "slices", "discs", "gradings", "patients"]
SliceName = Union[SupportsIndex, str]
Row = dict[str, Any]

_PAGE_ROWS = 1000
_TIMEOUT_SECONDS = 60.0
_ATTEMPTS = 5


class Client:
    """A sagittal server.

    `url` is its address, `token` the bearer token of a server that requires one. A request that fails for now (503 with `Retry-After`,
    a connection that breaks) is sent again, `attempts` times in all; `timeout` is how many seconds nothing may arrive.
    `progress=True` shows a bar on the terminal while long work goes on; a function is called instead (`sagittal.Progress`).

    May be used from several threads and by forked processes, and can be pickled. Every array is checked to be of the requested
    scan and slice. Rendering parameters (`size=256`, `window="auto"`, …) and conditions (`split="train"`, `age="40..60"`,
    `scan_type=["t1", "t2"]`, …) are the server's; a wrong one is a `ProblemError` that lists the valid ones.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        token: str | None = None,
        *,
        timeout: float = _TIMEOUT_SECONDS,
        attempts: int = _ATTEMPTS,
        progress: Progress | bool = False,
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; a request is sent at least once")
        from . import __version__

        self.url = url.rstrip("/")
        self.http = Http(self.url, token, timeout, attempts, __version__)
        self.progress: Progress = (Bar() if progress else ignore) if isinstance(progress, bool) else progress

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections of this process. The client may be used again."""
        self.http.close()

    # What there is

    def dataset(self) -> Row:
        """What the data set is: title, licence, citation, `revision`, and how many scans and slices are imported."""
        return self._object("/v1/dataset")

    def labels(self) -> list[Row]:
        """The label scheme of the masks."""
        return list(self._object("/v1/labels")["items"])

    def splits(self, **parameters: Value) -> dict[str, list[int]]:
        """Patients by split: train, validation, test."""
        return dict(self._object("/v1/splits", parameters)["splits"])

    def scan(self, scan_id: str) -> Row:
        """Everything about one scan: geometry, metadata, labels, gradings, intensity."""
        return self._object(f"/v1/scans/{segment(scan_id)}")

    def get(self, path: str, **parameters: Value) -> Any:
        """Any other JSON document of the server, such as `/v1/stats`."""
        return self.http.json(path, parameters)

    def _object(self, path: str, parameters: Mapping[str, Value] | None = None) -> Row:
        return dict(self.http.json(path, parameters))

    # Tables

    def rows(self, table: Table, *, limit: int | None = None, **conditions: Value) -> Iterator[Row]:
        """Rows of a table that meet the conditions, at most `limit`, requested page by page while they are used.

        `sort="-age"` and `fields=["scan_id", "age"]` are conditions here as well; missing values are `None`.
        """
        rows = self._pages(table, _PAGE_ROWS if limit is None else min(limit, _PAGE_ROWS), conditions)
        return rows if limit is None else islice(rows, limit)

    def _pages(self, table: str, page_rows: int, conditions: Mapping[str, Value]) -> Iterator[Row]:
        if page_rows < 1:
            return
        page = self.http.json(f"/v1/{table}", {"limit": page_rows, **conditions})
        done, total = 0, page["total"]
        while True:
            yield from page["items"]
            done += len(page["items"])
            self.progress(table, done, total, "rows")
            if page["next"] is None:
                return
            # The path of the next page has the conditions in it.
            page = self.http.json(page["next"])

    def scans(self, *, limit: int | None = None, **conditions: Value) -> Iterator[Row]:
        """Scans, imported ones only unless `volume="any"`."""
        return self.rows("scans", limit=limit, **conditions)

    def slices(self, *, limit: int | None = None, **conditions: Value) -> Iterator[Row]:
        """Slices of all scans, such as those of the test split with disc L5/S1: `split="test", has=201`."""
        return self.rows("slices", limit=limit, **conditions)

    def discs(self, *, limit: int | None = None, **conditions: Value) -> Iterator[Row]:
        """Discs of all masks, with size, place and grading."""
        return self.rows("discs", limit=limit, **conditions)

    def gradings(self, *, limit: int | None = None, **conditions: Value) -> Iterator[Row]:
        """Gradings, one row for each patient and disc."""
        return self.rows("gradings", limit=limit, **conditions)

    def patients(self, *, limit: int | None = None, **conditions: Value) -> Iterator[Row]:
        """Patients."""
        return self.rows("patients", limit=limit, **conditions)

    def frame(self, table: Table, **conditions: Value) -> pandas.DataFrame:
        """A whole table as a data frame, with the types of the server's Parquet file. Needs pandas and pyarrow."""
        try:
            import pandas
            import pyarrow  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
        except ModuleNotFoundError as missing:
            raise ModuleNotFoundError("frame needs pandas and pyarrow: pip install 'sagittal[pandas]'") from missing
        body, _ = self.http.body(f"/v1/{table}.parquet", conditions, self.progress)
        return pandas.read_parquet(io.BytesIO(body))

    # Images

    def image(self, scan_id: str, slice: SliceName = "mid", **rendering: Value) -> Image:
        """A slice: a number from 0, `"mid"`, or `"best"`, the one with the most labelled pixels."""
        return self._image(f"{_slice_path(scan_id, slice)}/image.npy", scan_id, slice, rendering)

    def mask(self, scan_id: str, slice: SliceName = "mid", **rendering: Value) -> Image:
        """A slice's labels, `uint8`."""
        return self._image(f"{_slice_path(scan_id, slice)}/mask.npy", scan_id, slice, rendering)

    def pair(self, scan_id: str, slice: SliceName = "mid", **rendering: Value) -> Pair:
        """A slice and its mask, in one request. `context=1` gives the image three channels."""
        path = f"{_slice_path(scan_id, slice)}/pair.npz"
        body, headers = self.http.body(path, rendering, self.progress)
        shown = _shown(headers, path, scan_id, slice)
        members = arrays.arrays(body)
        return Pair(scan_id, shown.start, members["image"], members["mask"], members["affine"])

    def patch(self, scan_id: str, disc: int, **rendering: Value) -> Image:
        """A disc cut out around its centre: `mm=40`, or `margin=5`; `of="mask"`; `dims=3` for all its slices."""
        path = f"/v1/scans/{segment(scan_id)}/discs/{segment(disc)}/patch.npy"
        return self._image(path, scan_id, "disc", rendering)

    def volume(self, scan_id: str, *, mask: bool = False, **rendering: Value) -> Image:
        """A whole scan, or its mask: as acquired, or in another rendition such as `size=256`."""
        path = f"/v1/scans/{segment(scan_id)}/{'mask' if mask else 'image'}.npy"
        return self._image(path, scan_id, "all", rendering)

    def batch(self, items: Iterable[tuple[str, SliceName]], **rendering: Value) -> Batch:
        """Many slices with their masks, in the order of `items`, in one request.

        All have one shape and one type: give a size, and a `dtype` where `int16` and `uint16` scans are mixed.
        """
        requested = [(scan_id, slice_name(slice)) for scan_id, slice in items]
        json = {"items": [{"scan_id": scan_id, "slice": slice} for scan_id, slice in requested]}
        body, _ = self.http.body("/v1/batch", rendering, self.progress, json=json)
        members = arrays.arrays(body)
        scan_ids, slices = members["scan_id"].tolist(), members["slice"].tolist()
        for n, ((scan_id, slice), *found) in enumerate(zip(requested, scan_ids, slices, strict=True)):
            if found[0] != scan_id or (isinstance(slice, int) and found[1] != slice):
                raise WrongSampleError(f"item {n} of the batch is slice {found[1]} of {found[0]} and not slice {slice} of {scan_id}")
        return Batch(scan_ids, slices, members["image"], members["mask"], members["affine"])

    def _image(self, path: str, scan_id: str, slice: SliceName, rendering: Mapping[str, Value]) -> Image:
        body, headers = self.http.body(path, rendering, self.progress)
        shown = _shown(headers, path, scan_id, slice)
        return Image(arrays.array(body), _affine(headers), scan_id, shown)

    # Evaluation

    def evaluate(self, scan_id: str, mask: Mask, **parameters: Value) -> Row:
        """Scores a predicted mask of a whole scan against the true one.

        `mask` is an array in the layout of `volume(scan_id, mask=True)` (or in the one that `layout=` names), the path of a .mha,
        .nii, .nii.gz or .npy file, or an image of SimpleITK, nibabel or this package; all but arrays are aligned by their affine.
        `rule="spider"` gives the numbers of the challenge's own script, `map="semantic"` scores classes.
        """
        path = f"/v1/scans/{segment(scan_id)}/evaluation"
        return dict(self.http.json(path, parameters, content=_masks.encoded(mask)))

    # Files

    def download(self, path: str, target: str | os.PathLike[str], **parameters: Value) -> Path:
        """Saves any file of the server, such as `/v1/scans/1_t1/image.nii.gz`, and gives its path.

        `target` appears when the file is whole. A broken connection is continued where it broke, and so is a call that failed or
        was interrupted, by the next call, as long as the server has the same file; until then a file beside it that ends in .part holds what is there.
        """
        target = Path(target)
        download(self.http, path, parameters, target, self.progress)
        return target


def _slice_path(scan_id: str, slice: SliceName) -> str:
    return f"/v1/scans/{segment(scan_id)}/slices/{segment(slice_name(slice))}"


def slice_name(slice: SliceName) -> int | str:
    """A number of any integer type as `int`, or a name."""
    return slice if isinstance(slice, str) else operator.index(slice)


def _affine(headers: Mapping[str, str]) -> Affine:
    numbers = [float(number) for number in headers["x-sagittal-affine-lps"].split(",")]
    return np.array([*numbers, 0.0, 0.0, 0.0, 1.0]).reshape(4, 4)


def _shown(headers: Mapping[str, str], path: str, scan_id: str, slice: SliceName) -> range:
    """The slices that a response shows, if it shows what was requested."""
    slice = slice_name(slice)
    scan, slices = headers.get("x-sagittal-scan"), headers.get("x-sagittal-slices", "")
    first, _, last = slices.partition("-")
    is_right = scan == scan_id and first.isdecimal() and last.isdecimal() and "x-sagittal-affine-lps" in headers
    if not is_right or (isinstance(slice, int) and slices != f"{slice}-{slice}"):
        found = f"slices {slices} of {scan}" if scan else "not named in its headers"
        raise WrongSampleError(f"{path} was requested and the response is {found}; is this a sagittal server of the same version?")
    return range(int(first), int(last) + 1)
