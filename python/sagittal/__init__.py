"""Client of a sagittal server: the SPIDER lumbar-spine MRI data set over HTTP, as numpy arrays.

    import sagittal

    client = sagittal.Client("http://127.0.0.1:8080")
    pair = client.pair("1_t1", "mid", size=256, window="auto", dtype="float32")
    for sample in sagittal.StreamDataset(client, split="train", size=256, dtype="float32", seed=7):
        ...

Needs httpx and numpy. `sagittal.torch` has the datasets for PyTorch. Rendering parameters and conditions are those of the
server's REST API; its `/docs` page lists them.
"""

from ._client import Client
from ._datasets import SliceDataset, StreamDataset
from ._errors import ProblemError, SagittalError, TransportError, VersionWarning, WrongSampleError
from ._images import Batch, Image, Pair, Sample
from ._parameters import Value
from ._progress import Progress

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Client",
    "Image",
    "Pair",
    "ProblemError",
    "Progress",
    "SagittalError",
    "Sample",
    "SliceDataset",
    "StreamDataset",
    "TransportError",
    "Value",
    "VersionWarning",
    "WrongSampleError",
    "__version__",
]
