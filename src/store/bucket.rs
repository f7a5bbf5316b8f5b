//! An object store that speaks S3: how long it is waited for, and how often a request is repeated.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, RetryConfig};

use crate::environment;

/// A node that does not even take the connection is gone; another may answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Between two signs of life.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// One request with its answer. The largest move 8 MiB.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Asking again: after 0.1 s, then up to 2 s, at most so often, and not once this long has passed since the first time.
const RETRIES: usize = 8;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const BACKOFF: BackoffConfig =
    BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 };

/// Variables that say yes or no. object_store reads them too, but its errors do not name them.
const BOOLEANS: [&str; 9] = [
    ALLOW_HTTP,
    "AWS_DISABLE_BULK_DELETE",
    "AWS_DISABLE_TAGGING",
    "AWS_IMDSV1_FALLBACK",
    "AWS_S3_EXPRESS",
    "AWS_SKIP_SIGNATURE",
    "AWS_SSE_BUCKET_KEY_ENABLED",
    "AWS_UNSIGNED_PAYLOAD",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
];
const ALLOW_HTTP: &str = "AWS_ALLOW_HTTP";

/// Opens a bucket with the endpoint, region and credentials that the `AWS_…` environment variables name. Asks nothing yet.
pub(super) fn open(bucket: &str, prefix: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    crate::tls::select_provider();
    let mut builder = AmazonS3Builder::from_env();
    let mut allow_http = false;
    for variable in BOOLEANS {
        let Some(value) = std::env::var_os(variable) else { continue };
        let is_set = environment::boolean(variable, &value.to_string_lossy())
            .map_err(|error| Error::Generic { store: "S3", source: error.into() })?;
        let key: AmazonS3ConfigKey = variable.to_ascii_lowercase().parse()?;
        builder = builder.with_config(key, is_set.to_string());
        allow_http |= is_set && variable == ALLOW_HTTP;
    }
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
        .with_allow_http(allow_http);
    builder = builder.with_bucket_name(bucket).with_client_options(client).with_retry(RetryConfig {
        backoff: BACKOFF,
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    });
    Ok(Arc::new(PrefixStore::new(builder.build()?, Path::from(prefix))))
}
