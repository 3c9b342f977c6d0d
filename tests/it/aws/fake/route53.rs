//! Route 53 as its reference says it behaves: batches are atomic and limited, changes are pending for some
//! looks, versions of health checks are compared, and the account is throttled. When each request came is
//! told by the clock the provider goes by.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use drctl::model::time::Timestamp;
use drctl::ports::Clock;
use roxmltree::{Document, Node};

use super::{Fake, Request, Response};

const XMLNS: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// What tells a record set from another: name, type, set identifier.
type Key = (String, String, String);

/// The elements of a record set by their paths, for comparing.
type Fields = BTreeMap<String, String>;

#[derive(Debug, Clone)]
struct Record {
    /// The XML inside.
    inside: String,
    fields: Fields,
}

/// A health check of an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) version: i64,
    pub(crate) inverted: bool,
    /// Whether its endpoint answers.
    pub(crate) up: bool,
    pub(crate) kind: &'static str,
    /// Healthy children a calculated one needs; it has three.
    pub(crate) threshold: i32,
}

/// What there is, and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct World {
    records: BTreeMap<Key, Record>,
    /// Looks after which each change is in sync; absent: unknown.
    changes: BTreeMap<String, u32>,
    count: u32,
    /// Name and type of protected records.
    pub(crate) protected: BTreeSet<(String, String)>,
    pub(crate) checks: BTreeMap<String, Check>,
    /// Looks for which a new change is pending.
    pub(crate) pending: u32,
    /// Answers that the next changes get in place of being applied: error codes.
    pub(crate) refuse: Vec<&'static str>,
    /// The answers to so many changes are lost, after they were applied.
    pub(crate) lose: u32,
    /// Somebody else changes a health check whenever it has been read.
    pub(crate) change_after_look: bool,
    /// Refusals of batches have the form that only Route 53 has.
    pub(crate) own_form: bool,
    /// Every request: when it came, and its operation.
    pub(crate) seen: Vec<(Timestamp, &'static str)>,
    /// Sizes of the batches that were applied, in changes.
    pub(crate) applied: Vec<usize>,
}

/// A fake Route 53 with one zone, `Z1` of `example.com`.
pub(crate) struct FakeRoute53 {
    pub(crate) fake: Fake,
    world: Arc<Mutex<World>>,
}

impl FakeRoute53 {
    /// Starts one that goes by a clock.
    pub(crate) fn start(clock: Arc<dyn Clock>) -> Self {
        let world = Arc::new(Mutex::new(World { pending: 1, ..World::default() }));
        let served = Arc::clone(&world);
        let fake = Fake::start(Box::new(move |request| served.lock().unwrap().serve(request, clock.now())));
        Self { fake, world }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Puts a record there, given as the XML inside its element.
    pub(crate) fn put(&self, inside: &str) {
        let text = format!("<R>{inside}</R>");
        let (key, record) = read(Document::parse(&text).unwrap().root_element());
        self.world().records.insert(key, record);
    }

    /// Puts an address there.
    pub(crate) fn address(&self, name: &str, address: &str) {
        self.put(&format!("<Name>{name}</Name><Type>A</Type>{}", value(address)));
    }

    /// Puts a weighted address there.
    pub(crate) fn weighted(&self, name: &str, set: &str, weight: u32) {
        let routed = format!("<SetIdentifier>{set}</SetIdentifier><Weight>{weight}</Weight>");
        self.put(&format!("<Name>{name}</Name><Type>A</Type>{routed}{}", value("192.0.2.9")));
    }

    /// Puts an address with a place in failover routing there.
    pub(crate) fn failover(&self, name: &str, set: &str, role: &str) {
        let routed = format!("<SetIdentifier>{set}</SetIdentifier><Failover>{role}</Failover>");
        let check = format!("<HealthCheckId>check-{set}</HealthCheckId>");
        self.put(&format!("<Name>{name}</Name><Type>A</Type>{routed}{}{check}", value("192.0.2.9")));
    }

    /// A field of a record.
    pub(crate) fn field(&self, name: &str, set: &str, field: &str) -> Option<String> {
        let key = (name.to_owned(), "A".to_owned(), set.to_owned());
        self.world().records.get(&key).and_then(|record| record.fields.get(field).cloned())
    }

    /// Every change made so far is in sync at the next look.
    pub(crate) fn settle(&self) {
        self.world().changes.values_mut().for_each(|looks| *looks = 0);
    }

    /// How often an operation was asked for.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.world().seen.iter().filter(|(_, seen)| *seen == operation).count()
    }
}

