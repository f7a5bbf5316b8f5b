use std::io::Write;

use clap::Args;

use super::Failure;
use crate::access::Keys;

/// `sagittal token ann >> tokens`
#[derive(Debug, Args)]
pub(super) struct Token {
    /// Whose it will be: letters, digits, points, dashes, underscores.
    name: String,
}

/// The secret goes where a redirection does not take it.
pub(super) fn run(token: &Token) -> Result<(), Failure> {
    let minted = Keys::mint(&token.name)?;
    writeln!(std::io::stdout(), "{}", minted.line)?;
    writeln!(std::io::stderr(), "the token of {}, shown this once:\n{}", token.name, minted.token)?;
    Ok(())
}
