//! Whether a data directory lies on a file system that keeps what it was given.
//!
//! # Why
//! The write-ahead log shares memory between connections and trusts locks and syncs: network file systems promise
//! neither. A container's own layer and a file system in memory keep their word, but vanish with what they belong to.

use std::path::{Path, PathBuf};

use crate::store::{Error, Result};

const NETWORK: &[&str] =
    &["nfs", "nfs4", "cifs", "smbfs", "smb2", "smb3", "ncpfs", "afs", "fuse.sshfs", "fuse.glusterfs", "fuse.rclone"];
const DOUBTFUL: &[&str] = &["9p", "virtiofs", "vboxsf", "fuse.grpcfuse", "fuse.osxfs", "fuse.vmhgfs-fuse", "ceph"];

/// Refuses a network file system, warns of others that may lose data. Knows file systems only on Linux.
pub(super) fn check(directory: &Path) -> Result<()> {
    let Ok(directory) = directory.canonicalize() else { return Ok(()) };
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return Ok(()) };
    let Some(kind) = file_system(&mounts, &directory) else { return Ok(()) };
    let shown = directory.display();
    match kind {
        network if NETWORK.contains(&network) => {
            return Err(Error::Incompatible(format!(
                "the data directory {shown} is on a network file system ({network}), which cannot keep it safe; set \
                 data_dir to a local disk"
            )));
        }
        "overlay" | "aufs" => tracing::warn!(
            "The data directory {shown} is in a container's own layer and vanishes with the container; mount a volume"
        ),
        "tmpfs" | "ramfs" => {
            tracing::info!("The data directory {shown} is in memory and vanishes when the machine stops");
        }
        shared if DOUBTFUL.contains(&shared) => tracing::warn!(
            "The data directory {shown} is shared with a host ({shared}), which may not survive a power cut; use a \
             local disk"
        ),
        _ => {}
    }
    Ok(())
}

/// The type of the file system that `path` is on, by the kernel's list (proc(5), "mountinfo"): the longest mount point
/// that leads to it, of equals the last.
fn file_system<'m>(mounts: &'m str, path: &Path) -> Option<&'m str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let point = PathBuf::from(unescape(mount.split(' ').nth(4)?));
        Some((point, source.split(' ').next()?))
    });
    let leading = mounts.filter(|(point, _)| path.starts_with(point));
    leading.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

/// Spaces and the like are written as `\040`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = r"22 1 0:21 / / rw,relatime - overlay overlay rw
23 22 8:1 / /data rw shared:1 - ext4 /dev/sda1 rw
24 23 0:40 / /data/far\040away rw - nfs4 server:/x rw
25 22 0:41 / /tmp rw - tmpfs tmpfs rw
26 22 0:42 / /tmp rw - xfs /dev/sdb rw";

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(file_system(MOUNTS, Path::new(path)), Some(expected));
    }

    #[test]
    fn the_nearest_mount_point_tells_the_type() {
        check("/var/lib/interline", "overlay");
        check("/data", "ext4");
        check("/data/here", "ext4");
        check("/database", "overlay");
        check("/data/far away/store", "nfs4");
        check("/tmp/x", "xfs");
    }
}
