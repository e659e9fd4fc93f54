//! What the headers of a request say about media types, codings and protocols. It decides nothing about the response.

use axum::http::{HeaderMap, HeaderValue, header};

/// Returns whether a client names this media type among those that it accepts.
pub fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let mut types = lines.flat_map(|accept| accept.split(',')).filter_map(|part| part.split(';').next());
    types.any(|one| one.trim().eq_ignore_ascii_case(media_type))
}

/// Returns whether a client asks for a websocket.
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::UPGRADE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// Returns whether the body has a content coding, such as gzip.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    let is_plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    let is_plain_line =
        |line: &HeaderValue| line.to_str().is_ok_and(|line| line.split(',').map(str::trim).all(is_plain));
    !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain_line)
}

/// Returns whether the body is JSON in UTF-8.
pub fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = media_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let mut parameters = parts.filter_map(|part| part.split_once('='));
    let is_utf8 = |value: &str| ["utf-8", "utf8"].iter().any(|one| value.trim_matches('"').eq_ignore_ascii_case(one));
    is_json && parameters.all(|(name, value)| !name.trim().eq_ignore_ascii_case("charset") || is_utf8(value.trim()))
}
