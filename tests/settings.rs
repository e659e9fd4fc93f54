//! Settings as they come from files, shells and orchestrators: each one is trimmed, or refused by its name. The settings are
//! those that the command line itself lists, so that none is forgotten.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use clap::{Arg, CommandFactory};
use onhand::config::{Command, CommandLine, Given, LogFormat, NotGiven, removed};

use crate::support::Place;
use crate::support::process::{command, run};

const LONG: &str = "a value that is long enough for a secret";

fn read(arguments: &[String], variables: &[(String, OsString)]) -> Result<Given, Vec<String>> {
    let arguments = std::iter::once("onhand".to_owned()).chain(arguments.iter().cloned()).map(OsString::from);
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), value.clone()));
    CommandLine::read(arguments, variables).map_err(|refused| match refused {
        NotGiven::Refused(reasons, _) => reasons,
        NotGiven::Usage(usage, _) => vec![usage.to_string()],
    })
}

fn by_variable(variables: &[(&str, &str)]) -> Result<Given, Vec<String>> {
    let own = variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
    read(&[], &own.collect::<Vec<_>>())
}

fn settings() -> Vec<Arg> {
    let command = CommandLine::command();
    command.get_arguments().filter(|setting| setting.get_env().is_some()).cloned().collect()
}

/// A value that makes sense.
fn example(setting: &Arg, file: &Path) -> String {
    let flag = setting.get_long().expect("a flag");
    if flag.ends_with("-file") {
        return file.display().to_string();
    }
    match flag {
        "database-url" => "postgres://shop@db.example/onhand".to_owned(),
        "jwks" => "https://id.example/keys.json".to_owned(),
        "otlp" => "http://127.0.0.1:4318".to_owned(),
        "allowed-origins" => "https://shop.example,https://other.example".to_owned(),
        "trusted-proxies" => "10.0.0.0/8,::1".to_owned(),
        "compatible-with" => "0.1".to_owned(),
        "demo" | "sandbox" | "explore" => "true".to_owned(),
        "unpaid-order-expiry" => "24h".to_owned(),
        "rate-staff" | "sockets-per-staff" => "1000".to_owned(),
        "gateways" => "manual,stripe".to_owned(),
        "default-gateway" => "manual".to_owned(),
        "stripe-publishable-key" => "pk_test_1".to_owned(),
        "http-gateway-url" => "https://payments.example/onhand".to_owned(),
        "secret"
        | "secret-previous"
        | "metrics-token"
        | "database-password"
        | "issuer"
        | "audience"
        | "stripe-secret-key"
        | "stripe-webhook-secret"
        | "http-gateway-secret" => LONG.to_owned(),
        _ => {
            let default = setting.get_default_values().first();
            default.unwrap_or_else(|| panic!("an example for --{flag}")).to_string_lossy().into_owned()
        }
    }
}

