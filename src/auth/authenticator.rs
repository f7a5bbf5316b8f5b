use super::signature::{Signature, SignatureError};
use super::token_file::TokenFile;
use super::tokens::Principal;
use super::url_signer::UrlSigner;

/// Authenticates requests by the tokens of a file, and by signed URLs.
#[derive(Debug)]
pub struct Authenticator {
    file: TokenFile,
    signer: UrlSigner,
}

impl Authenticator {
    /// With these tokens and this secret.
    #[must_use]
    pub fn new(file: TokenFile, signer: UrlSigner) -> Self {
        Self { file, signer }
    }

    /// Where the tokens come from.
    #[must_use]
    pub fn token_file(&self) -> &TokenFile {
        &self.file
    }

    /// Who has this token.
    #[must_use]
    pub fn principal_of(&self, token: &str) -> Option<Principal> {
        self.file.tokens().principal_of(token).cloned()
    }

    /// The principal's signature under `target` (path and query), valid until `expires` (seconds since 1970).
    #[must_use]
    pub fn sign(&self, principal: &Principal, target: &str, expires: u64) -> Signature {
        self.signer.sign(principal, target, expires)
    }

    /// Whose signature under `target` this is, if it is valid at `now` (seconds since 1970).
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(&self, signature: &Signature, target: &str, now: u64) -> Result<Principal, SignatureError> {
        self.signer.verify(&self.file.tokens(), signature, target, now)
    }

    /// Whether the principal's token is no longer accepted.
    #[must_use]
    pub fn is_revoked(&self, principal: &Principal) -> bool {
        !self.file.tokens().contains(principal)
    }

    /// Resolves when the principal's token is no longer accepted.
    pub fn revoked(&self, principal: Principal) -> impl Future<Output = ()> + Send + 'static {
        let mut tokens = self.file.subscribe();
        async move {
            if tokens.wait_for(|tokens| !tokens.contains(&principal)).await.is_err() {
                // Nothing changes the tokens any more.
                std::future::pending::<()>().await;
            }
        }
    }
}
