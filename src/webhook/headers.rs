//! The headers of a request, by their names in lower case. Keeps what is text, and no more than a few.

/// Most headers that are kept.
const MOST: usize = 100;
/// Longest value that is kept, in bytes.
const LONGEST: usize = 8 * 1024;

/// The headers of a request. Their values may be secrets: they are never printed.
#[derive(Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Takes pairs of a name and a value, in the order in which they came.
    pub fn new<'h>(pairs: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let text = |(name, value): (&str, &[u8])| {
            let value = std::str::from_utf8(value).ok().filter(|value| value.len() <= LONGEST)?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        };
        Self(pairs.into_iter().filter_map(text).take(MOST).collect())
    }

    /// The first header of a name, which is given in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every header of a name, which is given in lower case.
    pub fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
