//! What a configuration says about the server that commands talk to: its address, who it is believed to be,
//! and where the token is. Never takes a token from the command line, and never shows one.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Error, environment};

/// Longest token, in bytes.
const TOKEN_BYTES: usize = 16 * 1024;

/// The server that commands talk to, in place of a journal of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSection {
    /// Address, such as `https://dr.example.com`; `--server` and `DRCTL_SERVER` are stronger.
    pub server: Option<String>,
    /// File with the token, readable by its owner alone; seen from the folder of this file. Default: `token`
    /// in the folder `drctl` below the configuration's folder (`~/.config`). `DRCTL_TOKEN` and
    /// `DRCTL_TOKEN_FILE` are stronger.
    pub token_file: Option<PathBuf>,
    /// Authorities that are trusted in place of those of this machine, PEM; seen from the folder of this
    /// file. `DRCTL_CA_FILE` is stronger.
    pub ca_file: Option<PathBuf>,
}

/// A server, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPlace {
    /// Its address.
    pub url: String,
    /// Who asks, if that is known.
    pub token: Option<Token>,
    /// Authorities that are trusted in place of those of this machine.
    pub ca_file: Option<PathBuf>,
}

/// A bearer token. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token, without the blanks and line breaks around it.
    ///
    /// # Errors
    /// When it is empty, too long, or holds what no header can; in words that hold nothing of it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.len() {
            0 => Err("the token is empty".to_owned()),
            length if length > TOKEN_BYTES => Err("the token is too long to be one".to_owned()),
            _ if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(text.to_owned())),
            _ => Err("the token holds characters that no token has".to_owned()),
        }
    }

    /// The token, for the header that proves who asks.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(not shown)")
    }
}

impl ClientSection {
    /// The server at an address, with the token that is found. `file`: where this section was read.
    ///
    /// # Errors
    /// When the file with the token cannot be read, or others can read it as well.
    pub(super) fn place(&self, url: &str, file: Option<&Path>) -> Result<ServerPlace, Error> {
        let beside = |path: &PathBuf| match file.and_then(Path::parent) {
            Some(folder) => folder.join(path),
            None => path.clone(),
        };
        let ca_file = environment("DRCTL_CA_FILE").map(PathBuf::from);
        let ca_file = ca_file.or_else(|| self.ca_file.as_ref().map(beside));
        let token = match environment("DRCTL_TOKEN") {
            Some(text) => {
                let told = |why| Error::Server(format!("DRCTL_TOKEN: {why}"));
                Some(Token::new(&text).map_err(told)?)
            }
            None => self.token_in_file(beside)?,
        };
        Ok(ServerPlace { url: url.to_owned(), token, ca_file })
    }

    fn token_in_file(&self, beside: impl Fn(&PathBuf) -> PathBuf) -> Result<Option<Token>, Error> {
        let named = environment("DRCTL_TOKEN_FILE").map(PathBuf::from);
        if let Some(path) = named.or_else(|| self.token_file.as_ref().map(beside)) {
            return read(&path).map(Some);
        }
        let folder = environment("XDG_CONFIG_HOME").map(PathBuf::from);
        let folder = folder.or_else(|| environment("HOME").map(|home| Path::new(&home).join(".config")));
        let place = folder.map(|folder| folder.join("drctl/token"));
        place.filter(|path| path.exists()).map(|path| read(&path)).transpose()
    }
}

/// Reads a token from a file that only its owner can read.
fn read(path: &Path) -> Result<Token, Error> {
    let told = |why: &dyn std::fmt::Display| Error::Server(format!("token file {}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| told(&error))?;
    // Of what was opened, not of what the name may stand for by now.
    let metadata = file.metadata().map_err(|error| told(&error))?;
    if !metadata.is_file() {
        return Err(told(&"it is no file"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!(
            "others than its owner can use it (mode {mode:04o}): `chmod 600` it, and consider \
                           a new token"
        );
        return Err(told(&why));
    }
    let owner = metadata.uid();
    if owner != rustix::process::geteuid().as_raw() && owner != 0 {
        return Err(told(&"it belongs to somebody else"));
    }
    let mut text = String::new();
    let most = TOKEN_BYTES as u64 + 2;
    std::io::Read::read_to_string(&mut std::io::Read::take(file, most), &mut text)
        .map_err(|error| told(&error))?;
    Token::new(&text).map_err(|why| told(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_token_that_others_can_read_is_refused_and_not_shown() {
        for mode in [0o600, 0o400] {
            let (_folder, path) = file(mode, "drctl_s3cret\n");
            assert_eq!(read(&path).unwrap().secret(), "drctl_s3cret");
        }
        for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
            let (_folder, path) = file(mode, "drctl_s3cret\n");
            let told = read(&path).unwrap_err().to_string();
            assert!(told.contains("chmod 600") && !told.contains("s3cret"), "{told}");
        }
        for wrong in ["", "  \n", "two words", "s3cret\u{e4}", &"x".repeat(TOKEN_BYTES + 1)] {
            let (_folder, path) = file(0o600, wrong);
            let told = read(&path).unwrap_err().to_string();
            assert!(told.contains("the token") && !told.contains("s3cret"), "{told}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        let shown = format!("{:?}", Token::new("drctl_s3cret").unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
