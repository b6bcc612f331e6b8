//! A destination without latency: answers as Intercom does what the shipped mappings ask for, and does nothing else. It
//! runs as a process of its own, so that what it costs is nobody's.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::{Value, json};

/// The variable that says whether it works, and makes this program the stand-in.
pub const MOOD: &str = "STAND_IN_MOOD";

/// How it takes what it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    /// At once.
    Working,
    /// 503, whatever it is.
    Down,
}

impl Mood {
    /// As it is told to the process.
    pub fn name(self) -> &'static str {
        match self {
            Mood::Working => "working",
            Mood::Down => "down",
        }
    }
}

/// Contacts by the sender's id and by address: the number of each.
#[derive(Default)]
struct Workspace(Mutex<HashMap<String, usize>>);

/// What names a contact in a body.
#[derive(Deserialize)]
struct Named {
    external_id: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct Search {
    query: Query,
}

#[derive(Deserialize)]
struct Query {
    value: String,
}

#[derive(Deserialize)]
struct Company {
    company_id: String,
}

impl Workspace {
    fn contacts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().expect("nothing panics with this lock")
    }
}

async fn me() -> HttpResponse {
    HttpResponse::Ok()
        .json(json!({"type": "admin", "id": "1", "app": {"type": "app", "id_code": "bench", "name": "Bench"}}))
}

async fn list() -> HttpResponse {
    HttpResponse::Ok().json(json!({"type": "list", "data": []}))
}

async fn find(name: web::Path<String>, workspace: web::Data<Workspace>) -> HttpResponse {
    match workspace.contacts().get(&*name) {
        Some(number) => HttpResponse::Ok().json(contact(*number, Some(&name), None)),
        None => refusal(StatusCode::NOT_FOUND, "not_found", "User Not Found"),
    }
}

async fn search(search: web::Json<Search>, workspace: web::Data<Workspace>) -> HttpResponse {
    let value = &search.query.value;
    let email = value.contains('@').then_some(&**value);
    let found = workspace.contacts().get(value).map(|number| contact(*number, None, email));
    HttpResponse::Ok().json(json!({"type": "list", "total_count": found.iter().len(), "data": found.as_slice()}))
}

async fn create(new: web::Json<Named>, workspace: web::Data<Workspace>) -> HttpResponse {
    let mut contacts = workspace.contacts();
    let number = contacts.len();
    let names = new.external_id.iter().chain(&new.email);
    if let Some(known) = names.clone().find_map(|name| contacts.get(name)) {
        let message = format!("A contact matching those details already exists with id={known:024x}");
        return refusal(StatusCode::CONFLICT, "conflict", &message);
    }
    contacts.extend(names.map(|name| (name.clone(), number)));
    HttpResponse::Ok().json(contact(number, new.external_id.as_deref(), new.email.as_deref()))
}

async fn update(id: web::Path<String>, new: web::Json<Named>) -> HttpResponse {
    let number = usize::from_str_radix(&id, 16).unwrap_or_default();
    HttpResponse::Ok().json(contact(number, new.external_id.as_deref(), new.email.as_deref()))
}

async fn company(company: web::Json<Company>) -> HttpResponse {
    let id = format!("in-{}", company.company_id);
    HttpResponse::Ok().json(json!({"type": "company", "id": id, "company_id": company.company_id}))
}

/// As all of them it reads the body: a connection on which some is left is closed.
async fn attach(_: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().json(json!({"type": "company", "id": "1"}))
}

async fn record(_: web::Bytes) -> HttpResponse {
    HttpResponse::Accepted().finish()
}

async fn down(_: web::Bytes) -> HttpResponse {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "Sorry, the API service is temporarily unavailable")
}

async fn nothing(_: web::Bytes) -> HttpResponse {
    refusal(StatusCode::NOT_FOUND, "not_found", "Resource Not Found")
}

fn contact(number: usize, external_id: Option<&str>, email: Option<&str>) -> Value {
    let role = if external_id.is_some() { "user" } else { "lead" };
    json!({"type": "contact", "id": format!("{number:024x}"), "role": role, "external_id": external_id, "email": email})
}

fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let error = json!({"code": code, "message": message});
    HttpResponse::build(status).json(json!({"type": "error.list", "request_id": "1", "errors": [error]}))
}

fn routes(working: bool) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        if !working {
            service.default_service(web::to(down));
            return;
        }
        service
            .route("/events", web::post().to(record))
            .route("/me", web::get().to(me))
            .route("/data_attributes", web::get().to(list))
            .route("/contacts/find_by_external_id/{id}", web::get().to(find))
            .route("/contacts/search", web::post().to(search))
            .route("/contacts", web::post().to(create))
            .route("/contacts/{id}", web::put().to(update))
            .route("/contacts/{id}/companies", web::post().to(attach))
            .route("/companies", web::post().to(company))
            .default_service(web::to(nothing));
    }
}

/// Serves until the process is killed.
pub fn serve(address: &str, mood: &str) {
    let working = mood == Mood::Working.name();
    let workspace = web::Data::new(Workspace::default());
    let server = HttpServer::new(move || App::new().app_data(workspace.clone()).configure(routes(working)));
    // The rest of the machine is for the service.
    let server = server.workers(1).bind(address).expect("a free port").run();
    actix_web::rt::System::new().block_on(server).expect("the stand-in runs");
}
