//! Reading settings and destination files from disk, and compiling them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::destination;
use crate::mapping::compile::Compiled;
use crate::settings::{self, Settings};
use crate::yaml::{self, Lookup, Missing, Place, Problems};

/// The environment, as settings and mappings read it.
pub(super) fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The text of a file. Of one that is too long for any use here, a little more than is allowed, so that who reads it
/// says so. Only regular files are read: a pipe would be waited for, and a device need not end.
pub(super) fn text(path: &Path) -> io::Result<String> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "it is a folder" } else { "it is a pipe, a device or a socket" };
        return Err(io::Error::other(format!("{what}, not a regular file")));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(yaml::BYTES_MAX as u64 + 4).read_to_end(&mut bytes)?;
    if bytes.len() > yaml::BYTES_MAX {
        // The cut may go through a character.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

/// The content of a file named in `${file:…}`, without the line end that editors add; or why it cannot be read.
pub(super) fn secret(path: &str) -> Result<String, String> {
    let text = text(Path::new(path)).map_err(|error| error.to_string())?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Reads the settings. A file that was not asked for by name may be missing: then all settings have their defaults.
pub(super) fn settings(path: Option<&Path>) -> anyhow::Result<Result<Settings, Problems>> {
    let (path, asked) = (path.unwrap_or(Path::new("interline.yaml")), path.is_some());
    let text = match text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !asked => String::new(),
        Err(error) => bail!(
            "cannot read the settings {}: {error}; name the file with --config, or see deploy/interline.yaml for a sample",
            path.display()
        ),
    };
    Ok(settings::read(&path.display().to_string(), &text, &environment(), &secret))
}

/// The folder of destination files that the settings name. What else is wrong in the settings does not matter here.
pub(super) fn mappings_dir(config: Option<&Path>) -> anyhow::Result<PathBuf> {
    Ok(match settings(config)? {
        Ok(settings) => settings.mappings_dir,
        Err(problems) => {
            let mut problems = Problems::new(problems.file(), problems.text());
            let written = yaml::parse(&mut problems).and_then(|node| Some(node.get("mappings_dir")?.as_text()?.into()));
            written.unwrap_or_else(|| Settings::default().mappings_dir)
        }
    })
}

/// The destination files that paths name: themselves, and those in folders.
pub(super) fn destination_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if is_yaml(path) {
            // What is not there was misnamed on the command line, unlike what cannot be read.
            path.symlink_metadata().with_context(|| format!("cannot read {}", path.display()))?;
        }
        match is_folder(path) {
            true => files.extend(in_folder(path)?),
            false => files.push(path.clone()),
        }
    }
    Ok(files)
}

/// Whether a path given by name is a folder. What is not there is taken for what its name says it is, so that the error
/// names that.
pub(super) fn is_folder(path: &Path) -> bool {
    path.is_dir() || (!path.exists() && !is_yaml(path))
}

/// Whether a file ends as destination files do.
pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Whether two files would be one destination, which is called by the file's name without its ending.
pub(super) fn is_same_destination(one: &Path, other: &Path) -> bool {
    one.file_stem() == other.file_stem() && one.parent() == other.parent() && one != other
}

/// The destination files in a folder, in the order of their names.
pub(super) fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| {
        format!("cannot read the folder {} of destination files; mappings_dir names it", folder.display())
    })?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| !name.starts_with('.'));
        if named && is_yaml(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Compiles a destination file and has the destination check its settings. `sources`: the names it may mention, where
/// they are known.
pub(super) fn compile(path: &Path, sources: Option<&[String]>, missing: Missing) -> Result<Compiled, Problems> {
    let text = text(path).map_err(|error| unreadable(path, "file_unreadable", format!("cannot be read: {error}")))?;
    let environment = environment();
    let variable = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let lookup = Lookup { environment: &variable, file: &secret, missing };
    let sources: Option<Vec<&str>> = sources.map(|names| names.iter().map(String::as_str).collect());
    destination::compile(&text, &path.display().to_string(), sources.as_deref(), lookup)
}

/// A file or folder of which nothing is known but why it cannot be used.
pub(super) fn unreadable(path: &Path, code: &'static str, message: String) -> Problems {
    let mut problems = Problems::new(path.display().to_string(), "");
    problems.error(code, &Place { line: 1, column: 1, ..Place::default() }, "", message);
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("z.yaml");
        std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
        for (path, why) in [(device.as_path(), "a device"), (folder.path(), "a folder")] {
            assert!(text(path).unwrap_err().to_string().contains(why));
        }
        let pipe = folder.path().join("pipe.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(text(&pipe).unwrap_err().to_string().contains("a pipe"));
        let long = folder.path().join("long.yaml");
        std::fs::write(&long, "ä".repeat(yaml::BYTES_MAX)).unwrap();
        let read = text(&long).unwrap().len();
        assert!((yaml::BYTES_MAX + 1..yaml::BYTES_MAX + 16).contains(&read), "{read}");
    }
}
