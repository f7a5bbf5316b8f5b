"""Datasets: slices in any order, and a stream of them. Neither needs PyTorch; `sagittal.torch` has them for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Literal, TypeVar

import httpx
import numpy as np

from . import arrays
from ._client import Client, SliceName, slice_name
from ._errors import ProblemError, SagittalError, WrongSampleError
from ._http import pause
from ._images import Pair, Sample
from ._parameters import Value, encoded, segment

T = TypeVar("T")

Share = Literal["all", "drop", "pad"]
State = dict[str, Any]


class SliceDataset(Generic[T]):
    """Slices with their masks, by number: a map-style dataset, for any sampler.

    Has the slices that meet the conditions (`split="train", has="vertebrae"`), or `items`, which are scans and slices.
    `rendering` says how they are shown (`{"size": 256, "dtype": "float32"}`). An item is a `Pair`, or what `transform` makes
    of it. Each costs one request; with a size, a whole batch does (`__getitems__`, which PyTorch's `DataLoader` uses).
    """

    def __init__(
        self,
        client: Client | str,
        items: Iterable[tuple[str, SliceName]] | None = None,
        *,
        rendering: Mapping[str, Value] | None = None,
        transform: Callable[[Pair], T] | None = None,
        **conditions: Value,
    ) -> None:
        self.client = Client(client) if isinstance(client, str) else client
        self.rendering = dict(rendering or {})
        self.transform = transform
        if items is not None and conditions:
            raise ValueError(f"give items or conditions ({', '.join(conditions)}), not both")
        if items is None:
            if self.rendering.get("layout") == "stored" or self.rendering.get("preset") == "hf":
                raise ValueError(
                    "conditions choose slices by their canonical number, and layout=stored (also of preset=hf) counts them "
                    "otherwise; use StreamDataset, or give items"
                )
            rows = self.client.slices(limit=None, fields=["scan_id", "slice"], **conditions)
            items = [(row["scan_id"], row["slice"]) for row in rows]
        self.items: list[tuple[str, SliceName]] = [(scan_id, slice_name(slice)) for scan_id, slice in items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> T:
        scan_id, slice = self.items[index]
        return self._transformed(self.client.pair(scan_id, slice, **self.rendering))

    def __getitems__(self, indices: Sequence[int]) -> list[T]:
        """These items, in one request where all have one shape and one type."""
        items = [self.items[index] for index in indices]
        try:
            batch = self.client.batch(items, **self.rendering)
        except ProblemError as problem:
            if problem.code != "conflicting_parameters" or not str(problem.parameter).startswith("items["):
                raise
            return [self[index] for index in indices]
        return [self._transformed(batch[n]) for n in range(len(batch))]

    def _transformed(self, pair: Pair) -> T:
        return pair if self.transform is None else self.transform(pair)  # type: ignore[return-value]


class StreamDataset(Generic[T]):
    """Slices with their masks, in one response for each epoch: an iterable dataset.

    Conditions and `rendering` are those of `SliceDataset`; an item is a `Sample`, or what `transform` makes of it. The order is a
    function of `seed` and `epoch`; without a seed it is the natural one. `rank` and `world` share the samples among readers;
    `share` says what becomes of those that cannot be shared equally: `"all"` (some readers get one more), `"drop"` or `"pad"`
    (all get equally many, which distributed training needs). A `DataLoader`'s workers divide what their reader gets.

    Call `set_epoch` before each epoch. An epoch reads one revision of the data, that of the moment of `set_epoch` (or
    `revision`, so that all ranks read the same one); when the data change before it ends, a broken connection cannot be
    taken up again and raises `ProblemError` with the code `revision_gone`.
    """

    def __init__(
        self,
        client: Client | str,
        *,
        seed: int | None = None,
        epoch: int = 0,
        rank: int = 0,
        world: int = 1,
        share: Share = "all",
        rendering: Mapping[str, Value] | None = None,
        transform: Callable[[Sample], T] | None = None,
        revision: int | None = None,
        **conditions: Value,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank is {rank} and world is {world}; ranks are counted from 0")
        self.client = Client(client) if isinstance(client, str) else client
        self.seed, self.rank, self.world, self.share = seed, rank, world, share
        self.transform = transform
        self.parameters: dict[str, Value] = {**conditions, **(rendering or {})}
        if "image" in self.parameters:
            raise ValueError("image is not a parameter here: samples are read as arrays")
        self._is_pinned = revision is not None
        self._revision = revision
        self._epoch = epoch
        # Positions before this one are used up, by whichever readers.
        self._after = 0
        # Samples of this reader, or of this worker, after that: those that the next iterator skips, and those that were used.
        self._start = 0
        self._done = 0
        self._is_over = False
        self.set_epoch(epoch, revision)

    @property
    def epoch(self) -> int:
        """The epoch that the next iterator reads."""
        return self._epoch

    @property
    def revision(self) -> int:
        """The revision of the data that the epoch reads."""
        assert self._revision is not None
        return self._revision

    def set_epoch(self, epoch: int, revision: int | None = None) -> None:
        """Chooses the order of the next epoch, and the current data or those of `revision`.

        The epoch of a loaded state goes on where it was.
        """
        if epoch == self._epoch and self._after + self._start > 0:
            return
        self._epoch = epoch
        self._rewind()
        if revision is not None or not self._is_pinned:
            self._revision = int(self.client.dataset()["revision"]) if revision is None else revision

    def _rewind(self) -> None:
        self._after, self._start, self._done, self._is_over = 0, 0, 0, False

    def __len__(self) -> int:
        """How many samples this reader gets, or still gets after a loaded state."""
        headers = self.client.http.head(self._path(), self._query((0, 1), self._start))
        return int(headers["x-sagittal-samples"])

    def __iter__(self) -> Iterator[T]:
        if self._is_over:
            self._rewind()
        worker = _worker()
        start, self._start = self._start, 0
        self._done = start
        for sample in self._samples(worker, start):
            self._done += 1
            yield sample if self.transform is None else self.transform(sample)  # type: ignore[misc]
        self._is_over = True

    def state_dict(self, samples: int | None = None) -> State:
        """Where this reader is, for `load_state_dict` of this reader or of others in its place.

        `samples` is how many samples each reader has used in this epoch, counted from where its iterator began; without it, how
        many this object has given. A `DataLoader` with workers reads ahead in other processes: give the number that training
        used, a multiple of batch size × workers.
        """
        index, workers = _worker()
        done = self._done if samples is None else samples
        state = {"seed": self.seed, "epoch": self._epoch, "revision": self._revision, "after": self._after, "done": done}
        return {**state, "world": self.world, "workers": workers, "parameters": _plain(self.parameters)}

    def load_state_dict(self, state: State) -> None:
        """Goes on where a reader was.

        As many readers as before, each with its own state, go on exactly where each was. With another number of readers
        (`world`), all must have used equally many samples, as they have after the same number of training steps; the state
        of any of them does.
        """
        for name, own in (("seed", self.seed), ("parameters", _plain(self.parameters))):
            if state[name] != own:
                raise ValueError(f"the state is of a stream with {name} {state[name]!r}, this one has {own!r}")
        _, workers = _worker()
        after, start = int(state["after"]), int(state["done"])
        if state["workers"] == 1:
            # What the readers used is the front of the order.
            after, start = after + start * int(state["world"]), 0
        elif (state["world"], state["workers"]) != (self.world, workers):
            raise ValueError(
                f"the state is of one of {state['workers']} worker processes and says nothing of the others: "
                "take state_dict(samples=…) outside of the workers"
            )
        self._epoch, self._revision, self._is_over = int(state["epoch"]), int(state["revision"]), False
        self._after, self._start, self._done = after, start, start

    def _path(self) -> str:
        return f"/r/{segment(self.revision)}/v1/stream.tar"

    def _query(self, worker: tuple[int, int], start: int) -> dict[str, Value]:
        (index, workers), query = worker, dict(self.parameters)
        if self.seed is not None:
            query |= {"seed": self.seed, "epoch": self._epoch}
        query |= {"rank": self.rank, "world": self.world, "share": self.share, "after": self._after}
        return query | {"worker": index, "workers": workers, "start": start}

    def _samples(self, worker: tuple[int, int], start: int) -> Iterator[Sample]:
        """The samples after the first `start`, from as many responses as it takes."""
        done, failures = start, 0
        while True:
            try:
                with self._opened(worker, done) as (count, found):
                    total = done + count
                    for sample in found:
                        done += 1
                        failures = 0
                        yield sample
                        self.client.progress(f"stream, epoch {self._epoch}", done, total, "samples")
                if done != total:
                    raise WrongSampleError(f"the stream had {done} samples where {total} were announced")
                return
            except (_CutOff, ProblemError) as error:
                failures += 1
                if self._is_outdated(error, worker, done):
                    self.set_epoch(self._epoch)
                    continue
                if isinstance(error, ProblemError) and not error.is_temporary:
                    raise
                if failures >= self.client.http.attempts:
                    raise self.client.http.failed(self._path(), error) from error
                pause(failures, getattr(error, "retry_after", None))

    def _is_outdated(self, error: Exception, worker: tuple[int, int], done: int) -> bool:
        """Whether the data changed before the first sample, and this is the only reader of the epoch."""
        is_gone = isinstance(error, ProblemError) and error.code == "revision_gone"
        is_alone = self.world * worker[1] == 1 and not self._is_pinned
        return is_gone and is_alone and self._after + done == 0

    @contextmanager
    def _opened(self, worker: tuple[int, int], start: int) -> Iterator[tuple[int, Iterator[Sample]]]:
        """A response: how many samples it has, and they."""
        try:
            with self.client.http.response(self._path(), self._query(worker, start)) as response:
                count = response.headers.get("x-sagittal-samples")
                if count is None:
                    raise WrongSampleError(f"{response.url} does not say how many samples it has; is this a sagittal server?")
                yield int(count), _read(response)
        except httpx.TransportError as error:
            raise _CutOff(str(error) or type(error).__name__) from error


class _CutOff(SagittalError):
    """A stream ended before its end."""


class _Body:
    """The body of a response as `arrays.samples` reads it. What is read may be written to."""

    def __init__(self, response: httpx.Response) -> None:
        self._pieces = response.iter_raw()
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> memoryview:
        buffer, at = memoryview(bytearray(size)), 0
        while at < size:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    return buffer[:at]
                self._rest = memoryview(piece)
            taken = min(size - at, len(self._rest))
            buffer[at : at + taken] = self._rest[:taken]
            at, self._rest = at + taken, self._rest[taken:]
        return buffer


def _read(response: httpx.Response) -> Iterator[Sample]:
    try:
        for image, mask, about in arrays.samples(_Body(response)):
            affine = np.array(about["affine_lps"], np.float64)
            yield Sample(about["scan_id"], about["slice"], image, mask, affine, about)
    except ValueError as error:
        raise WrongSampleError(f"{response.url}: {error}") from error


def _worker() -> tuple[int, int]:
    """Number of this process among a `DataLoader`'s workers, and how many they are; outside of them (0, 1)."""
    data = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data else None
    return (info.id, info.num_workers) if info else (0, 1)


def _plain(parameters: Mapping[str, Value]) -> dict[str, str]:
    return dict(sorted(encoded(parameters)))
