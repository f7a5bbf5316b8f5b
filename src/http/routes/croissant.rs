//! `GET /croissant.json`: the tables, described for machine-learning tools (Croissant 1.0,
//! <https://docs.mlcommons.org/croissant/docs/croissant-spec.html>).

use axum::http::{HeaderMap, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::http::responses::files::InMemoryFile;
use crate::http::responses::validator::Validator;
use crate::query::{Column, ColumnKind, Shown, Table};
use crate::spider::dataset;

/// `GET /croissant.json`
pub(in crate::http) async fn show(headers: HeaderMap) -> Response {
    // Files are named by absolute addresses, and the client knows best under which name it found the server.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:8080");
    let scheme =
        headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).filter(|scheme| *scheme == "https");
    let bytes = Bytes::from(document(&format!("{}://{host}", scheme.unwrap_or("http"))).to_string());
    InMemoryFile { validator: Validator::of_bytes(&bytes), bytes, media_type: "application/ld+json" }.answer(&headers)
}

fn document(base: &str) -> Json {
    let tables = [Table::Scans, Table::Slices, Table::Discs, Table::Gradings];
    json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset::NAME,
        "description": dataset::DESCRIPTION,
        "license": dataset::LICENCE_URL,
        "url": format!("https://doi.org/{}", dataset::DOI),
        "citeAs": dataset::BIBTEX,
        "version": "1.0.0",
        "datePublished": "2024-02-02",
        "creator": { "@type": "sc:Person", "name": "van der Graaf, J. W., et al." },
        "isLiveDataset": true,
        "distribution": tables.map(|table| file(base, table)),
        "recordSet": tables.map(record_set),
    })
}

fn file(base: &str, table: Table) -> Json {
    let name = table.name();
    json!({
        "@type": "cr:FileObject",
        "@id": format!("{name}.csv"),
        "name": format!("{name}.csv"),
        "contentUrl": format!("{base}/v1/{name}.csv"),
        "encodingFormat": "text/csv",
    })
}

fn record_set(table: Table) -> Json {
    let in_files = table.columns().iter().filter(|column| matches!(column.shown, Shown::Everywhere | Shown::InTables));
    let fields: Vec<_> = in_files.map(|column| field(table, column)).collect();
    json!({ "@type": "cr:RecordSet", "@id": table.name(), "name": table.name(), "field": fields })
}

fn field(table: Table, column: &Column) -> Json {
    let kind = match column.kind {
        ColumnKind::Integer => "sc:Integer",
        ColumnKind::Real => "sc:Float",
        ColumnKind::Flag => "sc:Boolean",
        // A list stands in a CSV cell as JSON.
        ColumnKind::Text | ColumnKind::Integers | ColumnKind::Reals | ColumnKind::Texts => "sc:Text",
    };
    let unit = column.unit.map(|unit| format!("; {unit}")).unwrap_or_default();
    json!({
        "@type": "cr:Field",
        "@id": format!("{}/{}", table.name(), column.name),
        "name": format!("{}/{}", table.name(), column.name),
        "description": format!("{}{unit}", column.description),
        "dataType": kind,
        "source": { "fileObject": { "@id": format!("{}.csv", table.name()) }, "extract": { "column": column.name } },
    })
}

/// The context that the specification prescribes.
fn context() -> Json {
    let vocabulary = "http://mlcommons.org/croissant/";
    let mut context = Map::from_iter([
        ("@language".to_owned(), json!("en")),
        ("@vocab".to_owned(), json!("https://schema.org/")),
        ("sc".to_owned(), json!("https://schema.org/")),
        ("cr".to_owned(), json!(vocabulary)),
        ("rai".to_owned(), json!("http://mlcommons.org/croissant/RAI/")),
        ("dct".to_owned(), json!("http://purl.org/dc/terms/")),
        ("conformsTo".to_owned(), json!("dct:conformsTo")),
        ("data".to_owned(), json!({ "@id": "cr:data", "@type": "@json" })),
        ("dataType".to_owned(), json!({ "@id": "cr:dataType", "@type": "@vocab" })),
        ("examples".to_owned(), json!({ "@id": "cr:examples", "@type": "@json" })),
    ]);
    for name in [
        "citeAs",
        "column",
        "equivalentProperty",
        "extract",
        "field",
        "fileProperty",
        "fileObject",
        "fileSet",
        "format",
        "includes",
        "isLiveDataset",
        "jsonPath",
        "key",
        "md5",
        "parentField",
        "path",
        "recordSet",
        "references",
        "regex",
        "repeated",
        "replace",
        "samplingRate",
        "separator",
        "source",
        "subField",
        "transform",
    ] {
        context.insert(name.to_owned(), json!(format!("cr:{name}")));
    }
    context.into_iter().collect()
}
