//! Addresses of HTTP services, as people write them. Never asks whether anybody answers there.

/// What keeps a text from being the address of an HTTP service; `None` where nothing does.
#[must_use]
pub fn http_fault(text: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = text.trim().split_once("://") else {
        return Some("it does not begin with https:// or http://");
    };
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Some("it does not begin with https:// or http://");
    }
    // Blanks behind the host are written as %20 by whoever asks.
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("its host holds a blank");
    }
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = match place.strip_prefix('[').map(|inside| inside.split_once(']')) {
        Some(None) => return Some("its host begins with [ and does not end with ]"),
        Some(Some((host, port))) => (host, port.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Some("it names no host");
    }
    port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err())
        .then_some("what follows the host is no port")
}

#[cfg(test)]
mod tests {
    use super::http_fault;

    #[test]
    fn an_address_has_a_scheme_a_host_and_nothing_odd() {
        for text in [
            "https://shop.example.com",
            "HTTP://shop.example.com:8080/health?deep=1#x",
            "https://user:pass@shop.example.com/",
            "http://127.0.0.1:80",
            "http://[::1]:8080/health",
            "https://bücher.example/",
            "https://shop.example.com/a b",
            " https://shop.example.com:/ ",
        ] {
            assert_eq!(http_fault(text), None, "{text}");
        }
        for (text, part) in [
            ("", "begin with"),
            ("shop.example.com", "begin with"),
            ("ftp://shop.example.com", "begin with"),
            ("https:/shop.example.com", "begin with"),
            ("https://", "no host"),
            ("https:///health", "no host"),
            ("https://:443/", "no host"),
            ("https://user@/", "no host"),
            ("https://shop.example.com:http/", "no port"),
            ("https://shop.example.com:99999/", "no port"),
            ("https://[::1/", "does not end"),
            ("https://shop example.com/", "blank"),
        ] {
            assert!(
                http_fault(text).is_some_and(|fault| fault.contains(part)),
                "{text}: {:?}",
                http_fault(text)
            );
        }
    }
}
