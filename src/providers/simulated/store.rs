//! Keeps the estate: shared inside a process, and in a file where a killed simulation is to be resumed. Knows
//! no actions.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::estate::Estate;
use crate::model::id::RunId;

/// Why a stored estate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("the simulated estate in {path} could not be {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{path} holds no simulated estate of this version of drctl; delete it to begin anew")]
    Content {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Debug, Default)]
struct Inner {
    estate: Estate,
    path: Option<PathBuf>,
}

/// A handle on an estate; clones share it. In tests it outlives the simulated engine.
#[derive(Debug, Clone, Default)]
pub struct EstateStore {
    inner: Arc<Mutex<Inner>>,
}

impl EstateStore {
    /// An empty estate in memory.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// The estate in a file, empty where there is no file yet. Written atomically after every effect, without
    /// a sync: it survives a killed process, not a power cut. One process at a time.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let estate = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Estate>(&bytes)
                .ok()
                .filter(Estate::has_known_format)
                .ok_or_else(|| Error::Content { path: path.clone() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Estate::default(),
            Err(source) => return Err(Error::File { path, what: "read", source }),
        };
        Ok(Self { inner: Arc::new(Mutex::new(Inner { estate, path: Some(path) })) })
    }

    /// The estate of a run that was begun by one on this estate: in a folder beside the file, or in memory.
    ///
    /// # Errors
    /// As [`EstateStore::open`].
    pub(super) fn of_child(&self, run: &RunId) -> Result<Self, Error> {
        let path = self.inner.lock().unwrap_or_else(PoisonError::into_inner).path.clone();
        let Some(path) = path else { return Ok(Self::in_memory()) };
        let folder = path.with_extension("d");
        std::fs::create_dir_all(&folder).map_err(|source| Error::File {
            path: folder.clone(),
            what: "written",
            source,
        })?;
        Self::open(folder.join(format!("{run}.json")))
    }

    /// A copy of the estate as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Estate {
        self.with(|estate| estate.clone())
    }

    /// Works on the estate.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Estate) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut inner.estate)
    }

    /// Writes the estate to its file, where it has one.
    pub(super) fn save(&self) -> Result<(), Error> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &inner.path else { return Ok(()) };
        let failed = |source| Error::File { path: path.clone(), what: "written", source };
        let bytes = serde_json::to_vec(&inner.estate).map_err(|error| failed(error.into()))?;
        write_atomically(path, &bytes).map_err(failed)
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)
}