#[test]
fn each_is_trimmed_and_an_empty_one_is_not_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    // Whatever it is the file of, this will do.
    std::fs::write(&file, "postgres://shop@db.example/a-name-that-is-long-enough\n").expect("a file");
    for setting in settings() {
        let (flag, name) = (setting.get_long().expect("a flag"), setting.get_env().expect("a variable"));
        let (name, example) = (name.to_string_lossy().into_owned(), example(&setting, &file));
        let base: Vec<(String, OsString)> = if flag.starts_with("database-password") {
            vec![("DATABASE_URL".to_owned(), "postgres://shop@db.example/onhand".into())]
        } else {
            Vec::new()
        };
        let with = |value: OsString| {
            let variables = [base.clone(), vec![(name.clone(), value)]].concat();
            read(&[], &variables).map(|given| format!("{:?}", given.line))
        };
        let by_flag = |value: &str| {
            read(&[format!("--{flag}"), value.to_owned()], &base).map(|given| format!("{:?}", given.line))
        };
        let right = with(example.clone().into()).unwrap_or_else(|reasons| panic!("{name}={example}: {reasons:?}"));
        let none = read(&[], &base).map(|given| format!("{:?}", given.line)).expect("settings");
        for around in ["\r\n", "\u{feff} \t\u{a0}"] {
            let value = format!("{around}{example}{around}");
            assert_eq!(with(value.clone().into()).as_ref(), Ok(&right), "{name}={value:?}");
            assert_eq!(by_flag(&value).as_ref(), Ok(&right), "--{flag} {value:?}");
        }
        for empty in ["", " \n"] {
            assert_eq!(with(empty.into()).as_ref(), Ok(&none), "{name}={empty:?}");
            assert_eq!(by_flag(empty).as_ref(), Ok(&none), "--{flag} {empty:?}");
        }
        let mut bad: Vec<OsString> = vec![
            format!("\"{example}\"").into(),
            format!("'{example}'").into(),
            format!("{example}\u{7}{example}").into(),
            OsString::from_vec(b"\xff\xfe".to_vec()),
        ];
        if setting.get_value_delimiter().is_none() {
            bad.push(format!("{example}\n{example}").into());
        }
        for value in bad {
            let reasons = with(value.clone()).expect_err(&format!("{name}={value:?}"));
            assert!(reasons.len() == 1 && reasons[0].starts_with(&name), "{name}={value:?}: {reasons:?}");
            assert!(!setting.is_hide_env_values_set() || !reasons[0].contains(&example), "{reasons:?}");
        }
    }
}

#[test]
fn all_that_makes_no_sense_is_named_at_once_and_no_secret_with_it() {
    let reasons = by_variable(&[
        ("ONHAND_LISTEN", "nowhere at all"),
        ("ONHAND_RATE", "many"),
        ("ONHAND_LOG", "onhand=loud"),
        ("ONHAND_DEMO", "perhaps"),
        ("ONHAND_LOG_FORMAT", "xml"),
        ("ONHAND_WAIT_DRAIN", "8"),
        ("ONHAND_SECRET", "\"hidden\""),
    ])
    .expect_err("none of these makes sense");
    for (name, right) in [
        ("ONHAND_LISTEN is \"nowhere at all\"", "127.0.0.1:8000"),
        ("ONHAND_RATE is \"many\"", "1 to 1_000_000"),
        ("ONHAND_LOG is", "onhand=debug"),
        ("ONHAND_DEMO is", "true or false"),
        ("ONHAND_LOG_FORMAT is", "text, json"),
        ("ONHAND_WAIT_DRAIN is \"8\"", "4s"),
        ("ONHAND_SECRET: ", "quotation marks"),
    ] {
        assert!(reasons.iter().any(|reason| reason.starts_with(name) && reason.contains(right)), "{name}: {reasons:?}");
    }
    assert!(!reasons.concat().contains("hidden"), "{reasons:?}");
}

