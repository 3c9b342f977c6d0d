//! The words of notices: built-in ones, and those a configuration puts in their place. Templates see the
//! notice and nothing else: no file, no environment, no secret.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::Error;
use super::message::{About, Notice};
use crate::model::limits::EXPRESSION_FUEL;
use crate::model::notice::{NoticeKind, Severity};
use crate::model::time::Timestamp;

/// Longest title, in characters.
const TITLE_CHARS: usize = 250;
/// Longest text, in characters.
const TEXT_CHARS: usize = 4_000;

/// Words that stand in place of the built-in ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wording {
    /// Template of the title.
    pub title: Option<String>,
    /// Template of the text.
    pub text: Option<String>,
}

/// The templates of a target.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Takes the built-in templates and those in their place. Each is tried on a notice.
    ///
    /// # Errors
    /// When one is no template, or names what a notice does not have.
    pub fn new(own: &BTreeMap<NoticeKind, Wording>) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(EXPRESSION_FUEL));
        environment.set_debug(false);
        for kind in NoticeKind::ALL {
            let (title, text) = built_in(*kind);
            let own = own.get(kind);
            for (part, own, built_in) in [
                ("title", own.and_then(|own| own.title.clone()), title),
                ("text", own.and_then(|own| own.text.clone()), text),
            ] {
                let source = own.unwrap_or_else(|| built_in.to_owned());
                environment
                    .add_template_owned(name(*kind, part), source)
                    .map_err(|error| unusable(*kind, part, &error))?;
            }
        }
        let templates = Self { environment };
        for kind in NoticeKind::ALL {
            templates.words(&sample(*kind))?;
        }
        Ok(templates)
    }

    /// The notice with its words. A template that fails on it gives way to a plain line: a notice without
    /// its words is better than none.
    #[must_use]
    pub fn render(&self, mut notice: Notice) -> Notice {
        (notice.title, notice.text) = self.words(&notice).unwrap_or_else(|error| {
            tracing::error!("{error}");
            (format!("{}: {}", notice.service, notice.kind), String::new())
        });
        notice
    }

    fn words(&self, notice: &Notice) -> Result<(String, String), Error> {
        let context = minijinja::Value::from(minijinja::value::Serde(context(notice)));
        let render = |part: &'static str| {
            let template = self.environment.get_template(&name(notice.kind, part));
            let text = template.and_then(|template| template.render(&context));
            text.map_err(|error| unusable(notice.kind, part, &error))
        };
        let title = render("title")?.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((cut(&title, TITLE_CHARS), cut(render("text")?.trim(), TEXT_CHARS)))
    }
}

fn name(kind: NoticeKind, part: &str) -> String {
    format!("{kind}.{part}")
}

fn unusable(kind: NoticeKind, part: &'static str, error: &minijinja::Error) -> Error {
    let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    Error::Template { part, kind, message: format!("{line}{detail}") }
}

/// What templates see: the fields of the notice, what only some kinds have among them.
fn context(notice: &Notice) -> Value {
    let mut all = object(serde_json::to_value(notice));
    let about = all.remove("about");
    all.extend(object(Ok(about.unwrap_or_default())));
    let route = match (&notice.from, &notice.to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (None, Some(to)) => format!("to {to}"),
        (Some(from), None) => format!("away from {from}"),
        (None, None) => String::new(),
    };
    all.insert("route".to_owned(), route.into());
    all.insert("drill".to_owned(), (notice.intent == Some("drill")).into());
    Value::Object(all)
}

