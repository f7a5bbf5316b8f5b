//! Who may ask: bearer tokens, of which only digests are kept, and addresses that somebody with a token has signed and that
//! expire. Knows neither HTTP nor the data.

mod key_file;
mod keys;
mod signature;

pub use key_file::{KeyFile, KeyFileError};
pub use keys::{InvalidKeys, Keys, MintError, Minted};
pub use signature::{Signature, SignatureError};
