//! An object store that speaks S3: how long it is waited for, and how often it is asked again.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

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

/// Opens a bucket with the endpoint, region and credentials that the `AWS_…` environment variables name. Asks nothing yet.
pub(super) fn open(bucket: &str, prefix: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    crate::tls::select_provider();
    let mut builder = AmazonS3Builder::from_env();
    let allow_http = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| matches!(&*value, "true" | "1"));
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
