//! The files of an attempt: what its programs print, who they are, how they ended. Plain unsynced writes:
//! they only matter while the host that wrote them is up. Must never hold parameters, which may be secrets.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::identity::place_of;
use crate::ports::{AttemptContext, Began};

/// Longest readable part of the name of an attempt's files, in bytes.
const NAME_BYTES: usize = 120;
/// Most bytes read of a record file; a longer one is not ours.
const RECORD_BYTES: u64 = 64 * 1024;

/// The directory `<state>/runs`, in which every run has a directory.
#[derive(Debug, Clone)]
pub(in crate::providers) struct RunFiles {
    root: PathBuf,
}

impl RunFiles {
    /// Takes the directory; a relative one is tied to the present working directory.
    pub(in crate::providers) fn new(root: PathBuf) -> Self {
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// Names the directory, which is made for that where there is none yet.
    pub(in crate::providers) fn place(&self) -> Option<String> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root).ok()?;
        place_of(&self.root)
    }

    /// Says whether a driver that was there left its traces here, if it left any.
    pub(in crate::providers) fn hold_traces_of(&self, began: &Began) -> bool {
        began.traces.is_some() && began.traces == place_of(&self.root)
    }

    /// The files of one attempt; creates nothing.
    pub(in crate::providers) fn attempt(&self, context: &AttemptContext) -> AttemptFiles {
        let name = format!("{}-{}", file_safe(context.node.as_str()), context.attempt);
        AttemptFiles { base: self.root.join(context.run.as_str()).join(name) }
    }
}

/// The files of one attempt, `<base>.<name>`: a directory for each would cost more than all that is in it.
#[derive(Debug, Clone)]
pub(in crate::providers) struct AttemptFiles {
    base: PathBuf,
}

impl AttemptFiles {
    /// Takes what their paths begin with; the directory exists already.
    pub(in crate::providers) fn at(base: &Path) -> Self {
        Self { base: base.to_owned() }
    }

    /// Creates the directory of the run, readable by its owner alone.
    pub(in crate::providers) fn create(&self) -> io::Result<()> {
        let directory = self.base.parent().unwrap_or(&self.base);
        DirBuilder::new().recursive(true).mode(0o700).create(directory)
    }

    /// What their paths begin with.
    pub(in crate::providers) fn base(&self) -> &Path {
        &self.base
    }

    /// Last part of what their paths begin with: node and number of the attempt.
    pub(super) fn name(&self) -> &str {
        self.base.file_name().and_then(OsStr::to_str).unwrap_or_default()
    }

    /// Where a file is.
    pub(in crate::providers) fn path(&self, name: &str) -> PathBuf {
        let mut path = self.base.clone().into_os_string();
        path.push(".");
        path.push(name);
        path.into()
    }

    /// Opens a file that several programs may append to.
    pub(in crate::providers) fn append(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.path(name))
    }

    /// Writes a record; fails when it is there already.
    pub(in crate::providers) fn write_once(&self, name: &str, record: &impl Serialize) -> io::Result<()> {
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(self.path(name))?;
        file.write_all(&serde_json::to_vec(record)?)
    }

    /// Writes a record so that a reader sees all of it or nothing.
    pub(in crate::providers) fn publish(&self, name: &str, record: &impl Serialize) -> io::Result<()> {
        let draft = self.path(&format!("{name}.tmp"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        std::fs::rename(&draft, self.path(name))
    }

    /// Reads a record; `None` when it is absent or not readable as one.
    pub(in crate::providers) fn record<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let mut bytes = Vec::new();
        File::open(self.path(name)).ok()?.take(RECORD_BYTES).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Removes a file, if it is there.
    pub(in crate::providers) fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.path(name));
    }

    /// A file without a name that holds these bytes, to be read by a program; gone with its last reader.
    /// Makes the directory of the run where there is none.
    pub(in crate::providers) fn anonymous(&self, bytes: &[u8]) -> io::Result<File> {
        let path = self.path("stdin.tmp");
        let open =
            || OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(&path);
        let mut file = match open() {
            // The first file of the run, or somebody has removed the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create().and_then(|()| open())?,
            opened => opened?,
        };
        std::fs::remove_file(&path)?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// The first `limit` bytes of a file and its whole length; nothing when it is absent.
    pub(in crate::providers) fn beginning(&self, name: &str, limit: usize) -> (Vec<u8>, u64) {
        beginning(&self.path(name), limit)
    }

    /// The last 16 KiB of a file; nothing when it is absent.
    pub(in crate::providers) fn ending(&self, name: &str) -> Vec<u8> {
        ending(&self.path(name))
    }
}

/// The first `limit` bytes of a file and its whole length; nothing when it is absent.
pub(super) fn beginning(path: &Path, limit: usize) -> (Vec<u8>, u64) {
    let read = || -> io::Result<(Vec<u8>, u64)> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok((bytes, length))
    };
    read().unwrap_or_default()
}

/// The last 16 KiB of a file; nothing when it is absent.
pub(super) fn ending(path: &Path) -> Vec<u8> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)))?;
        let mut bytes = Vec::new();
        file.take(16 * 1024).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().unwrap_or_default()
}

/// A node's address as a file name: other characters than letters, digits, `.`, `_` and `-` become `%XX`, and
/// a long name ends in a digest, so that two addresses never share one.
fn file_safe(address: &str) -> String {
    let mut name = String::with_capacity(address.len());
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    if name.len() > NAME_BYTES {
        let digest = Sha256::digest(address.as_bytes());
        name.truncate(NAME_BYTES);
        name.push('~');
        for byte in digest.iter().take(8) {
            let _ = write!(name, "{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_distinct_file_names() {
        assert_eq!(file_safe("promote/verify-1"), "promote%2Fverify-1");
        assert_eq!(file_safe("scale[web/ä]"), "scale%5Bweb%2F%C3%A4%5D");
        assert_ne!(file_safe("a/b"), file_safe("a%2Fb"));
        let (one, two) = ("x".repeat(300) + "1", "x".repeat(300) + "2");
        assert_ne!(file_safe(&one), file_safe(&two));
        assert!(file_safe(&one).len() < 200);
    }
}
