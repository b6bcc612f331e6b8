//! What `interline connect` found out, for people and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::local::Described;

/// What one action needs to read, in the words of the connection test; what it writes cannot be tried without writing.
fn needs(action: &str) -> &'static [&'static str] {
    match action {
        "identify_company" | "create_company" | "update_company" | "delete_company" | "get_company"
        | "list_companies" => &["contacts", "companies"],
        "attach_company" | "detach_company" => &["contacts", "companies"],
        "create_tag" | "update_tag" | "delete_tag" | "list_tags" | "attach_tag" | "detach_tag" => &["contacts", "tags"],
        "create_ticket" | "get_ticket" | "list_ticket_types" => &["contacts", "ticket types"],
        "raw_request" | "test_connection" => &[],
        _ => &["contacts"],
    }
}

/// The result of a test, together with what the enabled mappings need.
pub(super) struct Report {
    document: Value,
    lacking: BTreeMap<String, Vec<String>>,
}

impl Report {
    /// Puts the document of the connection test beside the mappings.
    pub(super) fn new(described: &Described, document: Value) -> Report {
        let refused: Vec<&str> = document["permissions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|permission| permission["granted"] == false)
            .filter_map(|permission| permission["of"].as_str())
            .collect();
        let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for mapping in described.mappings.mappings.iter().filter(|mapping| mapping.enabled) {
            for of in needs(mapping.action.name).iter().filter(|of| refused.contains(of)) {
                lacking.entry((*of).to_owned()).or_default().push(mapping.name.clone());
            }
        }
        Report { document, lacking }
    }

    /// The workspace's id.
    pub(super) fn workspace(&self) -> Option<&str> {
        self.document["workspace"]["id"].as_str()
    }

    /// Its region, in lower case.
    pub(super) fn region(&self) -> Option<String> {
        self.document["workspace"]["region"].as_str().map(str::to_lowercase)
    }

    /// What is remembered of the workspace.
    pub(super) fn memory(&self) -> String {
        let workspace = &self.document["workspace"];
        json!({"id": workspace["id"], "name": workspace["name"], "region": workspace["region"]}).to_string()
    }

    /// Whether an enabled mapping lacks a permission.
    pub(super) fn lacks(&self) -> bool {
        !self.lacking.is_empty()
    }

    /// For scripts.
    pub(super) fn json(&self, name: &str, token: &str) -> Value {
        let mut json = self.document.clone();
        json["destination"] = name.into();
        json["token"] = token.into();
        json["lacking"] = json!(self.lacking);
        json
    }

    /// For people.
    pub(super) fn lines(&self, name: &str, token: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
        let (admin, workspace) = (&self.document["admin"], &self.document["workspace"]);
        let mut lines = vec![
            format!("destination  {name}"),
            format!("token        {token}"),
            format!("belongs to   {} <{}>", text(&admin["name"]), text(&admin["email"])),
            format!(
                "workspace    {} ({}), region {}",
                text(&workspace["name"]),
                text(&workspace["id"]),
                text(&workspace["region"])
            ),
            format!("API version  {}", text(&self.document["version"])),
        ];
        for permission in self.document["permissions"].as_array().into_iter().flatten() {
            let of = text(&permission["of"]);
            let granted = if permission["granted"] == true { "yes" } else { "NO" };
            let needed = match self.lacking.get(&of) {
                Some(mappings) => format!(": {} cannot work without it", mappings.join(", ")),
                None => String::new(),
            };
            lines.push(format!("may read     {of}: {granted}{needed}"));
        }
        lines.push("Whether it may write cannot be tried without writing.".to_owned());
        lines
    }
}
