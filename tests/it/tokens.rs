//! Responses whose token is revoked while they are made or sent.

use axum::http::StatusCode;
use sagittal::auth::Tokens;
use tempfile::TempDir;

use crate::support::{Release, Service};

struct Guarded {
    service: Service,
    authenticator: std::sync::Arc<sagittal::auth::Authenticator>,
    token: String,
    folder: TempDir,
}

impl Guarded {
    fn over(release: &Release) -> Self {
        let folder = tempfile::tempdir().unwrap();
        release.import(folder.path());
        let new = Tokens::generate("ann").unwrap();
        std::fs::write(folder.path().join("tokens"), &new.line).unwrap();
        let (service, authenticator) = Service::authenticating(folder.path(), &folder.path().join("tokens"));
        Self { service, authenticator, token: new.token, folder }
    }

    fn write(&self, tokens: &str) {
        std::fs::write(self.folder.path().join("tokens"), tokens).unwrap();
        assert!(self.service.block_on(self.authenticator.token_file().reload()).unwrap());
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

#[test]
fn transfers_of_every_kind_end_with_an_error_when_their_token_is_revoked() {
    let small = ["/v1/scans/1_t1/image.npy?size=512", "/v1/scans/1_t1/mask.npy?size=512", "/v1/stream.tar?size=512"];
    let tables = ["/v1/gradings.ndjson", "/v1/gradings.csv?fields=all", "/v1/gradings?limit=1000"];
    for (release, urls) in [(Release::small(), small), (Release::tables(), tables)] {
        for url in urls {
            for encoding in ["identity", "gzip"] {
                let authenticated = Guarded::over(&release);
                let authorization = authenticated.authorization();
                let headers = [("authorization", authorization.as_str()), ("accept-encoding", encoding)];
                let whole = authenticated.service.begin_with(url, &headers);
                let bytes = authenticated.service.block_on(whole.rest()).unwrap().len();
                assert!(bytes > 64 << 10 || encoding == "gzip", "{url}: {bytes} bytes are one piece");
                let begun = authenticated.service.begin_with(url, &headers);
                authenticated.write("");
                let rest = authenticated.service.block_on(begun.rest());
                assert!(rest.is_err(), "{url} {encoding}: {} bytes and a clean end", rest.unwrap_or_default().len());
            }
        }
    }
}

#[test]
fn a_transfer_goes_on_while_other_tokens_come_and_go() {
    let authenticated = Guarded::over(&Release::small());
    let authorization = authenticated.authorization();
    let begun = authenticated.service.begin_with("/v1/stream.tar?size=512", &[("authorization", &authorization)]);
    let own = std::fs::read_to_string(authenticated.folder.path().join("tokens")).unwrap();
    let other = Tokens::generate("ben").unwrap().line;
    authenticated.write(&format!("{other}\n{own}"));
    authenticated.write(&own);
    assert!(authenticated.service.block_on(begun.rest()).is_ok());
}

#[test]
fn signed_urls_and_what_they_transfer_end_with_the_token() {
    let authenticated = Guarded::over(&Release::small());
    let authorization = authenticated.authorization();
    let headers = [("authorization", authorization.as_str())];
    let url =
        authenticated.service.get_with("/v1/signed?url=/v1/stream.tar%3Fsize=512", &headers).json()["url"].clone();
    let url = url.as_str().unwrap();
    let begun = authenticated.service.begin_with(url, &[]);
    // The same name, another token.
    authenticated.write(&Tokens::generate("ann").unwrap().line);
    assert!(authenticated.service.block_on(begun.rest()).is_err());
    assert_eq!(authenticated.service.get(url).status, StatusCode::FORBIDDEN);
    assert_eq!(authenticated.service.get_with("/v1/labels", &headers).status, StatusCode::UNAUTHORIZED);
}
