//! Says in the words of the API what shared code says in those of the command line: fields of a request
//! instead of flags, requests instead of commands. What the API cannot do is left to the command line, and
//! says so. The command line itself, which asks for it, hears its own words.

use axum::http::HeaderMap;

use crate::journal::remote::IN_COMMANDS;

/// Whose words something is said in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Words {
    /// Fields and requests.
    #[default]
    Api,
    /// Flags and commands.
    Commands,
}

impl Words {
    /// Those of whoever sends a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (name, value) = IN_COMMANDS;
        if headers.get(name).is_some_and(|asked| asked == value) { Self::Commands } else { Self::Api }
    }

    /// What shared code says, in these words.
    pub(super) fn say(self, text: &str) -> String {
        match self {
            Self::Api => of_the_api(text),
            Self::Commands => from_elsewhere(text),
        }
    }
}

/// What means something only where the server is, and what is said of that.
const ELSEWHERE: [(&str, &str); 3] = [
    ("`drctl validate ", " where the server runs"),
    ("`--break-glass`", " on the journal itself"),
    ("--break-glass", " on the journal itself"),
];

/// The same for a command line that is not where the server is.
fn from_elsewhere(text: &str) -> String {
    let found = ELSEWHERE.iter().filter_map(|(begin, place)| Some((text.find(begin)?, *begin, *place)));
    let Some((at, begin, place)) = found.min_by_key(|(at, ..)| *at) else {
        return text.to_owned();
    };
    let after = at + begin.len();
    // A command ends with its backtick.
    let end = if begin.ends_with(' ') {
        text[after..].find('`').map_or(text.len(), |end| after + end + 1)
    } else {
        after
    };
    format!("{}{place}{}", &text[..end], from_elsewhere(&text[end..]))
}

/// Flags, the fields that stand for them, and whether a value follows that belongs to them.
const FLAGS: [(&str, &str, bool); 15] = [
    ("--accept-loss unmeasured", "consents.accept_unmeasured_loss", false),
    ("--accept-loss", "consents.accept_loss", true),
    ("--accept-unfenced", "consents.accept_unfenced", false),
    ("--confirm", "consents.confirm", true),
    ("--reason", "reason", true),
    ("--set", "parameters", true),
    ("--mode", "mode", true),
    ("--level", "level", true),
    ("--to SITE", "to", false),
    ("--from SITE", "from", false),
    ("--to", "to", false),
    ("--from", "from", false),
    ("--simulate", "simulate", false),
    ("--override", "override", false),
    ("--notes", "notes", false),
];

/// Commands, and the requests that stand for them. `{}` is what follows the command.
const COMMANDS: [(&str, &str); 15] = [
    ("runs show", "GET /api/v1/runs/{}"),
    ("runs watch", "GET /api/v1/runs/{}/events"),
    ("runs events", "GET /api/v1/runs/{}/events"),
    ("runs list --simulated", "GET /api/v1/runs?simulated=true"),
    ("runs list", "GET /api/v1/runs"),
    ("resume", "POST /api/v1/runs/{}/resume"),
    ("abort", "POST /api/v1/runs/{}/abort"),
    ("approve", "POST /api/v1/runs/{}/approve"),
    ("start", "POST /api/v1/runs/{}/start"),
    ("done", "POST /api/v1/runs/{}/done"),
    ("validate", "POST /api/v1/validate"),
    ("failback", "POST /api/v1/runs"),
    ("failover", "POST /api/v1/runs"),
    ("drill promote", "POST /api/v1/drills/{}/promote"),
    ("drill", "POST /api/v1/drills"),
];

/// The same in the words of the API.
fn of_the_api(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        // Every second part stands between backticks.
        if at % 2 == 1 {
            said.push_str(&quoted(part));
        } else {
            said.push_str(&flags(part, true));
        }
    }
    said
}

/// What stood between backticks, as it is said now.
fn quoted(part: &str) -> String {
    if let Some(command) = part.strip_prefix("drctl ") {
        return match request(command) {
            Some(request) => format!("`{request}`"),
            None => format!("`{part}` at the command line"),
        };
    }
    let said = flags(part, false);
    if is_flag(&said) { format!("`{part}` at the command line") } else { format!("`{said}`") }
}

/// The request that stands for a command, where there is one.
fn request(command: &str) -> Option<String> {
    let known = COMMANDS.iter().find_map(|(name, request)| {
        let rest = command.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(' ')).then_some((rest.trim(), *request))
    });
    let (rest, request) = known?;
    // A further word or flag is more than the request says; a path means nothing to who asks from elsewhere.
    let more = rest.contains(' ') || rest.starts_with("--");
    if more || (!request.contains("{}") && !rest.is_empty() && !request.ends_with("validate")) {
        return None;
    }
    Some(request.replace("{}", if rest.is_empty() { "{run}" } else { rest }))
}

