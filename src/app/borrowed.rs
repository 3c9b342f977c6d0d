//! The runbooks of a server, for as long as a command lasts: what is planned, judged or listed is then what
//! the server would run. Never keeps them, and never writes outside a folder of its own.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use super::{Error, RandomIds, exit, open_remote};
use crate::config::{Config, JournalPlace};
use crate::journal::remote::Sheet;
use crate::ports::{IdSource, JournalError};

/// Deepest folder a runbook may lie in.
const DEPTH: usize = 20;

/// A folder with the runbooks of a server; gone with this value.
#[derive(Debug)]
pub struct Borrowed {
    folder: PathBuf,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // What is left of it harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Fetches the runbooks of the server that a configuration names, and lets the configuration find them in
/// place of those of this machine. Nothing where no server is named.
///
/// # Errors
/// When the server refuses or cannot be asked, or the files cannot be written.
pub async fn borrow(config: &mut Config) -> Result<Option<Borrowed>, Error> {
    let JournalPlace::Server(place) = &config.journal else { return Ok(None) };
    let server = open_remote(place)?;
    let sheets = server.shelf().await.map_err(|refusal| JournalError::Afar(Box::new(refusal)))?;
    let borrowed = Borrowed { folder: config.state.join(format!("borrowed-{}", RandomIds.suffix())) };
    make(&borrowed.folder)?;
    config.runbooks.clear();
    let mut unlent = Vec::new();
    for Sheet { folder, path, text, unreadable } in &sheets {
        let theirs = PathBuf::from(folder);
        if let Some(why) = unreadable {
            unlent.push((if path.is_empty() { theirs } else { theirs.join(path) }, why.clone()));
            continue;
        }
        let known = config.borrowed.iter().find(|(_, named)| *named == theirs).map(|(here, _)| here.clone());
        let here = known.unwrap_or_else(|| {
            let here = borrowed.folder.join(config.borrowed.len().to_string());
            config.borrowed.push((here.clone(), theirs));
            config.runbooks.push(here.clone());
            here
        });
        let file = here.join(inside(path)?);
        if let Some(above) = file.parent() {
            make(above)?;
        }
        std::fs::write(&file, text)?;
    }
    if config.runbooks.is_empty() {
        config.runbooks.push(borrowed.folder.clone());
    }
    config.unlent = Some(unlent);
    Ok(Some(borrowed))
}

fn make(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The path of a runbook inside its folder: a server must not choose where on this machine something is
/// written.
fn inside(path: &str) -> Result<PathBuf, Error> {
    let path = PathBuf::from(path);
    let plain = |part: Component<'_>| {
        let Component::Normal(name) = part else { return false };
        let name = name.to_string_lossy();
        name.len() <= 255 && !name.starts_with('.') && !name.chars().any(char::is_control)
    };
    let ends = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if !ends || path.components().count() > DEPTH || !path.components().all(plain) {
        return Err(Error::new(
            exit::UNREACHABLE,
            "the server names a runbook in a way that no runbook is named",
        )
        .reason("server_garbled"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_server_writes_nowhere_else() {
        for good in ["pay.yaml", "shop/pay.yml", "a b/ü.yaml"] {
            assert_eq!(inside(good).unwrap().to_string_lossy(), good);
        }
        let deep = format!("{}pay.yaml", "x/".repeat(30));
        for bad in [
            "",
            "pay",
            "/etc/pay.yaml",
            "../pay.yaml",
            "a/../../pay.yaml",
            ".ssh/pay.yaml",
            "a\u{1b}.yaml",
            &deep,
        ] {
            assert!(inside(bad).is_err(), "{bad}");
        }
    }
}