#[test]
fn values_are_read_as_people_write_them() {
    let line = |name: &str, value: &str| by_variable(&[(name, value)]).map(|given| given.line);
    for (word, is_on) in [("true", true), ("1", true), ("YES", true), ("false", false), ("0", false), ("No", false)] {
        assert_eq!(line("ONHAND_DEMO", word).expect(word).serve.demo, Some(is_on), "{word}");
    }
    assert_eq!(line("ONHAND_MAX_BODY", "1_048_576").expect("a number").limits.sizes.body, 1_048_576);
    assert_eq!(line("ONHAND_WAIT_DRAIN", "1_000ms").expect("a time").limits.timeouts.drain.as_secs(), 1);
    for bad in ["_1024", "1024_", "10__24", "+1024", "1e4", "0x400", "1,024", "1 024"] {
        assert!(line("ONHAND_MAX_BODY", bad).is_err(), "{bad}");
    }
    let origins = line("ONHAND_ALLOWED_ORIGINS", "https://a.example,\n  https://b.example,\n").expect("a list");
    assert_eq!(origins.serve.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(line("ONHAND_LOG_FORMAT", "JSON").expect("a format").serve.log_format, LogFormat::Json);
    assert_eq!(line("ONHAND_LISTEN", "8001").expect("a port").serve.listen.to_string(), "127.0.0.1:8001");
}

#[test]
fn a_flag_wins_over_a_variable_whatever_that_is() {
    let flags = ["--listen".to_owned(), "8001".to_owned(), "--allowed-origins=https://a.example".to_owned()];
    let variables =
        [("ONHAND_LISTEN".to_owned(), "nonsense".into()), ("ONHAND_ALLOWED_ORIGINS".to_owned(), "*".into())];
    let line = read(&flags, &variables).expect("settings").line;
    assert_eq!((line.serve.listen.port, line.serve.allowed_origins.len()), (8001, 1));
    let twice = ["--listen=8001".to_owned(), "--listen=8002".to_owned()];
    assert!(read(&twice, &[]).expect_err("twice")[0].contains("--listen is given twice"));
    let list = ["--allowed-origins=https://a.example".to_owned(), "--allowed-origins=https://b.example".to_owned()];
    assert_eq!(read(&list, &[]).expect("a list").line.serve.allowed_origins.len(), 2);
    assert!(read(&["--lisen".to_owned(), "8001".to_owned()], &[]).expect_err("a typing error")[0].contains("--listen"));
}

#[test]
fn a_name_that_is_none_of_ours_is_told_with_the_one_that_is_meant() {
    for (name, meant) in [
        ("ONHAND_ALOWED_ORIGINS", Some("ONHAND_ALLOWED_ORIGINS")),
        ("ONHAND_ALLOWED_ORIGIN", Some("ONHAND_ALLOWED_ORIGINS")),
        ("ONHAND_LISTEN_ADDRESS", Some("ONHAND_LISTEN")),
        ("Onhand_Secret", Some("ONHAND_SECRET")),
        ("ONHAND_JWKS_URL", Some("ONHAND_JWKS")),
        ("ONHAND_XYZZY", None),
    ] {
        let warnings = by_variable(&[(name, "x")]).expect("settings").warnings;
        assert!(warnings.len() == 1 && warnings[0].starts_with(name), "{name}: {warnings:?}");
        assert_eq!(warnings[0].contains("meant"), meant.is_some(), "{warnings:?}");
        assert!(meant.is_none_or(|meant| warnings[0].contains(meant)), "{warnings:?}");
    }
    // Kubernetes sets these wherever a service is called onhand.
    let service = [
        ("ONHAND_SERVICE_HOST", "10.0.0.1"),
        ("ONHAND_PORT", "tcp://10.0.0.1:8000"),
        ("ONHAND_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("ONHAND_SERVICE_PORT_HTTP", "8000"),
    ];
    assert!(by_variable(&service).expect("settings").warnings.is_empty());
}

#[test]
fn a_setting_that_was_removed_is_named_with_the_limit_that_holds() {
    let settings = settings();
    for (variable, limit) in removed() {
        assert!(settings.iter().all(|setting| setting.get_env().is_some_and(|name| name != variable)), "{variable}");
        let flag = format!("--{}", variable.trim_start_matches("ONHAND_").to_ascii_lowercase().replace('_', "-"));
        let sentence = |name: &str| [format!("{name} is no setting any more; the limit is {limit}")];
        assert_eq!(by_variable(&[(variable, "7")]).expect(variable).warnings, sentence(variable));
        assert_eq!(by_variable(&[(variable, " ")]).expect(variable).warnings, [""; 0]);
        for arguments in [vec![format!("{flag}=7")], vec![flag.clone(), "7".to_owned()], vec![flag.clone()]] {
            let given = read(&[&arguments[..], &["--rate=7".to_owned()]].concat(), &[]).expect(variable);
            assert_eq!(
                (given.warnings, given.line.limits.clients.rate),
                (sentence(&flag).to_vec(), 7),
                "{arguments:?}"
            );
        }
        // What follows a flag whose value was forgotten is still done.
        let given = read(&[flag.clone(), "verify".to_owned()], &[]).expect(variable);
        assert!(matches!(given.line.command, Some(Command::Verify)), "{flag}");
    }
    assert!(removed().contains(&("ONHAND_MAX_WORD", "100".to_owned())));
    assert!(removed().contains(&("ONHAND_WAIT_PING", "15s".to_owned())));
}

/// Messages name settings as text, which nothing else compares with the settings.
#[test]
fn each_variable_that_the_code_names_is_a_setting() {
    let known: Vec<String> = settings()
        .iter()
        .filter_map(|setting| Some(setting.get_env()?.to_str()?.to_owned()))
        .chain(removed().map(|(variable, _)| variable.to_owned()))
        .collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for word in words.filter(|word| word.len() > "ONHAND_".len() && word.starts_with("ONHAND_")) {
                assert!(known.iter().any(|name| name == word), "{}: {word} is no setting", path.display());
            }
        }
    }
}

