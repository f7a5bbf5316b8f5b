//! What handlers send: problems, files with ranges, validators and cache policies.

pub(super) mod byte_range;
pub(super) mod caching;
pub(super) mod disposition;
pub(super) mod documents;
pub(super) mod entity_tag;
pub(super) mod files;
pub(super) mod headers;
pub(super) mod preconditions;
pub(super) mod problem;
pub(super) mod provenance;
pub(super) mod validator;
