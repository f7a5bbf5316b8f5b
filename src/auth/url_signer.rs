use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::signature::{Signature, SignatureError};
use super::tokens::{Principal, Tokens};

/// A signed URL is valid for a week at most.
pub const MAX_SIGNED_SECONDS: u64 = 7 * 24 * 3600;

/// Servers that share a secret sign with clocks that differ a little.
const CLOCK_SKEW_SECONDS: u64 = 60;

/// Signs URLs with a secret that is not in the token file, so that anyone who can read that file cannot sign.
#[derive(Clone)]
pub struct UrlSigner(Hmac<Sha256>);

impl fmt::Debug for UrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlSigner")
    }
}

impl UrlSigner {
    /// With a secret that ends with the process, and its signatures with it.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self::new(&secret))
    }

    pub(super) fn new(secret: &[u8]) -> Self {
        // HMAC takes keys of every length (RFC 2104 section 2).
        match <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(secret) {
            Ok(keyed) => Self(keyed),
            Err(hmac::digest::InvalidLength) => unreachable!("HMAC takes keys of every length"),
        }
    }

    /// The principal's signature under `target` (path and query), valid until `expires` (seconds since 1970).
    #[must_use]
    pub fn sign(&self, principal: &Principal, target: &str, expires: u64) -> Signature {
        let code = self.code(principal, target, expires).finalize().into_bytes();
        Signature { signed_by: principal.name().to_owned(), expires, code: hex::encode(code) }
    }

    /// Whose signature under `target` this is, if it is valid at `now` (seconds since 1970) and its principal's token is one of
    /// `tokens`.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(
        &self,
        tokens: &Tokens,
        signature: &Signature,
        target: &str,
        now: u64,
    ) -> Result<Principal, SignatureError> {
        let sent: [u8; 32] = hex::FromHex::from_hex(&signature.code).map_err(|_| SignatureError::Wrong)?;
        let is_signer =
            |principal: &&Principal| self.code(principal, target, signature.expires).verify_slice(&sent).is_ok();
        let principal = tokens.named(&signature.signed_by).find(is_signer).ok_or(SignatureError::Wrong)?;
        match signature.expires.checked_sub(now) {
            None => Err(SignatureError::Expired),
            Some(seconds) if seconds > MAX_SIGNED_SECONDS + CLOCK_SKEW_SECONDS => Err(SignatureError::TooLong),
            Some(_) => Ok(principal.clone()),
        }
    }

    /// Over the token's digest too: when the token goes, what was signed with it goes.
    fn code(&self, principal: &Principal, target: &str, expires: u64) -> Hmac<Sha256> {
        self.0.clone().chain_update(format!("sagittal url\n{}\n{expires}\n{target}", principal.digest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "/v1/scans/1_t1/montage.png";

    fn tokens(lines: &[(&str, char)]) -> Tokens {
        let lines: Vec<_> =
            lines.iter().map(|(name, digit)| format!("{name} {}", digit.to_string().repeat(64))).collect();
        Tokens::parse(lines.join("\n").as_bytes())
    }

    fn only(tokens: &Tokens) -> Principal {
        tokens.named("ann").next().unwrap().clone()
    }

    /// The code is that of Python's hmac.
    #[test]
    fn codes_are_hmac_sha_256() {
        let tokens = Tokens::parse(b"ann 3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0");
        let secret: [u8; 32] = std::array::from_fn(|n| n as u8);
        let signature = UrlSigner::new(&secret).sign(&only(&tokens), &format!("{TARGET}?size=64"), 2_000_000_000);
        assert_eq!(signature.code, "64533a69b06b9228a5b7ffd62f1f7e5271bc97496e9b27020340c0bbc5a995dc");
    }

    #[test]
    fn a_signature_is_valid_for_its_url_its_principal_and_its_time() {
        let (signer, tokens) = (UrlSigner::random().unwrap(), tokens(&[("ann", 'a'), ("ben", 'b')]));
        let ann = only(&tokens);
        let good = signer.sign(&ann, TARGET, 100);
        let verify = |signature: &Signature, target, now| signer.verify(&tokens, signature, target, now);
        assert_eq!(verify(&good, TARGET, 100), Ok(ann));
        assert_eq!(verify(&good, TARGET, 101), Err(SignatureError::Expired));
        assert_eq!(verify(&good, "/v1/scans/1_t2/montage.png", 100), Err(SignatureError::Wrong));
        let changed = [
            Signature { expires: 1000, ..good.clone() },
            Signature { signed_by: "ben".to_owned(), ..good.clone() },
            Signature { signed_by: "eve".to_owned(), ..good.clone() },
            Signature { code: "00".repeat(32), ..good.clone() },
            Signature { code: String::new(), ..good.clone() },
        ];
        for signature in changed {
            assert_eq!(verify(&signature, TARGET, 100), Err(SignatureError::Wrong));
        }
    }

    #[test]
    fn a_signature_ends_with_its_token_and_not_with_its_name() {
        let signer = UrlSigner::random().unwrap();
        let [old, new, both] = [&[("ann", 'a')][..], &[("ann", 'b')], &[("ann", 'b'), ("ann", 'a')]].map(tokens);
        let signature = signer.sign(&only(&old), TARGET, 100);
        assert_eq!(signer.verify(&both, &signature, TARGET, 50), Ok(only(&old)));
        assert_eq!(signer.verify(&new, &signature, TARGET, 50), Err(SignatureError::Wrong));
        assert_eq!(signer.verify(&Tokens::default(), &signature, TARGET, 50), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_signature_needs_the_secret() {
        let tokens = tokens(&[("ann", 'a')]);
        let signature = UrlSigner::new(b"one secret").sign(&only(&tokens), TARGET, 100);
        let verify = |secret| UrlSigner::new(secret).verify(&tokens, &signature, TARGET, 50);
        assert_eq!(verify(b"one secret"), Ok(only(&tokens)));
        // The digest is what the token file shows.
        for other in [&b"other secret"[..], b"", &[0xaa; 32], "a".repeat(64).as_bytes()] {
            assert_eq!(verify(other), Err(SignatureError::Wrong));
        }
        assert_eq!(UrlSigner::random().unwrap().verify(&tokens, &signature, TARGET, 50), Err(SignatureError::Wrong));
    }

    #[test]
    fn no_signature_is_valid_for_longer_than_a_week() {
        let (signer, tokens) = (UrlSigner::random().unwrap(), tokens(&[("ann", 'a')]));
        let now = 1_800_000_000;
        let verify = |expires| signer.verify(&tokens, &signer.sign(&only(&tokens), TARGET, expires), TARGET, now);
        assert!(verify(now + MAX_SIGNED_SECONDS).is_ok());
        // Signed by a server whose clock is a minute ahead.
        assert!(verify(now + 60 + MAX_SIGNED_SECONDS).is_ok());
        for later in [now + 61 + MAX_SIGNED_SECONDS, u64::MAX] {
            assert_eq!(verify(later), Err(SignatureError::TooLong));
        }
    }
}