#[test]
fn secrets_come_in_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let good = file("good", format!("{LONG}\n").as_bytes());
    let url = file("url", b"postgres://shop@db.example/onhand\r\n");
    let password = file("password", b"p@ss/w%rd+ #\n");
    let line = by_variable(&[
        ("ONHAND_SECRET_FILE", &good),
        ("ONHAND_METRICS_TOKEN_FILE", &good),
        ("DATABASE_URL_FILE", &url),
        ("DATABASE_PASSWORD_FILE", &password),
    ])
    .expect("settings")
    .line;
    assert_eq!((line.access.secret.as_deref(), line.access.metrics_token.as_deref()), (Some(LONG), Some(LONG)));
    let options: sea_orm::sqlx::postgres::PgConnectOptions = line.database_url.parse().expect("an address");
    assert!(format!("{options:?}").contains("p@ss/w%rd+ #"), "the password is whole");

    let (empty, large) = (file("empty", b" \n"), file("large", "x".repeat(70_000).as_bytes()));
    let (binary, folder_itself) = (file("binary", b"\xff\xfe\x00"), folder.path().display().to_string());
    let missing = folder.path().join("missing").display().to_string();
    for setting in settings().iter().filter(|setting| setting.get_long().is_some_and(|flag| flag.ends_with("-file"))) {
        let name = setting.get_env().expect("a variable").to_string_lossy().into_owned();
        for (path, reason) in [
            (&empty, "empty"),
            (&large, "larger than"),
            (&binary, "UTF-8"),
            (&folder_itself, "folder"),
            (&missing, "cannot be read"),
        ] {
            let reasons = by_variable(&[(&name, path)]).expect_err(&name).concat();
            assert!(reasons.starts_with(&name) && reasons.contains(reason), "{name}={path}: {reasons}");
        }
        let other = name.trim_end_matches("_FILE");
        let both = by_variable(&[(&name, &good), (other, "postgres://shop@db.example/onhand")]).expect_err(&name);
        assert!(both.concat().contains(other) && both.concat().contains(&name), "{both:?}");
    }
    for url in ["sqlite://shop.db", "postgres://shop:known@db.example/onhand", "postgres://shop@db.example/?password=x"]
    {
        let reasons = by_variable(&[("DATABASE_URL", url), ("DATABASE_PASSWORD", "hidden")]).expect_err(url).concat();
        assert!(reasons.starts_with("DATABASE_PASSWORD") && !reasons.contains("hidden"), "{reasons}");
    }
}