fn value(address: &str) -> String {
    let records = format!("<ResourceRecord><Value>{address}</Value></ResourceRecord>");
    format!("<TTL>30</TTL><ResourceRecords>{records}</ResourceRecords>")
}

impl World {
    fn serve(&mut self, it: &Request, now: Timestamp) -> Response {
        let Some((method, path)) = it.action.split_once(' ') else {
            return (
                400,
                "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>".to_owned(),
            );
        };
        let parts: Vec<&str> = path.trim_matches('/').split('/').skip(1).collect();
        let (operation, response) = match (method, parts.as_slice()) {
            ("POST", ["hostedzone", zone, "rrset"]) => {
                ("ChangeResourceRecordSets", self.change(zone, &it.body, now))
            }
            ("GET", ["hostedzone", zone, "rrset"]) => ("ListResourceRecordSets", self.list(zone, it)),
            ("GET", ["hostedzone", _, "rrsetprotection"]) => {
                ("ListResourceRecordSetProtections", self.protections())
            }
            ("GET", ["change", id]) => ("GetChange", self.look(id, now)),
            ("GET", ["healthcheck", id]) => {
                let response = self.health_check("Get", id);
                if let Some(check) = self.checks.get_mut(*id).filter(|_| self.change_after_look) {
                    check.version += 1;
                }
                ("GetHealthCheck", response)
            }
            ("GET", ["healthcheck", id, "status"]) => ("GetHealthCheckStatus", self.status(id)),
            ("POST", ["healthcheck", id]) => ("UpdateHealthCheck", self.update(id, &it.body)),
            _ => ("unknown", refusal("InvalidInput", "this fake has no such operation")),
        };
        self.seen.push((now, operation));
        response
    }

    fn change(&mut self, zone: &str, body: &str, now: Timestamp) -> Response {
        if zone != "Z1" {
            return refusal("NoSuchHostedZone", &format!("No hosted zone found with ID: {zone}"));
        }
        if !self.refuse.is_empty() {
            return refusal(self.refuse.remove(0), "Rate exceeded");
        }
        let document = Document::parse(body).unwrap();
        let changes: Vec<Node<'_, '_>> =
            document.descendants().filter(|node| node.tag_name().name() == "Change").collect();
        let mut records = self.records.clone();
        let mut wrong = self.apply(&changes, &mut records);
        wrong.extend(routing_faults(&records));
        if !wrong.is_empty() {
            return self.invalid(&wrong);
        }
        self.records = records;
        self.applied.push(changes.len());
        self.count += 1;
        let id = format!("C{}", self.count);
        self.changes.insert(id.clone(), self.pending);
        if self.lose > 0 {
            self.lose -= 1;
            return (0, String::new());
        }
        answer("ChangeResourceRecordSets", &change_info(&id, self.pending > 0, now))
    }

    /// Applies the changes; what is wrong with them, in Route 53's words.
    fn apply(&self, changes: &[Node<'_, '_>], records: &mut BTreeMap<Key, Record>) -> Vec<String> {
        let (mut wrong, mut keys, mut size) = (Vec::new(), BTreeSet::new(), 0);
        for change in changes {
            let child = |name: &str| change.children().find(|node| node.tag_name().name() == name).unwrap();
            let (verb, set) = (child("Action").text().unwrap(), child("ResourceRecordSet"));
            let (key, record) = read(set);
            let named = format!("[name='{}.', type='{}']", key.0, key.1);
            let values = set.descendants().filter(|node| node.tag_name().name() == "ResourceRecord").count();
            size += values.max(1) * if verb == "UPSERT" { 2 } else { 1 };
            if self.protected.contains(&(key.0.clone(), key.1.clone())) {
                wrong.push(format!("The resource record set {named} is protected"));
            }
            if !key.0.ends_with("example.com") {
                wrong.push(format!("RRSet with DNS name {}. is not permitted in zone example.com.", key.0));
            }
            if !keys.insert((verb == "DELETE", key.clone())) {
                wrong.push(format!("The request contains an invalid set of changes for {named}"));
            }
            match (verb, records.get(&key)) {
                ("CREATE", Some(_)) => {
                    wrong.push(format!("Tried to create resource record set {named} but it already exists"));
                }
                ("DELETE", Some(found)) if found.fields == record.fields => {
                    records.remove(&key);
                }
                ("DELETE", _) => wrong.push(format!(
                    "Tried to delete resource record set {named} but the values provided do not match the current \
                     values"
                )),
                _ => {
                    records.insert(key, record);
                }
            }
        }
        if size > 1_000 {
            wrong.push("Number of records limit of 1000 exceeded.".to_owned());
        }
        wrong
    }

