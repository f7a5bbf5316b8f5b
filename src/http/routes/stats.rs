//! `GET /v1/stats`: counts, cross tables and distributions of what a filter chooses.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::http::responses::documents::Answer;
use crate::http::responses::problem::Problem;
use crate::http::state::ApiRequest;
use crate::index::{FieldSummary, Group, Summary};
use crate::params::{Form, Pairs, Parameter, ParameterError, ParameterErrorKind, did_you_mean};
use crate::query::{Cell, Column, Filter, Shown, Table};

/// Bins of a histogram when nothing is said.
const DEFAULT_BINS: u32 = 10;
/// Columns of a cross table at most.
const MOST_BY: usize = 4;

const OF: Parameter = Parameter {
    name: "of",
    allowed: "scans, slices, discs, gradings, patients",
    form: Form::Choice(&["scans", "slices", "discs", "gradings", "patients"]),
    description: "what is counted; its filters are those of its listing",
    example: "discs",
};
const OWN: [Parameter; 3] = [
    Parameter {
        name: "by",
        allowed: "at most four columns, separated by commas",
        form: Form::Text,
        description: "a cross table: counts for each combination of their values",
        example: "split,scan_type",
    },
    Parameter {
        name: "fields",
        allowed: "columns separated by commas, all, or none",
        form: Form::Text,
        description: "whose distributions are reported; those of the table itself when neither by nor fields is given",
        example: "age,sex",
    },
    Parameter {
        name: "bins",
        allowed: "10, a whole number from 1 to 1000",
        form: Form::Integer { min: 1, max: 1000 },
        description: "bins of histograms",
        example: "5",
    },
];

/// What a filter chooses, in numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct StatsBody {
    /// What is counted.
    of: &'static str,
    total: u64,
    /// The columns of the cross table.
    by: Vec<&'static str>,
    /// One for each combination of values that there is: the values by column, and `count`.
    groups: Vec<Map<String, Json>>,
    /// Distributions by column.
    fields: Map<String, Json>,
}

/// The distribution of numbers.
#[derive(Debug, Serialize, JsonSchema)]
struct NumbersBody {
    missing: u64,
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    histogram: HistogramBody,
}

/// Counts of equal bins; the last one includes its upper edge.
#[derive(Debug, Serialize, JsonSchema)]
struct HistogramBody {
    edges: Vec<f64>,
    counts: Vec<u64>,
}

/// The distribution of other values.
#[derive(Debug, Serialize)]
struct ValuesBody {
    missing: u64,
    distinct: u64,
    values: Vec<ValueBody>,
}

#[derive(Debug, Serialize)]
struct ValueBody {
    value: Cell,
    count: u64,
}

/// The parameters of one table's statistics.
fn parameters(table: Table) -> Vec<Parameter> {
    let mut parameters = vec![OF];
    parameters.extend(OWN);
    parameters.extend(table.filter_parameters());
    parameters
}

/// Those of every table's: what the address takes, depending on `of`.
pub(in crate::http) fn all_parameters() -> Vec<Parameter> {
    let mut all = parameters(Table::Slices);
    for table in Table::ALL {
        for parameter in parameters(table) {
            if all.iter().all(|known| known.name != parameter.name) {
                all.push(parameter);
            }
        }
    }
    all
}

/// A filter that the requested table does not have and another one has.
fn meant_for_another(table: Table, name: &str) -> Option<ParameterError> {
    let takes = |table: &Table| parameters(*table).iter().any(|parameter| parameter.name == name);
    let takers: Vec<_> = Table::ALL.into_iter().filter(takes).map(Table::name).collect();
    let is_of_others = !takers.is_empty() && !takes(&table);
    is_of_others.then(|| ParameterError::conflict(name, format!("{name} goes with of={}", takers.join(" or of="))))
}

