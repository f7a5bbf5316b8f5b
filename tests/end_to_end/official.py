"""Runs the SPIDER challenge's own `evaluation.py`, which is not part of this project, on single files."""

import contextlib
import importlib.util
import io
import math
from collections.abc import Callable
from pathlib import Path


def load(script: Path) -> Callable[[Path, Path], dict]:
    """Its `score_case`, without the folders of its container."""
    specification = importlib.util.spec_from_file_location("spider_evaluation", script)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    evaluator = object.__new__(module.Spider)

    def score_case(truth: Path, prediction: Path) -> dict:
        with contextlib.redirect_stdout(io.StringIO()):
            return evaluator.score_case(truth, prediction)

    return score_case


def numbers(scores: dict) -> dict[str, float | None]:
    """Without the names of files; not-a-number is None."""
    values = {name: float(value) for name, value in scores.items() if not isinstance(value, str)}
    return {name: None if math.isnan(value) else value for name, value in values.items()}