    fn invalid(&self, wrong: &[String]) -> Response {
        if !self.own_form {
            return refusal("InvalidChangeBatch", &format!("[{}]", wrong.join(", ")));
        }
        let messages = wrong.join("</Message><Message>");
        (
            400,
            format!(
                "<InvalidChangeBatch xmlns=\"{XMLNS}\"><Messages><Message>{messages}</Message></Messages></InvalidChangeBatch>"
            ),
        )
    }

    fn list(&self, zone: &str, it: &Request) -> Response {
        if zone != "Z1" {
            return refusal("NoSuchHostedZone", &format!("No hosted zone found with ID: {zone}"));
        }
        let from = (normal(it.get("name")), it.get("type").to_owned(), it.get("identifier").to_owned());
        let most: usize = it.get("maxitems").parse().unwrap_or(300);
        let mut all: Vec<(&Key, &Record)> = self.records.iter().collect();
        all.sort_by(|one, other| order(one.0, other.0));
        let mut rest = all.into_iter().filter(|(key, _)| order(key, &from) != Ordering::Less);
        let mut body = String::from("<ResourceRecordSets>");
        for (_, record) in rest.by_ref().take(most.min(300)) {
            let _ = write!(body, "<ResourceRecordSet>{}</ResourceRecordSet>", record.inside);
        }
        body.push_str("</ResourceRecordSets>");
        let _ = match rest.next() {
            None => write!(body, "<IsTruncated>false</IsTruncated>"),
            Some(((name, kind, set), _)) => {
                let set = if set.is_empty() {
                    String::new()
                } else {
                    format!("<NextRecordIdentifier>{set}</NextRecordIdentifier>")
                };
                let next = format!(
                    "<NextRecordName>{name}.</NextRecordName><NextRecordType>{kind}</NextRecordType>"
                );
                write!(body, "<IsTruncated>true</IsTruncated>{next}{set}")
            }
        };
        let _ = write!(body, "<MaxItems>{most}</MaxItems>");
        answer("ListResourceRecordSets", &body)
    }

    fn protections(&self) -> Response {
        let one = |(name, kind): &(String, String)| {
            let inside = format!("<RecordName>{name}.</RecordName><RecordType>{kind}</RecordType>");
            format!("<ResourceRecordSetProtection>{inside}</ResourceRecordSetProtection>")
        };
        let all: String = self.protected.iter().map(one).collect();
        let body = format!("<ResourceRecordSetProtections>{all}</ResourceRecordSetProtections>");
        answer("ListResourceRecordSetProtections", &body)
    }

    /// Forgets every change, as the control plane that takes over does for those that did not reach it.
    pub(crate) fn strand(&mut self) {
        self.changes.clear();
    }

    fn look(&mut self, id: &str, now: Timestamp) -> Response {
        let Some(left) = self.changes.get_mut(id) else {
            return refusal("NoSuchChange", &format!("Could not find resource with ID: {id}"));
        };
        let pending = *left > 0;
        *left = left.saturating_sub(1);
        answer("GetChange", &change_info(id, pending, now))
    }

    fn health_check(&self, verb: &str, id: &str) -> Response {
        let Some(check) = self.checks.get(id) else {
            return refusal(
                "NoSuchHealthCheck",
                &format!("No health check exists with the specified ID {id}"),
            );
        };
        let Check { version, inverted, kind, threshold, .. } = check;
        let mut config =
            format!("<Type>{kind}</Type><Inverted>{inverted}</Inverted><Disabled>false</Disabled>");
        if *kind == "CALCULATED" {
            let children = "<ChildHealthCheck>child</ChildHealthCheck>".repeat(3);
            let _ = write!(
                config,
                "<HealthThreshold>{threshold}</HealthThreshold><ChildHealthChecks>{children}</ChildHealthChecks>"
            );
        }
        let body = format!(
            "<HealthCheck><Id>{id}</Id><CallerReference>r</CallerReference><HealthCheckConfig>{config}\
             </HealthCheckConfig><HealthCheckVersion>{version}</HealthCheckVersion></HealthCheck>"
        );
        answer(&format!("{verb}HealthCheck"), &body)
    }

