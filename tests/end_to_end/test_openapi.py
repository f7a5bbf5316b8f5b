"""openapi.json against those who read such documents, and against the server itself."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import validate

CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance",
]
PATH_EXAMPLES = {"id": "1_t1", "k": "mid", "label": "201", "code": "unknown_scan"}
# An example may not fit the scan of the examples, or not stand alone: these say so.
NOT_ALONE = {"window_unavailable", "conflicting_parameters"}


@pytest.fixture(scope="module")
def document(demo):
    return demo.json("/openapi.json")


def fits(document, schema, value) -> bool:
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]}).is_valid(value)


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def resolved(document, told):
    return document["components"]["parameters"][told["$ref"].rsplit("/", 1)[1]] if "$ref" in told else told


def test_the_document_is_valid(document):
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_operation_has_a_name_of_its_own_and_documents_what_is_not_found(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)) > 50
    for path, _, operation in operations(document):
        if "{id}" in path:
            assert "404" in operation["responses"], path


def test_every_example_fits_its_own_schema(document):
    """Those of parameters and of bodies."""
    told = [resolved(document, each) for *_, operation in operations(document) for each in operation["parameters"]]
    held = [(each["name"], each["schema"], each["example"]) for each in told if "example" in each]
    bodies = [schema for schema in document["components"]["schemas"].items() if "examples" in schema[1]]
    held += [(name, schema, example) for name, schema in bodies for example in schema["examples"]]
    wrong = {name for name, schema, example in held if not fits(document, schema, example)}
    assert not wrong and bodies and len(held) > 1000


@pytest.mark.parametrize(("name", "values", "not_values"), [
    ("age", ["40..60", "40..", "..60", "40.5..60.25,70", "null", "!null", "-1"], ["4 0", "40...60", "a", "40,"]),
    ("pfirrmann", ["4..5", "1,3..4,null", "..2"], ["4.5", ""]),
    ("slice", ["mid", "best", "3..5", "..5", "3,5..7,mid"], ["3.5", "middle"]),
    ("has", ["201", "201-205", "1-25,100", "discs,225", "255"], ["256", "1000", "disc"]),
    ("scan_type", ["t1", "t1,t2_SPACE", "!null"], ["T1"]),
    ("scan_id", ["5_t2_SPACE,1_t1"], ["null", "1_t3", "0_t1"]),
])
def test_the_documented_form_of_a_filter_is_what_the_server_takes(demo, document, name, values, not_values):
    operation = document["paths"]["/v1/slices"]["get"]
    [told] = [each for each in (resolved(document, p) for p in operation["parameters"]) if each["name"] == name]
    for value, is_right in [(value, True) for value in values] + [(value, False) for value in not_values]:
        assert fits(document, told["schema"], value) == is_right, value
        assert demo.client.get("/v1/slices", params={name: value}).status_code == (200 if is_right else 400), value


def test_statistics_say_which_table_a_filter_goes_with(demo):
    answer = demo.client.get("/v1/stats", params={"label": "201"})
    assert answer.json()["code"] == "conflicting_parameters" and "of=discs" in answer.json()["detail"]
    assert demo.client.get("/v1/stats", params={"label": "201", "of": "discs"}).status_code == 200
    assert demo.client.get("/v1/stats", params={"lable": "201"}).json()["code"] == "unknown_parameter"


def test_every_example_works(demo, document):
    """Each parameter by itself, with the example that stands in the document."""
    asked = 0
    for path, method, operation in operations(document):
        if method != "get":
            continue
        examples = {"id": "1"} if "/patients/" in path else PATH_EXAMPLES
        address = re.sub(r"{(\w+)}", lambda found, examples=examples: examples[found[1]], path)
        told = [resolved(document, parameter) for parameter in operation["parameters"]]
        in_query = [p for p in told if p["in"] == "query" and "example" in p]
        required = {p["name"]: p["example"] for p in in_query if p["required"]}
        queries = [required] + [required | {p["name"]: p["example"]} for p in in_query]
        schema = operation["responses"]["200"]["content"].get("application/json", {}).get("schema")
        for query in queries:
            asked += 1
            # Of anything but JSON the beginning is enough here: other tests read tables, images, volumes and streams to the end.
            with demo.client.stream("GET", address, params=query or None) as answer:
                begins = next(answer.iter_bytes(), b"") if schema is None and answer.status_code == 200 else answer.read()
            if answer.status_code == 400 and json.loads(begins)["code"] in NOT_ALONE:
                continue
            assert answer.status_code == 200, (address, query, begins[:300])
            if schema is not None:
                whole = {**schema, "components": document["components"]}
                jsonschema.Draft202012Validator(whole).validate(json.loads(begins))
    assert asked > 1000


def test_schemathesis_finds_nothing(demo, tmp_path):
    """No failure of the server, no status and no body that the document does not tell."""
    url = f"{demo.address}/openapi.json"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", url, "--url", demo.address, "--checks", ",".join(CHECKS),
        "--max-examples", "5", "--phases", "examples,coverage,fuzzing", "--seed", "1", "--no-color",
    ]
    hooks = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "short_streams"}
    done = subprocess.run(command, cwd=tmp_path, env=hooks, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"(\d{4,}) generated, \1 passed", done.stdout), done.stdout[-2000:]


def test_a_generated_client_works(demo, document, tmp_path, monkeypatch):
    command = [
        sys.executable, "-m", "openapi_python_client", "generate", "--url", f"{demo.address}/openapi.json",
        "--output-path", tmp_path / "client", "--meta", "none",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (tmp_path / "client" / "client.py").is_file(), done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("client.client")
    client = module.Client(base_url=demo.address)
    list_scans = importlib.import_module("client.api.tables.list_scans")
    page = list_scans.sync(client=client, scan_type="t1", sort="-scan_id")
    expected = demo.json("/v1/scans", scan_type="t1", sort="-scan_id")
    assert (page.total, [item.scan_id for item in page.items]) == (
        expected["total"], [item["scan_id"] for item in expected["items"]],
    )
    get_scan = importlib.import_module("client.api.dataset.get_scan")
    scan = get_scan.sync("1_t1", client=client)
    assert scan.patient_id == 1 and scan.metadata.manufacturer == demo.json("/v1/scans/1_t1")["metadata"]["manufacturer"]
    missing = get_scan.sync("999_t1", client=client)
    assert missing.status == 404 and missing.code == "unknown_scan"


def test_the_page_needs_no_other_server(demo):
    page = demo.get("/docs")
    assert "content-security-policy" in page.headers
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    for path in re.findall(r"(?:src|href)=\"(/[^\"]+)\"", page.text):
        assert demo.get(path).content, path
    assert "/openapi.json" in demo.get("/docs/start.js").text


def test_every_problem_has_its_page(demo, document):
    listed = demo.get("/problems").text
    codes = set(document["components"]["examples"])
    assert len(codes) > 20
    for code in codes:
        assert f"/problems/{code}" in listed
        assert code in demo.get(f"/problems/{code}").text
    assert demo.client.get("/problems/none").json()["code"] == "unknown_problem"
