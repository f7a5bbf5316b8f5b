"""Walks through the data set: splits, an example, depths, an overlay, sizes, originals, metadata, gradings.

    pip install ./python
    python examples/load_data.py --url http://127.0.0.1:8080 --out loaded
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from sagittal import Client


def show_splits(client: Client) -> None:
    """The published split, by patient: no patient is in two parts."""
    imported = Counter(scan["split"] for scan in client.scans())
    for split, patients in client.splits().items():
        print(f"{split}: {len(patients)} patients, {imported[split]} scans")


def show_example(client: Client, scan_id: str) -> None:
    """One slice with its mask, as the published edition has them."""
    pair = client.pair(scan_id, "mid", preset="hf")
    print(f"{scan_id}: image {pair.image.shape} {pair.image.dtype}, mask {pair.mask.shape} with labels {np.unique(pair.mask).tolist()}")


def show_depths(client: Client) -> None:
    """Scans differ in how many slices they have."""
    depths = Counter(scan["shape"][0] for scan in client.scans())
    print("slices of a scan:", ", ".join(f"{depth} ({count} scans)" for depth, count in sorted(depths.items())))


def save_overlay(client: Client, scan_id: str, out: Path) -> None:
    """The slice with the most labelled pixels, with its labels in colour."""
    path = f"/v1/scans/{scan_id}/slices/best/overlay.png"
    print("overlay:", client.download(path, out / f"{scan_id}-overlay.png", fit="contain", outline=1))


def show_custom_size(client: Client, scan_id: str) -> None:
    """Any size, also with physical proportions."""
    print("size=256:", client.image(scan_id, size=256).array.shape, "spacing=1:", client.image(scan_id, spacing=1).array.shape)


def save_original(client: Client, scan_id: str, out: Path) -> None:
    """The voxels as acquired, with their place in the patient."""
    volume = client.volume(scan_id)
    path = client.download(f"/v1/scans/{scan_id}/image.nii.gz", out / f"{scan_id}.nii.gz")
    print(f"original: {volume.array.shape} {volume.array.dtype}, first voxel at {volume.affine[:3, 3].tolist()} mm: {path}")


def show_tables(client: Client, scan_id: str) -> None:
    """Metadata and gradings in the types of the published edition."""
    metadata = client.get(f"/v1/scans/{scan_id}/metadata", format="hf")
    gradings = client.get(f"/v1/scans/{scan_id}/gradings", format="hf")
    print(f"metadata: {metadata['Manufacturer']}, echo time {metadata['EchoTime']} ms, {len(metadata)} fields")
    print("Pfirrmann grades by level:", dict(zip(gradings["IVD label"], gradings["Pfirrman grade"], strict=True)))


def show_scan_types(client: Client) -> None:
    """Conditions choose scans, here by kind of series."""
    for scan_type in ("t1", "t2", "t2_SPACE"):
        print(f"{scan_type}: {len(list(client.scans(scan_type=scan_type)))} scans")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service")
    parser.add_argument("--out", type=Path, default=Path("loaded"), help="folder for files")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with Client(arguments.url) as client:
        show_splits(client)
        (scan,) = client.scans(split="train", limit=1)
        scan_id = scan["scan_id"]
        show_example(client, scan_id)
        show_depths(client)
        save_overlay(client, scan_id, arguments.out)
        show_custom_size(client, scan_id)
        save_original(client, scan_id, arguments.out)
        show_tables(client, scan_id)
        show_scan_types(client)


if __name__ == "__main__":
    main()
