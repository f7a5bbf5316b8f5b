//! The `sagittal` command.

use std::process::ExitCode;

/// Renderings are large, short-lived buffers on several threads. The system allocator takes each from the kernel anew and
/// gives it back, which costs a fifth of a rendering's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sagittal::cli::main()
}
