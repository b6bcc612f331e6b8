//! Everything that is written from the code: schemas and tables. A test compares each with what is checked in.

mod codes;
mod markdown;
mod schema;

/// A file that is written from the code.
pub struct Generated {
    /// Its path from the top of the project.
    pub path: &'static str,
    /// The name by which the `schema` command prints it; tables have none.
    pub name: Option<&'static str>,
    /// What stands in it.
    pub content: fn() -> String,
}

/// All of them.
pub const ALL: &[Generated] = &[
    Generated { path: "schemas/destination.schema.json", name: Some("destination"), content: schema::destination },
    Generated { path: "schemas/settings.schema.json", name: Some("settings"), content: schema::settings },
    Generated { path: "schemas/event.schema.json", name: Some("event"), content: schema::event },
    Generated { path: "mappings/README.md", name: None, content: markdown::mappings },
    Generated { path: "deploy/README.md", name: None, content: markdown::operations },
];
