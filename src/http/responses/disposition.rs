//! Names under which clients save files (`Content-Disposition`, RFC 6266): `5_t2_SPACE_image.nii.gz`, where the last part of
//! the URL alone would be the same for every scan.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// The response, whose file is saved under this name if one is sent.
pub(in crate::http) fn named(mut response: Response, name: Option<String>) -> Response {
    let is_sent = [StatusCode::OK, StatusCode::PARTIAL_CONTENT].contains(&response.status());
    if let Some(name) = name.filter(|_| is_sent) {
        response.headers_mut().extend(of_file(&name).map(|value| (header::CONTENT_DISPOSITION, value)));
    }
    response
}

/// The header of a file with this name; `None` where the name would need quoting, which no name of this service does.
pub(in crate::http) fn of_file(name: &str) -> Option<HeaderValue> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    // Browsers show what is inline, and save it under its name on request.
    let shown = [".png", ".json"].iter().any(|suffix| name.ends_with(suffix));
    let kind = if shown { "inline" } else { "attachment" };
    is_plain.then(|| HeaderValue::try_from(format!("{kind}; filename=\"{name}\"")).ok()).flatten()
}

/// The name of the file at a path; `None` for what is no file, and for parts of a Zarr group.
pub(in crate::http) fn file_name(path: &str) -> Option<String> {
    let segments: Vec<_> = path.strip_prefix("/v1/")?.split('/').collect();
    let file = segments.last().filter(|file| file.contains('.'))?;
    match segments.as_slice() {
        [_] | ["exports", ..] => Some((*file).to_owned()),
        ["scans", scan, _] if !scan.contains('.') => Some(format!("{scan}_{file}")),
        ["scans", scan, "slices", slice, _] => Some(format!("{scan}_slice_{slice}_{file}")),
        ["scans", scan, "discs", label, _] => Some(format!("{scan}_disc_{label}_{file}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_the_file_is_of() {
        let named = [
            ("/v1/scans/5_t2_SPACE/image.nii.gz", "5_t2_SPACE_image.nii.gz"),
            ("/v1/scans/1_t1/slices/mid/pair.npz", "1_t1_slice_mid_pair.npz"),
            ("/v1/scans/1_t1/discs/201/patch.npy", "1_t1_disc_201_patch.npy"),
            ("/v1/scans.csv", "scans.csv"),
            ("/v1/stream.tar", "stream.tar"),
            ("/v1/exports/nnunet/dataset.json", "dataset.json"),
        ];
        for (path, name) in named {
            assert_eq!(file_name(path).as_deref(), Some(name), "{path}");
        }
        let unnamed = [
            "/v1/scans",
            "/v1/scans/1_t1",
            "/v1/scans/1_t1/metadata",
            "/v1/scans/1_t1/slices/3",
            "/v1/scans/1_t1.ome.zarr/zarr.json",
            "/v1/scans/1_t1.ome.zarr/image/0/c/0/0/0",
            "/viewer/main.js",
            "/",
        ];
        for path in unnamed {
            assert_eq!(file_name(path), None, "{path}");
        }
    }

    #[test]
    fn a_name_cannot_end_the_header() {
        assert_eq!(of_file("a.csv").unwrap(), "attachment; filename=\"a.csv\"");
        assert_eq!(of_file("a.png").unwrap(), "inline; filename=\"a.png\"");
        for name in ["a\".csv", "a%22.csv", "a;b.csv", "a b.csv", "ä.csv", "a\n.csv"] {
            assert_eq!(of_file(name), None, "{name}");
        }
    }
}
