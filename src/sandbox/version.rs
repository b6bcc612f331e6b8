//! Versions of the API, and what they change.

use super::reply::Refusal;

/// Last minor number of each published major one.
const LAST_MINOR: [(u16, u16); 2] = [(1, 4), (2, 16)];

/// One published version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u16, u16);

impl Version {
    /// Reads the header's value; an unknown version is refused.
    pub fn parse(text: &str) -> Result<Version, Refusal> {
        let refusal = || Refusal::new(400, "intercom_version_invalid", "The requested version could not be found");
        if text == "Preview" || text == "Unstable" {
            return Ok(Version(u16::MAX, 0));
        }
        let (major, minor) = text.split_once('.').ok_or_else(refusal)?;
        let version = Version(major.parse().map_err(|_| refusal())?, minor.parse().map_err(|_| refusal())?);
        let published = LAST_MINOR.iter().any(|(major, last)| version.0 == *major && version.1 <= *last);
        match published && text == format!("{}.{}", version.0, version.1) {
            true => Ok(version),
            false => Err(refusal()),
        }
    }

    /// Whether a merged contact answers 410 rather than 404.
    pub fn tells_merges(self) -> bool {
        self >= Version(2, 16)
    }

    /// Whether a missing person or company is skipped when tagging, rather than refusing the whole request.
    pub fn skips_missing_when_tagging(self) -> bool {
        self >= Version(2, 16)
    }

    /// Whether an owner's id is text rather than an integer.
    pub fn owner_id_is_text(self) -> bool {
        self >= Version(2, 16)
    }

    /// Whether a merge wants e-mail or phone to be the same.
    pub fn checks_merges(self) -> bool {
        self >= Version(2, 16)
    }

    /// Whether contacts can be read by external id.
    pub fn finds_by_external_id(self) -> bool {
        self >= Version(2, 13)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, known: bool) {
        assert_eq!(Version::parse(text).is_ok(), known, "{text}");
    }

    #[test]
    fn published_versions_are_known_and_no_others() {
        for text in ["1.0", "1.4", "2.0", "2.13", "2.16", "Preview"] {
            check(text, true);
        }
        for text in ["", "2", "2.17", "1.5", "3.0", "02.16", "2.+6", "2.16.1", "latest"] {
            check(text, false);
        }
    }
}
