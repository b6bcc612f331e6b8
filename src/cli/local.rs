//! Which destination a command means, and how it is reached from here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::{Format, files, report};
use crate::app::{self, memory::Folder};
use crate::destination::{self, Destination, Kind};
use crate::mapping::{Mappings, compile};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::yaml::{Missing, nearest};

/// Where destinations are described.
#[derive(Debug, Clone, Args)]
pub(super) struct Where {
    /// The settings file.
    #[arg(long, env = "INTERLINE_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// The folder of destination files, or one of them, in place of the one that the settings name.
    #[arg(long, value_name = "PATH", global = true)]
    pub mappings: Option<PathBuf>,
}

/// A destination file that was read.
pub(super) struct Described {
    /// The destination's name: that of the file.
    pub name: Arc<str>,
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub mappings: Mappings,
    /// What it is a destination of.
    pub kind: &'static Kind,
    /// What it remembers between starts.
    pub memory: Folder,
}

impl Where {
    /// The settings.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        files::settings(self.config.as_deref())?.map_err(|problems| {
            report::write(&[problems], Format::Human);
            anyhow!("the settings have errors")
        })
    }

    /// The paths of destination files, with their names.
    pub(super) fn paths(&self, settings: &Settings) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let folder = self.mappings.as_deref().unwrap_or(&settings.mappings_dir);
        let paths = if folder.is_dir() { files::in_folder(folder)? } else { vec![folder.to_owned()] };
        Ok(paths.into_iter().map(|path| (name_of(&path), path)).collect())
    }

    /// The path of the destination that is called `name`; without a name, of the only one there is.
    pub(super) fn path(&self, settings: &Settings, name: Option<&str>) -> anyhow::Result<PathBuf> {
        let paths = self.paths(settings)?;
        let names = || paths.iter().map(|(name, _)| name.as_str());
        let list = || names().collect::<Vec<_>>().join(", ");
        let found = match (name, paths.as_slice()) {
            (None, [(_, only)]) => Some(only),
            (None, []) => bail!("there is no destination file; --mappings names another folder"),
            (None, _) => bail!("there are several destinations ({}): name one with --destination", list()),
            (Some(name), _) => paths.iter().find(|(known, _)| known == name).map(|(_, path)| path),
        };
        let wanted = name.unwrap_or_default();
        found.cloned().ok_or_else(|| match nearest(wanted, names()) {
            Some(near) => anyhow!("there is no destination `{wanted}`, did you mean `{near}`?"),
            None if paths.is_empty() => anyhow!("there is no destination `{wanted}`, and no destination file at all"),
            None => anyhow!("there is no destination `{wanted}`; there are {}", list()),
        })
    }

    /// The destination that is called `name`, ready to be used; without a name, the only one there is.
    pub(super) fn find(&self, name: Option<&str>) -> anyhow::Result<Described> {
        let settings = self.settings()?;
        let path = self.path(&settings, name)?;
        self.read(&settings, &path, Missing::Refused)
    }

    /// Every destination that is switched on.
    pub(super) fn all(&self, name: Option<&str>) -> anyhow::Result<Vec<Described>> {
        if name.is_some() {
            return Ok(vec![self.find(name)?]);
        }
        let settings = self.settings()?;
        let paths = self.paths(&settings)?;
        let read: Vec<Described> = paths
            .iter()
            .map(|(_, path)| self.read(&settings, path, Missing::RefusedWhenOn))
            .collect::<anyhow::Result<_>>()?;
        Ok(read.into_iter().filter(|described| described.mappings.enabled).collect())
    }

    fn read(&self, settings: &Settings, path: &Path, missing: Missing) -> anyhow::Result<Described> {
        let compiled = files::compile(path, None, missing).map_err(|problems| {
            report::write(&[problems], Format::Human);
            anyhow!("{} cannot be used", path.display())
        })?;
        described(settings, path, compiled.mappings)
    }
}

/// The name of the destination that a file describes.
pub(super) fn name_of(path: &Path) -> String {
    compile::name_of(&path.to_string_lossy())
}

/// What a compiled file describes.
pub(super) fn described(settings: &Settings, path: &Path, mappings: Mappings) -> anyhow::Result<Described> {
    let kind = destination::kind(&mappings.kind);
    let kind = kind.with_context(|| format!("there is no destination `{}`", mappings.kind))?;
    let memory = Folder::of(&settings.data_dir, &mappings.name);
    Ok(Described { name: mappings.name.as_str().into(), path: path.to_owned(), mappings, kind, memory })
}

impl Described {
    /// What an instance is built with. With its memory it refuses another workspace than before.
    pub(super) fn context(&self, remembering: bool) -> destination::Context {
        let memory = Folder::clone(&self.memory);
        destination::Context {
            name: self.name.clone(),
            metrics: Metrics::new(),
            clock: app::clock(),
            memory: remembering.then(|| Arc::new(memory) as Arc<dyn destination::Memory>),
        }
    }

    /// An instance, built as the router builds it.
    pub(super) fn build(&self) -> anyhow::Result<Box<dyn Destination>> {
        let built = (self.kind.build)(&self.mappings.settings, self.context(true));
        built.map_err(|why| anyhow!("{}: {why}", self.path.display()))
    }
}
