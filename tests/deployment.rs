//! The files of deploy/ that are ready to take fit the code: the unit of systemd, and what Prometheus is given. What they do
//! where they run is for those programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::{CommandFactory, Parser};
use onhand::config::CommandLine;
use serde_yaml_ng::Value;

const RULES: &str = "deploy/prometheus-rules.yml";
const UNIT: &str = "deploy/onhand.service";

#[test]
fn the_alerts_are_about_numbers_that_exist_and_say_what_is_wrong() {
    let rules: Value = serde_yaml_ng::from_str(&read(RULES)).expect("YAML");
    let code = read("src/observability/metrics.rs");
    let page = read("docs/operations.md");
    let alerts: Vec<&Value> = rules["groups"]
        .as_sequence()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_sequence().expect("rules"))
        .collect();
    let mut names = BTreeSet::new();
    for alert in &alerts {
        let name = alert["alert"].as_str().expect("a name");
        assert!(names.insert(name), "{RULES}: {name} is there twice");
        let expression = alert["expr"].as_str().expect("an expression");
        let numbers: Vec<&str> = names_in(expression).filter(|word| is_number(word)).collect();
        assert!(!numbers.is_empty() || expression.starts_with("up{"), "{RULES}: {name} looks at no number of ours");
        for number in numbers {
            let ends = ["_count", "_sum", "_bucket"].iter().find_map(|end| number.strip_suffix(end));
            let number = ends.unwrap_or(number);
            assert!(code.contains(&format!("\"{number}\"")), "{RULES}: {name} looks at {number}, which nobody counts");
            assert!(page.contains(number), "docs/operations.md does not tell what {number} is");
        }
        let severity = alert["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("page" | "ticket")), "{RULES}: {name} is {severity:?}");
        let summary = alert["annotations"]["summary"].as_str().expect("a summary");
        assert!(summary.contains("$labels.instance"), "{RULES}: {name} does not say which replica");
    }
}

#[test]
fn each_replica_of_the_composition_is_asked_by_itself() {
    let settings: Value = serde_yaml_ng::from_str(&read("deploy/prometheus.yml")).expect("YAML");
    let job = &settings["scrape_configs"][0];
    let asked: BTreeSet<&str> = job["static_configs"][0]["targets"]
        .as_sequence()
        .expect("targets")
        .iter()
        .filter_map(|target| target.as_str()?.strip_suffix(":8000"))
        .collect();
    let composition: Value = serde_yaml_ng::from_str(&read("compose.yaml")).expect("YAML");
    let services = composition["services"].as_mapping().expect("services");
    let replicas: BTreeSet<&str> =
        services.keys().filter_map(Value::as_str).filter(|name| name.starts_with("onhand-")).collect();
    assert_eq!(asked, replicas);
    assert_eq!(job["metrics_path"], "/metrics");
    assert_eq!(format!("deploy/{}", settings["rule_files"][0].as_str().expect("a file")), RULES);
    assert!(read(RULES).contains(&format!("job=\"{}\"", job["job_name"].as_str().expect("a name"))));
}

#[test]
fn the_unit_names_settings_that_exist_and_leaves_the_time_and_the_files_that_a_server_needs() {
    let unit = read(UNIT);
    let command = CommandLine::command();
    let settings: BTreeSet<String> =
        command.get_arguments().filter_map(|setting| Some(setting.get_env()?.to_str()?.to_owned())).collect();
    let named: BTreeSet<&str> =
        names_in(&unit).filter(|word| word.starts_with("ONHAND_") || *word == "DATABASE_URL").collect();
    assert!(named.len() > 4, "{named:?}");
    for word in named {
        assert!(settings.contains(word), "{UNIT} names {word}, which is no setting");
    }
    let value = |key: &str| {
        let found = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{UNIT} has no {key}"))
    };
    let limits = CommandLine::parse_from(["onhand"]).limits;
    let stop: u64 = value("TimeoutStopSec").trim_end_matches('s').parse().expect("seconds");
    assert!(stop > limits.timeouts.drain.as_secs() + 5, "{UNIT} kills a server before it has drained");
    let files: usize = value("LimitNOFILE").parse().expect("a number");
    assert!(files >= limits.sizes.connections + 512, "{UNIT} allows fewer files than a server opens");
}

fn is_number(word: &str) -> bool {
    word.starts_with("onhand_") || word.starts_with("process_")
}

fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
