//! The keys of an identity provider on disk, so that a restart while the provider is down loses nothing. They
//! are public; who can write them can be anybody, as with the journal they lie beside.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::record::{digest, hex};
use crate::model::time::Timestamp;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Keys as an issuer published them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Whose they are.
    pub issuer: String,
    /// When they were read.
    pub at: Timestamp,
    /// The document.
    pub keys: String,
}

/// Where the keys of an issuer are kept.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(state: &Path, issuer: &str) -> Self {
        let name: String = hex(&digest(issuer.as_bytes())).chars().take(32).collect();
        Self(state.join("oidc").join(format!("{name}.json")))
    }

    /// What is kept for an issuer.
    ///
    /// # Errors
    /// When there is something that cannot be read.
    pub(super) fn read(&self, issuer: &str) -> io::Result<Option<Kept>> {
        let data = match fs::metadata(&self.0) {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if data.len() > LARGEST {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        let kept: Kept = serde_json::from_slice(&fs::read(&self.0)?)?;
        Ok(Some(kept).filter(|kept| kept.issuer == issuer))
    }

    /// Keeps keys; what was there stays whole until they are.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn write(&self, kept: &Kept) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        // Another process of the same folder writes the same, under its own name.
        let new = self.0.with_extension(format!("{}.new", std::process::id()));
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(kept)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_for_their_issuer_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path(), "https://a");
        assert_eq!(place.read("https://a").unwrap(), None);
        let kept = Kept { issuer: "https://a".into(), at: Timestamp::from_millis(7), keys: "{}".into() };
        place.write(&kept).unwrap();
        place.write(&kept).unwrap();
        assert_eq!(place.read("https://a").unwrap(), Some(kept));
        assert_eq!(place.read("https://b").unwrap(), None);
        let file = fs::read_dir(folder.path().join("oidc")).unwrap().next().unwrap().unwrap().path();
        fs::write(&file, "{").unwrap();
        assert!(place.read("https://a").is_err());
    }
}
