//! The `sagittal` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    sagittal::cli::main()
}
