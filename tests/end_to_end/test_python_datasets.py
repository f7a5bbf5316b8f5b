"""The Python datasets: no process gets another's slices, readers share samples and go on where others stopped."""

import io
import itertools
import multiprocessing
import os
import pickle
from collections import Counter

import numpy as np
import pytest
import sagittal
from between import Between, Fault
from sagittal import _datasets, arrays

SCANS = ["1_t1", "2_t2", "5_t2_SPACE"]
SHOWN = {"size": 64, "dtype": "float32"}


def samples_of(dataset) -> list[tuple[str, int]]:
    return [(sample.scan_id, sample.slice) for sample in dataset]


# Processes


# What forked processes inherit: arguments would be pickled, and a pickled client has no connections.
INHERITED: dict = {}


def slices_of_a_process(offset: int) -> list[bool]:
    """Whether each item has the pixels that one process alone got."""
    dataset, expected = INHERITED["dataset"], INHERITED["expected"]
    return [np.array_equal(dataset[n % len(dataset)].image, expected[n % len(dataset)]) for n in range(offset, offset + 60)]


def test_forked_processes_get_their_own_slices(client):
    dataset = sagittal.SliceDataset(client, scan_id=SCANS, rendering={"size": 40})
    expected = [dataset[n].image for n in range(len(dataset))]
    assert len({image.tobytes() for image in expected}) == len(expected) > 30
    INHERITED.update(dataset=dataset, expected=expected)
    # The connection that the parent has used is open while the others begin.
    before = client.http.client()
    with multiprocessing.get_context("fork").Pool(8) as pool:
        runs = pool.map(slices_of_a_process, range(0, 160, 5), chunksize=1)
    assert all(itertools.chain(*runs)) and client.http.client() is before


