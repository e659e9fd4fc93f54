//! What is secret is in no message and in no line of the log, whatever is asked of the log.

use serde_json::json;

use crate::support::process::run;
use crate::support::{Place, Process, Socket};

const SECRET: &str = "of-nobody-but-us-0123456789-and-more";

#[tokio::test]
async fn the_finest_log_has_no_token_and_no_password() {
    let place = Place::new().await;
    let collector = format!("http://user:{SECRET}@127.0.0.1:9");
    for level in ["trace", "trace,tungstenite=trace,reqwest=trace,hyper_util=trace"] {
        let server = Process::start_with(&place, &["--log", level, "--otlp", &collector]).await;
        let (log, (url, client)) = (server.log(), server.another());
        let mut socket = Socket::connect(&url, "graphql-transport-ws").await;
        let payload = json!({ "Authorization": format!("Bearer {SECRET}") });
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        let body = json!({ "query": "{ products { nodes { sku } } }" });
        let asked = client.post(format!("{url}/graphql")).json(&body).bearer_auth(SECRET).send().await;
        assert!(asked.expect("an answer").status().is_success());
        assert!(server.stop("TERM").await.success());
        let log = log.lock().expect("no panic").clone();
        let told: Vec<&str> = log.lines().filter(|line| line.contains(SECRET)).collect();
        assert!(log.contains("DEBUG") && told.is_empty(), "{level}: {told:#?}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_understood_is_not_repeated() {
    let place = Place::new().await;
    let file = place.folder().join("url");
    for text in [
        "host=db user=u password=SECRET".to_owned(),
        "SECRET".to_owned(),
        "u:SECRET@db/onhand".to_owned(),
        "postgres://u:ab?SECRET@db/d".to_owned(),
        "postgres://u:ab?x=SECRET@db/d".to_owned(),
        "mysql://u:SECRET@db/d".to_owned(),
    ] {
        std::fs::write(&file, &text).expect("a file");
        let path = file.display().to_string();
        let mut by_file = crate::support::process::command(&place);
        by_file.env_remove("DATABASE_URL").args(["migrate", "--database-url-file", &path]);
        let by_file = by_file.output().await.expect("a process");
        let by_file = String::from_utf8_lossy(&by_file.stderr).into_owned();
        let (code, by_flag) = run(&place, &["migrate", "--database-url", &text]).await;
        assert_eq!(code, 2, "{text}: {by_flag}");
        for said in [by_file, by_flag] {
            assert!(said.contains("DATABASE_URL must look like"), "{text}: {said}");
            assert!(!said.contains("SECRET"), "{text}: {said}");
        }
    }
}