fn is_flag(text: &str) -> bool {
    text.split("--").skip(1).any(|after| after.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// A text with fields for its flags, in backticks where `quote` says so.
fn flags(text: &str, quote: bool) -> String {
    let (mut said, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("--") {
        let (before, from_here) = rest.split_at(at);
        said.push_str(before);
        let begins = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
        let known = FLAGS.iter().filter(|_| begins).find_map(|(flag, field, takes)| {
            let after = from_here.strip_prefix(flag)?;
            let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
            ends.then_some((*field, *takes, after))
        });
        if let Some((field, takes, after)) = known {
            let (value, after) = if takes { value(after) } else { ("", after) };
            let mark = if quote { "`" } else { "" };
            said.extend([mark, &written(field, value), mark]);
            rest = after;
        } else {
            let name = from_here.trim_start_matches('-');
            let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(name.len());
            let (flag, after) = from_here.split_at(from_here.len() - name.len() + length);
            let elsewhere = quote && begins && length > 0;
            said.extend([flag, if elsewhere { " at the command line" } else { "" }]);
            rest = after;
        }
    }
    said + rest
}

/// A field with its value.
fn written(field: &str, value: &str) -> String {
    match (field, value.split_once('=')) {
        (_, None) if value.is_empty() => field.to_owned(),
        ("parameters", Some((name, _))) => format!("{field}.{name}"),
        (_, _) => format!("{field}: {value}"),
    }
}

/// The value after a flag, and what follows it: a text in quotes, or a word.
fn value(after: &str) -> (&str, &str) {
    let Some(text) = after.strip_prefix([' ', '=']) else { return ("", after) };
    let end = match text.strip_prefix('"') {
        Some(inner) => inner.find('"').map_or(text.len(), |end| end + 2),
        None => text.find([' ', ',', ';']).unwrap_or(text.len()),
    };
    // What follows is said of it.
    let end = text[..end].trim_end_matches(':').len();
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn flags_are_said_as_fields_and_commands_as_requests() {
        for (said, expected) in [
            ("add --reason \"…\"; it stands in the journal", "add `reason: \"…\"`; it stands in the journal"),
            ("say which with `--to SITE`; a, b", "say which with `to`; a, b"),
            ("--from east, but pay is at west", "`from` east, but pay is at west"),
            (
                "still needs --confirm pay:west, --accept-loss \"42s\"",
                "still needs `consents.confirm: pay:west`, `consents.accept_loss: \"42s\"`",
            ),
            ("takes --confirm a:b: without it", "takes `consents.confirm: a:b`: without it"),
            ("--accept-loss unmeasured", "`consents.accept_unmeasured_loss`"),
            ("give it with `--set zone=…`: string", "give it with `parameters.zone`: string"),
            ("use `--mode graceful`, or an isolated drill", "use `mode: graceful`, or an isolated drill"),
            ("already done; add --override to let it go on", "already done; add `override` to let it go on"),
            ("see `drctl runs show pay-abc`; one at a time", "see `GET /api/v1/runs/pay-abc`; one at a time"),
            ("`drctl resume` takes it up again", "`POST /api/v1/runs/{run}/resume` takes it up again"),
            ("see `drctl validate /srv/pay.yaml`", "see `POST /api/v1/validate`"),
            ("`drctl runs list --simulated` shows all", "`GET /api/v1/runs?simulated=true` shows all"),
            ("and see `drctl journal verify`", "and see `drctl journal verify` at the command line"),
            ("`drctl drill promote x` makes it real", "`POST /api/v1/drills/x/promote` makes it real"),
            (
                "put it right; --break-glass goes on",
                "put it right; --break-glass at the command line goes on",
            ),
            ("`--journal PATH` uses another", "`--journal PATH` at the command line uses another"),
            ("east--west stays, `x` too", "east--west stays, `x` too"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(of_the_api(said), expected);
        }
    }

    #[test]
    fn the_command_line_hears_its_own_words() {
        for (said, expected) in [
            ("see `drctl runs show pay-abc`; add --reason", "see `drctl runs show pay-abc`; add --reason"),
            (
                "see `drctl validate /srv/a.yaml` or `drctl validate b.yaml`",
                "see `drctl validate /srv/a.yaml` where the server runs or `drctl validate b.yaml` where the server runs",
            ),
            (
                "put it right; --break-glass goes on, and `--break-glass` starts afresh",
                "put it right; --break-glass on the journal itself goes on, and `--break-glass` on the journal itself starts \
                 afresh",
            ),
        ] {
            assert_eq!(Words::Commands.say(said), expected);
        }
    }

    /// Texts between quotes in the sources of a folder.
    fn texts(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                texts(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            found.extend(
                code.join("\n").replace("\\\"", "”").split('"').skip(1).step_by(2).map(str::to_owned),
            );
        }
    }

    #[test]
    fn nothing_that_shared_code_says_is_left_in_words_of_the_command_line() {
        let mut found = Vec::new();
        for folder in ["app", "engine", "plan", "runtime"] {
            texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder), &mut found);
        }
        // Notes of several lines, and whole commands to be typed, are for people.
        let speaks = |text: &String| {
            let whole = text.contains("\\n") || text.starts_with("drctl {}");
            !whole && (is_flag(text) || text.contains("`drctl "))
        };
        let spoken: Vec<_> = found.iter().filter(|text| speaks(text)).collect();
        assert!(spoken.len() > 30, "the sources are not read: {spoken:?}");
        for text in spoken {
            let said = of_the_api(text);
            let parts: Vec<&str> = said.split('`').collect();
            for (at, part) in parts.iter().enumerate() {
                let speaks = is_flag(part) || part.starts_with("drctl ");
                let after = if at % 2 == 0 { part } else { parts[at + 1] };
                assert!(!speaks || after.contains(" at the command line"), "{text:?} is said as {said:?}");
            }
        }
    }
}
