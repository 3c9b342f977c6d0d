//! How a failed HTTP call is told. Must never say the address, which may hold a secret.

use std::error::Error as _;

/// An error of the HTTP client with its causes, without the address.
#[must_use]
pub fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
