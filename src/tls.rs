//! The cryptography of every HTTPS client in the process: the release's download, object stores, the collector of spans.

/// Makes ring the provider of cryptography for TLS. Call it before an HTTPS client is built: without a provider, reqwest
/// panics. Calling it again changes nothing.
pub(crate) fn select_provider() {
    // Fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
