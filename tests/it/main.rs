//! Drives the library's router and the binary as a user would. One binary, so that it links once.

#![expect(unreachable_pub, reason = "nothing outside a test binary can reach anything")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod architecture;
mod audit;
mod bucket;
mod cache_policies;
mod circles;
mod connections;
mod dependencies;
mod editions;
mod evaluation;
mod http_semantics;
mod images;
mod import;
mod lookup;
mod migrations;
mod power_failure;
mod program;
mod resampling;
mod resources;
mod response_headers;
mod revisions;
mod routes;
mod shards;
mod shared_renderings;
mod snapshots;
mod support;
mod tables;
mod tokens;
mod upkeep;
mod validators;
