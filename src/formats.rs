//! Bytes ⇄ values, nothing else: no file is opened here and nothing is fetched. Every reader takes the whole input as
//! a slice, checks what the input claims before it allocates, and returns an error rather than a guess.

pub mod hugging_face;
pub mod inflate;
pub mod metaimage;
pub mod nifti;
pub mod npy;
pub mod parquet;
pub mod png;
pub mod rows;
pub mod tables;
pub mod tar;
pub mod wheel;
pub mod zip;
