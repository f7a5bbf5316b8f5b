"""What the dashboard and the configuration of Prometheus ask for is what the server tells, and Prometheus answers it."""

import json
import math
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FUNCTIONS = {"sum", "max", "rate", "topk", "histogram_quantile", "by", "or"}


@pytest.fixture(scope="module")
def told(demo) -> set[str]:
    """Every series that the server exports."""
    for path in ("/v1/scans", "/v1/scans/1_t1/slices/mid/image.png", "/v1/scans/1_t1/slices/mid/image.png"):
        demo.get(path)
    demo.get("/metrics")
    answer = demo.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    return {sample.name for family in text_string_to_metric_families(answer.text) for sample in family.samples}


def expressions() -> list[str]:
    [dashboard] = (DEPLOY / "grafana" / "dashboards").glob("*.json")
    panels = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(found) >= 20
    return found


def names(expression: str) -> set[str]:
    """The series that an expression reads."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)', "", expression)
    return set(re.findall(r"\b[a-z_]\w*", bare)) - FUNCTIONS


def test_everything_that_the_server_tells_is_on_the_dashboard(told):
    shown = set().union(*(names(expression) for expression in expressions()))
    hidden = {name for name in told if name not in shown and not re.search(r"_(sum|count|created)$", name)}
    assert hidden == set()


def test_every_series_is_named_once_after_the_program(told):
    assert [name for name in told if not re.match(r"sagittal_(?!sagittal)", name)] == []


@pytest.fixture(scope="module")
def prometheus(demo, free_port, tmp_path_factory):
    """Prometheus itself, watching the demo as it would in compose, but more often; asked once it has seen some traffic."""
    program = shutil.which("prometheus")
    if not program:
        pytest.fail("there is no prometheus; tests/run installs it")
    folder = tmp_path_factory.mktemp("prometheus")
    text = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8")
    text, targets = re.subn(r"targets: \[.*\]", f'targets: ["{httpx.URL(demo.address).netloc.decode()}"]', text)
    text, intervals = re.subn(r"scrape_(interval|timeout): \ds", r"scrape_\1: 200ms", text)
    assert (targets, intervals) == (1, 2)
    (folder / "prometheus.yml").write_text(text)
    command = [
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{free_port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{free_port}", timeout=30) as client:
            deadline = time.monotonic() + 60
            while len(values(client, 'count_over_time(sagittal_requests_total{status="404"}[1m]) >= 5')) == 0:
                assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                for path in ("/v1/scans", "/v1/scans/1_t1/slices/mid/image.png", "/nowhere"):
                    demo.client.get(path)
                time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def values(client: httpx.Client, expression: str) -> list[float]:
    try:
        answer = client.get("/api/v1/query", params={"query": expression})
    except httpx.TransportError:
        return []
    if answer.status_code == 503:
        return []
    assert answer.json()["status"] == "success", answer.text
    return [float(series["value"][1]) for series in answer.json()["data"]["result"]]


@pytest.mark.parametrize("expression", expressions())
def test_prometheus_responses_an_expression_with_numbers(expression, prometheus):
    found = values(prometheus, expression.replace("$__rate_interval", "1m"))
    assert found and not any(math.isnan(value) for value in found)
