//! Response headers as the OpenAPI document describes them. Routes declare which of them they send.

use axum::http::{HeaderName, HeaderValue};
use serde_json::{Map, Value as Json, json};

use crate::spider::ScanId;

/// A response header.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct ResponseHeader {
    /// Its name, as documentation writes it.
    name: &'static str,
    /// What its value looks like: a regular expression (ECMA-262), anchored at both ends.
    pattern: &'static str,
    description: &'static str,
}

const NUMBER: &str = "-?[0-9]+(\\.[0-9]+)?(e[+-]?[0-9]+)?";

/// Of every response.
pub(in crate::http) const EVERY_RESPONSE: [ResponseHeader; 3] = [
    ResponseHeader {
        name: "X-Sagittal-Version",
        pattern: "[0-9]+\\.[0-9]+\\.[0-9]+.*",
        description: "Version of the server.",
    },
    ResponseHeader {
        name: "X-Request-Id",
        pattern: "[!-~]{1,128}",
        description: "Name of the request, as in the server's log: the client's own, or a new one.",
    },
    ResponseHeader {
        name: "Cache-Control",
        pattern: "[a-z0-9=, -]+",
        description: "How long the response may be kept; private where tokens are required.",
    },
];

/// Of responses that clients and caches may keep.
pub(in crate::http) const VALIDATORS: [ResponseHeader; 2] = [
    ResponseHeader {
        name: "ETag",
        pattern: "(W/)?\"[!#-~]+\"",
        description: "Changes whenever the body does; for If-None-Match, If-Match and If-Range.",
    },
    ResponseHeader {
        name: "Last-Modified",
        pattern: "[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT",
        description: "When the data changed last; missing during the second in which they did.",
    },
];

/// Of resources that can be requested in parts.
pub(in crate::http) const RANGES: [ResponseHeader; 1] = [ResponseHeader {
    name: "Accept-Ranges",
    pattern: "bytes|none",
    description: "Whether parts can be requested; none while the length is not known.",
}];

/// Of one image.
pub(in crate::http) const PIXELS: [ResponseHeader; 5] = [
    ResponseHeader {
        name: "X-Sagittal-Slope",
        pattern: NUMBER,
        description: "stored value = slope × pixel + intercept; 1 for masks.",
    },
    ResponseHeader {
        name: "X-Sagittal-Intercept",
        pattern: NUMBER,
        description: "stored value = slope × pixel + intercept; 0 for masks.",
    },
    ResponseHeader {
        name: "X-Sagittal-Spacing-Mm",
        pattern: "[0-9.e+-]+,[0-9.e+-]+",
        description: "Millimetres per pixel, from row to row and from column to column.",
    },
    ResponseHeader {
        name: "Cache-Status",
        pattern: "sagittal; .+",
        description: "Whether the image was rendered before (RFC 9211).",
    },
    ResponseHeader { name: "Server-Timing", pattern: ".+", description: "Milliseconds of reading and rendering." },
];

/// Of images and arrays of one scan.
pub(in crate::http) const PLACE: [ResponseHeader; 3] = [
    ResponseHeader {
        name: "X-Sagittal-Scan",
        pattern: ScanId::PATTERN,
        description: "The scan that the response shows.",
    },
    ResponseHeader {
        name: "X-Sagittal-Slices",
        pattern: "[0-9]+-[0-9]+",
        description: "The first and the last slice, in the requested layout.",
    },
    ResponseHeader {
        name: "X-Sagittal-Affine-Lps",
        pattern: "[0-9.,e+-]+",
        description: "Three rows of four numbers: (slices from the first, row, column, 1) to millimetres, LPS.",
    },
];

/// Of files as they were imported.
pub(in crate::http) const SOURCE: [ResponseHeader; 1] = [ResponseHeader {
    name: "X-Sagittal-Source-Sha256",
    pattern: "[0-9a-f]{64}",
    description: "SHA-256 of the imported file, with layout=stored.",
}];

/// Of streams.
pub(in crate::http) const SAMPLES: [ResponseHeader; 1] = [ResponseHeader {
    name: "X-Sagittal-Samples",
    pattern: "[0-9]+",
    description: "Samples of this reader, from `start` on.",
}];

/// Of pages.
pub(in crate::http) const NEXT_PAGE: [ResponseHeader; 1] = [ResponseHeader {
    name: "Link",
    pattern: "<.+>; rel=\"?next\"?",
    description: "URL of the next page, as in `next`; missing on the last one.",
}];

/// Of pages of HTML.
pub(in crate::http) const PAGE: [ResponseHeader; 1] = [ResponseHeader {
    name: "Content-Security-Policy",
    pattern: ".+",
    description: "What the page may load: its own files and the API of this server.",
}];

/// Of files that browsers save.
pub(in crate::http) const FILE_NAME: [ResponseHeader; 1] =
    [ResponseHeader { name: "Content-Disposition", pattern: ".+", description: "Name under which the file is saved." }];

/// Numbers as the value of a header, separated by commas: the fewest digits that read back as the same number.
pub(in crate::http) fn numbers(numbers: impl IntoIterator<Item = f64>) -> Option<HeaderValue> {
    let (mut text, mut buffer) = (String::new(), zmij::Buffer::new());
    for number in numbers {
        if !text.is_empty() {
            text.push(',');
        }
        let digits = buffer.format(number);
        text.push_str(digits.strip_suffix(".0").unwrap_or(digits));
    }
    HeaderValue::try_from(text).ok()
}

/// Every header that routes declare, for pages of other origins, which must be allowed to read each by name.
pub(in crate::http) fn declared() -> impl Iterator<Item = HeaderName> {
    let all =
        [&EVERY_RESPONSE[..], &VALIDATORS, &RANGES, &PIXELS, &PLACE, &SOURCE, &SAMPLES, &NEXT_PAGE, &PAGE, &FILE_NAME];
    all.into_iter().flatten().filter_map(|header| HeaderName::from_bytes(header.name.as_bytes()).ok())
}

/// The headers as OpenAPI has them.
pub(in crate::http) fn document<'a>(headers: impl Iterator<Item = &'a ResponseHeader>) -> Map<String, Json> {
    let described = |header: &ResponseHeader| {
        let schema = json!({ "type": "string", "pattern": format!("^({})$", header.pattern) });
        (header.name.to_owned(), json!({ "description": header.description, "schema": schema }))
    };
    headers.map(described).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_as_themselves() {
        assert_eq!(numbers([2.0, -0.5, 0.0, 1e-20, 6.25e300]).unwrap(), "2,-0.5,0,1e-20,6.25e+300");
        for number in [0.1 + 0.2, -1.0 / 3.0, 5e-324, f64::MAX, f64::MIN_POSITIVE, -0.0, 123_456_789.125] {
            let value = numbers([number]).unwrap();
            let text = value.to_str().unwrap();
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits(), "{text}");
        }
    }
}
