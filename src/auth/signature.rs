/// What makes a URL valid without a token for a time: three pairs at the end of its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name of the token that it was requested with.
    pub signed_by: String,
    /// Until when it is valid, in seconds since 1970.
    pub expires: u64,
    /// HMAC-SHA-256 (RFC 2104) in hexadecimal.
    pub code: String,
}

/// A signature is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It was.
    #[error("the signature of this URL has expired; have it signed again with /v1/signed")]
    Expired,
    /// No server of these tokens and this secret signs for so long.
    #[error("the signature of this URL would be valid for longer than a week; have it signed again with /v1/signed")]
    TooLong,
    /// It is not one of this URL; or its token was revoked, or the server's secret changed.
    #[error(
        "the signature does not belong to this URL, or is no longer accepted; use a signed URL as it was returned, or have it \
         signed again with /v1/signed"
    )]
    Wrong,
}

const MARK: &str = "signed_by=";

impl Signature {
    /// The signed URL of `target` (path and query).
    #[must_use]
    pub fn url(&self, target: &str) -> String {
        let sign = if target.contains('?') { '&' } else { '?' };
        format!("{target}{sign}{MARK}{}&expires={}&signature={}", self.signed_by, self.expires, self.code)
    }

    /// Splits a signed URL into what was signed and the signature; `None` when it is not signed.
    ///
    /// # Errors
    /// When it looks signed and is not as [`Signature::url`] makes it.
    pub fn split(url: &str) -> Result<Option<(&str, Self)>, SignatureError> {
        let Some(mark) = url.rfind(MARK).filter(|&at| at > 0 && matches!(url.as_bytes()[at - 1], b'?' | b'&')) else {
            return Ok(None);
        };
        let read = || {
            let mut values = url[mark + MARK.len()..].split('&');
            let (signed_by, expires, code) = (values.next()?, values.next()?, values.next()?);
            let expires = expires.strip_prefix("expires=")?.parse().ok()?;
            let code = code.strip_prefix("signature=")?.to_owned();
            values.next().is_none().then(|| Self { signed_by: signed_by.to_owned(), expires, code })
        };
        read().map(|signature| Some((&url[..mark - 1], signature))).ok_or(SignatureError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_url_reads_back() {
        let signature = Signature { signed_by: "ann".to_owned(), expires: 12, code: "ab".to_owned() };
        for target in ["/v1/scans/1_t1/montage.png", "/v1/scans/1_t1/montage.png?size=3", "/a?signed_by=b"] {
            let url = signature.url(target);
            assert_eq!(Signature::split(&url), Ok(Some((target, signature.clone()))), "{url}");
        }
        assert_eq!(Signature::split("/v1/scans?unsigned_by=a"), Ok(None));
        for wrong in ["?signed_by=", "?signed_by=a&expires=x&signature=", "?signed_by=a&expires=1&signature=b&c=d"] {
            assert_eq!(Signature::split(wrong), Err(SignatureError::Wrong), "{wrong}");
        }
    }
}
