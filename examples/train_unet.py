"""Trains a small U-Net to find vertebrae, on slices that come over HTTP as they are needed.

    pip install './python[torch]' pillow
    python train_unet.py --url http://127.0.0.1:8080 --out unet

`--dataset stream` reads each epoch as one archive, in an order that seed and epoch decide; nothing is kept on disk.
`--dataset slices` requests a batch at a time for an ordinary torch Dataset, so that any sampler may choose.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from sagittal import Pair, StreamDataset
from samples import RENDERING, command_line, run, validated, vertebra

try:
    import sagittal.torch
    import torch
    from torch import Tensor, nn
    from torch.nn.functional import binary_cross_entropy_with_logits, interpolate
    from torch.utils.data import DataLoader
except ModuleNotFoundError as missing:
    print(f"train_unet.py needs PyTorch ({missing}): pip install torch; train_small.py does without", file=sys.stderr)
    sys.exit(2)

CHANNELS = (8, 16, 32)
BATCH = 4
# Of 0.05, which is about the share of the pixels that are vertebra: this need not be learnt first.
LOGIT_AT_START = -3.0


def tensors(sample: Pair) -> tuple[Tensor, Tensor]:
    """Image and truth, each of one channel."""
    return torch.from_numpy(sample.image)[None], torch.from_numpy(vertebra(sample))[None].float()


def loaders(arguments: Namespace) -> Iterator[DataLoader]:
    """What each epoch reads: a stream, which the loader's workers divide, or one request for each batch."""
    options = {"batch_size": BATCH, "num_workers": arguments.workers}
    chosen = {"split": "train", "has": "vertebrae", "transform": tensors, "rendering": {**RENDERING, "size": arguments.size}}
    if arguments.dataset == "stream":
        stream = sagittal.torch.StreamDataset(arguments.url, seed=arguments.seed, **chosen)
        for epoch in range(arguments.epochs):
            stream.set_epoch(epoch)
            yield DataLoader(stream, **options)
    else:
        loader = DataLoader(sagittal.torch.SliceDataset(arguments.url, **chosen), shuffle=True, **options)
        for _ in range(arguments.epochs):
            yield loader


def convolved(channels: int, out: int) -> nn.Sequential:
    """Two convolutions, as everywhere in a U-Net."""
    layers = []
    for before in (channels, out):
        layers += [nn.Conv2d(before, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Logits of vertebra, for images of any size."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList(map(convolved, (1, *CHANNELS), CHANNELS))
        pairs = list(pairwise(CHANNELS))[::-1]
        self.up = nn.ModuleList(convolved(shallow + deep, shallow) for shallow, deep in pairs)
        self.last = nn.Conv2d(CHANNELS[0], 1, 1)
        nn.init.constant_(self.last.bias, LOGIT_AT_START)

    def forward(self, image: Tensor) -> Tensor:
        seen = [self.down[0](image)]
        for step in self.down[1:]:
            seen.append(step(nn.functional.max_pool2d(seen[-1], 2)))
        deep = seen.pop()
        for step in self.up:
            shallow = seen.pop()
            deep = step(torch.cat([shallow, interpolate(deep, shallow.shape[-2:])], dim=1))
        return self.last(deep)


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy, which learns everywhere, and Dice, which does not mind how few the pixels are."""
    found = logits.sigmoid()
    dice = (2 * (found * truth).sum() + 1) / (found.sum() + truth.sum() + 1)
    return binary_cross_entropy_with_logits(logits, truth) + 1 - dice


def train(arguments: Namespace) -> None:
    torch.manual_seed(arguments.seed)
    model = UNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.rate)

    @torch.inference_mode()
    def predict(image: np.ndarray) -> np.ndarray:
        return (model(torch.from_numpy(image)[None, None])[0, 0] > 0).numpy()

    for epoch, loader in enumerate(loaders(arguments)):
        began, losses = time.perf_counter(), []
        model.train()
        for image, truth in loader:
            loss = loss_of(model(image), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if not losses:
            sys.exit("there is nothing to learn from: the training split has no slices with vertebrae")
        model.eval()
        rendering = {**RENDERING, "size": arguments.size}
        validation = StreamDataset(arguments.url, split="validation", has="vertebrae", rendering=rendering)
        dice = validated(predict, validation, arguments.out)
        seconds = time.perf_counter() - began
        print(f"epoch {epoch}: loss {np.mean(losses):.3f}, validation: Dice {dice:.3f}, {seconds:.0f} s", flush=True)
    torch.save(model.state_dict(), arguments.out / "unet.pt")
    print(f"weights and pictures in {arguments.out}")


if __name__ == "__main__":
    parser = command_line(__doc__.splitlines()[0], out="unet")
    parser.add_argument("--dataset", choices=("stream", "slices"), default="stream", help="how training samples are requested")
    parser.add_argument("--epochs", type=int, default=6, help="times that the training split is read")
    parser.add_argument("--rate", type=float, default=3e-3, help="of learning")
    parser.add_argument("--workers", type=int, default=0, help="processes that read samples")
    run(train, parser)
