"""Trains the U-Net of train_unet.py on several ranks that share one stream, and goes on from a checkpoint.

    pip install './python[torch]' pillow
    torchrun --nproc-per-node 2 train_ddp.py --url http://127.0.0.1:8080 --checkpoint ddp.pt

All ranks get equally many samples, so none waits for another. A checkpoint can be continued by any number of ranks.
"""

import argparse
from pathlib import Path

import sagittal.torch
import torch
from samples import RENDERING
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from train_unet import UNet, loss_of, tensors

BATCH = 4


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    rendering = {**RENDERING, "size": arguments.size}
    stream = sagittal.torch.StreamDataset(
        arguments.url, seed=arguments.seed, split="train", has="vertebrae", rendering=rendering, transform=tensors
    )
    model = DistributedDataParallel(UNet())
    optimizer = torch.optim.Adam(model.parameters())
    if arguments.checkpoint.exists():
        saved = torch.load(arguments.checkpoint)
        model.module.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        stream.load_state_dict(saved["stream"])
    for epoch in range(stream.epoch, arguments.epochs):
        stream.set_epoch(epoch)
        for step, (image, truth) in enumerate(DataLoader(stream, batch_size=BATCH, drop_last=True), 1):
            loss = loss_of(model(image), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if distributed.get_rank() == 0 and step % arguments.every == 0:
                state = {"model": model.module.state_dict(), "optimizer": optimizer.state_dict()}
                # Every rank has used as many samples as this one.
                torch.save({**state, "stream": stream.state_dict(samples=step * BATCH)}, arguments.checkpoint)
                print(f"epoch {epoch}, step {step}, loss {loss.item():.3f}, {len(stream)} samples in this epoch", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service")
    parser.add_argument("--size", type=int, default=128, help="rows and columns of the slices")
    parser.add_argument("--seed", type=int, default=7, help="of the order, and of everything else that is random")
    parser.add_argument("--epochs", type=int, default=2, help="times that the training split is read")
    parser.add_argument("--every", type=int, default=5, help="steps between checkpoints")
    parser.add_argument("--checkpoint", type=Path, default=Path("ddp.pt"), help="is continued if it is there")
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    train(parser.parse_args())
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
