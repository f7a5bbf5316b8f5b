//! `/python/simple/`: an index with one package, the Python client of this very version, so that
//! `pip install sagittal --extra-index-url http://host:8080/python/simple` needs no other network.
//!
//! Format: <https://packaging.python.org/en/latest/specifications/simple-repository-api/>, in HTML.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use zip::result::ZipResult;

use crate::formats::wheel::Package;
use crate::http::extract::AssetPath;
use crate::http::responses::files::InMemoryFile;
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::validator::Validator;

/// Files of the package.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("sagittal/", $name), include_str!(concat!("../../../python/sagittal/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "__init__.py",
    "_client.py",
    "_datasets.py",
    "_download.py",
    "_errors.py",
    "_http.py",
    "_images.py",
    "_masks.py",
    "_parameters.py",
    "_progress.py",
    "arrays.py",
    "py.typed",
    "torch.py",
];

/// What a build of the package writes into its wheel, without the description that follows.
const METADATA: &str = include_str!("../../../python/METADATA");
const DESCRIPTION: &str = include_str!("../../../python/README.md");

const NAME: &str = "sagittal";
const HTML: &str = "text/html; charset=utf-8";

static WHEEL: LazyLock<ZipResult<Wheel>> = LazyLock::new(Wheel::new);

/// The wheel, made once.
struct Wheel {
    name: String,
    bytes: Bytes,
    sha256: String,
}

impl Wheel {
    fn new() -> ZipResult<Self> {
        let metadata = format!("{METADATA}\n{DESCRIPTION}");
        let package = Package { name: NAME, version: env!("CARGO_PKG_VERSION"), metadata: &metadata, files: FILES };
        let bytes = package.wheel()?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(Self { name: package.file_name(), bytes: bytes.into(), sha256 })
    }

    fn get() -> Result<&'static Self, Problem> {
        WHEEL.as_ref().map_err(|error| Problem::internal(error))
    }
}

/// `GET /python/simple/`
pub(in crate::http) async fn packages(headers: HeaderMap) -> Response {
    page(&format!("<a href=\"{NAME}/\">{NAME}</a>"), &headers)
}

/// `GET /python/simple/sagittal/`
pub(in crate::http) async fn package(headers: HeaderMap) -> Result<Response, Problem> {
    let Wheel { name, sha256, .. } = Wheel::get()?;
    let python = METADATA.lines().find_map(|line| line.strip_prefix("Requires-Python: ")).unwrap_or_default();
    let python = python.replace('>', "&gt;").replace('<', "&lt;");
    let link = format!("<a href=\"{name}#sha256={sha256}\" data-requires-python=\"{python}\">{name}</a>");
    Ok(page(&link, &headers))
}

/// `GET /python/simple/sagittal/{file}`
pub(in crate::http) async fn file(AssetPath(name): AssetPath, headers: HeaderMap) -> Result<Response, Problem> {
    let wheel = Wheel::get()?;
    if name != wheel.name {
        let detail = format!("there is no {name}; this server has {}, the client of its own version", wheel.name);
        return Err(Problem::new(Code::UnknownPath, detail));
    }
    let bytes = wheel.bytes.clone();
    Ok(InMemoryFile { validator: Validator::of_bytes(&bytes), bytes, media_type: "application/zip" }.answer(&headers))
}

fn page(link: &str, headers: &HeaderMap) -> Response {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta name=\"pypi:repository-version\" content=\"1.0\"><title>Python \
         packages</title></head>\n<body>{link}</body></html>\n"
    );
    InMemoryFile { validator: Validator::of_bytes(text.as_bytes()), bytes: text.into(), media_type: HTML }
        .answer(headers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_wheel_has_every_file_of_the_package() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/python/sagittal");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let expected: BTreeSet<_> = names.filter(|name| name.contains('.')).map(|n| format!("sagittal/{n}")).collect();
        assert_eq!(FILES.iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn client_and_server_have_one_version() {
        let version = env!("CARGO_PKG_VERSION");
        assert!(METADATA.lines().any(|line| line == format!("Version: {version}")), "{METADATA}");
        let (_, init) = FILES[0];
        assert!(init.lines().any(|line| line == format!("__version__ = \"{version}\"")), "{init}");
    }
}
