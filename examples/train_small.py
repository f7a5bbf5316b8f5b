"""Trains a small network to find vertebrae, in seconds on one core and without a framework for deep learning.

    pip install ./python pillow scipy scikit-learn
    python train_small.py --url http://127.0.0.1:8080 --out small

Each pixel is judged by what is around it: blurred grey values, their spread and their derivatives at several scales.
The samples come in one shuffled stream, of which no more is read than `--slices` says.
"""

import warnings
from argparse import Namespace
from collections.abc import Iterable
from itertools import islice

import numpy as np
from sagittal import Sample, StreamDataset
from samples import RENDERING, command_line, run, validated, vertebra
from scipy import ndimage
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

SCALES = (1, 2, 4, 8)
DERIVATIVES = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
# One pixel in twenty is vertebra; and it is at their edges that pixels are hard to tell apart.
PIXELS_OF_EACH_KIND = 200
NEARBY = 5
HIDDEN = (64, 32)
PASSES = 20


def described(image: np.ndarray) -> np.ndarray:
    """Rows × columns × what is known of each pixel."""
    row, column = np.indices(image.shape, np.float32)
    known = [image, row / image.shape[0], column / image.shape[1]]
    for scale in SCALES:
        mean = ndimage.gaussian_filter(image, scale)
        # Rounding may leave a variance a little below zero.
        variance = np.maximum(ndimage.gaussian_filter(image * image, scale) - mean * mean, 0)
        known += [mean, np.sqrt(variance)]
        known += [ndimage.gaussian_filter(image, scale, order=order) for order in DERIVATIVES]
    return np.stack(known, axis=-1)


def chosen_pixels(inside: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Which pixels to learn from: as many inside of vertebrae as close to them and as elsewhere."""
    close = ndimage.binary_dilation(inside, iterations=NEARBY) & ~inside
    kinds = (np.flatnonzero(kind) for kind in (inside, close, ~inside & ~close))
    return np.concatenate([random.choice(kind, min(PIXELS_OF_EACH_KIND, len(kind)), replace=False) for kind in kinds])


def learnt(samples: Iterable[Sample], seed: int) -> Pipeline:
    """Slices are forgotten as they pass; only the chosen pixels are kept."""
    random = np.random.default_rng(seed)
    known, truth = [], []
    for sample in samples:
        pixels = chosen_pixels(vertebra(sample), random)
        features = described(sample.image)
        known.append(features.reshape(-1, features.shape[-1])[pixels])
        truth.append(vertebra(sample).ravel()[pixels])
    if not truth:
        raise SystemExit("there is nothing to learn from: the training split has no slices with vertebrae")
    print(f"learning from {sum(map(len, truth))} pixels of {len(truth)} slices", flush=True)
    model = make_pipeline(StandardScaler(), MLPClassifier(HIDDEN, max_iter=PASSES, random_state=seed))
    with warnings.catch_warnings():
        # Stops after so many passes on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(np.concatenate(known), np.concatenate(truth))


def train(arguments: Namespace) -> None:
    chosen = {"has": "vertebrae", "rendering": {**RENDERING, "size": arguments.size}}
    training = StreamDataset(arguments.url, split="train", seed=arguments.seed, **chosen)
    model = learnt(islice(training, arguments.slices), arguments.seed)

    def predict(image: np.ndarray) -> np.ndarray:
        features = described(image)
        return model.predict(features.reshape(-1, features.shape[-1])).reshape(image.shape)

    dice = validated(predict, StreamDataset(arguments.url, split="validation", **chosen), arguments.out)
    print(f"validation: Dice {dice:.3f}; pictures in {arguments.out}")


if __name__ == "__main__":
    parser = command_line(__doc__.splitlines()[0], out="small")
    parser.add_argument("--slices", type=int, default=400, help="how many slices of the stream to learn from, at most")
    run(train, parser)
