"""The datasets in PyTorch: loaders that fork, workers and ranks that share, programs that train."""

import hashlib
import json
import os
import re
import socket
import subprocess
from collections import Counter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SAGITTAL_TORCH_PYTHON", PROJECT / ".venv-torch" / "bin" / "python"))
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT / "python"), "OMP_NUM_THREADS": "1"}
SECONDS = 300


def program(name: str, *arguments, **variables) -> subprocess.Popen:
    command = [PYTHON, PROJECT / "tests" / "torch" / "programs.py", name, *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen) -> str:
    try:
        out, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return out


def output(name: str, *arguments):
    return json.loads(finished(program(name, *arguments)))


def rank_variables(world: int) -> list[dict[str, str]]:
    """What torchrun gives each rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    return [common | {"RANK": str(rank)} for rank in range(world)]


@pytest.fixture(scope="module")
def digests(demo) -> dict[tuple[str, int], str]:
    """Of the pixels of every slice of two scans."""
    found = {}
    for row in demo.json("/v1/slices", scan_id="1_t1,2_t2", limit=1000)["items"]:
        image = demo.npy(f"/v1/scans/{row['scan_id']}/slices/{row['slice']}/image.npy", size=48, dtype="float32")
        found[row["scan_id"], row["slice"]] = hashlib.sha256(image.tobytes()).hexdigest()
    assert len(set(found.values())) == len(found)
    return found


def counted(samples, digests) -> Counter:
    """The samples by name; each must have the pixels of its name."""
    wrong = [(scan, k) for scan, k, digest in samples if digests[scan, k] != digest]
    assert not wrong, f"{len(wrong)} of {len(samples)} samples have other pixels: {wrong[:5]}"
    return Counter((scan, k) for scan, k, _ in samples)


@pytest.mark.parametrize("workers", [0, 6])
def test_a_loader_that_forks_after_an_access_gets_the_requested_slices(demo, digests, workers):
    for epoch in output("slices", demo.address, workers):
        assert counted(epoch, digests) == Counter(list(digests))


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("share", ["all", "drop", "pad"])
def test_workers_divide_what_the_readers_share(demo, digests, workers, share):
    world = 4
    left = len(digests) % world
    assert left, "these divide evenly and would show nothing"
    readers = output("stream", demo.address, workers, world, share)
    counts = [len(samples) for _, samples in readers]
    assert [announced for announced, _ in readers] == counts
    n = len(digests) // world
    assert counts == {"all": [n + (rank < left) for rank in range(world)], "drop": [n] * world, "pad": [n + 1] * world}[share]
    found = sum((counted(samples, digests) for _, samples in readers), Counter())
    assert found.total() == sum(counts)
    missing, twice = Counter(list(digests)) - found, found - Counter(list(digests))
    assert len(missing) == (left if share == "drop" else 0) and len(twice) == (world - left if share == "pad" else 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_training_goes_on_after_the_samples_that_it_used(demo, digests, workers):
    used, rest, whole = output("resume", demo.address, workers)
    assert len(used) == 4 * workers and counted(whole, digests) == Counter(list(digests))
    assert counted(used + rest, digests) == Counter(list(digests))


def test_samples_are_tensors_that_can_be_calculated_with(demo):
    assert output("tensors", demo.address) == [
        ["torch.int16", [1, 32, 32]], ["torch.int64", [32, 32]], ["torch.float32", [3, 32, 32]], ["torch.int64", [32, 32]],
    ]


@pytest.mark.parametrize("world", [3, 4])
def test_ranks_take_equally_many_steps(demo, digests, world):
    """With one sample more in some ranks, all_reduce waits forever in them."""
    ranks = [program("ranks", demo.address, **variables) for variables in rank_variables(world)]
    found = [json.loads(finished(rank)) for rank in ranks]
    each = -(-len(digests) // world)
    assert len(digests) % 4, "these divide evenly and would show nothing"
    assert [(rank["rank"], rank["world"], rank["samples"]) for rank in found] == [(n, world, each) for n in range(world)]
    assert {rank["total"] for rank in found} == {each * world} and len({(rank["steps"], rank["revision"]) for rank in found}) == 1


def train_ddp(demo, checkpoint: Path, world: int) -> list[str]:
    """What rank 0 prints."""
    command = [PYTHON, PROJECT / "examples" / "train_ddp.py", "--url", demo.address, "--size", "32", "--epochs", "1"]
    command += ["--every", "4", "--checkpoint", checkpoint]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ranks = [subprocess.Popen(command, env=ENVIRONMENT | variables, **pipes) for variables in rank_variables(world)]
    return [finished(rank) for rank in ranks][0].splitlines()


def test_a_checkpoint_of_four_ranks_is_continued_by_three(demo, tmp_path):
    total = demo.json("/v1/slices", split="train", has="vertebrae", limit=1)["total"]
    lines = train_ddp(demo, tmp_path / "ddp.pt", 4)
    epoch, step, left = map(int, re.fullmatch(r"epoch (\d+), step (\d+), loss [\d.]+, (\d+) samples in this epoch", lines[-1]).groups())
    assert (epoch, left) == (0, -(-total // 4)) and step * 4 <= left
    lines = train_ddp(demo, tmp_path / "ddp.pt", 3)
    rest = -(-(total - step * 4 * 4) // 3)
    assert rest < 16 * 4 and all(line.endswith(f", {rest} samples in this epoch") for line in lines)


@pytest.mark.parametrize("arguments", [["--dataset", "stream", "--workers", "2"], ["--dataset", "slices"]], ids=["stream", "slices"])
def test_the_unet_finds_vertebrae_in_patients_it_never_saw(demo, tmp_path, arguments):
    command = [PYTHON, PROJECT / "examples" / "train_unet.py", "--url", demo.address, "--out", tmp_path, "--size", "64", "--epochs", "3"]
    done = subprocess.run([*command, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    dice = [float(text) for text in re.findall(r"Dice (\d\.\d+)", done.stdout)]
    assert len(dice) == 3 and max(dice) > 0.6 and (tmp_path / "unet.pt").is_file()
