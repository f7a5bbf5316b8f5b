//! Responses with images from the renderer's cache, all but their bytes: when a URL is requested again, no route is chosen,
//! nothing is parsed, and the headers are written already. For small images that saves more than half of the processor's time.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::FutureExt;
use moka::sync::Cache;

use crate::http::middleware::metrics::Template;
use crate::http::responses::caching;
use crate::renderer::{Key, Renderer};
use crate::worker_pool::{Class, Client, Flow};

/// What the headers of a response and the key of its image take, roughly.
const OVERHEAD: usize = 4 << 10;

/// Marks the response to a GET with an image that was found in the cache: nothing but its URL and the request's conditions
/// determines it, as long as the data have this revision.
#[derive(Debug, Clone)]
pub(in crate::http) struct CachedImage {
    pub(in crate::http) key: Key,
    pub(in crate::http) revision: u64,
}

/// Recent responses with an image, by path and query, bounded in bytes.
#[derive(Debug)]
pub(in crate::http) struct ImageResponses(Cache<String, Arc<ImageResponse>>);

#[derive(Debug)]
struct ImageResponse {
    image: CachedImage,
    headers: HeaderMap,
    template: Template,
}

impl ImageResponses {
    /// Keeps at most this many bytes.
    pub(in crate::http) fn new(bytes: u64) -> Self {
        let weight = |url: &String, _: &Arc<ImageResponse>| u32::try_from(url.len() + OVERHEAD).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(bytes).weigher(weight).build())
    }

    /// Keeps the response to a GET of this URL without conditions, if it has a cached image.
    pub(in crate::http) fn keep(&self, url: &str, response: &Response) {
        let (extensions, headers) = (response.extensions(), response.headers());
        let Some((image, template)) = extensions.get::<CachedImage>().zip(extensions.get::<Template>()) else { return };
        if caching::is_dated(headers) {
            let (image, headers, template) = (image.clone(), headers.clone(), template.clone());
            self.0.insert(url.to_owned(), Arc::new(ImageResponse { image, headers, template }));
        }
    }

    /// The response that was kept for this URL, if the data have not changed and the renderer still has the image. `None` as well
    /// where memory for the response has to be waited for.
    pub(in crate::http) fn repeated(&self, renderer: &Renderer, url: &str, client: Client) -> Option<Response> {
        let known = self.0.get(url).filter(|known| known.image.revision == renderer.catalogue().revision)?;
        let flow = Flow { class: Class::Interactive, client };
        let rendered = renderer.kept(&known.image.key, flow).now_or_never()?.ok()??;
        let mut response = Response::new(Body::from(rendered.bytes.clone()));
        *response.headers_mut() = known.headers.clone();
        response.extensions_mut().insert(known.template.clone());
        Some(response)
    }
}
