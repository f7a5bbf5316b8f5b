use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Client, is_downgrade, shown};
use super::error::{DownloadError, RecordError};
use super::event::OnEvent;
use super::fetch_error::FetchError;
use super::retry::{RetryPolicy, wait_or_give_up};
use super::sum::Md5Sum;
use crate::spider::dataset::FILES;

const WHAT: &str = "the record";
/// The description of record 10159290 has some 10 kB.
const LONGEST: usize = 4 << 20;

/// A file as the record describes it. Its name is always one of ours: what strangers send never becomes a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteFile {
    pub(super) name: &'static str,
    pub(super) size: u64,
    pub(super) md5: Md5Sum,
    pub(super) url: Url,
}

/// Fetches the record's description and reads what it says of the four files.
pub(super) async fn fetch(
    client: &Client,
    address: &Url,
    retries: u32,
    on_event: OnEvent<'_>,
) -> Result<Vec<RemoteFile>, DownloadError> {
    let unusable = |source| DownloadError::Record { address: shown(address), source };
    let mut patience = RetryPolicy::new(retries, 0);
    loop {
        match read(client, address).await {
            Ok(Some(text)) => return parse(&text, address).map_err(unusable),
            Ok(None) => return Err(unusable(RecordError::TooLong { limit: LONGEST })),
            Err(fault) => wait_or_give_up(&mut patience, fault, 0, WHAT, address, on_event).await?,
        }
    }
}

/// None when it is too long.
async fn read(client: &Client, address: &Url) -> Result<Option<Vec<u8>>, FetchError> {
    let mut body = client.get(address, None).await?;
    let mut text = Vec::new();
    while let Some(chunk) = body.next().await? {
        if text.len() + chunk.len() > LONGEST {
            return Ok(None);
        }
        text.extend_from_slice(&chunk);
    }
    Ok(Some(text))
}

#[derive(Deserialize)]
struct Description {
    /// Only our own four are looked at more closely.
    files: Vec<Value>,
}

#[derive(Deserialize)]
struct FileDescription {
    size: u64,
    checksum: String,
    links: Links,
}

#[derive(Deserialize)]
struct Links {
    #[serde(rename = "self")]
    itself: String,
}

fn parse(text: &[u8], address: &Url) -> Result<Vec<RemoteFile>, RecordError> {
    let description: Description = serde_json::from_slice(text).map_err(RecordError::Malformed)?;
    FILES.iter().map(|file| find(&description, file.name, address)).collect()
}

fn find(description: &Description, name: &'static str, address: &Url) -> Result<RemoteFile, RecordError> {
    let mut found = description.files.iter().filter(|file| file.get("key").and_then(Value::as_str) == Some(name));
    let file = found.next().ok_or(RecordError::Missing { name })?;
    if found.next().is_some() {
        return Err(RecordError::Twice { name });
    }
    let unusable = |problem: String| RecordError::File { name, problem };
    let file = FileDescription::deserialize(file).map_err(|error| unusable(error.to_string()))?;
    let md5 = file.checksum.strip_prefix("md5:").and_then(Md5Sum::from_hex);
    let md5 = md5.ok_or_else(|| unusable(format!("{:?} is not an md5 checksum", file.checksum)))?;
    let url = address.join(&file.links.itself).map_err(|error| unusable(format!("its address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || is_downgrade(address, &url) {
        return Err(unusable(format!("{} is not a safe address", shown(&url))));
    }
    Ok(RemoteFile { name, size: file.size, md5, url })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ADDRESS: &str = "https://zenodo.org/api/records/10159290";

    fn file(name: &str, size: u64) -> Value {
        let address = format!("{ADDRESS}/files/{name}/content");
        json!({"id": "5f", "key": name, "size": size, "checksum": "md5:7A9fa44aac0c72e2937bdef62cff88db",
               "links": {"self": address}})
    }

    fn files() -> Vec<Value> {
        FILES.iter().map(|known| file(known.name, known.bytes)).collect()
    }

    fn read(files: &[Value]) -> Result<Vec<RemoteFile>, RecordError> {
        let text = json!({"id": 10159290, "metadata": {"title": "SPIDER"}, "files": files}).to_string();
        parse(text.as_bytes(), &Url::parse(ADDRESS).unwrap())
    }

    fn problem(change: impl FnOnce(&mut Value)) -> String {
        let mut files = files();
        change(&mut files[1]);
        read(&files).unwrap_err().to_string()
    }

    #[test]
    fn the_four_are_found_among_others_in_any_order() {
        let mut files = files();
        files.reverse();
        files.insert(2, file("../../etc/passwd", 1));
        files.insert(0, json!("no file at all"));
        let read = read(&files).unwrap();
        let named: Vec<_> = read.iter().map(|file| (file.name, file.size)).collect();
        assert_eq!(named, FILES.map(|known| (known.name, known.bytes)));
        assert_eq!(read[0].md5.to_string(), "7a9fa44aac0c72e2937bdef62cff88db");
        assert_eq!(read[0].url.path(), "/api/records/10159290/files/images.zip/content");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let mut lacking = files();
        lacking.remove(1);
        assert_eq!(read(&lacking).unwrap_err().to_string(), "it does not name masks.zip");
        let mut twice = files();
        twice.push(file("masks.zip", 3));
        assert_eq!(read(&twice).unwrap_err().to_string(), "it names masks.zip twice");
        for (change, said) in [
            (json!({"size": -1}), "-1"),
            (json!({"size": 1e30}), "floating point"),
            (json!({"size": null}), "null"),
            (json!({"checksum": "sha256:00"}), "\"sha256:00\" is not an md5 checksum"),
            (json!({"checksum": "md5:+a9fa44aac0c72e2937bdef62cff88db"}), "is not an md5 checksum"),
            (json!({"links": {}}), "self"),
            (json!({"links": {"self": "file:///etc/passwd"}}), "file:///etc/passwd is not a safe address"),
            (json!({"links": {"self": "http://zenodo.org/x?token=1"}}), "http://zenodo.org/x is not a safe address"),
            (json!({"links": {"self": "https://"}}), "its address"),
        ] {
            let problem = problem(|file| change.as_object().unwrap().iter().for_each(|(k, v)| file[k] = v.clone()));
            assert!(problem.contains("masks.zip cannot be used") && problem.contains(said), "{problem}");
        }
    }

    #[test]
    fn other_texts_are_no_descriptions() {
        let address = Url::parse(ADDRESS).unwrap();
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["", "<html>", "{}", "[]", r#"{"files": {"images.zip": 1}}"#, &deep] {
            assert!(matches!(parse(text.as_bytes(), &address), Err(RecordError::Malformed(_))), "{text:.20}");
        }
    }
}
