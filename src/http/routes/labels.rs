use axum::response::Response;

use super::bodies::LabelBody;
use super::listing::Listing;
use crate::http::responses::documents::Answer;
use crate::http::responses::problem::Problem;
use crate::http::state::ApiRequest;
use crate::spider::Label;

/// `GET /v1/labels`
pub(in crate::http) async fn list(request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        request.parameters(&[])?;
        let snapshot = request.snapshot().await?;
        Ok(Answer::of(&snapshot, Listing::whole(Label::scheme().map(LabelBody::new).collect())))
    };
    request.answer(body).await
}
