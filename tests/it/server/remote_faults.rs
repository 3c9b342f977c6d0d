//! What becomes of a command whose server refuses, is not there, or is none: the right exit code, a word on
//! what to do, and never a journal of this machine in its place.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use clap::CommandFactory as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use super::remote::Client;
use super::{ANN, EVE, OLD, folder};
use crate::support::binary::Drctl;
use crate::support::served::Served;

/// Code, reason and help of an error.
fn error(stderr: &str) -> (i64, String, String) {
    let last = stderr.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{stderr}"));
    let text = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
    (error["error"]["code"].as_i64().unwrap(), text("reason"), text("help"))
}

#[test]
fn who_may_not_is_told_so() {
    let there = folder();
    let server = Served::start(&there);
    let client = Client::of(&server);
    let unknown = "drctl_nobody";
    for (token, line, reason) in [
        (EVE, "failover slow --simulate", "not_allowed"),
        (EVE, "drill slow", "not_allowed"),
        (ANN, "stop-all on --reason x", "not_allowed"),
        ("", "runs list", "not_authenticated"),
        (unknown, "runs list", "not_authenticated"),
        (OLD, "runs list", "not_authenticated"),
        (unknown, "failover slow --simulate", "not_authenticated"),
        (unknown, "approve latest", "not_authenticated"),
    ] {
        let refused = client.run(token, &format!("{line} -o json"));
        let (code, why, help) = error(&refused.stderr);
        assert_eq!((refused.code, code, why.as_str()), (7, 7, reason), "{line}: {}", refused.stderr);
        assert!(!help.is_empty(), "{line}: {}", refused.stderr);
    }
    assert_eq!(there.run("runs list --simulated -o json").stdout.trim(), "[]");
}

/// Answers every request with the same bytes.
fn answering(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(&answer);
        }
    });
    format!("http://{address}")
}

fn http(status: &str, more: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{more}\r\n{body}", body.len())
        .into_bytes()
}

#[test]
fn what_is_no_server_is_never_believed() {
    let about = r#"{"version": "9.0.0", "api": 2, "format": 1}"#;
    let huge = http("200 OK", "", &" ".repeat(140 << 20));
    let endless = http("400 Bad Request", "", &"x".repeat(1 << 20));
    let evil = r#"{"detail": "\u001b[2Jgone", "code": 0, "reason": "Not A Word"}"#;
    for (answer, code, says) in [
        (http("200 OK", "", "<html>"), 10, "cannot be understood"),
        (http("200 OK", "", "[]"), 10, "cannot be understood"),
        (http("200 OK", "", about), 10, "9.0.0"),
        (http("404 Not Found", "", "gone"), 10, "nothing that drctl says"),
        (http("302 Found", "location: http://127.0.0.1:1/\r\n", ""), 10, "redirects are not followed"),
        (http("401 Unauthorized", "", ""), 7, "DRCTL_TOKEN"),
        (http("500 Internal Server Error", "", "{}"), 10, "nothing that drctl says"),
        (http("503 Service Unavailable", "retry-after: 1\r\n", ""), 10, "503"),
        (http("409 Conflict", "", evil), 2, " [2Jgone"),
        (huge, 10, "larger than"),
        (endless, 10, "400"),
        (b"SSH-2.0-OpenSSH\r\n".to_vec(), 10, "cannot be reached"),
        (Vec::new(), 10, "cannot be reached"),
    ] {
        let drctl = folder();
        let url = answering(answer);
        for line in ["runs list", "failover slow --simulate"] {
            let done = drctl.run_with(&[("DRCTL_TOKEN", ANN)], &format!("--server {url} {line}"));
            assert_eq!(done.code, code, "{line} {says}: {}", done.stderr);
            assert!(done.stderr.contains(says) && !done.stderr.contains(ANN), "{says}: {}", done.stderr);
            assert_eq!(done.stdout, "");
            assert!(!drctl.path(".drctl/journal.db").exists(), "{line} {says}");
        }
    }
}

/// What a command does where a server is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It asks the server.
    There,
    /// It says that a server cannot do it.
    Nowhere,
    /// It needs no journal.
    Here,
}

