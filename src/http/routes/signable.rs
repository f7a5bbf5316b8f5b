//! Which URLs can be signed: those of everything that GET reads, written so that every client sends them as they are.

/// What a signature may be for.
const ALLOWED: &str = "a path under /v1/ with its query, as a client sends it: reserved characters percent-encoded";

/// Whether a request for this path and query can be signed, and a signed one answered.
///
/// # Errors
/// Why not, and what to do instead.
pub(in crate::http) fn check(target: &str) -> Result<(), String> {
    if let Some(found) = target.chars().find(|c| !is_sent_as_it_is(*c)) {
        return Err(format!("{found:?} is not sent as it is; write {ALLOWED}"));
    }
    let path = target.split('?').next().unwrap_or_default();
    let Some(rest) = path.strip_prefix("/v1/").filter(|rest| !rest.is_empty()) else {
        return Err(format!("it is not {ALLOWED}"));
    };
    if rest.split('/').any(|segment| matches!(segment, "." | ".." | "")) {
        return Err("clients take empty segments, . and .. out of a path before they send it".to_owned());
    }
    match rest {
        "signed" => Err("a signature cannot make further signatures".to_owned()),
        "batch" => Err("a batch is posted, and a signature is for GET; /v1/stream.tar can be signed".to_owned()),
        posted if posted.ends_with("/evaluation") => {
            Err("a mask is posted, and a signature is for GET; send a token".to_owned())
        }
        group if group.ends_with(".ome.zarr") => {
            Err("a Zarr group is many files, each with a URL of its own; clients of groups send a token".to_owned())
        }
        _ => Ok(()),
    }
}

/// RFC 3986 permits these in a path or a query, and no client encodes them. Browsers encode the apostrophe.
fn is_sent_as_it_is(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&()*+,;=:@/?%".contains(c)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_get_reads_can_be_signed() {
        let targets = [
            "/v1/scans/1_t1/slices/mid/image.png?size=64&window=40,400",
            "/v1/scans/1_t1/image.nii.gz",
            "/v1/scans/1_t1.ome.zarr/zarr.json",
            "/v1/scans.csv?split=train&series_description=%22T2%2C%20sag%22",
            "/v1/scans?limit=1",
            "/v1/stream.tar?seed=1",
            "/v1/exports/webdataset/train-000000.tar",
        ];
        for target in targets {
            assert_eq!(check(target), Ok(()), "{target}");
        }
    }

    #[test]
    fn what_could_not_be_fetched_is_not_signed() {
        let targets = [
            "/v1/scans/1_t1.ome.zarr",
            "/v1/scans/1_t1/image.png#top",
            "/v1/scans/1_t1/image.png?manufacturer=Müller",
            "/v1/scans?manufacturer='x'",
            "/v1/scans/1_t1/image.png?a=\"b\"",
            "/v1/scans/1_t1/image.png?a=b c",
            "/v1/scans/1_t1/image.png?a=b\r\nx",
            "/v1/scans/../exports/a",
            "/v1/scans/1_t1/./image.png",
            "/v1//scans",
            "/v1/scans/",
            "/v1/signed?url=/v1/scans",
            "/v1/batch",
            "/v1/",
            "/v1",
            "/metrics",
            "/r/3/v1/scans",
            "http://elsewhere.example/v1/scans",
            "",
        ];
        for target in targets {
            assert!(check(target).is_err(), "{target}");
        }
    }
}
