"""docs/api.md, training.md, exports.md, evaluation.md, and python/README.md: every example runs against the demo as it stands there, and shows what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = "".join((DOCS / name).read_text() for name in ("api.md", "training.md", "exports.md", "evaluation.md", "../python/README.md"))
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```\n(?:```output\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
EXAMPLES = [(f"{n}-{kind}", kind, code, shown) for n, (kind, code, shown) in enumerate(BLOCK.findall(PAGES))]


def test_the_pages_have_examples_of_both_kinds():
    kinds = [kind for _, kind, _, _ in EXAMPLES]
    assert kinds.count("sh") >= 5 and kinds.count("python") >= 5


@pytest.mark.parametrize(("kind", "code", "shown"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES])
def test_an_example_works(request, tmp_path, kind, code, shown):
    demo = request.getfixturevalue("hub" if "load_dataset" in code else "demo")
    host, _, port = demo.address.removeprefix("http://").rpartition(":")
    code = code.replace("http://127.0.0.1:8080", demo.address).replace('"127.0.0.1", 8080', f'"{host}", {port}')
    program = ["bash", "-euo", "pipefail", "-c"] if kind == "sh" else [sys.executable, "-c"]
    # As after `pip install ./python`.
    environment = os.environ | {"PYTHONPATH": str(DOCS.parent / "python")}
    environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    if "cdoswald/SPIDER" in code:
        environment["HF_ENDPOINT"] = demo.address
    done = subprocess.run(
        [*program, code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    if shown:
        assert done.stdout.strip() == shown.strip()