/// `GET /v1/stats`
pub(in crate::http) async fn show(request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        let table = request.value_of("of").map_or(Ok(Table::Scans), |name| {
            let found = Table::ALL.into_iter().find(|table| table.name() == name);
            found.ok_or_else(|| ParameterError::invalid("of", name, OF.allowed))
        })?;
        let valid = parameters(table);
        if let Some(error) = request.raw_pairs().iter().find_map(|(name, _)| meant_for_another(table, name)) {
            return Err(error.into());
        }
        let pairs = request.parameters(&valid)?;
        let filter = Filter::parse(table, &pairs)?;
        let by = by(table, &pairs)?;
        let fields = fields(table, &pairs)?;
        let bins = pairs.parsed("bins")?;
        let snapshot = request.snapshot().await?;
        let index = &snapshot.index;
        let total = index.total(&filter).await?;
        let groups = if by.is_empty() { Vec::new() } else { index.groups(&filter, &by).await? };
        let summaries = index.summaries(&filter, &fields, bins.unwrap_or(DEFAULT_BINS)).await?;
        let body = StatsBody {
            of: table.name(),
            total,
            groups: groups.iter().map(|group| group_body(&by, group)).collect(),
            by: by.iter().map(|column| column.name).collect(),
            fields: summaries.into_iter().map(|field| (field.column.name.to_owned(), field_body(field))).collect(),
        };
        Ok(Answer::of(&snapshot, body))
    };
    request.answer(body).await
}

fn by(table: Table, pairs: &Pairs<'_>) -> Result<Vec<&'static Column>, ParameterError> {
    let Some(text) = pairs.text("by") else { return Ok(Vec::new()) };
    let columns = named(table, "by", text)?;
    if columns.len() > MOST_BY {
        return Err(ParameterError::invalid("by", text, pairs.allowed("by")));
    }
    Ok(columns)
}

fn fields(table: Table, pairs: &Pairs<'_>) -> Result<Vec<&'static Column>, ParameterError> {
    let all = || counted(table);
    match pairs.text("fields") {
        None if pairs.text("by").is_some() => Ok(Vec::new()),
        None => Ok(all().filter(|column: &&Column| column.shown != Shown::OnDemand).collect()),
        Some("all") => Ok(all().collect()),
        Some("none") => Ok(Vec::new()),
        Some(text) => named(table, "fields", text),
    }
}

/// Columns that have a distribution worth telling: not names, addresses and the like.
fn counted(table: Table) -> impl Iterator<Item = &'static Column> {
    table.columns().iter().filter(|column| column.is_filter && column.name != "scan_id")
}

fn named(table: Table, parameter: &str, text: &str) -> Result<Vec<&'static Column>, ParameterError> {
    let mut columns: Vec<&'static Column> = Vec::new();
    for name in text.split(',') {
        let found = counted(table).find(|column| column.name == name && !columns.contains(column));
        columns.push(found.ok_or_else(|| {
            let hint = did_you_mean(name, counted(table).map(|column| column.name));
            let names: Vec<_> = counted(table).map(|column| column.name).collect();
            let message = format!(
                "{parameter}={name} is not valid: {hint}give each column once; those of {} are {}",
                table.name(),
                names.join(", ")
            );
            ParameterError::other(ParameterErrorKind::InvalidValue, parameter, message)
        })?);
    }
    Ok(columns)
}

fn group_body(by: &[&'static Column], group: &Group) -> Map<String, Json> {
    let values = by.iter().zip(&group.values).map(|(column, value)| (column.name.to_owned(), json!(value)));
    values.chain([("count".to_owned(), json!(group.count))]).collect()
}

fn field_body(field: FieldSummary) -> Json {
    let missing = field.missing;
    match field.summary {
        Summary::Numbers { range, histogram } => json!(NumbersBody {
            missing,
            min: range.map(|(min, _, _)| min),
            max: range.map(|(_, max, _)| max),
            mean: range.map(|(_, _, mean)| mean),
            histogram: HistogramBody { edges: histogram.edges, counts: histogram.counts },
        }),
        Summary::Values { distinct, values } => {
            let values = values.into_iter().map(|(value, count)| ValueBody { value, count }).collect();
            json!(ValuesBody { missing, distinct, values })
        }
    }
}
