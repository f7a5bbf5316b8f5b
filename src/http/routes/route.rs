//! A route with its documentation: what serves a request and what the OpenAPI document says of it cannot part.

use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::tables::{Format, file, file_parameters, item_schema, list, page_parameters};
use super::volumes;
use super::{images, listing, patches};
use crate::bundles::VolumeFormat;
use crate::http::responses::headers::{FILE_NAME, NEXT_PAGE, PIXELS, PLACE, ResponseHeader, SOURCE};
use crate::http::responses::problem::Code;
use crate::http::state::App;
use crate::imaging::{ImageKind, PatchQuery};
use crate::params::Parameter;
use crate::query::Table;

/// An address, its handler and its documentation.
pub(in crate::http) struct Route {
    pub(in crate::http) path: String,
    pub(in crate::http) handler: MethodRouter<App>,
    pub(in crate::http) operation: Operation,
    /// Whether what it gives depends on the data, so that it is there under their revision, too.
    pub(in crate::http) is_of_data: bool,
}

/// What one address does.
pub(in crate::http) struct Operation {
    /// Name for generated clients.
    pub(in crate::http) id: String,
    pub(in crate::http) tag: &'static str,
    pub(in crate::http) summary: String,
    pub(in crate::http) parameters: Vec<Parameter>,
    /// The parameter without which there is nothing to answer.
    pub(in crate::http) required: Option<&'static str>,
    pub(in crate::http) answers: Vec<Answer>,
    /// Whether parts can be requested.
    pub(in crate::http) has_ranges: bool,
    /// What responses have besides the headers that follow from the rest.
    pub(in crate::http) headers: Vec<ResponseHeader>,
    /// What it can answer with besides the problems that follow from the rest.
    pub(in crate::http) problems: Vec<Code>,
    /// What is posted to it, if it is not requested by GET.
    pub(in crate::http) body: Option<BodyOf>,
}

/// What is posted to an address.
pub(in crate::http) enum BodyOf {
    /// JSON of this schema.
    Json(SchemaOf),
    /// A file.
    Bytes,
}

/// One way to answer.
pub(in crate::http) struct Answer {
    pub(in crate::http) media_type: &'static str,
    /// `None` for bytes.
    pub(in crate::http) schema: Option<SchemaOf>,
}

pub(in crate::http) type SchemaOf = Box<dyn Fn(&mut SchemaGenerator) -> Schema>;

/// Tag of routes about the service itself, which take any parameter that they do not know.
pub(in crate::http) const SERVICE: &str = "service";

/// Problems of what is rendered, or else read from the store.
pub(in crate::http) const OF_RENDERING: [Code; 5] =
    [Code::WindowUnavailable, Code::OutputTooLarge, Code::Overloaded, Code::ScanReplaced, Code::StorageUnreachable];