#[test]
fn variables_of_libpq_are_read_or_named() {
    let with =
        |name: &str, value: &str| by_variable(&[("DATABASE_URL", "postgres://db.example/onhand"), (name, value)]);
    assert!(with("PGSSLMODE", "verify-fulll").expect_err("no mode").concat().contains("PGSSLMODE"));
    assert!(with("PGPORT", "five").expect_err("no port").concat().contains("PGPORT"));
    assert!(with("PGPORT", "0").expect_err("no port").concat().contains("PGPORT"));
    assert!(with("PGSERVICE", "shop").expect("a warning").warnings.concat().contains("PGSERVICE"));
    assert!(with("PGSSLMODE", "verify-full").expect("settings").warnings.is_empty());
}

#[tokio::test]
async fn settings_that_make_no_sense_end_the_start_and_the_log_stays_json() {
    let place = Place::new().await;
    for (settings, name) in [
        (&["--listen", "nowhere at all"][..], "--listen"),
        (&["--log", "onhand=loud"], "--log"),
        (&["--max-unsent", "1048576"], "ONHAND_MAX_UNSENT"),
        (&["--secret", "short", "--issuer", "i", "--audience", "a"], "ONHAND_SECRET must have"),
        (&["--issuer", "i"], "ONHAND_ISSUER"),
        (&["--secret-previous", LONG], "ONHAND_SECRET_PREVIOUS"),
        (&["--metrics-token", "short"], "ONHAND_METRICS_TOKEN"),
        (&["--metrics-token", &"x".repeat(5_000)], "ONHAND_METRICS_TOKEN"),
        (&["--metrics-token", &"é".repeat(32)], "ONHAND_METRICS_TOKEN"),
        (&["--metrics-token", &"x y".repeat(32)], "ONHAND_METRICS_TOKEN"),
        (&["--gateways", "cash"], "manual, sandbox, http, stripe"),
        (&["--gateways", "stripe"], "ONHAND_STRIPE_SECRET_KEY"),
        (&["--gateways", "stripe", "--stripe-secret-key", "sk_test_1"], "ONHAND_STRIPE_WEBHOOK_SECRET"),
        (&["--gateways", "http"], "ONHAND_HTTP_GATEWAY_URL"),
        (&["--default-gateway", "stripe"], "ONHAND_DEFAULT_GATEWAY"),
        (&["--stripe-api", "http://stripe.example"], "--stripe-api"),
        (&["--listen", "0.0.0.0:0"], "loopback"),
        (&["--lissten", "8000"], "--lissten"),
    ] {
        let (code, text) = run(&place, settings).await;
        assert!(code == 2 && text.contains(name), "{settings:?}: {code}, {text}");
        let (code, text) = run(&place, &[settings, &["--log-format", "json"]].concat()).await;
        assert_eq!(code, 2, "{settings:?}: {text}");
        let lines: Vec<BTreeMap<String, serde_json::Value>> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{settings:?}: {line}")))
            .collect();
        assert!(lines.iter().any(|line| line["message"].as_str().is_some_and(|m| m.contains(name))), "{lines:?}");
    }
    let output = command(&place).arg("--help").env("ONHAND_LISTEN", "nonsense").output().await.expect("a process");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && help.contains("ONHAND_METRICS_TOKEN_FILE"), "{help:.200}");
    let missing = [
        "DATABASE_URL",
        "DATABASE_PASSWORD",
        "ONHAND_SECRET",
        "ONHAND_SECRET_PREVIOUS",
        "ONHAND_METRICS_TOKEN",
        "ONHAND_STRIPE_SECRET_KEY",
        "ONHAND_STRIPE_WEBHOOK_SECRET",
        "ONHAND_HTTP_GATEWAY_SECRET",
    ];
    let output = missing.iter().fold(command(&place), |mut command, name| {
        command.env(name, "hidden-in-the-environment");
        command
    });
    let mut output = output;
    let help = output.arg("--help").output().await.expect("a process");
    assert!(!String::from_utf8_lossy(&help.stdout).contains("hidden-in"), "help repeats a secret");
}
