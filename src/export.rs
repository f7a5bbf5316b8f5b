//! Files for others' loaders. An export asks the service for what anybody could ask it, so that a shard holds what the
//! server would have sent, and writes it where the server lists it.
//!
//! A file appears under its name when it is whole; an export that was broken off is simply run again.

mod hugging_face;
mod nnunet;
mod webdataset;

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;

use crate::formats::parquet::EncodeError;

/// For whose loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Parquet with the features of the published edition, for Hugging Face `datasets`.
    HfParquet,
    /// Tar archives of samples, for `webdataset`.
    WebDataset,
    /// A raw data set for nnU-Net.
    Nnunet,
}

impl ExportFormat {
    /// Name of the format, and of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HfParquet => "hf-parquet",
            Self::WebDataset => "webdataset",
            Self::Nnunet => "nnunet",
        }
    }
}

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Folder to write to.
    pub folder: PathBuf,
    /// Parameters of images, as in a query: `size=256&window=auto`.
    pub render: String,
    /// Address under which the service is known to the readers of the files.
    pub url: String,
    /// Bytes of a shard, roughly.
    pub shard_bytes: u64,
}

/// An export failed. What was written before stays.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file could not be written.
    #[error("could not write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The service refused, for instance a parameter.
    #[error("{path} was refused: {detail}")]
    Refused {
        /// What was requested.
        path: String,
        /// What it said.
        detail: String,
    },
    /// An answer broke off.
    #[error("the answer to {path} broke off")]
    BrokenOff {
        /// What was requested.
        path: String,
        /// Why.
        source: axum::Error,
    },
    /// A shard could not be encoded.
    #[error("could not encode a shard")]
    Encode(#[from] EncodeError),
}

/// Exports everything that is imported. `on_file` hears of each file that is finished, and its length.
///
/// # Errors
/// [`ExportError`].
pub async fn run(
    service: Router,
    format: ExportFormat,
    options: &ExportOptions,
    on_file: &(dyn Fn(&str, u64) + Sync),
) -> Result<(), ExportError> {
    let export = Export { service, options, on_file };
    match format {
        ExportFormat::HfParquet => hugging_face::export(&export).await,
        ExportFormat::WebDataset => webdataset::export(&export).await,
        ExportFormat::Nnunet => nnunet::export(&export).await,
    }
}

struct Export<'a> {
    service: Router,
    options: &'a ExportOptions,
    on_file: &'a (dyn Fn(&str, u64) + Sync),
}

impl Export<'_> {
    async fn ask(&self, path: &str) -> Result<axum::response::Response, ExportError> {
        let request = Request::get(path).body(Body::empty()).unwrap_or_default();
        // The router's error is that it never fails.
        let answer = self.service.clone().oneshot(request).await.unwrap_or_default();
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap_or_default();
        let problem: Json = serde_json::from_slice(&body).unwrap_or_default();
        Err(ExportError::Refused { path: path.to_owned(), detail: problem["detail"].as_str().unwrap_or("").to_owned() })
    }

    async fn bytes(&self, path: &str) -> Result<Bytes, ExportError> {
        let body = self.ask(path).await?.into_body();
        let stream_error = |source| ExportError::BrokenOff { path: path.to_owned(), source };
        axum::body::to_bytes(body, usize::MAX).await.map_err(stream_error)
    }

    async fn json(&self, path: &str) -> Result<Json, ExportError> {
        Ok(serde_json::from_slice(&self.bytes(path).await?).unwrap_or_default())
    }

    /// The items of a listing, all of its pages.
    async fn items(&self, path: &str) -> Result<Vec<Json>, ExportError> {
        let (mut next, mut items) = (Some(path.to_owned()), Vec::new());
        while let Some(path) = next {
            let page = self.json(&path).await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            next = page["next"].as_str().map(str::to_owned);
        }
        Ok(items)
    }

    /// `&size=256…`, or nothing.
    fn render_query(&self) -> String {
        if self.options.render.is_empty() { String::new() } else { format!("&{}", self.options.render) }
    }

    /// Writes the answer to a query as a file, without holding it in memory.
    async fn save(&self, path: &str, name: &str) -> Result<(), ExportError> {
        let stream_error = |source| ExportError::BrokenOff { path: path.to_owned(), source };
        let mut pieces = self.ask(path).await?.into_body().into_data_stream();
        let mut file = Unfinished::begin(&self.options.folder.join(name)).await?;
        while let Some(piece) = pieces.try_next().await.map_err(stream_error)? {
            file.write(&piece).await?;
        }
        self.finished(name, file.finish().await?);
        Ok(())
    }

    /// Writes bytes as a file.
    async fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let mut file = Unfinished::begin(&self.options.folder.join(name)).await?;
        file.write(bytes).await?;
        self.finished(name, file.finish().await?);
        Ok(())
    }

    /// Writes bytes under a name that is not the file's own yet.
    async fn set_aside(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let mut file = Unfinished::begin(&self.options.folder.join(name)).await?;
        file.write(bytes).await?;
        file.finish().await.map(drop)
    }

    /// Gives a file that was set aside its name.
    async fn give_name(&self, aside: &str, name: &str) -> Result<(), ExportError> {
        let path = self.options.folder.join(name);
        let named = async {
            tokio::fs::rename(self.options.folder.join(aside), &path).await?;
            tokio::fs::metadata(&path).await
        };
        let written = named.await.map_err(|source| ExportError::Write { path: path.clone(), source })?;
        self.finished(name, written.len());
        Ok(())
    }

    fn finished(&self, name: &str, bytes: u64) {
        (self.on_file)(name, bytes);
    }
}

/// A file that gets its name when it is whole.
struct Unfinished {
    path: PathBuf,
    part: PathBuf,
    file: tokio::fs::File,
    written: u64,
}

impl Unfinished {
    async fn begin(path: &Path) -> Result<Self, ExportError> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let made = async {
            if let Some(folder) = path.parent() {
                tokio::fs::create_dir_all(folder).await?;
            }
            tokio::fs::File::create(&part).await
        };
        let file = made.await.map_err(|source| ExportError::Write { path: part.clone(), source })?;
        Ok(Self { path: path.to_owned(), part, file, written: 0 })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.written += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(|source| ExportError::Write { path: self.part.clone(), source })
    }

    async fn finish(mut self) -> Result<u64, ExportError> {
        let named = async {
            self.file.flush().await?;
            self.file.sync_all().await?;
            tokio::fs::rename(&self.part, &self.path).await
        };
        named.await.map_err(|source| ExportError::Write { path: self.path.clone(), source })?;
        Ok(self.written)
    }
}
