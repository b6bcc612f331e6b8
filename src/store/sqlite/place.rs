//! Whether a data directory lies on a file system that keeps what it was given.
//!
//! # Why
//! The write-ahead log shares memory between connections and trusts locks and syncs: network file systems promise
//! neither. A container's own layer and a file system in memory keep their word, but vanish with what they belong to.

use std::path::{Path, PathBuf};

use crate::store::{Error, Result};

#[rustfmt::skip]
const NETWORK: &[&str] = &[
    "nfs", "nfs4", "cifs", "smbfs", "smb2", "smb3", "ncpfs", "afs", "coda", "lustre", "beegfs", "orangefs", "davfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.mount-s3",
    "fuse.blobfuse", "fuse.blobfuse2", "fuse.juicefs", "fuse.JuiceFS", "fuse.davfs", "fuse.curlftpfs", "fuse.ceph-fuse",
];
#[rustfmt::skip]
const DOUBTFUL: &[&str] = &[
    "9p", "virtiofs", "vboxsf", "prl_fs", "drvfs", "fuse.grpcfuse", "fuse.osxfs", "fuse.vmhgfs-fuse", "fakeowner",
    "ceph", "gfs2", "ocfs2", "fuse.mergerfs",
];

/// What is to be said of a kind of file system.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Refused(String),
    Doubtful(String),
    Passing(String),
    Fine,
}

/// Refuses a network file system, warns of others that may lose data. Knows file systems only on Linux.
pub(super) fn check(directory: &Path) -> Result<()> {
    let Ok(directory) = directory.canonicalize() else { return Ok(()) };
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return Ok(()) };
    match judge(&mounts, &directory) {
        Verdict::Refused(why) => return Err(Error::Incompatible(why)),
        Verdict::Doubtful(why) => tracing::warn!("{why}"),
        Verdict::Passing(why) => tracing::info!("{why}"),
        Verdict::Fine => {}
    }
    Ok(())
}

fn judge(mounts: &str, directory: &Path) -> Verdict {
    let Some(kind) = file_system(mounts, directory) else { return Verdict::Fine };
    let shown = directory.display();
    match kind {
        network if NETWORK.contains(&network) => Verdict::Refused(format!(
            "the data directory {shown} is on a network file system ({network}), which cannot keep it safe; set data_dir \
             to a local disk"
        )),
        "overlay" | "aufs" => Verdict::Doubtful(format!(
            "The data directory {shown} is in a container's own layer and vanishes with the container; mount a volume"
        )),
        "tmpfs" | "ramfs" => {
            Verdict::Passing(format!("The data directory {shown} is in memory and vanishes when the machine stops"))
        }
        shared if DOUBTFUL.contains(&shared) => Verdict::Doubtful(format!(
            "The data directory {shown} is shared with a host ({shared}), which may not survive a power cut; use a local \
             disk"
        )),
        _ => Verdict::Fine,
    }
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

    /// On a mount of this type.
    fn judged(kind: &str) -> Verdict {
        judge(&format!("22 1 0:21 / /data rw - {kind} somewhere rw"), Path::new("/data/here"))
    }

    #[test]
    fn each_type_is_judged() {
        for kind in NETWORK {
            let Verdict::Refused(why) = judged(kind) else { panic!("{kind} is not refused") };
            assert!(why.contains("/data/here") && why.contains(kind) && why.contains("set data_dir"), "{why}");
        }
        for kind in DOUBTFUL.iter().chain(&["overlay", "aufs"]) {
            assert!(matches!(judged(kind), Verdict::Doubtful(why) if why.contains("/data/here")), "{kind}");
        }
        assert!(matches!(judged("tmpfs"), Verdict::Passing(_)));
        for kind in ["ext4", "xfs", "btrfs", "zfs", "f2fs", "fuse.ntfs", "apfs"] {
            assert_eq!(judged(kind), Verdict::Fine, "{kind}");
        }
        assert_eq!(judge("", Path::new("/data")), Verdict::Fine);
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
