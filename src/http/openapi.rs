//! `GET /openapi.json`: the interface for programs, made from the routes (OpenAPI 3.1).

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use super::responses::files::InMemoryFile;
use super::responses::headers;
use super::responses::headers::{EVERY_RESPONSE, RANGES, VALIDATORS};
use super::responses::problem::{Code, ProblemBody};
use super::responses::validator::Validator;
use super::routes::route::{BodyOf, Operation, Route};
use crate::params::{Form, Parameter};
use crate::spider::{Label, ScanId, dataset};

/// The document of these routes.
pub(super) fn document(routes: &[Route]) -> Json {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings.transforms.push(Box::new(RecursiveTransform(as_enumeration)));
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<ProblemBody>().to_value();
    let mut shared = Shared::default();
    let mut paths = Map::new();
    for route in routes {
        let operation = operation(route, &problem, &mut generator, &mut shared);
        let method = if route.operation.body.is_some() { "post" } else { "get" };
        paths.insert(route.path.clone(), json!({ method: operation }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sagittal",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("{}: slices, masks, metadata and per-disc gradings over HTTP. Every URL also answers HEAD.", dataset::TITLE),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "tables", "description": "scans, slices, discs, gradings and patients: filtered, sorted, in pages or as whole files" },
            { "name": "dataset", "description": "what the data set is, and one scan or patient at a time" },
            { "name": "images", "description": "slices, masks and overlays, in any size" },
            { "name": "training", "description": "volumes, image-mask pairs, batches and streams" },
            { "name": "evaluation", "description": "scores of predicted masks" },
            { "name": "service", "description": "the service itself" },
        ],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "parameters": shared.parameters,
            "examples": Code::ALL.iter().map(|code| (code.name().to_owned(), example(*code))).collect::<Map<_, _>>(),
        },
    })
}

/// Texts to choose from as one enumeration. They come as a choice between constants, each with its description, which
/// generators of clients do not take for what it is.
fn as_enumeration(schema: &mut Schema) {
    let Some(choices) = schema.get("oneOf").and_then(Json::as_array) else { return };
    let values = |choice: &Json| match (&choice["const"], &choice["enum"]) {
        (text @ Json::String(_), _) => Some(vec![text.clone()]),
        (_, Json::Array(texts)) => Some(texts.clone()),
        _ => None,
    };
    let Some(values) = choices.iter().map(values).collect::<Option<Vec<_>>>() else { return };
    schema.remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), json!(values.concat()));
}

/// Parameters that several addresses have, each written once.
#[derive(Default)]
struct Shared {
    parameters: Map<String, Json>,
}

impl Shared {
    /// A reference to a parameter. Parameters of one name that differ get a number behind it.
    fn refer(&mut self, parameter: &Parameter, is_required: bool) -> Json {
        let described = query_parameter(parameter, is_required);
        let mut key = parameter.name.to_owned();
        let mut n = 1;
        while self.parameters.get(&key).is_some_and(|known| *known != described) {
            n += 1;
            key = format!("{}_{n}", parameter.name);
        }
        let reference = json!({ "$ref": format!("#/components/parameters/{key}") });
        self.parameters.insert(key, described);
        reference
    }
}

/// `GET /openapi.json`
pub(super) fn answer(document: &Arc<str>, request: &HeaderMap) -> Response {
    let bytes = Bytes::copy_from_slice(document.as_bytes());
    InMemoryFile { validator: Validator::of_bytes(&bytes), bytes, media_type: "application/json" }.answer(request)
}

