use axum::http::{HeaderMap, header};
use headers_accept::Accept;
use mediatype::names::{APPLICATION, CSV, JSON, TEXT};
use mediatype::{MediaType, Name};

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
    /// Every format: pages first, and then whole files.
    pub(in crate::http) const ALL: [Self; 4] = [Self::Json, Self::Ndjson, Self::Csv, Self::Parquet];

    /// Suffix of the URL; none for pages, which are at the table's own URL.
    pub(in crate::http) fn suffix(self) -> Option<&'static str> {
        match self {
            Self::Json => None,
            Self::Ndjson => Some("ndjson"),
            Self::Csv => Some("csv"),
            Self::Parquet => Some("parquet"),
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

/// The media types that `Accept` can name, with their formats; of those that a client accepts alike, the first is taken.
static OFFERED: [(MediaType<'static>, Format); 6] = [
    (MediaType::new(APPLICATION, JSON), Format::Json),
    (MediaType::new(APPLICATION, Name::new_unchecked("x-ndjson")), Format::Ndjson),
    (MediaType::new(APPLICATION, Name::new_unchecked("ndjson")), Format::Ndjson),
    (MediaType::new(APPLICATION, Name::new_unchecked("jsonl")), Format::Ndjson),
    (MediaType::new(TEXT, CSV), Format::Csv),
    (MediaType::new(APPLICATION, Name::new_unchecked("vnd.apache.parquet")), Format::Parquet),
];

/// The format that the client prefers; pages where it accepts none of them, or does not say.
pub(super) fn accepted(request: &HeaderMap) -> Format {
    let values: Vec<_> = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = values.join(",").parse::<Accept>().ok();
    let chosen = accept.as_ref().and_then(|accept| accept.negotiate(OFFERED.iter().map(|(media_type, _)| media_type)));
    let offered = chosen.and_then(|chosen| OFFERED.iter().find(|(media_type, _)| media_type == chosen));
    offered.map_or(Format::Json, |(_, format)| *format)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(accept: &'static str) -> Format {
        accepted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn the_best_known_type_wins() {
        assert_eq!(of("text/html, text/csv;q=0.9"), Format::Csv);
        assert_eq!(of("application/json;q=0.5, text/csv;q=0.9"), Format::Csv);
        assert_eq!(of("text/csv;q=0.5, application/x-ndjson;q=0.501"), Format::Ndjson);
        assert_eq!(of("text/csv, application/json"), Format::Csv, "the client's order decides where it gives no other");
        assert_eq!(of("application/vnd.apache.parquet"), Format::Parquet);
        assert_eq!(of("application/jsonl"), Format::Ndjson);
    }

    #[test]
    fn names_are_read_in_capitals_or_not() {
        assert_eq!(of("Text/CSV"), Format::Csv);
        assert_eq!(of("text/csv;Q=0.1, APPLICATION/Vnd.Apache.Parquet;Q=0.2"), Format::Parquet);
    }

    #[test]
    fn wildcards_stand_behind_what_is_named() {
        assert_eq!(of("*/*"), Format::Json);
        assert_eq!(of("text/*"), Format::Csv);
        assert_eq!(of("*/*, text/csv"), Format::Csv);
        assert_eq!(of("text/csv;q=0.8, */*;q=0.9"), Format::Json);
        // As browsers request a page.
        assert_eq!(of("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Format::Json);
    }

    #[test]
    fn what_is_refused_is_not_sent() {
        assert_eq!(of("application/json;q=0, */*"), Format::Ndjson);
        assert_eq!(of("text/csv;q=0, application/vnd.apache.parquet;q=0.1"), Format::Parquet);
    }

    #[test]
    fn pages_are_for_those_who_accept_nothing_that_there_is() {
        assert_eq!(of("text/html"), Format::Json);
        assert_eq!(of("text/csv;q=0"), Format::Json);
        assert_eq!(of("no media type"), Format::Json);
        assert_eq!(accepted(&HeaderMap::new()), Format::Json);
    }

    #[test]
    fn several_headers_are_one_list() {
        let headers = ["text/html", "text/csv;q=0.2", "application/x-ndjson;q=0.3"];
        let headers = headers.map(|value| (header::ACCEPT, HeaderValue::from_static(value)));
        let mut request = HeaderMap::new();
        for (name, value) in headers {
            request.append(name, value);
        }
        assert_eq!(accepted(&request), Format::Ndjson);
    }
}
