//! The OpenAPI document describes the headers that responses have.

use std::collections::BTreeSet;

use crate::routes::{ROUTES, ask, service};

/// Headers of every HTTP server, and those that say which pages of other origins may read a response.
fn is_described(name: &str) -> bool {
    let elsewhere = ["content-type", "content-length", "vary", "connection", "x-content-type-options"];
    !elsewhere.contains(&name) && !name.starts_with("access-control-") && !name.starts_with("cross-origin-")
}

#[test]
fn every_response_header_is_documented_and_none_is_invented() {
    let (service, _data) = service();
    let document = service.json("/openapi.json");
    let mut sent_anywhere = BTreeSet::new();
    let mut documented_anywhere = BTreeSet::new();
    let mut undocumented = Vec::new();
    for (route, url, ..) in ROUTES.into_iter().filter(|(route, ..)| !route.is_empty()) {
        let operation = document["paths"][route].as_object().unwrap().values().next().unwrap();
        let headers = operation["responses"]["200"]["headers"].as_object().unwrap();
        let documented: BTreeSet<_> = headers.keys().map(|name| name.to_lowercase()).collect();
        // As they were imported, files have one more.
        let url = if url.ends_with(".mha") { format!("{url}?layout=stored") } else { url.to_owned() };
        let response = ask(&service, &url, &[]);
        let sent: BTreeSet<_> =
            response.headers.keys().map(|name| name.as_str().to_owned()).filter(|name| is_described(name)).collect();
        undocumented.extend(sent.difference(&documented).map(|name| format!("{route}: {name}")));
        sent_anywhere.extend(sent);
        documented_anywhere.extend(documented);
    }
    assert!(undocumented.is_empty(), "sent and not documented: {undocumented:#?}");
    assert_eq!(sent_anywhere, documented_anywhere);
    assert!(sent_anywhere.contains("x-sagittal-affine-lps"), "{sent_anywhere:?}");
}
