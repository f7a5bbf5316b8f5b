//! Pages of listings: `limit`, an opaque `cursor`, and where the listing goes on.

use axum::http::Uri;
use serde::Serialize;

use crate::http::responses::documents::Answer;
use crate::http::responses::problem::Problem;
use crate::params::{Form, Pairs, Parameter, ParameterError, ParameterErrorKind};
use crate::query::{Cursor, Listing as ListingQuery};
use crate::renderer::Snapshot;

/// Rows of a page when `limit` is not given.
const DEFAULT_LIMIT: u32 = 100;

pub(in crate::http) const LIMIT: Parameter = Parameter {
    name: "limit",
    allowed: "100, a whole number from 1 to 1000",
    form: Form::Integer { min: 1, max: 1000 },
    description: "rows of a page",
    example: "10",
};
pub(in crate::http) const CURSOR: Parameter = Parameter {
    name: "cursor",
    allowed: "what the `next` of the page before holds",
    form: Form::Text,
    description: "where the page begins",
    example: "",
};

/// A page of a listing.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "{T}Listing")]
pub(in crate::http) struct Listing<T> {
    pub(in crate::http) items: Vec<T>,
    /// Rows of the whole listing.
    pub(in crate::http) total: u64,
    /// Path of the next page; null on the last one.
    pub(in crate::http) next: Option<String>,
}

impl<T> Listing<T> {
    /// A listing that is always whole.
    pub(in crate::http) fn whole(items: Vec<T>) -> Self {
        Self { total: items.len() as u64, items, next: None }
    }

    /// A page of the listing at `uri` that goes on after `next`, made from `snapshot`.
    pub(in crate::http) fn page(
        snapshot: &Snapshot,
        items: Vec<T>,
        total: u64,
        uri: &Uri,
        next: Option<&str>,
    ) -> Answer<Self> {
        let next = next.map(|key| next_page(uri, key));
        let link = next.as_ref().map(|path| format!("<{path}>; rel=\"next\""));
        Answer::of(snapshot, Self { items, total, next }).linked(link)
    }
}

/// The requested number of rows: 1 to 1000.
pub(in crate::http) fn limit(pairs: &Pairs<'_>) -> Result<u32, ParameterError> {
    Ok(pairs.parsed("limit")?.unwrap_or(DEFAULT_LIMIT))
}

/// The row that the requested page comes after.
pub(in crate::http) fn cursor(pairs: &Pairs<'_>, listing: &ListingQuery) -> Result<Option<Cursor>, Problem> {
    let Some(text) = pairs.text("cursor") else { return Ok(None) };
    let keys = listing.filter.table.key_columns();
    let cursor = decode(text).and_then(|text| Cursor::from_text(&text, &listing.sort(), listing.order.len(), keys));
    cursor.map(Some).ok_or_else(|| {
        let message =
            "cursor is not one that this server gave out for this order; take it from the `next` of the page before";
        ParameterError::other(ParameterErrorKind::InvalidCursor, "cursor", message).into()
    })
}

fn next_page(uri: &Uri, key: &str) -> String {
    let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(asked.filter(|(name, _)| name != "cursor"));
    query.append_pair("cursor", &encode(key));
    format!("{}?{}", uri.path(), query.finish())
}

/// Hexadecimal: what a cursor holds is nobody's business but ours, and may change.
fn encode(key: &str) -> String {
    hex::encode(key)
}

fn decode(cursor: &str) -> Option<String> {
    String::from_utf8(hex::decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        assert_eq!(decode(&encode("5_t2_SPACE")).as_deref(), Some("5_t2_SPACE"));
        assert_eq!(decode("zz"), None);
    }

    #[test]
    fn the_next_page_keeps_every_other_parameter() {
        let uri: Uri = "/v1/scans?limit=2&cursor=aa&volume=any".parse().unwrap();
        assert_eq!(next_page(&uri, "1_t1"), "/v1/scans?limit=2&volume=any&cursor=315f7431");
    }
}
