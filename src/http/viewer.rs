//! `GET /` and its parts under `/viewer/`: scans, masks and gradings in a browser. The page asks this same interface, as
//! any other client does, and loads nothing from another server.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;

use super::extract::AssetPath;
use super::responses::files::InMemoryFile;
use super::responses::problem::{Code, Problem};
use super::responses::validator::Validator;

/// What the page may do: load from this server, ask this server, and be nobody's frame. Nothing inline runs or styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("viewer/index.html");

/// The parts by name.
macro_rules! parts {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("viewer/", $name)))),*] };
}

const PARTS: &[(&str, &str)] = parts![
    "api.js",
    "citation.js",
    "comparison.js",
    "conditions.js",
    "connection.js",
    "controls.js",
    "details.js",
    "dom.js",
    "fields.js",
    "filters.js",
    "geometry.js",
    "gestures.js",
    "handles.js",
    "icon.svg",
    "keys.js",
    "legend.js",
    "list.js",
    "main.js",
    "maskfile.js",
    "measures.js",
    "message.js",
    "metaimage.js",
    "nifti.js",
    "npy.js",
    "overlap.js",
    "overlay.js",
    "pane.js",
    "placement.js",
    "planes.js",
    "png.js",
    "recipes.js",
    "secondmask.js",
    "session.js",
    "share.js",
    "slices.js",
    "stage.js",
    "state.js",
    "statistics.js",
    "structures.js",
    "transfers.js",
    "viewer.css",
    "volume.js",
    "window.js",
];

/// `GET /`
pub(super) async fn page(request: Request) -> Response {
    answer(PAGE, "text/html; charset=utf-8", request.headers())
}

/// `GET /viewer/{file}`
pub(super) async fn part(AssetPath(name): AssetPath, request: Request) -> Result<Response, Problem> {
    let found = PARTS.iter().find(|(known, _)| *known == name);
    let nothing = || Problem::new(Code::UnknownPath, format!("there is nothing at /viewer/{name}; the viewer is at /"));
    found.map(|(name, text)| answer(text, media_type(name), request.headers())).ok_or_else(nothing)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    }
}

fn answer(text: &'static str, media_type: &'static str, request: &HeaderMap) -> Response {
    let bytes = Bytes::from_static(text.as_bytes());
    let mut response = InMemoryFile { validator: Validator::of_bytes(&bytes), bytes, media_type }.answer(request);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What a text names between `before` and a quote.
    fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn every_part_is_loaded_and_every_loaded_part_is_there() {
        let mut loaded: BTreeSet<_> = named(PAGE, "\"/viewer/").into_iter().collect();
        for (_, text) in PARTS {
            loaded.extend(named(text, "from \"./"));
        }
        assert_eq!(loaded, PARTS.iter().map(|(name, _)| *name).collect());
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        assert!(!PAGE.contains("style=") && !PAGE.contains("<style") && !PAGE.contains(" on"), "{PAGE}");
        assert!(named(PAGE, "src=\"").iter().chain(&named(PAGE, "href=\"")).all(|path| path.starts_with(['/', '#'])));
        for (name, text) in PARTS {
            assert!(!text.contains("innerHTML") && !text.contains("eval("), "{name}");
        }
    }
}
