use axum::http::{HeaderMap, header};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::http) enum Format {
    /// Pages.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    pub(in crate::http) const ALL: [Self; 4] = [Self::Json, Self::Ndjson, Self::Csv, Self::Parquet];

    /// Suffix of the address.
    pub(in crate::http) fn suffix(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    pub(in crate::http) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// The first format that the client names; pages where it names none.
pub(super) fn accepted(request: &HeaderMap) -> Format {
    let lists = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut named = lists.flat_map(|list| list.split(',')).map(|item| item.split(';').next().unwrap_or("").trim());
    let format = |name: &str| match name {
        "application/json" => Some(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Format::Ndjson),
        "text/csv" => Some(Format::Csv),
        "application/vnd.apache.parquet" => Some(Format::Parquet),
        _ => None,
    };
    named.find_map(format).unwrap_or(Format::Json)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_known_type_wins() {
        let of = |accept| accepted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]));
        assert_eq!(of("text/html, text/csv;q=0.9"), Format::Csv);
        assert_eq!(of("*/*"), Format::Json);
        assert_eq!(of("application/vnd.apache.parquet"), Format::Parquet);
        assert_eq!(accepted(&HeaderMap::new()), Format::Json);
    }
}
