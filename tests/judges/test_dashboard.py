"""What the dashboard and the configuration of Prometheus ask for is what the server tells."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
# Prometheus' own.
OTHERS = {"up"}
FUNCTIONS = {"sum", "max", "rate", "topk", "histogram_quantile", "by", "or"}


@pytest.fixture(scope="module")
def told(demo) -> dict[str, set[str]]:
    """Every series that the server tells, with the labels it has."""
    for path in ("/v1/scans", "/v1/scans/1_t1/slices/mid/image.png", "/v1/scans/1_t1/slices/mid/image.png"):
        demo.get(path)
    demo.get("/metrics")
    answer = demo.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    series = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            series.setdefault(sample.name, set()).update(sample.labels)
    return series


def expressions() -> list[str]:
    [dashboard] = (DEPLOY / "grafana" / "dashboards").glob("*.json")
    panels = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(found) >= 20
    return found


def names(expression: str) -> tuple[set[str], set[str]]:
    """The series and the labels that an expression speaks of."""
    labels = {name.strip() for names in re.findall(r"\bby \(([^)]*)\)", expression) for name in names.split(",")}
    labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", expression))
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)', "", expression)
    return set(re.findall(r"\b[a-z_]\w*", bare)) - FUNCTIONS, labels


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_speaks_of_what_the_server_tells(expression, told):
    series, labels = names(expression)
    assert series, "the expression asks for nothing"
    assert series - OTHERS <= set(told), f"the server does not tell {series - OTHERS - set(told)}"
    known = {"job", "instance"}.union(*(told[name] for name in series - OTHERS))
    assert labels <= known, f"the server's series have no label {labels - known}"


def test_everything_that_the_server_tells_is_on_the_dashboard(told):
    shown = set().union(*(names(expression)[0] for expression in expressions()))
    hidden = {name for name in told if name not in shown and not re.search(r"_(sum|count|created)$", name)}
    assert hidden == set()


def test_every_series_is_named_once_after_the_program(told):
    assert [name for name in told if not re.match(r"sagittal_(?!sagittal)", name)] == []