/// Every command with words that would do something on a journal of this machine, and where it works.
const COMMANDS: [(&str, &str, Place); 69] = {
    use Place::{Here, Nowhere, There};
    [
        ("init", "init --help", Here),
        ("validate", "runbooks/slow.yaml", Here),
        ("plan", "slow", There),
        ("simulate", "slow", There),
        ("diff", "runbooks/slow.yaml runbooks/slow.yaml", Here),
        ("failover", "slow --simulate", There),
        ("switchover", "slow --reason x --detach", There),
        ("failback", "slow --simulate", There),
        ("drill", "slow", There),
        ("drill promote", "latest --reason x", There),
        ("drill abort", "slow-abcdefgh --reason x", There),
        ("drill cleanup", "slow-abcdefgh", There),
        ("drill attest", "slow-abcdefgh --pass", There),
        ("check", "slow", There),
        ("status", "", There),
        ("coverage", "slow", There),
        ("runs list", "--simulated", There),
        ("runs show", "latest", There),
        ("runs events", "latest", There),
        ("runs watch", "latest", There),
        ("runs report", "latest", There),
        ("runs finding add", "slow-abcdefgh text --owner ann --due 2099-01-01", There),
        ("runs finding list", "latest", There),
        ("runs finding close", "slow-abcdefgh 1 --reason x", There),
        ("runs verify", "latest", There),
        ("evidence bundle", "latest --key sign.pem", There),
        ("evidence key", "--out key.pem", Here),
        ("evidence verify", "none.tar", Here),
        ("replay", "latest", There),
        ("start", "slow-abcdefgh", There),
        ("resume", "latest", There),
        ("pause", "latest", There),
        ("abort", "latest --reason x", There),
        ("unwind", "slow-abcdefgh --reason x", There),
        ("retry", "slow-abcdefgh s1", There),
        ("skip", "slow-abcdefgh s1 --reason x", There),
        ("done", "slow-abcdefgh s1 --reason x", There),
        ("approve", "latest", There),
        ("deny", "slow-abcdefgh", There),
        ("mode", "slow-abcdefgh ungraceful --reason x", There),
        ("service list", "", There),
        ("service show", "slow", There),
        ("service set", "slow west --reason x", There),
        ("schedule list", "", There),
        ("schedule next", "slow", There),
        ("schedule run", "", Nowhere),
        ("serve", "", Nowhere),
        ("token create", "--name x --role viewer", Here),
        ("trigger list", "", There),
        ("trigger test", "slow --event runbooks/slow.yaml", There),
        ("stop-all", "on --reason x", There),
        ("bundle", "all.tar", There),
        ("explain", "DR0402", Here),
        ("actions", "", Here),
        ("schema", "runbook", Here),
        ("notify test", "", Nowhere),
        ("journal verify", "", There),
        ("journal backup", "copy.db", Nowhere),
        ("journal copy", "one.db other.db", Nowhere),
        ("journal nodes", "", There),
        ("journal export", "", There),
        ("journal prune", "--older-than 90d --reason x --yes", Nowhere),
        ("doctor", "", There),
        ("completions", "bash", Here),
        ("man", "man pages", Here),
        ("stop-all", "status", There),
        ("failover", "slow --reason x", There),
        ("check", "slow --simulate", There),
        ("drill", "slow --level check", There),
    ]
};

/// Adds the paths of the commands that do something.
fn leaves(command: &clap::Command, path: &str, into: &mut BTreeSet<String>) {
    let mut inside = command.get_subcommands().filter(|it| it.get_name() != "help").peekable();
    // `drill RUNBOOK` does something although there is `drill abort`.
    if !path.is_empty() && (inside.peek().is_none() || !command.is_subcommand_required_set()) {
        into.insert(path.to_owned());
    }
    for command in inside {
        leaves(command, format!("{path} {}", command.get_name()).trim(), into);
    }
}

