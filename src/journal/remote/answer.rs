//! What refusals of a server mean. Its words are shown to people: never more than a few lines, and nothing in
//! them that a terminal would act on.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::ports::{Refusal, RefusalKind};

/// Longest text that is shown, in characters.
const TEXT: usize = 4_000;
/// Most lines or details that are shown.
const MANY: usize = 200;
/// Largest exit code there is.
const LARGEST_CODE: u8 = 12;

/// A problem as RFC 9457 and the server write it. A newer server may say more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: Option<String>,
    reason: Option<String>,
    help: Option<String>,
    code: Option<u8>,
    details: Vec<Detail>,
    notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    message: String,
    #[serde(default)]
    help: Option<String>,
}

/// What a refusal means, by its status and what it says.
pub(super) fn refusal(server: &str, status: StatusCode, body: &[u8]) -> Refusal {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else { return speechless(server, status) };
    let Some(detail) = problem.detail else { return speechless(server, status) };
    let reason = problem.reason.filter(|reason| is_word(reason));
    let known = reason.as_deref();
    let (kind, help) = match (status, known, problem.code) {
        (_, _, Some(code @ 1..=LARGEST_CODE)) => (RefusalKind::Said(code), None),
        (StatusCode::UNAUTHORIZED, ..) => (RefusalKind::Denied, Some(HOW_TO_PROVE.to_owned())),
        (StatusCode::FORBIDDEN, ..) => {
            (RefusalKind::Denied, Some("ask with a token that has this role".to_owned()))
        }
        (_, Some("unknown_run" | "ambiguous_run"), _) => {
            (RefusalKind::Wrong, Some("`drctl runs list --simulated` shows them all".to_owned()))
        }
        (_, Some("unknown_path" | "unknown_method"), _) => {
            (RefusalKind::Unreachable, Some(OTHER_VERSION.to_owned()))
        }
        (StatusCode::TOO_MANY_REQUESTS, ..) => {
            (RefusalKind::Unreachable, Some("wait a moment, and ask again".to_owned()))
        }
        (status, ..) if status.is_server_error() => (RefusalKind::Unreachable, None),
        _ => (RefusalKind::Wrong, None),
    };
    // A server tells those who ask over HTTP how to; here there are better ways to say it.
    let told = problem.help.as_deref().filter(|_| status != StatusCode::UNAUTHORIZED).map(text);
    let details = problem.details.into_iter().take(MANY);
    Refusal {
        kind,
        message: text(&detail),
        help: told.or(help),
        reason,
        details: details.map(|it| (text(&it.message), it.help.as_deref().map(text))).collect(),
        notes: lines(&problem.notes).into(),
    }
}

const HOW_TO_PROVE: &str = "give a token in DRCTL_TOKEN, or in a file that DRCTL_TOKEN_FILE or `[client] token_file` \
                            names; `drctl token create` makes one for the server's configuration";
const OTHER_VERSION: &str = "the server's drctl is of another version: use the same one here";

/// What a status means that comes without a problem: from a proxy, or from what is no drctl.
fn speechless(server: &str, status: StatusCode) -> Refusal {
    let message = format!("{server} answers {status}, and nothing that drctl says");
    let (kind, help) = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (RefusalKind::Denied, HOW_TO_PROVE),
        _ if status.is_redirection() => {
            (RefusalKind::Unreachable, "redirects are not followed: name the address they lead to")
        }
        _ => (
            RefusalKind::Unreachable,
            "is it the address of a `drctl serve`, and is nothing in between that answers for it?",
        ),
    };
    Refusal::new(kind, message).help(help).reason("server_answer")
}

/// A stable word: it may be compared and printed without a second look.
fn is_word(text: &str) -> bool {
    (1..=60).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// A text as it may be shown: no controls but line breaks.
pub(super) fn text(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() && letter != '\n' { ' ' } else { letter };
    text.chars().take(TEXT).map(shown).collect()
}

/// A text as one line.
pub(super) fn line(raw: &str) -> String {
    text(raw).replace('\n', " ")
}

/// Texts as they may be shown.
pub(super) fn lines(texts: &[String]) -> Vec<String> {
    texts.iter().take(MANY).map(|it| text(it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> RefusalKind {
        refusal("https://dr", StatusCode::from_u16(status).unwrap(), body.as_bytes()).kind
    }

    #[test]
    fn every_refusal_has_its_kind() {
        use RefusalKind::{Denied, Said, Unreachable, Wrong};
        let table = [
            (401, r#"{"detail": "this needs a token", "reason": "not_authenticated"}"#, Denied),
            (403, r#"{"detail": "eve may not do this", "reason": "not_allowed"}"#, Denied),
            (403, r#"{"detail": "the policy says no", "reason": "policy_refused", "code": 7}"#, Said(7)),
            (404, r#"{"detail": "no run", "reason": "unknown_run"}"#, Wrong),
            (404, r#"{"detail": "nothing here", "reason": "unknown_path"}"#, Unreachable),
            (409, r#"{"detail": "held", "code": 8}"#, Said(8)),
            (409, r#"{"detail": "held", "code": 99}"#, Wrong),
            (422, r#"{"detail": "no"}"#, Wrong),
            (429, r#"{"detail": "slow down"}"#, Unreachable),
            (503, r#"{"detail": "no journal", "code": 10}"#, Said(10)),
            (500, r#"{"detail": "bug"}"#, Unreachable),
            (401, "<html>", Denied),
            (302, "", Unreachable),
            (404, "<html>", Unreachable),
            (502, "[]", Unreachable),
        ];
        for (status, body, expected) in table {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn nothing_a_server_says_moves_a_terminal() {
        let body = serde_json::json!({
            "detail": format!("\u{1b}[2Jgone\u{7}{}", "x".repeat(10_000)), "reason": "\u{1b}[31m",
            "notes": vec!["\u{9b}31m\r"; 1_000],
        });
        let refusal = refusal("https://dr", StatusCode::CONFLICT, body.to_string().as_bytes());
        assert!(refusal.message.starts_with(" [2Jgone xxx"), "{}", refusal.message);
        assert_eq!(
            (refusal.message.chars().count(), refusal.reason, refusal.notes.len()),
            (TEXT, None, MANY)
        );
        assert!(refusal.notes.iter().all(|note| note == " 31m "));
    }
}