def client_of_a_fork(client) -> tuple[bool, int]:
    """Over a pipe, because an HTTP client cannot be sent."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    before = client.http.client()
    if os.fork() == 0:
        own = client.http.client()
        sender.send((own is before, len(client.dataset())))
        os._exit(0)
    found = receiver.recv()
    os.wait()
    return found


def test_a_fork_has_an_http_client_of_its_own(client):
    is_shared, fields = client_of_a_fork(client)
    assert not is_shared and fields == len(client.dataset())


def test_clients_and_datasets_can_be_sent_to_other_processes(client):
    dataset = pickle.loads(pickle.dumps(sagittal.SliceDataset(client, scan_id="1_t1", rendering=SHOWN)))
    assert dataset[2].slice == 2 and dataset.client.http.client() is not client.http.client()


# Datasets


def test_slices_come_by_number_and_in_batches(demo, client):
    dataset = sagittal.SliceDataset(client, split="train", has=201, rendering=SHOWN)
    listed = demo.json("/v1/slices?split=train&has=201&limit=1000")["items"]
    assert [(row["scan_id"], row["slice"]) for row in listed] == dataset.items and len(dataset) == len(listed)
    chosen = [5, 0, len(dataset) - 1]
    for n, pair in zip(chosen, dataset.__getitems__(chosen), strict=True):
        assert (pair.scan_id, pair.slice) == dataset.items[n]
        np.testing.assert_array_equal(pair.image, dataset[n].image, strict=True)
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    mixed = sagittal.SliceDataset(client, [("1_t1", 0), ("2_t2", "mid")], rendering={"size": "native"}, transform=lambda pair: pair.scan_id)
    assert mixed.__getitems__([1, 0]) == ["2_t2", "1_t1"]
    with pytest.raises(ValueError, match="items or conditions"):
        sagittal.SliceDataset(client, [("1_t1", 0)], split="train")
    with pytest.raises(ValueError, match="layout=stored"):
        sagittal.SliceDataset(client, split="train", rendering={"preset": "hf"})


def test_a_stream_has_the_pairs_in_an_order_of_seed_and_epoch(client):
    stream = sagittal.StreamDataset(client, seed=3, scan_id=SCANS, rendering=SHOWN)
    orders = []
    for epoch in (0, 1, 0):
        stream.set_epoch(epoch)
        orders.append(samples_of(stream))
    assert orders[0] == orders[2] != orders[1] and sorted(orders[0]) == sorted(orders[1])
    assert len(set(orders[0])) == len(orders[0]) == len(stream)
    for sample in itertools.islice(stream, 5):
        pair = client.pair(sample.scan_id, sample.slice, **SHOWN)
        for name in ("image", "mask", "affine"):
            np.testing.assert_array_equal(getattr(sample, name), getattr(pair, name), strict=True)
        assert sample.about["scan_id"] == sample.scan_id and sample.image.flags.writeable


@pytest.mark.parametrize("share, counts", [("all", {11, 10}), ("drop", {10}), ("pad", {11})])
def test_ranks_get_n_or_n_plus_one_samples_unless_they_are_shared_equally(client, share, counts):
    """43 samples among four readers."""
    chosen = {"scan_id": "1_t1,2_t2,5_t2_SPACE", "slice": "0..13", "rendering": {"size": 16, "dtype": "float32"}}
    whole = samples_of(sagittal.StreamDataset(client, seed=1, **chosen))
    assert len(whole) % 4 != 0, "these divide evenly and would show nothing"
    streams = [sagittal.StreamDataset(client, seed=1, rank=rank, world=4, share=share, **chosen) for rank in range(4)]
    parts = [samples_of(stream) for stream in streams]
    n = len(whole) // 4
    assert {len(part) for part in parts} == {"all": {n, n + 1}, "drop": {n}, "pad": {n + 1}}[share]
    assert [len(stream) for stream in streams] == [len(part) for part in parts]
    found = Counter(itertools.chain(*parts))
    if share == "all":
        assert found == Counter(whole)
    elif share == "drop":
        assert found == Counter(whole[: 4 * n])
    else:
        assert found == Counter(whole) + Counter(whole[: 4 * (n + 1) - len(whole)])


@pytest.mark.parametrize("readers", [6, 11, 1])
def test_other_readers_go_on_where_eight_stopped(client, readers):
    chosen = {"seed": 5, "split": "train", "rendering": {"size": 16, "dtype": "float32"}}
    whole = samples_of(sagittal.StreamDataset(client, **chosen))
    eight = [sagittal.StreamDataset(client, rank=rank, world=8, **chosen) for rank in range(8)]
    read = [samples_of(itertools.islice(stream, 7)) for stream in eight]
    state = pickle.loads(pickle.dumps(eight[3].state_dict()))
    others = [sagittal.StreamDataset(client, rank=rank, world=readers, **chosen) for rank in range(readers)]
    for stream in others:
        stream.load_state_dict(state)
        # The same epoch goes on.
        stream.set_epoch(0)
    rest = [samples_of(stream) for stream in others]
    assert Counter(itertools.chain(*read, *rest)) == Counter(whole)
    assert {name for turn in itertools.zip_longest(*rest) for name in turn if name} == set(whole[56:])
    # The next epoch is whole again.
    others[0].set_epoch(1)
    assert len(others[0]) == -(-len(whole) // readers)


def test_a_reader_goes_on_where_it_was(client):
    chosen = {"seed": 5, "rank": 1, "world": 3, "split": "validation", "rendering": {"size": 16, "dtype": "float32"}}
    stream = sagittal.StreamDataset(client, **chosen)
    whole, again = samples_of(stream), []
    for _ in range(0, len(whole), 4):
        again += samples_of(itertools.islice(stream, 4))
        state, stream = stream.state_dict(), sagittal.StreamDataset(client, **chosen)
        stream.load_state_dict(state)
        assert len(stream) == len(whole) - len(again)
    assert again == whole
    # Training says how much it used where others read ahead.
    stream = sagittal.StreamDataset(client, **chosen)
    stream.load_state_dict(sagittal.StreamDataset(client, **chosen).state_dict(samples=2))
    assert samples_of(stream) == whole[2:] and samples_of(stream) == whole
    with pytest.raises(ValueError, match="seed 5"):
        sagittal.StreamDataset(client, **{**chosen, "seed": 6}).load_state_dict(state)
    with pytest.raises(ValueError, match="size"):
        sagittal.StreamDataset(client, **{**chosen, "rendering": {"size": 8}}).load_state_dict(state)


def test_each_worker_goes_on_where_it_was(client, monkeypatch):
    """As a loader that saves the states of its workers does."""
    chosen = {"seed": 5, "rank": 1, "world": 2, "split": "validation", "rendering": {"size": 16, "dtype": "float32"}}
    whole, states, used = samples_of(sagittal.StreamDataset(client, **chosen)), {}, {}
    for worker, count in enumerate((3, 5, 4)):
        monkeypatch.setattr(_datasets, "_worker", lambda worker=worker: (worker, 3))
        stream = sagittal.StreamDataset(client, **chosen)
        used[worker] = samples_of(itertools.islice(stream, count))
        states[worker] = stream.state_dict()
    rest = {}
    for worker, state in states.items():
        monkeypatch.setattr(_datasets, "_worker", lambda worker=worker: (worker, 3))
        stream = sagittal.StreamDataset(client, **chosen)
        stream.load_state_dict(state)
        rest[worker] = samples_of(stream)
        assert used[worker] + rest[worker] == whole[worker::3]
    monkeypatch.setattr(_datasets, "_worker", lambda: (0, 2))
    with pytest.raises(ValueError, match="one of 3 worker processes"):
        sagittal.StreamDataset(client, **chosen).load_state_dict(states[0])


def test_a_stream_whose_connection_breaks_goes_on(demo, client, waits):
    """Each response is cut somewhere: inside of a header, of an image, between two samples."""
    chosen = {"seed": 2, "scan_id": "1_t1", "rendering": {"size": 32, "dtype": "float32"}}
    expected = list(sagittal.StreamDataset(client, **chosen))
    sample = 3 * 512 + 4 * 1024 + 512 + 1536 + 8192
    cuts = iter([0, 100, 700, sample, sample + 5000, 3 * sample - 9000, 2 * sample + 1])

    def cut(number, path):
        return Fault(bytes=next(cuts, None)) if "stream.tar" in path else None

    with Between(demo.address, cut) as between:
        found = list(sagittal.StreamDataset(sagittal.Client(between.address), **chosen))
        assert len([path for path in between.paths if "stream.tar" in path]) == 8 == len(waits) + 1
    assert [(s.scan_id, s.slice) for s in found] == [(s.scan_id, s.slice) for s in expected]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(found, expected, strict=True))


def test_a_stream_that_never_comes_is_an_error(demo, waits):
    with Between(demo.address, lambda _, path: Fault(bytes=100) if "stream.tar" in path else None) as between:
        with pytest.raises(sagittal.TransportError, match="stream.tar: .*in each of 3 attempts"):
            list(sagittal.StreamDataset(sagittal.Client(between.address, attempts=3), scan_id="1_t1"))


def test_an_epoch_is_of_one_revision(demo, client, waits):
    current = client.dataset()["revision"]
    assert sagittal.StreamDataset(client).revision == current
    with pytest.raises(sagittal.ProblemError, match="410 revision_gone"):
        next(iter(sagittal.StreamDataset(client, revision=current - 1)))
    # One that nobody named and nobody shares is exchanged for the current one before the first sample.
    stream = sagittal.StreamDataset(client, scan_id="1_t1", rendering=SHOWN)
    stream._revision = current - 1
    assert len(samples_of(stream)) == 15 and stream.revision == current


def test_samples_that_do_not_belong_together_are_an_error(demo):
    content = demo.get("/v1/stream.tar?scan_id=1_t1&size=8").content
    image, mask, json = 512 + 512, 512 + 512, 512 + 8192
    sample = image + mask + json
    assert len(content) == 15 * sample + 1024
    for broken in (
        content[:sample] + content[sample + image :],
        content[:image] + content[image + mask :],
        content[: sample + image] + content[-1024:],
        content[:image] + content[image + sample :],
    ):
        with pytest.raises(ValueError, match="not whole|not one sample"):
            list(arrays.samples(io.BytesIO(broken)))
