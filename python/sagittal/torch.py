"""The datasets for PyTorch: samples as tensors, ranks from `torch.distributed`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

try:
    import torch
    from torch import distributed
    from torch.utils import data
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("sagittal.torch needs PyTorch: pip install 'sagittal[torch]'") from missing

from . import _datasets
from ._client import Client, SliceName
from ._datasets import Share
from ._images import Pair, Sample
from ._parameters import Value

# PyTorch calculates with neither of them.
_WIDENED = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64}


def tensors(pair: Pair) -> dict[str, Any]:
    """`image` (channels, rows, columns), `mask` (rows, columns) of `int64`, `scan_id` and `slice`; collates into batches."""
    image = pair.image if pair.image.ndim == 3 else pair.image[None]
    image = image.astype(_WIDENED[image.dtype]) if image.dtype in _WIDENED else image
    return {
        "image": torch.from_numpy(image),
        "mask": torch.from_numpy(pair.mask).long(),
        "scan_id": pair.scan_id,
        "slice": pair.slice,
    }


class SliceDataset(_datasets.SliceDataset[Any], data.Dataset):
    """`sagittal.SliceDataset` of tensors; `transform` replaces `tensors`."""

    def __init__(
        self,
        client: Client | str,
        items: Iterable[tuple[str, SliceName]] | None = None,
        *,
        rendering: Mapping[str, Value] | None = None,
        transform: Callable[[Pair], Any] = tensors,
        **conditions: Value,
    ) -> None:
        super().__init__(client, items, rendering=rendering, transform=transform, **conditions)


class StreamDataset(_datasets.StreamDataset[Any], data.IterableDataset):
    """`sagittal.StreamDataset` of tensors; `transform` replaces `tensors`.

    Where `torch.distributed` is initialized, `rank` and `world` are its own, all ranks get equally many samples
    (`share="pad"`), and all read the revision of the data that rank 0 sees.
    """

    def __init__(
        self,
        client: Client | str,
        *,
        rank: int | None = None,
        world: int | None = None,
        share: Share | None = None,
        transform: Callable[[Sample], Any] = tensors,
        **more: Any,
    ) -> None:
        is_distributed = distributed.is_available() and distributed.is_initialized() and rank is None and world is None
        if is_distributed:
            rank, world, share = distributed.get_rank(), distributed.get_world_size(), share or "pad"
        self._is_distributed = is_distributed
        super().__init__(client, rank=rank or 0, world=world or 1, share=share or "all", transform=transform, **more)

    def set_epoch(self, epoch: int, revision: int | None = None) -> None:
        """As of `sagittal.StreamDataset`; where `torch.distributed` shares the samples, all ranks must call it."""
        super().set_epoch(epoch, revision)
        if self._is_distributed:
            revisions = [self._revision]
            distributed.broadcast_object_list(revisions)
            self._revision = revisions[0]