impl Route {
    /// An address that answers in JSON.
    pub(in crate::http) fn json<T: JsonSchema + 'static, A: 'static>(
        path: &str,
        handler: impl Handler<A, App>,
        about: (&'static str, &str, &str),
    ) -> Self {
        Self::json_of::<T>(path, get(handler), about)
    }

    /// An address that a file is posted to, and that answers in JSON.
    pub(in crate::http) fn json_of_file<T: JsonSchema + 'static, A: 'static>(
        path: &str,
        handler: impl Handler<A, App>,
        about: (&'static str, &str, &str),
    ) -> Self {
        let mut route = Self::json_of::<T>(path, post(handler), about);
        route.operation.body = Some(BodyOf::Bytes);
        route
    }

    fn json_of<T: JsonSchema + 'static>(
        path: &str,
        handler: MethodRouter<App>,
        about: (&'static str, &str, &str),
    ) -> Self {
        let schema: SchemaOf = Box::new(SchemaGenerator::subschema_for::<T>);
        let answers = vec![Answer { media_type: "application/json", schema: Some(schema) }];
        Self::new(path, handler, about, Vec::new(), answers)
    }

    fn new(
        path: &str,
        handler: MethodRouter<App>,
        (tag, id, summary): (&'static str, &str, &str),
        parameters: Vec<Parameter>,
        answers: Vec<Answer>,
    ) -> Self {
        let (id, summary) = (id.to_owned(), summary.to_owned());
        let operation = Operation {
            id,
            tag,
            summary,
            parameters,
            required: None,
            answers,
            has_ranges: false,
            headers: Vec::new(),
            problems: Vec::new(),
            body: None,
        };
        Self { path: path.to_owned(), handler, operation, is_of_data: true }
    }

    /// With these parameters.
    pub(in crate::http) fn taking(mut self, parameters: &[Parameter]) -> Self {
        self.operation.parameters.extend_from_slice(parameters);
        self
    }

    /// Which does not depend on the data.
    pub(in crate::http) fn apart_from_data(self) -> Self {
        Self { is_of_data: false, ..self }
    }

    /// Whether its responses have an entity tag; none that are never kept have one.
    pub(in crate::http) fn has_validator(&self) -> bool {
        self.operation.body.is_none()
            && !["/v1/signed", "/healthz", "/readyz", "/metrics"].contains(&self.path.as_str())
    }

    /// Which is refused without this parameter.
    pub(in crate::http) fn requiring(mut self, parameter: &'static str) -> Self {
        self.operation.required = Some(parameter);
        self
    }

    /// Whose answers can be requested in parts.
    pub(in crate::http) fn with_ranges(mut self) -> Self {
        self.operation.has_ranges = true;
        self
    }

    /// Whose responses have these headers, too.
    pub(in crate::http) fn sending(mut self, headers: &[ResponseHeader]) -> Self {
        self.operation.headers.extend_from_slice(headers);
        self
    }

    /// Which can also answer with these problems.
    pub(in crate::http) fn failing(mut self, problems: &[Code]) -> Self {
        self.operation.problems.extend_from_slice(problems);
        self
    }

    /// Every problem that it can answer with, in the order of [`Code::ALL`]. What a parameter, a body, a part of the path, a
    /// validator and a range can lead to follows from their being there. Not among them is what URLs and methods that are
    /// not documented lead to, and requests that no HTTP client makes.
    pub(in crate::http) fn problems(&self) -> Vec<Code> {
        let (path, operation) = (self.path.as_str(), &self.operation);
        let has_parameter = |name: &str| operation.parameters.iter().any(|parameter| parameter.name == name);
        let (is_posted, is_of_service) = (operation.body.is_some(), operation.tag == SERVICE);
        let is_probe = ["/healthz", "/readyz"].contains(&path);
        let is_signable = path.starts_with("/v1/") && path != "/v1/signed" && !is_posted;
        let can_happen = |code: Code| match code {
            Code::InternalError | Code::UrlTooLong | Code::ResponseTooSlow => true,
            Code::UnknownParameter | Code::RepeatedParameter => !is_of_service,
            Code::InvalidValue | Code::ConflictingParameters => !operation.parameters.is_empty(),
            Code::InvalidCursor => has_parameter("cursor"),
            Code::InvalidBody | Code::UnsupportedMediaType | Code::BodyTooLarge | Code::BodyTooSlow => is_posted,
            Code::InvalidPath => path.contains('{'),
            Code::UnknownScan => path.contains("/scans/{id}"),
            Code::UnknownPatient => path.contains("/patients/{id}"),
            Code::UnknownSlice => path.contains("/{k}"),
            Code::UnknownDisc => path.contains("/{label}"),
            Code::UnknownProblem => path.contains("/{code}"),
            Code::RangeNotSatisfiable => operation.has_ranges,
            Code::PreconditionFailed => !is_posted && self.has_validator(),
            Code::Unauthorized => !is_probe,
            Code::SignatureInvalid => is_signable,
            Code::IndexUnavailable => self.is_of_data,
            _ => false,
        };
        Code::ALL.into_iter().filter(|code| can_happen(*code) || operation.problems.contains(code)).collect()
    }

    /// To which this is posted.
    pub(in crate::http) fn posting<T: JsonSchema + 'static>(mut self) -> Self {
        self.operation.body = Some(BodyOf::Json(Box::new(SchemaGenerator::subschema_for::<T>)));
        self
    }

    /// A volume in every format.
    pub(in crate::http) fn volumes(kind: ImageKind, summary: &str) -> Vec<Self> {
        let name = if kind.is_mask() { "mask" } else { "image" };
        let route = |format: VolumeFormat| {
            let suffix = format.suffix();
            let id = format!("get_{name}_volume_{}", suffix.replace('.', "_"));
            let summary = format!("{summary}, as {suffix}");
            let path = format!("/v1/scans/{{id}}/{name}.{suffix}");
            let route =
                Self::bytes(&path, volumes::volume(kind, format), ("training", &id, &summary), format.media_type());
            let source = if format == VolumeFormat::MetaImage { &SOURCE[..] } else { &[] };
            let headers = [&PLACE[..], source, &FILE_NAME].concat();
            route
                .taking(&format.parameters(kind))
                .with_ranges()
                .sending(&headers)
                .failing(&OF_RENDERING)
                .failing(&[Code::NoVolume])
        };
        VolumeFormat::ALL.iter().copied().map(route).collect()
    }

    /// An address that answers in bytes.
    pub(in crate::http) fn bytes(
        path: &str,
        handler: MethodRouter<App>,
        names: (&'static str, &str, &str),
        media_type: &'static str,
    ) -> Self {
        Self::new(path, handler, names, Vec::new(), vec![Answer { media_type, schema: None }])
    }

    /// An image of a slice, or the montage.
    pub(in crate::http) fn image(kind: ImageKind, summary: &str) -> Self {
        let file = kind.file_name();
        let id = format!("get_{}", file.replace('.', "_"));
        let (path, handler) = match kind {
            ImageKind::MontagePng => (format!("/v1/scans/{{id}}/{file}"), images::montage()),
            _ => (format!("/v1/scans/{{id}}/slices/{{k}}/{file}"), images::slice(kind)),
        };
        let media_type = if file.ends_with(".png") { "image/png" } else { "application/octet-stream" };
        let place = if kind == ImageKind::MontagePng { &[][..] } else { &PLACE };
        Self::bytes(&path, handler, ("images", &id, summary), media_type)
            .taking(kind.parameters())
            .sending(&[&PIXELS, place, &FILE_NAME].concat())
            .failing(&OF_RENDERING)
            .failing(&[Code::NoVolume])
    }

    /// A disc cut out.
    pub(in crate::http) fn patch(is_npy: bool, summary: &str) -> Self {
        let (file, id, media_type) = if is_npy {
            ("patch.npy", "get_patch_npy", "application/octet-stream")
        } else {
            ("patch.png", "get_patch_png", "image/png")
        };
        let path = format!("/v1/scans/{{id}}/discs/{{label}}/{file}");
        Self::bytes(&path, patches::show(is_npy), ("images", id, summary), media_type)
            .taking(&PatchQuery::parameters(is_npy))
            .sending(&[&PIXELS[..], &PLACE, &FILE_NAME].concat())
            .failing(&OF_RENDERING)
            .failing(&[Code::NoVolume])
    }

    /// A table: its pages, and its files in every format.
    pub(in crate::http) fn table(table: Table, summary: &str) -> Vec<Self> {
        let (name, operation_id) = (table.name(), |verb: &str| format!("{verb}_{}", table.name()));
        let items = move || -> SchemaOf { Box::new(move |generator| page_schema(table, generator)) };
        let answer = |format: Format| match format {
            Format::Json => Answer { media_type: "application/json", schema: Some(items()) },
            format => Answer { media_type: format.media_type(), schema: None },
        };
        let list = Self::new(
            &format!("/v1/{name}"),
            list(table),
            ("tables", &operation_id("list"), summary),
            page_parameters(table),
            Format::ALL.map(answer).into(),
        );
        let list = list.with_ranges().sending(&[&NEXT_PAGE[..], &FILE_NAME].concat());
        let mut routes = vec![list.failing(&[Code::QueryTooSlow, Code::TableTooLarge])];
        for (format, suffix) in Format::ALL.into_iter().filter_map(|format| Some((format, format.suffix()?))) {
            let id = format!("{}_{suffix}", operation_id("get"));
            let (path, summary) = (format!("/v1/{name}.{suffix}"), format!("{summary}, as {suffix}"));
            let answers = vec![answer(format)];
            let route =
                Self::new(&path, file(table, format), ("tables", &id, &summary), file_parameters(table), answers);
            let too_large = if format == Format::Parquet { &[Code::TableTooLarge][..] } else { &[] };
            routes.push(route.with_ranges().sending(&FILE_NAME).failing(&[Code::QueryTooSlow]).failing(too_large));
        }
        routes
    }
}

/// The schema of a page: that of any listing, with this table's items.
fn page_schema(table: Table, generator: &mut SchemaGenerator) -> Schema {
    let mut page = listing::Listing::<()>::json_schema(generator);
    if let Some(items) = page.pointer_mut("/properties/items/items") {
        *items = item_schema(table)(generator).to_value();
    }
    page
}
