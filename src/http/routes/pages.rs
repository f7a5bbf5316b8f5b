//! Pages for people: `/problems`, `/problems/{code}`, and the interactive description of the interface at `/docs`. Nothing
//! on them comes from another server.

use std::io::{Cursor, Read};
use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;

use crate::http::extract::CodePath;
use crate::http::responses::caching::{CachePolicy, Caching};
use crate::http::responses::files::InMemoryFile;
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::validator::Validator;

/// What the pages may load: what this server gives them. Swagger UI sets styles on its elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const DOCS: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>sagittal: REST API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="interface"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"##;

/// Swagger UI has a dark theme by a class alone, which follows the system here.
const START: &str = r##"const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#interface", deepLinking: true, tryItOutEnabled: true, validatorUrl: null });
"##;

fn page(html: String) -> Response {
    let caching = Caching::new(CachePolicy::Revalidate, Validator::of_bytes(html.as_bytes()));
    caching.attach(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)))
}

/// `GET /docs`
pub(in crate::http) async fn docs() -> Response {
    page(DOCS.to_owned())
}

/// `GET /docs/start.js`
pub(in crate::http) async fn docs_start(request: Request) -> Response {
    asset(Some(Bytes::from_static(START.as_bytes())), "text/javascript", request.headers())
}

/// `GET /docs/swagger-ui-bundle.js`
pub(in crate::http) async fn docs_script(request: Request) -> Response {
    static SCRIPT: LazyLock<Option<Bytes>> = LazyLock::new(|| unpacked("swagger-ui-bundle.js"));
    asset(SCRIPT.clone(), "text/javascript", request.headers())
}

/// `GET /docs/swagger-ui.css`
pub(in crate::http) async fn docs_style(request: Request) -> Response {
    static STYLE: LazyLock<Option<Bytes>> = LazyLock::new(|| unpacked("swagger-ui.css"));
    asset(STYLE.clone(), "text/css", request.headers())
}

fn asset(bytes: Option<Bytes>, media_type: &'static str, request: &HeaderMap) -> Response {
    match bytes {
        Some(bytes) => InMemoryFile { validator: Validator::of_bytes(&bytes), bytes, media_type }.answer(request),
        None => Problem::new(Code::InternalError, "Swagger UI was not built in as expected").into_response(),
    }
}

/// A file of the Swagger UI that the program carries.
fn unpacked(name: &str) -> Option<Bytes> {
    let mut archive = zip::ZipArchive::new(Cursor::new(utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED)).ok()?;
    let ending = format!("/dist/{name}");
    let path = archive.file_names().flatten().find(|path| path.ends_with(&ending))?.into_owned();
    let mut bytes = Vec::new();
    archive.by_name(&path).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes.into())
}

/// `GET /problems`
pub(in crate::http) async fn problems() -> Response {
    let row = |code: Code| {
        let (name, status) = (code.name(), code.status().as_u16());
        format!("<tr><td><a href=\"/problems/{name}\">{name}</a></td><td>{status}</td><td>{}</td></tr>\n", code.title())
    };
    let rows: String = Code::ALL.into_iter().map(row).collect();
    let table = format!("<table><thead><tr><th>code</th><th>status</th><th>what</th></tr></thead>\n{rows}</table>");
    let about = "<p>Errors are <code>application/problem+json</code> (RFC 9457). <code>code</code> is stable; \
        <code>detail</code> says what is wrong with the request at hand.</p>";
    page(around("Problems", &format!("{about}\n{table}")))
}

/// `GET /problems/{code}`
pub(in crate::http) async fn problem(CodePath(code): CodePath) -> Response {
    let remedy = code_spans(code.remedy());
    let facts = format!("<p><code>{}</code>, status {}</p>", code.name(), code.status());
    page(around(code.title(), &format!("{facts}\n<p>{remedy}</p>\n<p><a href=\"/problems\">All problems</a></p>")))
}

/// Backticks → code elements. The texts are this program's own.
fn code_spans(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

fn around(title: &str, body: &str) -> String {
    let style = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
        td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}code{background:#8882;padding:0 .2em}\
        :root{color-scheme:light dark}";
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>{style}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )
}
