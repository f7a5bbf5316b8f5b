use axum::response::Response;

use super::app::Question;
use super::bodies::LabelBody;
use super::documents::Answer;
use super::listing::Listing;
use super::problem::Problem;
use crate::spider::Label;

/// `GET /v1/labels`
pub(super) async fn list(question: Question) -> Result<Response, Problem> {
    let body = async {
        question.parameters(&[])?;
        let snapshot = question.snapshot().await?;
        Ok(Answer::of(&snapshot, Listing::whole(Label::scheme().map(LabelBody::new).collect())))
    };
    question.answer(body).await
}