    fn status(&self, id: &str) -> Response {
        let Some(check) = self.checks.get(id) else {
            return refusal(
                "NoSuchHealthCheck",
                &format!("No health check exists with the specified ID {id}"),
            );
        };
        let said =
            if check.up { "Success: HTTP Status Code 200, OK" } else { "Failure: Connection timed out" };
        let report = format!("<StatusReport><Status>{said}</Status></StatusReport>");
        let one =
            format!("<HealthCheckObservation><Region>us-west-2</Region>{report}</HealthCheckObservation>");
        let body = format!("<HealthCheckObservations>{}</HealthCheckObservations>", one.repeat(3));
        answer("GetHealthCheckStatus", &body)
    }

    fn update(&mut self, id: &str, body: &str) -> Response {
        let document = Document::parse(body).unwrap();
        let text = |name: &str| document.descendants().find(|node| node.tag_name().name() == name)?.text();
        let Some(check) = self.checks.get_mut(id) else {
            return refusal(
                "NoSuchHealthCheck",
                &format!("No health check exists with the specified ID {id}"),
            );
        };
        if text("HealthCheckVersion") != Some(&check.version.to_string()) {
            return refusal("HealthCheckVersionMismatch", "The value of HealthCheckVersion does not match");
        }
        assert!(text("Disabled").is_none(), "a health check must never be disabled: {body}");
        check.inverted = text("Inverted") == Some("true");
        if let Some(threshold) = text("HealthThreshold") {
            assert_eq!(check.kind, "CALCULATED", "only a calculated check has a threshold: {body}");
            check.threshold = threshold.parse().unwrap();
        }
        check.version += 1;
        self.health_check("Update", id)
    }
}

/// What is wrong with the records of a name taken together.
fn routing_faults(records: &BTreeMap<Key, Record>) -> Vec<String> {
    let mut roles = BTreeSet::new();
    let mut wrong = Vec::new();
    for ((name, kind, _), record) in records {
        let Some(role) = record.fields.get("Failover") else { continue };
        if !roles.insert((name, kind, role)) {
            wrong.push(format!("Invalid: there are two {role} records [name='{name}.', type='{kind}']"));
        }
    }
    wrong
}

fn read(set: Node<'_, '_>) -> (Key, Record) {
    let mut fields = Fields::new();
    flatten(set, "", &mut fields);
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let key = (normal(&field("Name")), field("Type"), field("SetIdentifier"));
    fields.insert("Name".to_owned(), key.0.clone());
    let text = set.document().input_text();
    let inside = set.children().map(|child| &text[child.range()]).collect();
    (key, Record { inside, fields })
}

fn flatten(node: Node<'_, '_>, path: &str, fields: &mut Fields) {
    for (at, child) in node.children().filter(Node::is_element).enumerate() {
        let name = child.tag_name().name();
        let path = match path {
            "" => name.to_owned(),
            // The order of elements makes no difference, save in a list.
            "ResourceRecords" => format!("{path}/{at}"),
            path => format!("{path}/{name}"),
        };
        match child.text().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => drop(fields.insert(path, text.to_owned())),
            None => flatten(child, &path, fields),
        }
    }
}

fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn order(one: &Key, other: &Key) -> Ordering {
    one.0.rsplit('.').cmp(other.0.rsplit('.')).then_with(|| (&one.1, &one.2).cmp(&(&other.1, &other.2)))
}

fn change_info(id: &str, pending: bool, now: Timestamp) -> String {
    let status = if pending { "PENDING" } else { "INSYNC" };
    format!(
        "<ChangeInfo><Id>/change/{id}</Id><Status>{status}</Status><SubmittedAt>{}</SubmittedAt></ChangeInfo>",
        now.to_jiff()
    )
}

fn answer(operation: &str, body: &str) -> Response {
    let name = format!("{operation}Response");
    (200, format!("<?xml version=\"1.0\"?><{name} xmlns=\"{XMLNS}\">{body}</{name}>"))
}

fn refusal(code: &str, message: &str) -> Response {
    let status = match code {
        code if code.starts_with("NoSuch") => 404,
        "HealthCheckVersionMismatch" => 409,
        _ => 400,
    };
    let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>");
    (
        status,
        format!(
            "<ErrorResponse xmlns=\"{XMLNS}\"><Error>{error}</Error><RequestId>0</RequestId></ErrorResponse>"
        ),
    )
}
