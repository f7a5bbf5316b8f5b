"""Execute a notebook of examples/ beside its scripts and write it with its outputs.

    SAGITTAL_URL=URL python execute.py examples/load_data.ipynb OUT.ipynb

Writes the committed outputs, too, when OUT is the notebook itself and URL is the demo.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELL_SECONDS = 300


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    notebook = nbformat.read(source, as_version=4)
    NotebookClient(notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": source.parent}}).execute()
    for cell in notebook.cells:
        # When it was run would be another text each time.
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, target)


if __name__ == "__main__":
    main()
