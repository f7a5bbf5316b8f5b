//! Authentication: bearer tokens, of which only digests are kept, and time-limited signed URLs. Knows neither HTTP nor the data.

mod authenticator;
mod secret_file;
mod signature;
mod small_file;
mod token_file;
mod tokens;
mod url_signer;

pub use authenticator::Authenticator;
pub use secret_file::SecretError;
pub use signature::{Signature, SignatureError};
pub use small_file::FileError;
pub use token_file::{TokenFile, TokenFileError};
pub use tokens::{NewToken, NewTokenError, Principal, Tokens};
pub use url_signer::{MAX_SIGNED_SECONDS, UrlSigner};
