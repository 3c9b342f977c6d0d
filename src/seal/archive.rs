//! The archive of a bundle: plain tar, the same bytes for the same files, and no other bytes are taken. Reads
//! what strangers made: no path leads out of the bundle, nothing grows beyond what was read.

use std::collections::BTreeMap;
use std::io::Read as _;

use super::{BYTES, FILES};

/// Files by their path in the bundle.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Longest path in a bundle, in bytes: a plain header holds it.
const PATH: usize = 100;

/// Why an archive is not one that drctl wrote, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct Stop {
    /// The first byte concerned, from 0.
    pub at: u64,
    /// What is wrong.
    pub what: String,
}

fn stop(at: u64, what: impl Into<String>) -> Stop {
    Stop { at, what: what.into() }
}

/// Writes files below a folder, with one time for all of them in seconds since 1970.
pub(super) fn write(folder: &str, files: &Files, time: u64) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        header.set_path(format!("{folder}/{name}"))?;
        header.set_cksum();
        archive.append(&header, bytes.as_slice())?;
    }
    archive.into_inner()
}

/// Reads the files of a bundle; returns the name of its folder, too.
///
/// # Errors
/// When it is no archive as drctl writes them; says where.
pub fn unpack(bytes: &[u8]) -> Result<(String, Files), Stop> {
    if bytes.len() > BYTES {
        return Err(stop(BYTES as u64, "a bundle is never that large"));
    }
    let mut archive = tar::Archive::new(bytes);
    let mut files = Files::new();
    let (mut folder, mut time) = (None, None);
    // Raw: extensions of the format, such as long names and sparse files, are no part of a bundle.
    let entries = archive.entries().map_err(|error| stop(0, error.to_string()))?.raw(true);
    let mut at = 0;
    for entry in entries {
        let mut entry = entry.map_err(|error| stop(at, format!("no header of a file: {error}")))?;
        at = entry.raw_header_position();
        let (inside, name) = path(&entry.path_bytes()).ok_or_else(|| stop(at, "no path of a bundle"))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(stop(at, format!("{name} is no plain file")));
        }
        let header_time = entry.header().mtime().map_err(|error| stop(at, error.to_string()))?;
        if *folder.get_or_insert(inside.clone()) != inside || *time.get_or_insert(header_time) != header_time
        {
            return Err(stop(at, format!("the header of {name} does not belong to this bundle")));
        }
        let size = usize::try_from(entry.size()).ok().filter(|size| *size <= bytes.len());
        let size = size.ok_or_else(|| stop(at, format!("{name} is longer than the bundle")))?;
        let mut content = Vec::with_capacity(size);
        let read = entry.read_to_end(&mut content).map_err(|error| stop(at, format!("{name}: {error}")))?;
        if read != size {
            return Err(stop(at, format!("{name} ends too early")));
        }
        if files.insert(name.clone(), content).is_some() {
            return Err(stop(at, format!("{name} is there twice")));
        }
        if files.len() > FILES {
            return Err(stop(at, "a bundle never has that many files"));
        }
    }
    let folder = folder.ok_or_else(|| stop(0, "there is nothing in it"))?;
    same(bytes, &folder, &files, time.unwrap_or_default())?;
    Ok((folder, files))
}

/// Whoever packs these files gets these bytes, and no others: padding, headers and order included.
fn same(bytes: &[u8], folder: &str, files: &Files, time: u64) -> Result<(), Stop> {
    let again = write(folder, files, time).map_err(|error| stop(0, error.to_string()))?;
    if again == bytes {
        return Ok(());
    }
    let first = again.iter().zip(bytes).position(|(ours, theirs)| ours != theirs);
    let at = first.unwrap_or_else(|| again.len().min(bytes.len()));
    let what = match first {
        Some(_) => "the archive is not written as drctl writes it: a header, padding or the order differs",
        None if bytes.len() > again.len() => "something was appended",
        None => "the end is missing",
    };
    Err(stop(at as u64, what))
}

/// The folder and the path inside of it; `None`: it is no path of a bundle.
fn path(bytes: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= PATH)?;
    let plain = |part: &str| {
        let letters = part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        letters && !part.is_empty() && !part.starts_with('.')
    };
    let (folder, name) = text.split_once('/')?;
    (plain(folder) && name.split('/').all(plain)).then(|| (folder.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        [file("a", "one"), file("b/c", ""), file("d", &"x".repeat(600))].into()
    }

    fn packed(name: &str, kind: tar::EntryType, size: Option<u64>) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size.unwrap_or(3));
        // The safe way would refuse what strangers write.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, b"abc".as_slice()).unwrap();
        archive.into_inner().unwrap()
    }

    #[test]
    fn what_is_packed_comes_out_and_is_packed_the_same() {
        let bytes = write("f", &files(), 7).unwrap();
        assert_eq!(bytes, write("f", &files(), 7).unwrap());
        assert_eq!(unpack(&bytes), Ok(("f".to_owned(), files())));
    }

    #[test]
    fn no_path_leads_out_and_nothing_but_plain_files_is_taken() {
        for path in ["../x", "/etc/x", "f/../x", "f//x", "f/.x", "x", "f/a\\b", "f/ä"] {
            let stopped = unpack(&packed(path, tar::EntryType::Regular, None)).unwrap_err();
            assert_eq!((stopped.at, stopped.what.as_str()), (0, "no path of a bundle"), "{path}");
        }
        for kind in [
            tar::EntryType::Symlink,
            tar::EntryType::Link,
            tar::EntryType::Directory,
            tar::EntryType::GNUSparse,
            tar::EntryType::GNULongName,
            tar::EntryType::XHeader,
        ] {
            assert!(unpack(&packed("f/x", kind, None)).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn a_size_that_is_not_there_costs_nothing() {
        for size in [4, 1 << 20, 1 << 40, u64::MAX >> 2] {
            assert!(unpack(&packed("f/x", tar::EntryType::Regular, Some(size))).is_err(), "{size}");
        }
        assert!(unpack(b"").is_err() && unpack(&[0; 1024]).is_err() && unpack(&[65; 5_000]).is_err());
    }

    #[test]
    fn every_byte_of_the_archive_itself_counts() {
        let bytes = write("f", &files(), 7).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let content = files();
            // Content is for the manifest to find.
            if let Ok((folder, found)) = unpack(&changed) {
                assert!(folder != "f" || found != content, "byte {at}");
            }
        }
        let longer = [bytes.as_slice(), &[0; 512]].concat();
        let appended = unpack(&longer).unwrap_err();
        assert_eq!((appended.at, appended.what.as_str()), (bytes.len() as u64, "something was appended"));
        assert!(unpack(&bytes[..bytes.len() - 512]).is_err());
    }
}
