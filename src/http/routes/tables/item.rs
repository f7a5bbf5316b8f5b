use schemars::{Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value as Json, json};

use crate::http::routes::links;
use crate::query::{Cell, Column, ColumnKind, Listing, Row, Table};
use crate::spider::{Label, PatientId, ScanId};

/// A row in a page: its columns by name, and where to go from it.
#[derive(Debug)]
pub(in crate::http) struct Item {
    columns: Vec<&'static Column>,
    cells: Vec<Cell>,
    links: Option<Map<String, Json>>,
}

impl Item {
    pub(super) fn new(listing: &Listing, row: Row, with_links: bool) -> Self {
        let links = with_links.then(|| links_of(listing, &row));
        Self { columns: listing.columns.clone(), cells: row.cells, links }
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (column, cell) in self.columns.iter().zip(&self.cells) {
            map.serialize_entry(column.name, cell)?;
        }
        if let Some(links) = &self.links {
            map.serialize_entry("links", links)?;
        }
        map.end()
    }
}

fn links_of(listing: &Listing, row: &Row) -> Map<String, Json> {
    let number = |n: usize| row.key.get(n).copied().unwrap_or(0);
    let patient = PatientId(u32::try_from(number(0)).unwrap_or(0));
    let cell = |name: &str| listing.columns.iter().position(|c| c.name == name).and_then(|n| row.cells.get(n));
    let scan = || match cell("scan_id") {
        Some(Cell::Text(id)) => id.parse::<ScanId>().ok(),
        _ => None,
    };
    match (listing.filter.table, scan()) {
        (Table::Scans, Some(scan)) => links::of_scan(scan, cell("has_volume") == Some(&Cell::Flag(true))),
        (Table::Slices, Some(scan)) => links::of_slice(scan, &number(1).to_string(), ""),
        (Table::Discs, Some(scan)) => links::of_disc(scan, Label(u8::try_from(number(1)).unwrap_or(0))),
        (Table::Patients, _) => Map::from_iter([("self".to_owned(), json!(format!("/v1/patients/{patient}")))]),
        _ => Map::from_iter([("patient".to_owned(), json!(format!("/v1/patients/{patient}")))]),
    }
}

/// The schema of a table's items, under a name of its own: generated clients call their types by it.
pub(in crate::http) fn item_schema(table: Table) -> impl Fn(&mut SchemaGenerator) -> Schema {
    move |generator| {
        let name = match table {
            Table::Patients => "PatientRow",
            Table::Scans => "ScanRow",
            Table::Slices => "SliceRow",
            Table::Discs => "DiscRow",
            Table::Gradings => "GradingRow",
        };
        let mut properties: Map<String, Json> =
            table.columns().iter().map(|column| (column.name.to_owned(), column_schema(column))).collect();
        properties.insert(
            "links".to_owned(),
            json!({ "type": "object", "additionalProperties": { "type": "string" }, "description": "where to go from here; left out when `fields` is given" }),
        );
        let schema = json_schema!({ "type": "object", "properties": properties, "additionalProperties": false });
        generator.definitions_mut().insert(name.to_owned(), schema.into());
        Schema::new_ref(format!("#/components/schemas/{name}"))
    }
}

fn column_schema(column: &Column) -> Json {
    let array = |items| json!({ "type": ["array", "null"], "items": { "type": items } });
    let mut schema = match column.kind {
        ColumnKind::Integer => json!({ "type": ["integer", "null"] }),
        ColumnKind::Real => json!({ "type": ["number", "null"] }),
        ColumnKind::Flag => json!({ "type": ["boolean", "null"] }),
        ColumnKind::Text if column.choices.is_empty() => json!({ "type": ["string", "null"] }),
        ColumnKind::Text => {
            let choices: Vec<_> = column.choices.iter().map(|choice| json!(choice)).chain([Json::Null]).collect();
            json!({ "type": ["string", "null"], "enum": choices })
        }
        ColumnKind::Integers => array("integer"),
        ColumnKind::Reals => array("number"),
        ColumnKind::Texts => array("string"),
    };
    let unit = column.unit.map(|unit| format!("; {unit}")).unwrap_or_default();
    schema["description"] = json!(format!("{}{unit}", column.description));
    schema
}
