//! `POST /api/reload`: reads the destination files again, and says what is different and what is wrong.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Admin, Caller};
use crate::http::problem::Problem;
use crate::yaml;

/// Reads the destination files again.
pub type Reload = Arc<dyn Fn() -> BoxFuture<'static, Report> + Send + Sync>;

/// What reading the destination files again came to. What is refused leaves what was in force before as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Destinations that are new.
    pub added: Vec<String>,
    /// Destinations whose file, or a secret it names, is different.
    pub changed: Vec<String>,
    /// Destinations whose file is gone. What they are owed is kept.
    pub removed: Vec<String>,
    /// Destinations whose file is the same.
    pub unchanged: Vec<String>,
    /// Files that are not in order.
    pub refused: Vec<String>,
    /// Everything that is wrong with them.
    pub problems: Vec<FileProblem>,
}

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileProblem {
    /// The file's name.
    pub file: String,
    /// What, where, and what to do.
    #[serde(flatten)]
    pub problem: yaml::Problem,
}

impl Report {
    /// Whether everything is in force as the files say.
    pub fn is_fine(&self) -> bool {
        self.refused.is_empty() && self.problems.is_empty()
    }
}

/// 200 when all files are in force, 422 when one is refused; the report in either case.
pub(super) async fn reload(admin: web::Data<Admin>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.check_write(&admin)?;
    let report = (admin.parts.reload)().await;
    let mut answer = if report.is_fine() { HttpResponse::Ok() } else { HttpResponse::UnprocessableEntity() };
    Ok(answer.json(report))
}