#[test]
fn no_command_uses_a_journal_of_this_machine_where_a_server_is_named() {
    let mut all = BTreeSet::new();
    leaves(&drctl::cli::Cli::command(), "", &mut all);
    let tried: BTreeSet<_> = COMMANDS.iter().map(|(path, _, _)| (*path).to_owned()).collect();
    assert_eq!(all, tried, "every command is tried");
    let drctl = folder();
    // Here is a journal with a run in it, which nobody has asked for.
    assert_eq!(drctl.run("failover slow --simulate").code, 0);
    assert_eq!(drctl.run("evidence key --out sign.pem").code, 0);
    let before = std::fs::read(drctl.path(".drctl/journal.db")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let tried = &|(path, words, place): (&str, &str, Place)| {
        let line = if words.starts_with(path) { words.to_owned() } else { format!("{path} {words}") };
        let done = drctl.run_with(&[("DRCTL_TOKEN", ANN)], &format!("--server {url} {line} -o json"));
        let said = format!("{line}: {} {}", done.stdout, done.stderr);
        match place {
            Place::There => {
                assert_eq!(done.code, 10, "{said}");
                assert!(path == "doctor" || done.stdout.is_empty(), "{said}");
            }
            Place::Nowhere => {
                assert_eq!(
                    (done.code, error(&done.stderr).1.as_str()),
                    (2, "not_through_a_server"),
                    "{said}"
                );
            }
            Place::Here => assert!(matches!(done.code, 0 | 2 | 3), "{said}"),
        }
    };
    // Each waits a little for the server to come back.
    for some in COMMANDS.chunks(12) {
        std::thread::scope(|scope| {
            for command in some {
                scope.spawn(move || tried(*command));
            }
        });
    }
    assert!(std::fs::read(drctl.path(".drctl/journal.db")).unwrap() == before, "it was written to");
    let runs: Value = serde_json::from_str(&drctl.run("runs list --simulated -o json").stdout).unwrap();
    assert_eq!(runs.as_array().unwrap().len(), 1, "nothing was added");
    assert!(!drctl.path("all.tar").exists() && !drctl.path("copy.db").exists());
}

#[test]
fn what_makes_no_sense_with_a_server_is_refused() {
    let there = folder();
    let server = Served::start(&there);
    let client = Client::of(&server);
    for line in [
        "serve",
        "journal backup copy.db",
        "journal prune --older-than 90d --reason x --yes",
        "schedule run",
        "notify test",
        "failover runbooks/slow.yaml --simulate",
        "failover slow --reason x --break-glass",
        "--as carol runs list",
        "--journal other.db runs list",
        "resume latest --set a=b",
    ] {
        let refused = client.run(ANN, &format!("{line} -o json"));
        assert_eq!(refused.code, 2, "{line}: {} {}", refused.stdout, refused.stderr);
    }
    for line in ["schema runbook", "explain DR0402", "actions", "token create --name x --role viewer"] {
        assert_eq!(client.run(ANN, line).code, 0, "{line} touches no journal");
    }
    let found = client.run(ANN, "doctor");
    assert!(found.code == 0 && found.stdout.contains("at the server http://127.0.0.1"), "{}", found.stdout);
}

/// Code and output of a command that says nothing about where its journal is.
fn plain(drctl: &Drctl, environment: &[(&str, &str)], line: &str) -> (i32, String, String) {
    let output = drctl.run_plain(environment, line);
    (output.code, output.stdout, output.stderr)
}

#[test]
fn address_and_token_come_from_the_environment_or_from_files() {
    let there = folder();
    let server = Served::start(&there);
    let url = format!("http://{}", server.address());
    let here = Drctl::new();
    let list = |environment: &[(&str, &str)], line: &str| {
        let done = plain(&here, environment, line);
        assert!(!here.path(".local/state/drctl").exists(), "a journal was made");
        done
    };
    let named = [("DRCTL_SERVER", url.as_str()), ("DRCTL_TOKEN", EVE)];
    assert_eq!(list(&named, "runs list").0, 0);
    // Where it is not clear which journal is meant, none is used.
    for (environment, line) in [
        (vec![named[0], named[1], ("DRCTL_JOURNAL", "other.db")], "runs list"),
        (vec![named[0], named[1]], "--local runs list"),
        (vec![named[1]], "--server http://dr.example.com runs list"),
        (vec![named[1]], "--server ftp://127.0.0.1 runs list"),
        (vec![named[1]], "--server https://ann:hunter2@127.0.0.1 runs list"),
        (vec![named[0], ("DRCTL_TOKEN", "two words")], "runs list"),
    ] {
        let (code, out, said) = list(&environment, line);
        assert_eq!((code, out.as_str()), (2, ""), "{environment:?} {line}: {said}");
        assert!(!said.contains("two words") && !said.contains("hunter2"), "{said}");
    }
    assert!(!here.path("other.db").exists() && !here.path(".drctl").exists());
    // A token file, here and at its usual place.
    here.write("secret/token", &format!("{EVE}\n"));
    let mode = |mode| {
        for name in ["secret/token", ".config/drctl/token"] {
            if here.path(name).exists() {
                std::fs::set_permissions(here.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    };
    let by_file = [("DRCTL_SERVER", url.as_str()), ("DRCTL_TOKEN_FILE", "secret/token")];
    mode(0o644);
    let (code, _, said) = list(&by_file, "runs list");
    assert!(code == 2 && said.contains("chmod 600") && !said.contains(EVE), "{said}");
    mode(0o600);
    assert_eq!(list(&by_file, "runs list").0, 0);
    here.write(".config/drctl/token", EVE);
    mode(0o600);
    assert_eq!(list(&[("DRCTL_SERVER", url.as_str())], "runs list").0, 0);
    // The configuration names both; a flag is stronger.
    std::fs::remove_file(here.path(".config/drctl/token")).unwrap();
    here.write(
        "etc/drctl.toml",
        &format!("[client]\nserver = \"{url}\"\ntoken_file = \"../secret/token\"\n"),
    );
    assert_eq!(list(&[("DRCTL_CONFIG", "etc/drctl.toml")], "runs list").0, 0);
    let (code, _, said) = list(&[("DRCTL_CONFIG", "etc/drctl.toml")], "--journal none.db runs list");
    assert!(code == 10 && said.contains("none.db"), "{said}");
    here.write("etc/drctl.toml", &format!("[client]\nserver = \"{url}\"\n[journal]\nurl = \"x.db\"\n"));
    assert_eq!(list(&[("DRCTL_CONFIG", "etc/drctl.toml")], "runs list").0, 2);
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named() {
    let there = folder();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    there.write("ca.pem", &params.self_signed(&key).unwrap().pem());
    let authority = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    there.write("tls.pem", &params.signed_by(&key, &authority).unwrap().pem());
    there.write("tls.key", &key.serialize_pem());
    let configuration = std::fs::read_to_string(there.path("drctl.toml")).unwrap();
    let tls = "[server]\ntls = {certificate = \"tls.pem\", key = \"tls.key\"}\n";
    there.write("drctl.toml", &format!("{tls}{configuration}"));
    let server = Served::start(&there);
    let url = format!("https://{}", server.address());
    let here = Drctl::new();
    let ca = there.path("ca.pem");
    let trusting = [("DRCTL_TOKEN", ANN), ("DRCTL_CA_FILE", ca.to_str().unwrap())];
    let done = plain(&here, &trusting, &format!("--server {url} failover slow --simulate -o json"));
    assert_eq!(done.0, 0, "{}", done.2);
    let done = plain(&here, &[("DRCTL_TOKEN", ANN)], &format!("--server {url} runs list"));
    assert!(done.0 == 10 && done.2.contains("ertificate"), "{}", done.2);
    assert!(done.2.contains("in DRCTL_CA_FILE"), "{}", done.2);
    let unknown =
        plain(&here, &[("DRCTL_CA_FILE", ca.to_str().unwrap())], &format!("--server {url} runs list"));
    assert!(unknown.0 == 7 && unknown.2.contains("give a token in DRCTL_TOKEN"), "{}", unknown.2);
    let absent = [("DRCTL_TOKEN", ANN), ("DRCTL_CA_FILE", "absent.pem")];
    let done = plain(&here, &absent, &format!("--server {url} runs list"));
    assert!(done.0 == 2 && done.2.contains("absent.pem"), "{}", done.2);
}