fn object(value: Result<Value, serde_json::Error>) -> Map<String, Value> {
    match value {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => Map::new(),
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A notice in which everything is there, to try templates on.
fn sample(kind: NoticeKind) -> Notice {
    let at = Timestamp::from_millis(0);
    let some = |text: &str| Some(text.to_owned());
    Notice {
        id: "run/payments-abcdefgh/1".to_owned(),
        kind,
        severity: Severity::Info,
        at,
        thread: "drctl/payments-abcdefgh".to_owned(),
        service: "payments".to_owned(),
        run: some("payments-abcdefgh"),
        operation: Some("failover"),
        intent: Some("real"),
        status: Some("running"),
        from: some("east"),
        to: some("west"),
        title: String::new(),
        text: String::new(),
        commands: vec!["drctl runs show payments-abcdefgh".to_owned()],
        about: About { percent: Some(50), until: Some(at), fire: Some(at), ..About::default() },
        ending: None,
        incident: None,
        child: false,
    }
}

/// Title and text of a kind where nobody has said otherwise.
const fn built_in(kind: NoticeKind) -> (&'static str, &'static str) {
    match kind {
        NoticeKind::Staged => (
            "{% if drill %}[drill] {% endif %}{{ service }}: {{ operation }} {{ route }} waits to be started",
            "Staged by {{ by }}{% if reason %}: {{ reason }}{% endif %}.\n\
             {% if until %}It expires at {{ until }}.{% endif %}",
        ),
        NoticeKind::Started => (
            "{% if drill %}[drill] {% endif %}{{ service }}: {{ operation }} {{ route }} has begun",
            "Started by {{ by }}{% if reason %}: {{ reason }}{% endif %}.",
        ),
        NoticeKind::RtoBurn => (
            "{% if drill %}[drill] {% endif %}{{ service }}: {{ percent }} % of the RTO used up",
            "{{ elapsed }} of {{ objective }} are gone.\
             {% if forecast %} Expected recovery: {{ forecast }}{% if step %}, at {{ step }}{% endif %}.{% endif %}",
        ),
        NoticeKind::Forecast => (
            "{% if drill %}[drill] {% endif %}{{ service }}: \
             {% if recovered %}within the RTO again{% else %}the RTO will be missed{% endif %}",
            "Expected recovery: {{ forecast }}; the objective is {{ objective }}.\
             {% if step %} The time goes to {{ step }}.{% endif %}",
        ),
        NoticeKind::Rpo => (
            "{% if drill %}[drill] {% endif %}{{ service }}: {% if cause %}nobody can tell how far the data is behind\
             {% elif recovered %}{% if objective %}data is within the RPO of {{ objective }} again\
             {% else %}its data is read again{% endif %}\
             {% else %}data is {{ lag }} behind, the RPO is {{ objective }}{% endif %}",
            "{% if cause %}{{ cause }}\n{% endif %}{{ message }}{% if step %} at {{ step }}{% endif %}.",
        ),
        NoticeKind::Approval => (
            "{% if drill %}[drill] {% endif %}{{ service }}: \
             {% if step %}{{ step }} waits{% else %}the drill waits{% endif %} for a person",
            "{{ message }}",
        ),
        NoticeKind::Stuck => (
            "{% if drill %}[drill] {% endif %}{{ service }}: {{ operation }} is {{ status | replace('_', ' ') }}",
            "{% if cause %}{{ cause }}\n\n{% endif %}{{ changed }}",
        ),
        NoticeKind::Resumed => (
            "{% if drill %}[drill] {% endif %}{{ service }}: {{ operation }} goes on",
            "Status: {{ status }}.",
        ),
        NoticeKind::DrillRefused => {
            ("{{ service }}: the drill due at {{ fire }} was not begun: {{ cause }}", "{{ message }}")
        }
        NoticeKind::Readiness => (
            "{{ service }}: {% if recovered %}ready for a failover again{% else %}its readiness is now: {{ changed }}{% endif %}",
            "{% if message %}{{ message }}{% endif %}",
        ),
        NoticeKind::Ended => (
            "{% if drill %}[drill] {% endif %}{{ service }}: {{ operation }} {{ route }} \
             {{ status | replace('_', ' ') }}, objectives {{ verdict }}",
            "Recovery time: {% if recovery_time %}{{ recovery_time }}{% else %}not validated{% endif %}\
             {% if objective %} (objective {{ objective }}){% endif %}. \
             Data loss: {% if data_loss %}at most {{ data_loss }}{% else %}not measured{% endif %}.\
             {% if cause %}\n{{ cause }}{% endif %}",
        ),
        NoticeKind::Test => ("drctl: test notice", "{{ message }}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(kind: NoticeKind, text: &str) -> Result<Templates, Error> {
        let wording = Wording { title: None, text: Some(text.to_owned()) };
        Templates::new(&BTreeMap::from([(kind, wording)]))
    }

    #[test]
    fn own_words_stand_in_place_of_the_built_in_ones() {
        let templates = own(NoticeKind::RtoBurn, "{{ percent }} of {{ service|upper }}").unwrap();
        let notice = templates.render(sample(NoticeKind::RtoBurn));
        assert_eq!(notice.text, "50 of PAYMENTS");
        assert_eq!(notice.title, "payments: 50 % of the RTO used up");
    }

    #[test]
    fn what_a_notice_does_not_have_is_refused_before_it_is_needed() {
        for (text, what) in [
            ("one\n{{ secret }}", "line 2: "),
            ("{{ percent", "unexpected end"),
            ("{% include '/etc/passwd' %}", "line 1"),
        ] {
            let error = own(NoticeKind::RtoBurn, text).unwrap_err().to_string();
            assert!(error.contains("text of `rto_burn`") && error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn titles_are_one_line_and_nothing_is_without_end() {
        let templates = own(NoticeKind::Test, "{{ message }}").unwrap();
        let mut notice = sample(NoticeKind::Test);
        notice.about.message = Some("x".repeat(5_000));
        let notice = templates.render(notice);
        assert_eq!((notice.text.chars().count(), notice.text.ends_with('…')), (TEXT_CHARS, true));
        assert_eq!(cut("abc", 3), "abc");
    }
}
