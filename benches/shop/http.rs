//! A client for HTTP/1.1 that costs as little as possible, so that it leaves the processor to the server: one connection,
//! kept alive, one request at a time, over loopback.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Timeout for one request.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Bytes that are read at once.
const BUFFER: usize = 8_192;

/// Maximum size of an answer, in bytes.
const MAX_ANSWER: usize = 4 * 1_024 * 1_024;

/// A connection to `/graphql` of a server.
pub struct Connection {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects to a server at `HOST:PORT`.
    pub async fn open(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: host.to_owned(), request: Vec::new(), answer: Vec::new() })
    }

    /// Sends a body and returns the body of the answer, whose status is 200.
    pub async fn post(&mut self, body: &[u8]) -> Result<&[u8]> {
        self.request.clear();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        let start = timeout(TIMEOUT, self.exchange()).await.context("no answer in time")??;
        Ok(&self.answer[start..])
    }

    /// Sends a body and returns the answer as JSON, which must have no errors.
    pub async fn json(&mut self, body: &[u8]) -> Result<Value> {
        let answer: Value = serde_json::from_slice(self.post(body).await?)?;
        ensure!(answer.get("errors").is_none(), "refused: {answer}");
        Ok(answer)
    }

    /// Sends the request and reads the whole answer. Returns where its body begins.
    async fn exchange(&mut self) -> Result<usize> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let mut whole = None;
        loop {
            self.answer.reserve(BUFFER);
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the server closed the connection");
            ensure!(self.answer.len() <= MAX_ANSWER, "an answer of more than {MAX_ANSWER} bytes");
            if whole.is_none() {
                whole = header(&self.answer)?;
            }
            match whole {
                Some((start, length)) if self.answer.len() >= start + length => return Ok(start),
                _ => {}
            }
        }
    }
}

/// Returns where the body begins and its length, once the header is complete.
fn header(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = find(answer, b"\r\n\r\n") else { return Ok(None) };
    let header = std::str::from_utf8(&answer[..end])?;
    let mut lines = header.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200") {
        bail!("{status}: {}", String::from_utf8_lossy(&answer[end..]));
    }
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("an answer without a length")?;
    Ok(Some((end + 4, length.1.trim().parse()?)))
}

/// Returns where a text begins in another.
pub fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

/// Returns the whole number that follows the first occurrence of `"name":`.
pub fn number(text: &[u8], name: &str) -> Option<u64> {
    let key = format!("\"{name}\":");
    let digits = text[find(text, key.as_bytes())? + key.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number: Option<u64>, digit| Some(number.unwrap_or(0) * 10 + u64::from(digit - b'0')))
}
