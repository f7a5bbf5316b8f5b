"""What the training examples share: samples over HTTP, Dice, pictures, the command line.

Needs httpx, numpy and Pillow, and knows nothing of the framework that learns.
"""

import argparse
import io
import itertools
import json
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
from PIL import Image

# Physical proportions; grey values from 0 to 1, whatever the scanner; masks of 1 vertebra, 2 canal, 3 disc.
SHOWN = {"fit": "contain", "window": "auto", "dtype": "float32", "map": "semantic"}
VERTEBRA = 1
TIMEOUT_SECONDS = 60
TINT = np.array([230, 85, 60], np.float32)
ENLARGED = 3


class Sample(NamedTuple):
    """One slice: its image from 0 to 1, and which of its pixels are vertebra."""

    scan_id: str
    slice: int
    image: np.ndarray
    vertebra: np.ndarray


class Body:
    """The body of a reply as a file, so that samples are read while the rest is still on its way."""

    def __init__(self, reply: httpx.Response):
        self._chunks = reply.iter_bytes(tarfile.RECORDSIZE)

    def read(self, _size: int) -> bytes:
        """tarfile asks for one record at a time, which is what the chunks are."""
        return next(self._chunks, b"")


def streamed(url: str, **question) -> Iterator[Sample]:
    """Samples of `/v1/stream.tar`: with `seed` and `epoch` shuffled, the same way every time and everywhere."""
    parameters = {**SHOWN, **question}
    with httpx.stream("GET", f"{url}/v1/stream.tar", params=parameters, timeout=TIMEOUT_SECONDS) as reply:
        refuse_errors(reply)
        with tarfile.open(fileobj=Body(reply), mode="r|") as archive:
            for _, members in itertools.groupby(archive, key=lambda member: member.name.partition(".")[0]):
                yield unpacked({m.name.partition(".")[2]: archive.extractfile(m).read() for m in members})


def unpacked(files: dict[str, bytes]) -> Sample:
    """A sample from its files in the archive, by the part of their names after the first point."""
    about = json.loads(files["json"])
    image, mask = (np.load(io.BytesIO(files[name])) for name in ("image.npy", "mask.npy"))
    return Sample(about["scan_id"], about["slice"], image, mask == VERTEBRA)


def pair(client: httpx.Client, scan_id: str, k: int, size: int) -> Sample:
    """One sample alone, for whoever wants to choose the order."""
    reply = client.get(f"/v1/scans/{scan_id}/slices/{k}/pair.npz", params={**SHOWN, "size": size})
    refuse_errors(reply)
    files = np.load(io.BytesIO(reply.content))
    return Sample(scan_id, k, files["image"], files["mask"] == VERTEBRA)


def slices(url: str, **conditions) -> list[tuple[str, int]]:
    """Scan and number of every slice that meets the conditions, page after page."""
    found, next_page = [], "/v1/slices"
    conditions |= {"limit": 1000, "fields": "scan_id,slice"}
    with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as client:
        while next_page:
            # What comes next is named whole, conditions and all.
            reply = client.get(next_page, params=None if found else conditions)
            refuse_errors(reply)
            page = reply.json()
            found += [(row["scan_id"], row["slice"]) for row in page["items"]]
            next_page = page["next"]
    return found


def refuse_errors(reply: httpx.Response) -> None:
    """Ends the script with what the service says is wrong."""
    if reply.is_error:
        sys.exit(f"{reply.url}: {reply.status_code}: {reply.read().decode(errors='replace')}")


def validated(predict: Callable[[np.ndarray], np.ndarray], samples: Iterable[Sample], out: Path) -> float:
    """Dice of all samples taken together, so that a slice with few pixels weighs little.

    Saves every prediction in `predictions.npz`, and of each scan the slice with the most vertebra as a picture.
    """
    both = either = 0
    predictions: dict[str, np.ndarray] = {}
    largest: dict[str, Sample] = {}
    for sample in samples:
        predicted = predictions[name_of(sample)] = predict(sample.image)
        both += 2 * np.count_nonzero(predicted & sample.vertebra)
        either += np.count_nonzero(predicted) + np.count_nonzero(sample.vertebra)
        kept = largest.setdefault(sample.scan_id, sample)
        if sample.vertebra.sum() > kept.vertebra.sum():
            largest[sample.scan_id] = sample
    if not predictions:
        sys.exit("there is nothing to validate on: this part of the split has no slices with vertebrae")
    np.savez_compressed(out / "predictions.npz", **predictions)
    for sample in largest.values():
        save_comparison(out / f"{name_of(sample)}.png", sample, predictions[name_of(sample)])
    return both / either if either else 1.0


def name_of(sample: Sample) -> str:
    """As the stream names its samples."""
    return f"{sample.scan_id}-{sample.slice:04}"


def save_comparison(path: Path, sample: Sample, predicted: np.ndarray) -> None:
    """The image, the truth and the prediction, side by side."""
    grey = np.repeat(sample.image[:, :, None] * 255, 3, axis=2)
    panels = [grey, tinted(grey, sample.vertebra), tinted(grey, predicted)]
    picture = Image.fromarray(np.concatenate(panels, axis=1).round().clip(0, 255).astype(np.uint8))
    picture.resize((picture.width * ENLARGED, picture.height * ENLARGED), Image.Resampling.NEAREST).save(path)


def tinted(grey: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The picture with these pixels half in colour."""
    return np.where(where[:, :, None], (grey + TINT) / 2, grey)


def command_line(description: str, out: str) -> argparse.ArgumentParser:
    """The arguments that every training script takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder for predictions and pictures")
    parser.add_argument("--size", type=int, default=128, help="rows and columns of the slices")
    parser.add_argument("--seed", type=int, default=7, help="of the order, and of everything else that is random")
    return parser


def run(train: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Trains as the command line says; a service that cannot be reached is one line and not a page of calls."""
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        train(arguments)
    except httpx.TransportError as error:
        sys.exit(f"{arguments.url}: {error}; start the service with `sagittal demo`, or name another with --url")
