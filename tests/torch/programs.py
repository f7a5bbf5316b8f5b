"""What tests/end_to_end/test_torch.py runs in an interpreter with PyTorch: programs that print JSON.

    python programs.py NAME URL [ARGUMENT…]
"""

import hashlib
import json
import os
import sys
import threading
import time
from itertools import islice

import sagittal
import sagittal.torch
import torch
from torch import distributed
from torch.utils.data import DataLoader

SIZE = {"size": 48}


def named(item: dict) -> list[tuple[str, int, str]]:
    """Scan, slice and digest of the pixels of each sample of a batch."""
    images = [hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in item["image"]]
    return list(zip(item["scan_id"], item["slice"].tolist(), images, strict=True))


def read(dataset, **options) -> list[tuple[str, int, str]]:
    return [sample for batch in DataLoader(dataset, **options) for sample in named(batch)]


def slices(url: str, workers: str) -> object:
    """Every slice of two scans several times, after one access before the loader forks."""
    dataset = sagittal.torch.SliceDataset(url, scan_id=["1_t1", "2_t2"], rendering=SIZE | {"dtype": "float32"})
    dataset[0]
    return [read(dataset, batch_size=1, shuffle=True, num_workers=int(workers)) for _ in range(4)]


def stream(url: str, workers: str, world: str, share: str) -> object:
    """What each of several readers gets of a stream, and how much it is announced to be."""
    found = []
    for rank in range(int(world)):
        chosen = {"seed": 4, "scan_id": "1_t1,2_t2", "rendering": SIZE | {"dtype": "float32"}}
        dataset = sagittal.torch.StreamDataset(url, rank=rank, world=int(world), share=share, **chosen)
        found.append([len(dataset), read(dataset, batch_size=2, num_workers=int(workers))])
    return found


def tensors(url: str) -> object:
    """Types and shapes, also of 16 bits without a sign, with which PyTorch does not calculate."""
    client = sagittal.Client(url)
    rendered = [sagittal.torch.tensors(client.pair("1_t1", 3, size=32, **more)) for more in ({}, {"context": 1, "dtype": "float32"})]
    return [[str(item[name].dtype), list(item[name].shape)] for item in rendered for name in ("image", "mask")]


def resume(url: str, workers: str) -> object:
    """Training that stops after some steps and goes on with other workers: what was used before, after, and in all."""
    chosen = {"seed": 4, "scan_id": "1_t1,2_t2", "rendering": SIZE | {"dtype": "float32"}}
    whole, dataset = (sagittal.torch.StreamDataset(url, **chosen) for _ in range(2))
    steps, batch_size = 2 * int(workers), 2
    used = [sample for batch in islice(DataLoader(dataset, batch_size=batch_size, num_workers=int(workers)), steps) for sample in named(batch)]
    state = dataset.state_dict(samples=steps * batch_size)
    dataset = sagittal.torch.StreamDataset(url, **chosen)
    dataset.load_state_dict(state)
    dataset.set_epoch(0)
    return [used, read(dataset, batch_size=3, num_workers=2), read(whole, batch_size=1)]


def ranks(url: str) -> object:
    """Steps that each end with all ranks waiting for each other, as gradients do."""
    distributed.init_process_group("gloo")
    dataset = sagittal.torch.StreamDataset(url, seed=1, scan_id="1_t1,2_t2", rendering=SIZE)
    steps = 0
    for _ in DataLoader(dataset, batch_size=2, num_workers=2):
        distributed.all_reduce(torch.ones(1))
        steps += 1
    total = torch.tensor([len(dataset)])
    distributed.all_reduce(total)
    found = {"rank": dataset.rank, "world": dataset.world, "steps": steps, "samples": len(dataset), "total": total.item()}
    distributed.destroy_process_group()
    return found | {"revision": dataset.revision}


def end_with_parent() -> None:
    """A rank that waits for another one forever ends with the test."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    _, name, *arguments = sys.argv
    print(json.dumps(globals()[name](*arguments)))