fn operation(route: &Route, problem: &Json, generator: &mut SchemaGenerator, shared: &mut Shared) -> Json {
    let Operation { id, tag, summary, parameters, required, answers, has_ranges, headers, problems: _, body } =
        &route.operation;
    let mut content = Map::new();
    for answer in answers {
        let schema = answer.schema.as_ref().map_or(json!({}), |schema| schema(generator).to_value());
        content.insert(answer.media_type.to_owned(), json!({ "schema": schema }));
    }
    let keeps = body.is_none() && route.has_validator();
    let validators = if keeps { &VALIDATORS[..] } else { &[] };
    let ranges = if *has_ranges { &RANGES[..] } else { &[] };
    let headers = headers::document(EVERY_RESPONSE.iter().chain(validators).chain(ranges).chain(headers));
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": summary, "headers": headers, "content": content }));
    if keeps {
        responses.insert("304".to_owned(), json!({ "description": "The client has it already." }));
    }
    if *has_ranges {
        responses.insert(
            "206".to_owned(),
            json!({ "description": "A part of it.", "headers": headers, "content": content }),
        );
    }
    for code in route.problems() {
        let status = code.status();
        let answer = responses.entry(status.as_str()).or_insert_with(|| {
            json!({
                "description": status.canonical_reason(),
                "content": { "application/problem+json": { "schema": problem, "examples": {} } },
            })
        });
        answer["content"]["application/problem+json"]["examples"][code.name()] =
            json!({ "$ref": format!("#/components/examples/{}", code.name()) });
    }
    let mut all = path_parameters(&route.path);
    all.extend(parameters.iter().map(|parameter| shared.refer(parameter, *required == Some(parameter.name))));
    let mut described =
        json!({ "operationId": id, "tags": [tag], "summary": summary, "parameters": all, "responses": responses });
    if let Some(body) = body {
        let content = match body {
            BodyOf::Json(schema) => json!({ "application/json": { "schema": schema(generator).to_value() } }),
            BodyOf::Bytes => json!({ "application/octet-stream": { "schema": {} } }),
        };
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    described
}

fn example(code: Code) -> Json {
    json!({ "value": {
        "type": format!("/problems/{}", code.name()),
        "title": code.title(),
        "status": code.status().as_u16(),
        "code": code,
        "detail": code.remedy(),
    } })
}

fn path_parameters(path: &str) -> Vec<Json> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| path_parameter(path, name)).collect()
}

fn path_parameter(path: &str, name: &str) -> Json {
    let (description, schema, example) = match name {
        "id" if path.contains("/patients/") => {
            ("number of a patient", json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }), json!(1))
        }
        "id" => (
            "name of a scan: patient and kind of series",
            json!({ "type": "string", "pattern": format!("^{}$", ScanId::PATTERN) }),
            json!("1_t1"),
        ),
        "k" => (
            "index of a slice, or mid, or best",
            json!({ "type": "string", "pattern": "^([0-9]{1,9}|mid|best)$" }),
            json!("mid"),
        ),
        "label" => (
            "the disc's value in the mask",
            json!({ "type": "integer", "minimum": Label::DISCS.start(), "maximum": Label::DISCS.end() }),
            json!(Label::DISCS.start()),
        ),
        _ => ("a code", json!({ "type": "string", "enum": Code::ALL.map(Code::name).to_vec() }), json!("unknown_scan")),
    };
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": example })
}

fn query_parameter(parameter: &Parameter, is_required: bool) -> Json {
    let schema = match parameter.form {
        Form::Choice(choices) => json!({ "type": "string", "enum": choices }),
        Form::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Form::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Form::Pattern(pattern) => json!({ "type": "string", "pattern": format!("^({pattern})$") }),
        Form::ListOf(pattern) => json!({ "type": "string", "pattern": format!("^({pattern})(,({pattern}))*$") }),
        Form::Text => json!({ "type": "string" }),
    };
    let mut described = json!({
        "name": parameter.name,
        "in": "query",
        "required": is_required,
        "description": format!("{} ({})", parameter.description, parameter.allowed),
        "schema": schema,
    });
    if !parameter.example.is_empty() {
        described["example"] = json_example(parameter);
    }
    described
}

/// The example as its schema has it.
fn json_example(parameter: &Parameter) -> Json {
    match parameter.form {
        Form::Integer { .. } | Form::Number { .. } => parameter.example.parse().unwrap_or(Json::Null),
        _ => json!(parameter.example),
    }
}

/// The schema of any JSON object: of the document itself.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "stands for a schema alone")]
pub(super) struct AnyObject(Map<String, Json>);
