//! Queries of searches: filters in groups, how they compare, and which page is wanted.

use std::cmp::Ordering;

use serde_json::Value;

use super::paging;
use super::reply::Refusal;
use crate::json::{Json, Object};

/// Deepest nesting of groups.
const GROUPS_MAX: usize = 2;
/// Most filters in one group.
const FILTERS_MAX: usize = 15;
/// Seconds of a day.
pub const SECONDS_PER_DAY: i64 = 86_400;

const OPERATORS: [&str; 12] = ["=", "!=", "IN", "NIN", "<", "<=", ">", ">=", "~", "!~", "^", "$"];

/// Whether there is such a field, and it takes that operator.
pub type Check = fn(&str, &str) -> Result<(), Refusal>;

/// A query as it was read.
pub enum Filter {
    /// All (or any) of these.
    Group {
        /// Whether all must hold, or one is enough.
        all: bool,
        /// The filters.
        of: Vec<Filter>,
    },
    /// One comparison.
    One {
        /// What is compared.
        field: String,
        /// How.
        operator: String,
        /// With what.
        value: Value,
    },
}

/// Reads the query of a search.
pub fn query(body: &Object<'_>, check: Check) -> Result<Filter, Refusal> {
    read(body.get("query").ok_or_else(|| Refusal::missing("query", "query must be given"))?, 0, check)
}

fn read(query: &Json<'_>, groups: usize, check: Check) -> Result<Filter, Refusal> {
    let query = query.as_object().ok_or_else(|| Refusal::invalid("query", "a query must be an object"))?;
    let operator = query.get("operator").and_then(Json::as_str).unwrap_or_default();
    if operator == "AND" || operator == "OR" {
        return group(query, operator == "AND", groups, check);
    }
    let field = query.get("field").and_then(Json::as_str);
    let field = field.ok_or_else(|| Refusal::missing("field", "a filter needs a field"))?;
    if !OPERATORS.contains(&operator) {
        return Err(Refusal::invalid("operator", format!("there is no operator '{operator}'")));
    }
    let value = query.get("value").ok_or_else(|| Refusal::missing("value", "a filter needs a value"))?;
    check(field, operator)?;
    Ok(Filter::One { field: field.to_owned(), operator: operator.to_owned(), value: value.to_value() })
}

fn group(query: &Object<'_>, all: bool, groups: usize, check: Check) -> Result<Filter, Refusal> {
    let items = query.get("value").and_then(Json::as_list);
    let items = items.ok_or_else(|| Refusal::invalid("value", "a group needs a list of filters"))?;
    if groups >= GROUPS_MAX {
        return Err(Refusal::invalid("query", format!("groups nest {GROUPS_MAX} deep at most")));
    }
    if items.len() > FILTERS_MAX {
        return Err(Refusal::invalid("query", format!("a group has {FILTERS_MAX} filters at most")));
    }
    let of: Result<Vec<Filter>, Refusal> = items.iter().map(|item| read(item, groups + 1, check)).collect();
    Ok(Filter::Group { all, of: of? })
}

impl Filter {
    /// Whether all of it holds; `one` says so of one comparison.
    pub fn holds(&self, one: &impl Fn(&str, &str, &Value) -> bool) -> bool {
        match self {
            Filter::Group { all: true, of } => of.iter().all(|filter| filter.holds(one)),
            Filter::Group { all: false, of } => of.iter().any(|filter| filter.holds(one)),
            Filter::One { field, operator, value } => one(field, operator, value),
        }
    }
}

/// Dates compare by day, in the workspace's time zone, which is UTC here.
pub fn days(kept: &Value, operator: &str, value: &Value) -> bool {
    let day = |value: &Value| {
        let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        seconds.map(|seconds| seconds.div_euclid(SECONDS_PER_DAY))
    };
    let (Some(kept), Some(wanted)) = (day(kept), day(value)) else {
        return kept.is_null() && value.is_null() && operator == "=";
    };
    match operator {
        "<" => kept < wanted,
        "<=" => kept <= wanted,
        ">" => kept > wanted,
        ">=" => kept >= wanted,
        _ => kept == wanted,
    }
}

/// Whether one value is to another as the operator says.
pub fn compare(kept: &Value, operator: &str, value: &Value) -> bool {
    let is_in = |list: &Value| list.as_array().is_some_and(|items| items.iter().any(|item| same(kept, item)));
    let text = |test: fn(&str, &str) -> bool| {
        let (Some(kept), Some(wanted)) = (text_of(kept), text_of(value)) else { return false };
        test(&kept.to_lowercase(), &wanted.to_lowercase())
    };
    match operator {
        "=" => same(kept, value),
        "!=" => !same(kept, value),
        "IN" => is_in(value),
        "NIN" => !is_in(value),
        "~" => text(|kept, wanted| kept.contains(wanted)),
        "!~" => !text(|kept, wanted| kept.contains(wanted)),
        "^" => text(|kept, wanted| kept.starts_with(wanted)),
        "$" => text(|kept, wanted| kept.ends_with(wanted)),
        "<" => order(kept, value) == Some(Ordering::Less),
        ">" => order(kept, value) == Some(Ordering::Greater),
        "<=" => matches!(order(kept, value), Some(Ordering::Less | Ordering::Equal)),
        _ => matches!(order(kept, value), Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn same(kept: &Value, value: &Value) -> bool {
    kept == value || (!kept.is_null() && text_of(kept).is_some_and(|kept| text_of(value) == Some(kept)))
}

fn order(kept: &Value, value: &Value) -> Option<Ordering> {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number(kept)?.partial_cmp(&number(value)?)
}

/// A value as text, where it is none of the structured ones.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Entries of a page, and the cursor of the page before.
pub fn pagination(body: &Object<'_>, per_page: usize) -> Result<(usize, Option<String>), Refusal> {
    let Some(pagination) = body.get("pagination") else { return Ok((per_page, None)) };
    let per_page = match pagination.get("per_page") {
        None => per_page,
        Some(Json::Number(number)) if number.as_u64().is_some_and(|n| (1..=paging::MAX as u64).contains(&n)) => {
            number.as_u64().unwrap_or_default() as usize
        }
        Some(_) => return Err(Refusal::invalid("per_page", format!("per_page must be from 1 to {}", paging::MAX))),
    };
    Ok((per_page, pagination.get("starting_after").and_then(Json::as_str).map(str::to_owned)))
}
