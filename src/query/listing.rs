use super::{Column, Cursor, Filter, Shown, Table};
use crate::params::{Form, Pairs, Parameter, ParameterError, ParameterErrorKind, did_you_mean};

/// One key that rows are sorted by; missing values come last, whichever way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// By which column.
    pub column: &'static Column,
    /// Largest first.
    pub descending: bool,
}

/// Rows of a table, some of their columns, in an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Which rows.
    pub filter: Filter,
    /// In which order; then in the table's natural one.
    pub order: Vec<Order>,
    /// Which columns.
    pub columns: Vec<&'static Column>,
    /// After which row.
    pub after: Option<Cursor>,
    /// How many rows at most.
    pub limit: Option<u32>,
}

const SORT: Parameter = Parameter {
    name: "sort",
    allowed: "columns separated by commas, - before one for the largest first",
    form: Form::Text,
    description: "order of the rows, missing values last; rows that are alike stay in their natural order",
    example: "-patient_id",
};
const FIELDS: Parameter = Parameter {
    name: "fields",
    allowed: "columns separated by commas, or all",
    form: Form::Text,
    description: "which columns",
    example: "patient_id",
};

/// Keys of a sort order.
const MOST_KEYS: usize = 8;

impl Table {
    /// Numbers in the key of a row.
    #[must_use]
    pub fn key_columns(self) -> usize {
        match self {
            Self::Patients | Self::Scans => 1,
            Self::Slices | Self::Discs | Self::Gradings => 2,
        }
    }

    /// Everything that shapes a listing, but for its pages.
    #[must_use]
    pub fn listing_parameters(self) -> Vec<Parameter> {
        let mut parameters = self.filter_parameters();
        parameters.extend([SORT, FIELDS]);
        parameters
    }

    fn column(self, name: &str, parameter: &str) -> Result<&'static Column, ParameterError> {
        let found = self.columns().iter().find(|column| column.name == name);
        found.ok_or_else(|| {
            let names = || self.columns().iter().map(|column| column.name);
            let hint = did_you_mean(name, names());
            let message = format!(
                "{parameter}={name} is not valid: {hint}the columns are {}",
                names().collect::<Vec<_>>().join(", ")
            );
            ParameterError {
                allowed: names().map(str::to_owned).collect(),
                ..ParameterError::other(ParameterErrorKind::InvalidValue, parameter, message)
            }
        })
    }
}

impl Listing {
    /// Reads a listing. `shown` is where it will stand: in items or in tables.
    ///
    /// # Errors
    /// The parameter that cannot be read.
    pub fn parse(table: Table, shown: Shown, pairs: &Pairs<'_>) -> Result<Self, ParameterError> {
        let filter = Filter::parse(table, pairs)?;
        let order = pairs.text("sort").map_or(Ok(Vec::new()), |text| order(table, text))?;
        Ok(Self { filter, order, columns: columns(table, shown, pairs.text("fields"))?, after: None, limit: None })
    }

    /// The order as text: what a cursor belongs to.
    #[must_use]
    pub fn sort(&self) -> String {
        let key = |order: &Order| format!("{}{}", if order.descending { "-" } else { "" }, order.column.name);
        self.order.iter().map(key).collect::<Vec<_>>().join(",")
    }
}

fn order(table: Table, text: &str) -> Result<Vec<Order>, ParameterError> {
    let mut order: Vec<Order> = Vec::new();
    for key in text.split(',') {
        let (name, descending) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
        let column = table.column(name, "sort")?;
        if !column.is_sortable() {
            let message = format!("sort={name} is not valid: {name} holds lists or addresses, which have no order");
            return Err(ParameterError::other(ParameterErrorKind::InvalidValue, "sort", message));
        }
        if order.iter().any(|earlier| earlier.column.name == name) || order.len() == MOST_KEYS {
            let message = format!("sort={text} is not valid: give at most {MOST_KEYS} columns, each once");
            return Err(ParameterError::other(ParameterErrorKind::InvalidValue, "sort", message));
        }
        order.push(Order { column, descending });
    }
    Ok(order)
}

fn columns(table: Table, shown: Shown, fields: Option<&str>) -> Result<Vec<&'static Column>, ParameterError> {
    let columns = table.columns().iter();
    match fields {
        None => Ok(columns.filter(|column| column.shown == Shown::Everywhere || column.shown == shown).collect()),
        Some("all") => Ok(columns.collect()),
        Some(fields) => {
            let mut chosen: Vec<&'static Column> = Vec::new();
            for name in fields.split(',') {
                let column = table.column(name, "fields")?;
                if chosen.contains(&column) {
                    let message = format!("fields={fields} is not valid: {name} is there twice");
                    return Err(ParameterError::other(ParameterErrorKind::InvalidValue, "fields", message));
                }
                chosen.push(column);
            }
            Ok(chosen)
        }
    }
}
