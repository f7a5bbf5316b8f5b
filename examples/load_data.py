"""Walks through the data set over HTTP: splits, an example, depths, an overlay, sizes, originals, metadata, gradings.

    python examples/load_data.py --url http://127.0.0.1:8080 --out loaded

Needs httpx and numpy. Every step is one question; what it prints is what the service answers.
"""

import argparse
import io
from collections import Counter
from pathlib import Path

import httpx
import numpy as np


def array(client: httpx.Client, path: str, **parameters) -> np.ndarray:
    reply = client.get(path, params=parameters).raise_for_status()
    return np.load(io.BytesIO(reply.content))


def scans(client: httpx.Client, **conditions) -> list[dict]:
    """Every scan that meets the conditions, page after page."""
    found, page = [], client.get("/v1/scans", params={"limit": 1000, **conditions}).raise_for_status().json()
    while True:
        found += page["items"]
        if page["next"] is None:
            return found
        page = client.get(page["next"]).raise_for_status().json()


def show_splits(client: httpx.Client) -> None:
    """The published split, by patient: nobody is in two parts."""
    patients = client.get("/v1/splits").raise_for_status().json()["splits"]
    imported = Counter(scan["split"] for scan in scans(client))
    for split, members in patients.items():
        print(f"{split}: {len(members)} patients, {imported[split]} scans")


def show_example(client: httpx.Client, scan: dict) -> None:
    """One slice with its mask, as the published edition has them."""
    middle = f"/v1/scans/{scan['scan_id']}/slices/mid"
    image, mask = (array(client, f"{middle}/{name}.npy", preset="hf") for name in ("image", "mask"))
    print(f"{scan['scan_id']}: image {image.shape} {image.dtype}, mask {mask.shape} with labels {np.unique(mask).tolist()}")


def show_depths(client: httpx.Client) -> None:
    """Scans differ in how many slices they have."""
    depths = Counter(scan["shape"][0] for scan in scans(client))
    print("slices of a scan:", ", ".join(f"{depth} ({count} scans)" for depth, count in sorted(depths.items())))


def save_overlay(client: httpx.Client, scan: dict, out: Path) -> None:
    """The slice with the most labelled pixels, with its labels in colour."""
    path = out / f"{scan['scan_id']}-overlay.png"
    reply = client.get(f"/v1/scans/{scan['scan_id']}/slices/best/overlay.png", params={"fit": "contain", "outline": 1})
    path.write_bytes(reply.raise_for_status().content)
    print(f"overlay: {path}")


def show_custom_size(client: httpx.Client, scan: dict) -> None:
    """Any size, also with physical proportions."""
    at = f"/v1/scans/{scan['scan_id']}/slices/mid/image.npy"
    print("size=256:", array(client, at, size=256).shape, "spacing=1:", array(client, at, spacing=1).shape)


def save_original(client: httpx.Client, scan: dict, out: Path) -> None:
    """The voxels as acquired, with their place in the patient."""
    volume = array(client, f"/v1/scans/{scan['scan_id']}/image.npy")
    geometry = client.get(f"/v1/scans/{scan['scan_id']}").raise_for_status().json()["geometry"]
    path = out / f"{scan['scan_id']}.nii.gz"
    path.write_bytes(client.get(f"/v1/scans/{scan['scan_id']}/image.nii.gz").raise_for_status().content)
    print(f"original: {volume.shape} {volume.dtype}, first voxel at {[row[3] for row in geometry['affine_lps'][:3]]} mm: {path}")


def show_tables(client: httpx.Client, scan: dict) -> None:
    """Metadata and gradings in the types of the published edition."""
    metadata = client.get(f"/v1/scans/{scan['scan_id']}/metadata?format=hf").raise_for_status().json()
    gradings = client.get(f"/v1/scans/{scan['scan_id']}/gradings?format=hf").raise_for_status().json()
    print(f"metadata: {metadata['Manufacturer']}, echo time {metadata['EchoTime']} ms, {len(metadata)} fields")
    print("Pfirrmann grades by level:", dict(zip(gradings["IVD label"], gradings["Pfirrman grade"], strict=True)))


def show_scan_types(client: httpx.Client) -> None:
    """Conditions choose scans, here by kind of series."""
    for scan_type in ("t1", "t2", "t2_SPACE"):
        print(f"{scan_type}: {len(scans(client, scan_type=scan_type))} scans")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service")
    parser.add_argument("--out", type=Path, default=Path("loaded"), help="folder for files")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with httpx.Client(base_url=arguments.url, timeout=60) as client:
        show_splits(client)
        scan = scans(client, split="train")[0]
        show_example(client, scan)
        show_depths(client)
        save_overlay(client, scan, arguments.out)
        show_custom_size(client, scan)
        save_original(client, scan, arguments.out)
        show_tables(client, scan)
        show_scan_types(client)


if __name__ == "__main__":
    main()
