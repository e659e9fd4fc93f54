//! A peer that is silent is waited for with a line in the log, and a process that waits ends at a signal.

use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::process::{command, run, url_in};
use crate::support::{PATIENCE, Place};

async fn ends_by(mut child: Child, name: &str) -> Option<i32> {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().await.expect("kill").success());
    timeout(PATIENCE, child.wait()).await.expect("it ends").expect("its end").code()
}

/// Takes connections as a PostgreSQL does, says that it is ready, and nothing after that.
async fn silent_database() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 1_024];
                let mut is_in = false;
                while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                    if read == 8 && !is_in {
                        let _ = stream.write_all(b"N").await;
                    } else if !is_in {
                        is_in = true;
                        let mut answer = b"R\0\0\0\x08\0\0\0\0".to_vec();
                        answer.extend_from_slice(b"S\0\0\0\x18server_version\x0015.1\0");
                        answer.extend_from_slice(b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01Z\0\0\0\x05I");
                        let _ = stream.write_all(&answer).await;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_database_that_takes_the_connection_and_falls_silent_is_logged() {
    let place = Place::new().await;
    let url = format!("postgres://shop@127.0.0.1:{}/onhand?sslmode=disable", silent_database().await);
    for (arguments, code) in [(&["serve", "--listen", "127.0.0.1:0"][..], 0), (&["verify"], 143), (&["migrate"], 143)] {
        let mut child = command(&place)
            .args(arguments)
            .env("DATABASE_URL", &url)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("text").expect("a line");
        assert!(line.contains("no answer within"), "{arguments:?}: {line}");
        assert_eq!(ends_by(child, "TERM").await, Some(code), "{arguments:?}");
    }
}

const PRODUCTION: [&str; 4] = ["--issuer", "tests", "--audience", "shop"];

#[tokio::test]
async fn a_pipe_is_no_key_set() {
    let place = Place::new().await;
    let pipe = place.folder().join("keys");
    assert!(Command::new("mkfifo").arg(&pipe).status().await.expect("mkfifo").success());
    let pipe = pipe.display().to_string();
    let serve = ["--listen", "127.0.0.1:0", "--jwks", &pipe];
    let (code, said) = timeout(PATIENCE, run(&place, &[&serve[..], &PRODUCTION].concat())).await.expect("an end");
    assert!(code == 2 && said.contains("ONHAND_JWKS") && said.contains("no regular file"), "{said}");
}

#[tokio::test]
async fn a_server_whose_key_provider_hangs_ends_at_a_signal() {
    let place = Place::new().await;
    let provider = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let jwks = format!("http://{}/keys.json", provider.local_addr().expect("an address"));
    let asked = Arc::new(Notify::new());
    let tell = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = provider.accept().await {
            kept.push(stream);
            tell.notify_one();
        }
    });
    let child = command(&place)
        .args(["--listen", "127.0.0.1:0", "--jwks", &jwks])
        .args(PRODUCTION)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    timeout(PATIENCE, asked.notified()).await.expect("the provider is asked");
    assert_eq!(ends_by(child, "TERM").await, Some(0), "it ends in order");
}

#[tokio::test]
async fn standard_output_is_empty_when_the_log_is_json() {
    let place = Place::new().await;
    let mut child = command(&place)
        .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    let mut output = child.stdout.take().expect("its output");
    let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
    loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("text").expect("a line");
        if url_in(&line).is_some() {
            break;
        }
    }
    assert_eq!(ends_by(child, "TERM").await, Some(0));
    let mut said = String::new();
    output.read_to_string(&mut said).await.expect("text");
    assert_eq!(said, "");
}
