//! Whole DNS records: changed when they are as expected, and looked at. Never weighs or routes.

use serde_json::{Map, Value, json};

use super::super::change::{Change, SettingChange};
use super::{Act, Scene, View, unhealthy};
use crate::model::action::dns::RecordType;
use crate::model::action::{azure, dns, gcp};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::Duration;

/// Address of a record nobody has changed yet; from the block for documentation (RFC 5737).
pub(super) const INITIAL_ADDRESS: &str = "192.0.2.1";

pub(super) fn record_name(name: &str, kind: RecordType) -> String {
    format!("dns/{}/{kind}", name.trim_end_matches('.'))
}

fn sorted(values: &[String]) -> Vec<&str> {
    let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
    values.sort_unstable();
    values
}

/// A change of a whole record that is refused when the record is not as expected.
struct Record<'a> {
    name: String,
    values: &'a [String],
    ttl: Option<Duration>,
    expect: &'a [String],
    expect_absent: bool,
}

impl<'a> Record<'a> {
    fn act(self, view: &View<'_>, outputs: impl Fn(&Scene<'_>, Value) -> Value + 'a) -> Act<'a> {
        let initially = match (self.expect_absent, self.expect) {
            (true, _) => Value::Null,
            (false, []) => json!([INITIAL_ADDRESS]),
            (false, expected) => json!(sorted(expected)),
        };
        let wanted = json!(sorted(self.values));
        let present = view.estate.settings().get(&self.name).map_or(&initially, |it| &it.value);
        let as_expected = *present == wanted
            || if self.expect_absent {
                present.is_null()
            } else {
                self.expect.is_empty() || *present == json!(sorted(self.expect))
            };
        let setting = SettingChange { name: self.name.clone(), wanted, initially, ttl: self.ttl };
        let name = self.name;
        Act::may_fail("waiting for name servers", Change::Set { settings: vec![setting] }, move |scene| {
            if !as_expected {
                let message = "the record is not as expected; nothing was changed";
                return Err(Failure::new(FailureClass::Refused, message));
            }
            Ok(outputs(scene, scene.previous(&name)))
        })
    }
}

pub(super) fn dns_update<'a>(it: &'a dns::Update, view: &View<'_>) -> Act<'a> {
    let record = Record {
        name: record_name(&it.name, it.record_type),
        values: &it.values,
        ttl: it.ttl,
        expect: &it.expect,
        expect_absent: it.expect_absent,
    };
    record.act(view, move |scene, previous| {
        let own = [it.server.clone()];
        let servers: &[String] = if it.authoritative.is_empty() { &own } else { &it.authoritative };
        json!({
            "previous": previous,
            "previous_ttl_ms": scene.previous_ttl_ms(),
            "serial": scene.at.as_millis() / 1_000,
            "servers": servers,
        })
    })
}

pub(super) fn azure_record<'a>(it: &'a azure::SetRecord, view: &View<'_>) -> Act<'a> {
    let full = if it.name == "@" { it.zone.clone() } else { format!("{}.{}", it.name, it.zone) };
    let record = Record {
        name: record_name(&full, it.record_type),
        values: &it.values,
        ttl: it.ttl,
        expect: &it.expect,
        expect_absent: false,
    };
    record.act(view, |scene, previous| {
        json!({
            "etag": scene.view.id("etag"),
            "previous": previous,
            "previous_ttl_ms": scene.previous_ttl_ms(),
        })
    })
}

pub(super) fn gcp_record<'a>(it: &'a gcp::DnsChange, view: &View<'_>) -> Act<'a> {
    let record = Record {
        name: record_name(&it.name, it.record_type),
        values: &it.values,
        ttl: it.ttl,
        expect: &it.expect,
        expect_absent: false,
    };
    record.act(view, |scene, previous| {
        json!({
            "change_id": scene.view.id("change"),
            "previous": previous,
            "previous_ttl_ms": scene.previous_ttl_ms(),
        })
    })
}

pub(super) fn dns_check(it: &dns::Check) -> Act<'_> {
    let name = record_name(&it.name, it.record_type);
    let mut act = Act::look({
        let name = name.clone();
        move |scene| {
            let known = scene.view.estate.settings().get(&name);
            let ttl = known.map_or(Duration::from_secs(60), |it| it.ttl);
            let values = known.map_or_else(|| json!(sorted(&it.expect)), |it| it.value.clone());
            if values != json!(sorted(&it.expect)) {
                return Err(unhealthy("the name servers give another answer"));
            }
            if let Some(max) = it.max_ttl.filter(|max| ttl > *max) {
                return Err(unhealthy(format!("the TTL is {ttl}, allowed are {max}")));
            }
            let asked = it.authoritative.iter().chain(&it.resolvers).cloned();
            let mut answers: Map<String, Value> = asked.map(|server| (server, values.clone())).collect();
            if answers.is_empty() {
                answers.insert("authoritative".to_owned(), values);
            }
            Ok(json!({"answers": answers, "ttl_ms": ttl.as_millis(), "agree": true}))
        }
    });
    if !it.resolvers.is_empty() || it.old_ttl.is_some() {
        act.caches = Some((name, it.old_ttl));
    }
    act
}
