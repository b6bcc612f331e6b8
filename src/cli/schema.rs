//! `interline schema`: prints the JSON Schemas that stand in `schemas/`.

use anyhow::bail;
use clap::Args;

use super::{Verdict, print};
use crate::generate;
use crate::yaml::meant;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  interline schema destination > destination.schema.json")]
pub(super) struct Schema {
    /// Which one: destination, settings or event. Without a name: their names.
    name: Option<String>,
}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let named = || generate::ALL.iter().filter_map(|generated| Some((generated.name?, generated)));
        let Some(wanted) = self.name else {
            named().for_each(|(name, _)| print(name));
            return Ok(Verdict::Fine);
        };
        let Some((_, generated)) = named().find(|(name, _)| *name == wanted) else {
            bail!("there is no schema `{wanted}`, {}", meant(&wanted, named().map(|(name, _)| name)));
        };
        print((generated.content)().trim_end());
        Ok(Verdict::Fine)
    }
}
