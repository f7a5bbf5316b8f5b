"""What the training examples share: which samples, Dice, pictures, the command line.

Needs sagittal, numpy and Pillow, and knows nothing of the framework that learns.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from sagittal import Pair, SagittalError

# Physical proportions; grey values from 0 to 1, whatever the scanner; masks of 1 vertebra, 2 canal, 3 disc.
RENDERING = {"fit": "contain", "window": "auto", "dtype": "float32", "map": "semantic"}
VERTEBRA = 1
TINT = np.array([230, 85, 60], np.float32)
ENLARGED = 3


def vertebra(sample: Pair) -> np.ndarray:
    """Which pixels are vertebra."""
    return sample.mask == VERTEBRA


def validated(predict: Callable[[np.ndarray], np.ndarray], samples: Iterable[Pair], out: Path) -> float:
    """Dice of all samples taken together, so that a slice with few pixels weighs little.

    Saves every prediction in `predictions.npz`, and of each scan the slice with the most vertebra as a picture.
    """
    both = either = 0
    predictions: dict[str, np.ndarray] = {}
    largest: dict[str, Pair] = {}
    for sample in samples:
        predicted = predictions[name_of(sample)] = predict(sample.image)
        both += 2 * np.count_nonzero(predicted & vertebra(sample))
        either += np.count_nonzero(predicted) + np.count_nonzero(vertebra(sample))
        kept = largest.setdefault(sample.scan_id, sample)
        if vertebra(sample).sum() > vertebra(kept).sum():
            largest[sample.scan_id] = sample
    if not predictions:
        sys.exit("there is nothing to validate on: this part of the split has no slices with vertebrae")
    np.savez_compressed(out / "predictions.npz", **predictions)
    for sample in largest.values():
        save_comparison(out / f"{name_of(sample)}.png", sample, predictions[name_of(sample)])
    return both / either if either else 1.0


def name_of(sample: Pair) -> str:
    """As the stream names its samples."""
    return f"{sample.scan_id}-{sample.slice:04}"


def save_comparison(path: Path, sample: Pair, predicted: np.ndarray) -> None:
    """The image, the truth and the prediction, side by side."""
    grey = np.repeat(sample.image[:, :, None] * 255, 3, axis=2)
    panels = [grey, tinted(grey, vertebra(sample)), tinted(grey, predicted)]
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
    """Trains as the command line says; a service that cannot be reached or refuses is one line and not a page of calls."""
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        train(arguments)
    except SagittalError as error:
        sys.exit(f"{arguments.url}: {error}; start the service with `sagittal demo`, or name another with --url")
