//! Drives the library's router and the binary as a user would. One binary, so that it links once.

mod architecture;
mod import;
mod lookup;
mod pictures;
mod program;
mod support;
