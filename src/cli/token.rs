use std::io::Write;

use clap::Args;

use super::Failure;
use crate::auth::Tokens;

/// `sagittal token ann >> tokens`
#[derive(Debug, Args)]
pub(super) struct Token {
    /// Name of its user, for logs and signed URLs: letters, digits, points, dashes, underscores.
    name: String,
}

/// The secret goes where a redirection does not take it.
pub(super) fn run(token: &Token) -> Result<(), Failure> {
    let new = Tokens::generate(&token.name)?;
    writeln!(std::io::stdout(), "{}", new.line)?;
    writeln!(std::io::stderr(), "the token of {}, shown this once:\n{}", token.name, new.token)?;
    Ok(())
}
