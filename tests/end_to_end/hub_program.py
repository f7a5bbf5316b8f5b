"""Loads the dataset as users of the Hub do, and prints what it got as JSON. Run by hub_clients.py in environments of their own.

    hub_program.py load|stream|files|pandas [CONFIGURATION]
"""

import hashlib
import json
import sys
import time

import numpy as np

NAME = "cdoswald/SPIDER"


def digest(images) -> str:
    """Of slices as one array."""
    stack = np.stack([np.asarray(image) for image in images])
    return f"{stack.shape} {stack.dtype} {hashlib.sha256(stack.tobytes()).hexdigest()}"


def described(row) -> dict:
    rest = {name: row[name] for name in ("image_path", "mask_path", "metadata", "rad_gradings")}
    return {"image": digest(row["image"]), "mask": digest(row["mask"]), **rest}


def by_scan(rows) -> dict:
    return {f"{row['patient_id']}_{row['scan_type']}": described(row) for row in rows}


def load(configuration: str) -> dict:
    # The published card's own line.
    from datasets import load_dataset

    dataset = load_dataset(NAME, name=configuration, trust_remote_code=True)
    return {split: by_scan(rows) for split, rows in dataset.items()}


def stream(configuration: str) -> dict:
    from datasets import load_dataset

    start = time.monotonic()
    rows = load_dataset(NAME, name=configuration, split="train", streaming=True)
    first = next(iter(rows))
    seconds = time.monotonic() - start
    return {"seconds": seconds, "features": list(rows.features), "first": by_scan([first]), "count": sum(1 for _ in rows)}


def files(_: str) -> dict:
    from pathlib import Path

    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    readme = Path(hf_hub_download(NAME, "README.md", repo_type="dataset")).read_text()
    snapshot = Path(snapshot_download(NAME, repo_type="dataset", allow_patterns=["demo/*"]))
    found = {str(path.relative_to(snapshot)): hashlib.sha256(path.read_bytes()).hexdigest() for path in snapshot.rglob("*.parquet")}
    info = HfApi().dataset_info(NAME)
    return {"readme": readme, "snapshot": found, "sha": info.sha, "commit": snapshot.name, "listed": HfApi().list_repo_files(NAME, repo_type="dataset")}


def pandas(configuration: str) -> list:
    import pandas

    frame = pandas.read_parquet(f"hf://datasets/{NAME}/{configuration}/train-00000-of-00001.parquet")
    return [f"{row.patient_id}_{row.scan_type}" for row in frame.itertuples()]


if __name__ == "__main__":
    command, configuration = sys.argv[1], (sys.argv[2:] or ["default"])[0]
    print(json.dumps({"load": load, "stream": stream, "files": files, "pandas": pandas}[command](configuration)))
