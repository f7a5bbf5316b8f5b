/// What makes an address good for whoever has it, for a time: three pairs at the end of its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whose token made it.
    pub holder: String,
    /// Until when it is good, in seconds since 1970.
    pub expires: u64,
    /// HMAC-SHA-256 (RFC 2104) in hexadecimal.
    pub code: String,
}

/// A signature is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It was.
    #[error("the signature of this address has expired; have it signed again")]
    Expired,
    /// It is not one of this address, or its holder's token was withdrawn.
    #[error("the signature does not belong to this address; use a signed address as it was given, from ? to its end")]
    Wrong,
}

const MARK: &str = "signed_by=";

impl Signature {
    /// The signed address of `target` (path and query).
    #[must_use]
    pub fn address(&self, target: &str) -> String {
        let sign = if target.contains('?') { '&' } else { '?' };
        format!("{target}{sign}{MARK}{}&expires={}&signature={}", self.holder, self.expires, self.code)
    }

    /// Parts a signed address into what was signed and the signature; `None` when it is not signed.
    ///
    /// # Errors
    /// When it looks signed and is not as [`Signature::address`] makes it.
    pub fn split(address: &str) -> Result<Option<(&str, Self)>, SignatureError> {
        let Some(mark) = address.rfind(MARK).filter(|&at| at > 0 && matches!(address.as_bytes()[at - 1], b'?' | b'&'))
        else {
            return Ok(None);
        };
        let read = || {
            let mut values = address[mark + MARK.len()..].split('&');
            let (holder, expires, code) = (values.next()?, values.next()?, values.next()?);
            let expires = expires.strip_prefix("expires=")?.parse().ok()?;
            let code = code.strip_prefix("signature=")?.to_owned();
            values.next().is_none().then(|| Self { holder: holder.to_owned(), expires, code })
        };
        read().map(|signature| Some((&address[..mark - 1], signature))).ok_or(SignatureError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back() {
        let signature = Signature { holder: "ann".to_owned(), expires: 12, code: "ab".to_owned() };
        for target in ["/v1/scans/1_t1/montage.png", "/v1/scans/1_t1/montage.png?size=3", "/a?signed_by=b"] {
            let address = signature.address(target);
            assert_eq!(Signature::split(&address), Ok(Some((target, signature.clone()))), "{address}");
        }
        assert_eq!(Signature::split("/v1/scans?unsigned_by=a"), Ok(None));
        for wrong in ["?signed_by=", "?signed_by=a&expires=x&signature=", "?signed_by=a&expires=1&signature=b&c=d"] {
            assert_eq!(Signature::split(wrong), Err(SignatureError::Wrong), "{wrong}");
        }
    }
}
