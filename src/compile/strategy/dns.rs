//! Steps of plain DNS records: the address of the site that serves; in `active_active` those of all that do.

use serde_json::{Value, json};

use super::part::{Part, Side};
use super::stages::Stage;
use crate::model::component::{AzureDnsRecord, CloudDnsRecord, DnsRecord, EachSite};
use crate::model::time::Duration;

pub(super) fn record(record: &DnsRecord, part: &mut Part<'_>) {
    let mut with = json!({"server": record.server, "zone": record.zone, "name": record.name,
                          "record_type": record.record_type});
    if let Some(tsig) = &record.tsig {
        with["tsig"] = json!(tsig);
    }
    let mut check = json!({"name": record.name, "record_type": record.record_type});
    if !record.authoritative.is_empty() {
        with["authoritative"] = json!(record.authoritative);
        check["authoritative"] = json!(record.authoritative);
    }
    shift(part, "dns.update", with, &record.address, record.ttl);
    check["expect"] = addresses(part);
    part.step(
        Stage::Validate,
        "answers",
        json!({"name": "every name server gives the new answer", "uses": "dns.check", "with": check,
               "retry": {"attempts": 10, "backoff": "3s", "max_backoff": "15s"}}),
    );
}

pub(super) fn azure(record: &AzureDnsRecord, part: &mut Part<'_>) {
    let with = json!({"subscription_id": record.subscription_id, "resource_group": record.resource_group,
                      "zone": record.zone, "name": record.name, "record_type": record.record_type});
    shift(part, "azure.dns.set_record", with, &record.address, record.ttl);
}

pub(super) fn cloud(record: &CloudDnsRecord, part: &mut Part<'_>) {
    let with = json!({"project": record.project, "managed_zone": record.managed_zone, "name": record.name,
                      "record_type": record.record_type});
    shift(part, "gcp.dns.change", with, &record.address, record.ttl);
}

fn shift(
    part: &mut Part<'_>,
    uses: &str,
    mut with: Value,
    address: &EachSite<String>,
    ttl: Option<Duration>,
) {
    for (site, address) in address.iter() {
        part.keep(site, "address", address.as_str().into());
    }
    with["values"] = addresses(part);
    if let Some(ttl) = ttl {
        with["ttl"] = ttl.to_string().into();
    }
    part.step(
        Stage::Shift,
        "shift",
        json!({"name": "send the users to where the service is", "uses": uses, "with": with, "undo": "auto",
               "retry": {"attempts": 5, "backoff": "5s", "max_backoff": "30s"}, "drill": "skip"}),
    );
}

/// What the record says afterwards.
fn addresses(part: &Part<'_>) -> Value {
    let kept = part.kept(Side::To, "address");
    if !part.is_active_active() {
        return json!([kept]);
    }
    let path = kept.as_str().unwrap_or_default();
    let path = path.trim_matches(['{', '}', ' ']).trim_start_matches("to.");
    format!("{{{{ survivors | map(attribute='{path}') | list }}}}").into()
}
