//! Origins of pages, as RFC 6454 writes them: a scheme, a host, and a port unless it is the scheme's own. It decides nothing
//! about who may do what.

use std::fmt;

use url::Url;

/// How an origin looks.
const FORM: &str = "an origin looks like https://shop.example, http://127.0.0.1:3000 or capacitor://localhost";

/// The schemes of the web, and their own ports.
const WEB: [(&str, u16); 2] = [("http", 80), ("https", 443)];

/// Where a page comes from. Two spellings of one origin are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    /// The port, when it is not the scheme's own.
    port: Option<u16>,
}

impl Origin {
    /// Reads an origin.
    ///
    /// # Errors
    /// Why it is none, or none that a page can have.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.contains('*') {
            return Err("each origin is named: there are no wildcards");
        }
        if text.eq_ignore_ascii_case("null") {
            return Err("\"null\" is the origin of pages that have none, so that any page could have it");
        }
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        let scheme = scheme.to_ascii_lowercase();
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !is_scheme
            || rest.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '\\' | ',' | ';' | '%'))
        {
            return Err(FORM);
        }
        if rest.contains(['/', '?', '#']) {
            return Err("an origin ends with its host or port: leave out the path, and the / at the end");
        }
        match scheme.as_str() {
            "http" | "https" => Self::of_web(scheme, rest),
            "ws" | "wss" => Err("the origin of a page begins with http:// or https://, also when it opens websockets"),
            "file" => Err("pages that are files have no origin"),
            _ => Self::of_app(scheme, rest),
        }
    }

    /// The origin of a page on the web: browsers send names in punycode and addresses in one form.
    fn of_web(scheme: String, authority: &str) -> Result<Self, &'static str> {
        if authority.contains(['/', '?', '#', '@', '\\']) {
            return Err(FORM);
        }
        let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|_| FORM)?;
        let host = url.host_str().map(|host| host.strip_suffix('.').unwrap_or(host)).unwrap_or_default();
        if host.is_empty() {
            return Err(FORM);
        }
        Ok(Self { scheme, host: host.to_owned(), port: url.port() })
    }

    /// The origin of a page inside an app or an extension, whose host is a name of the app's own.
    fn of_app(scheme: String, authority: &str) -> Result<Self, &'static str> {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = port.map(|port| port.parse().map_err(|_| FORM)).transpose()?;
        if host.is_empty() || !host.is_ascii() {
            return Err(FORM);
        }
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port })
    }

    /// Whether this is the origin of a server's own pages, which was asked under this authority: a host, and a port unless
    /// it is the scheme's own.
    #[must_use]
    pub fn is_of(&self, authority: &str) -> bool {
        WEB.iter().any(|(scheme, _)| self.scheme == *scheme)
            && Self::of_web(self.scheme.clone(), authority).is_ok_and(|own| own == *self)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{scheme}://{host}")?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Reads an entry of a list of origins, and writes it as browsers do. An empty one stays empty: a comma at the end of a
/// list names nothing.
pub fn entry(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    Origin::read(text).map(|origin| origin.to_string()).map_err(|why| format!("{why} (not {:?})", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, written) in [
            (" https://Shop.example ", "https://shop.example"),
            ("HTTPS://SHOP.EXAMPLE:443", "https://shop.example"),
            ("https://shop.example.", "https://shop.example"),
            ("http://shop.example:80", "http://shop.example"),
            ("http://shop.example:443", "http://shop.example:443"),
            ("https://shop.example:444", "https://shop.example:444"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("https://under_score.example", "https://under_score.example"),
            ("https://localhost", "https://localhost"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("tauri://localhost", "tauri://localhost"),
            ("app://.", "app://."),
            ("app://obsidian.md", "app://obsidian.md"),
            ("custom-app://host:8080", "custom-app://host:8080"),
            (
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            ),
            (
                "moz-extension://0c4a2ad3-1f0e-4f5d-8d3c-0d0d3d7b1f3a",
                "moz-extension://0c4a2ad3-1f0e-4f5d-8d3c-0d0d3d7b1f3a",
            ),
            ("", ""),
            ("  ", ""),
        ] {
            assert_eq!(entry(text).as_deref(), Ok(written), "{text:?}");
        }
    }

    #[test]
    fn what_no_page_can_have_is_refused_with_words() {
        for (text, word) in [
            ("*", "wildcards"),
            ("https://*.shop.example", "wildcards"),
            ("null", "null"),
            ("shop.example", "looks like"),
            ("localhost:3000", "looks like"),
            ("https://", "looks like"),
            ("https://shop.example/", "at the end"),
            ("https://shop.example/app", "path"),
            ("https://shop.example?a", "path"),
            ("https://me@shop.example", "looks like"),
            ("https://a b", "looks like"),
            ("https://shop.example:99999", "looks like"),
            ("https://shop.example;https://b.example", "looks like"),
            ("capacitor://", "looks like"),
            ("capacitor://localhost/", "at the end"),
            ("capacitor://localhost:x", "looks like"),
            ("wss://shop.example", "https://"),
            ("file://", "no origin"),
            ("://shop.example", "looks like"),
            ("1app://x", "looks like"),
        ] {
            assert!(entry(text).is_err_and(|why| why.contains(word)), "{text:?}: {:?}", entry(text));
        }
    }

    #[test]
    fn a_page_is_our_own_by_host_and_port() {
        for (origin, authority, expected) in [
            ("https://shop.example", "shop.example", true),
            ("https://shop.example", "shop.example:443", true),
            ("https://shop.example:443", "shop.example", true),
            ("https://shop.example", "SHOP.example:443", true),
            ("https://shop.example", "shop.example.", true),
            ("https://shop.example.", "shop.example", true),
            ("https://shop.example.", "shop.example.:443", true),
            ("http://shop.example", "shop.example:80", true),
            ("http://[::1]", "[::1]:80", true),
            ("http://[::1]:8000", "[0:0::1]:8000", true),
            ("https://xn--bcher-kva.example", "bücher.example", true),
            ("https://shop.example", "shop.example:444", false),
            ("https://shop.example", "shop.example:80", false),
            ("http://shop.example", "shop.example:443", false),
            ("https://shop.example:444", "shop.example", false),
            ("https://shop.example", "evil.example", false),
            ("https://shop.example", "shop.example:443@evil.example", false),
            ("https://shop.example", "shop.example/x", false),
            ("https://shop.example", "", false),
            ("capacitor://localhost", "localhost", false),
        ] {
            assert_eq!(Origin::read(origin).unwrap().is_of(authority), expected, "{origin} {authority}");
        }
    }
}
