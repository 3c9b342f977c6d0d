//! AWS Backup: vaults of several regions, jobs that take three looks, copies that keep the date of their
//! original and appear in the other region, restores that name what they made. One token, one job.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Fake, Request, Response};

/// The role of all jobs.
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/backup";
/// The resource of all recovery points.
pub(crate) const RESOURCE: &str = "arn:aws:rds:us-east-1:111122223333:db:payments";

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// Recovery points by region and vault.
    points: BTreeMap<(String, String), Vec<Value>>,
    jobs: BTreeMap<String, Value>,
    tokens: BTreeMap<String, String>,
    looks: BTreeMap<String, u32>,
    /// How the next jobs end in place of `COMPLETED`.
    pub(crate) ends: Option<(&'static str, &'static str)>,
    /// Account that owns the vaults, where that is another one.
    pub(crate) owner: Option<&'static str>,
    /// Metadata of the last restore.
    pub(crate) restored: Value,
    /// Plans by region and id: what is known of each, with its selections by id.
    plans: BTreeMap<(String, String), (Value, BTreeMap<String, Value>)>,
}

/// A fake and a hand on its world.
pub(crate) struct FakeBackup {
    pub(crate) fake: Fake,
    pub(crate) world: Arc<Mutex<World>>,
}

/// Seconds of the clock, some ago.
pub(crate) fn ago(seconds: i64) -> i64 {
    jiff::Timestamp::now().as_second() - seconds
}

/// ARN of a vault.
pub(crate) fn vault(region: &str, name: &str) -> String {
    format!("arn:aws:backup:{region}:111122223333:backup-vault:{name}")
}

impl FakeBackup {
    /// Starts an empty one with the vaults `main` in us-east-1 and `dr` in us-west-2.
    pub(crate) fn start() -> Self {
        let mut world = World::default();
        for (region, vault) in [("us-east-1", "main"), ("us-west-2", "dr")] {
            world.points.insert((region.to_owned(), vault.to_owned()), Vec::new());
        }
        let world = Arc::new(Mutex::new(world));
        let served = Arc::clone(&world);
        let fake = Fake::start(Box::new(move |request| served.lock().unwrap().serve(request)));
        Self { fake, world }
    }

    /// Every job ordered so far is over at the next look.
    pub(crate) fn finish(&self) {
        self.world.lock().unwrap().looks.values_mut().for_each(|looks| *looks = 2);
    }

    /// Changes the world.
    pub(crate) fn change(&self, how: impl FnOnce(&mut World)) {
        how(&mut self.world.lock().unwrap());
    }

    /// Puts a recovery point of some age into a vault, with further fields.
    pub(crate) fn point(&self, region: &str, vault: &str, name: &str, age: i64, fields: Value) -> String {
        let Value::Object(fields) = fields else { panic!("no object: {fields}") };
        let arn = format!("arn:aws:rds:{region}:111122223333:snapshot:awsbackup:{name}");
        let mut point = point(region, vault, &arn, ago(age));
        point.as_object_mut().unwrap().extend(fields);
        self.world.lock().unwrap().put(region, vault, point);
        arn
    }

    /// Puts a plan there with its rules and one selection; its id is its name.
    pub(crate) fn plan(&self, region: &str, name: &str, rules: &Value, selection: Value) {
        let plan = json!({"BackupPlanName": name, "Rules": rules});
        let selections = BTreeMap::from([("selection-1".to_owned(), selection)]);
        let key = (region.to_owned(), name.to_owned());
        self.world.lock().unwrap().plans.insert(key, (plan, selections));
    }

    /// Puts a job of the past there.
    pub(crate) fn past(&self, id: &str, kind: &str, fields: Value) {
        let Value::Object(fields) = fields else { panic!("no object: {fields}") };
        let mut job = json!({"Kind": kind, "ResourceArn": RESOURCE});
        job.as_object_mut().unwrap().extend(fields);
        self.world.lock().unwrap().jobs.insert(id.to_owned(), job);
    }
}

fn point(region: &str, name: &str, arn: &str, made: i64) -> Value {
    json!({
        "RecoveryPointArn": arn,
        "BackupVaultName": name,
        "BackupVaultArn": vault(region, name),
        "ResourceArn": RESOURCE,
        "ResourceType": "RDS",
        "Status": "COMPLETED",
        "CreationDate": made,
        "IsEncrypted": true,
        "EncryptionKeyArn": format!("arn:aws:kms:{region}:111122223333:key/1"),
        "StorageClass": "WARM",
    })
}

fn said(value: &Value) -> Response {
    (200, value.to_string())
}

fn refused(code: &str, message: &str) -> Response {
    (400, json!({"__type": code, "Code": code, "Message": message}).to_string())
}

impl World {
    fn put(&mut self, region: &str, vault: &str, point: Value) {
        self.points.entry((region.to_owned(), vault.to_owned())).or_default().push(point);
    }

    fn serve(&mut self, it: &Request) -> Response {
        if it.action == "GetCallerIdentity" {
            let account = "<Account>111122223333</Account>";
            let answer = format!("<R><GetCallerIdentityResult>{account}</GetCallerIdentityResult></R>");
            return (200, answer);
        }
        let (method, path) = it.action.split_once(' ').unwrap();
        let (path, region) = (path.trim_matches('/'), it.region.as_str());
        match (method, path.split_once('/')) {
            ("PUT", None) => self.start(region, path, &it.json),
            ("GET", None) => self.list(path, it),
            ("GET", Some(("backup-vaults", rest))) => match rest.split_once("/recovery-points") {
                Some((vault, arn)) => self.vault(region, vault, arn.trim_start_matches('/'), it),
                None => self.describe_vault(region, rest),
            },
            ("GET", Some(("backup", "plans"))) => self.plans(region, it),
            ("GET", Some(("backup", rest))) => self.plan(region, rest.trim_start_matches("plans/")),
            ("GET", Some((kind, id))) => self.look(kind, id),
            _ => refused("InvalidRequestException", path),
        }
    }

    fn vault(&self, region: &str, vault: &str, rest: &str, it: &Request) -> Response {
        let is_owner = self.owner.is_none_or(|owner| it.get("backupVaultAccountId") == owner);
        let points = self.points.get(&(region.to_owned(), vault.to_owned()));
        let Some(points) = points.filter(|_| is_owner) else {
            return refused("ResourceNotFoundException", "Backup vault does not exist");
        };
        if rest.is_empty() {
            let of = it.get("resourceArn");
            let points: Vec<_> =
                points.iter().filter(|it| of.is_empty() || it["ResourceArn"] == of).collect();
            // Two to a page, so that the second page matters.
            let from: usize = it.get("nextToken").parse().unwrap_or(0);
            let page: Vec<_> = points.iter().skip(from).take(2).collect();
            let next = (from + 2 < points.len()).then(|| (from + 2).to_string());
            return said(&json!({"RecoveryPoints": page, "NextToken": next}));
        }
        let (arn, metadata) = match rest.strip_suffix("/restore-metadata") {
            Some(arn) => (arn, true),
            None => (rest, false),
        };
        match points.iter().find(|it| it["RecoveryPointArn"] == arn) {
            None => refused("ResourceNotFoundException", "Recovery point does not exist"),
            Some(_) if metadata => {
                let recorded = json!({"DBInstanceIdentifier": "payments", "MultiAZ": "false"});
                said(&json!({"RecoveryPointArn": arn, "RestoreMetadata": recorded, "ResourceType": "RDS"}))
            }
            Some(point) => said(point),
        }
    }

    fn describe_vault(&self, region: &str, name: &str) -> Response {
        match self.points.get(&(region.to_owned(), name.to_owned())) {
            None => refused("ResourceNotFoundException", "Backup vault does not exist"),
            Some(points) => said(&json!({
                "BackupVaultName": name,
                "BackupVaultArn": vault(region, name),
                "EncryptionKeyArn": format!("arn:aws:kms:{region}:111122223333:key/1"),
                "NumberOfRecoveryPoints": points.len(),
                "Locked": false,
            })),
        }
    }

    /// One plan to a page, so that the second page matters.
    fn plans(&self, region: &str, it: &Request) -> Response {
        let all: Vec<_> = self.plans.iter().filter(|((place, _), _)| place == region).collect();
        let from: usize = it.get("nextToken").parse().unwrap_or(0);
        let page: Vec<_> = all
            .iter()
            .skip(from)
            .take(1)
            .map(|((_, id), (plan, _))| {
                let arn = format!("arn:aws:backup:{region}:111122223333:backup-plan:{id}");
                json!({"BackupPlanId": id, "BackupPlanName": plan["BackupPlanName"], "BackupPlanArn": arn})
            })
            .collect();
        let next = (from + 1 < all.len()).then(|| (from + 1).to_string());
        said(&json!({"BackupPlansList": page, "NextToken": next}))
    }

    fn plan(&self, region: &str, rest: &str) -> Response {
        let (id, selection) = match rest.split_once("/selections") {
            Some((id, selection)) => (id, Some(selection.trim_start_matches('/'))),
            None => (rest, None),
        };
        let Some((plan, selections)) = self.plans.get(&(region.to_owned(), id.to_owned())) else {
            return refused("ResourceNotFoundException", "Backup plan does not exist");
        };
        match selection {
            None => said(&json!({"BackupPlan": plan, "BackupPlanId": id})),
            Some("") => {
                let list: Vec<_> = selections
                    .iter()
                    .map(|(key, it)| json!({"SelectionId": key, "SelectionName": it["SelectionName"]}))
                    .collect();
                said(&json!({"BackupSelectionsList": list}))
            }
            Some(key) => match selections.get(key) {
                None => refused("ResourceNotFoundException", "Backup selection does not exist"),
                Some(it) => said(&json!({"BackupSelection": it, "SelectionId": key, "BackupPlanId": id})),
            },
        }
    }

    fn start(&mut self, region: &str, kind: &str, order: &Value) -> Response {
        let token = order["IdempotencyToken"].as_str().unwrap_or_default().to_owned();
        let known = self.tokens.get(&token).cloned();
        let id = known.unwrap_or_else(|| {
            let id = format!("{kind}-{}", self.jobs.len() + 1);
            let mut job = json!({"Kind": kind, "Region": region, "Order": order, "CreationDate": ago(0)});
            if kind == "copy-jobs" {
                job["SourceRecoveryPointArn"] = order["RecoveryPointArn"].clone();
            }
            self.jobs.insert(id.clone(), job);
            if !token.is_empty() {
                self.tokens.insert(token, id.clone());
            }
            id
        });
        match kind {
            "backup-jobs" => said(&json!({"BackupJobId": id, "CreationDate": ago(0)})),
            "copy-jobs" => said(&json!({"CopyJobId": id, "CreationDate": ago(0)})),
            "restore-jobs" => {
                self.restored = order["Metadata"].clone();
                said(&json!({"RestoreJobId": id}))
            }
            other => refused("InvalidRequestException", other),
        }
    }

    fn list(&self, kind: &str, it: &Request) -> Response {
        let (resource, state) = (it.get("resourceArn"), it.get("state"));
        let jobs: Vec<_> = self
            .jobs
            .values()
            .filter(|job| job["Kind"] == kind && (state.is_empty() || job["State"] == state))
            .filter(|job| resource.is_empty() || job["ResourceArn"] == resource)
            .collect();
        said(&if kind == "copy-jobs" { json!({"CopyJobs": jobs}) } else { json!({"BackupJobs": jobs}) })
    }

    fn look(&mut self, kind: &str, id: &str) -> Response {
        let Some(job) = self.jobs.get(id).cloned() else {
            return refused("ResourceNotFoundException", "Job does not exist");
        };
        let looks = self.looks.entry(id.to_owned()).or_default();
        *looks += 1;
        let looks = *looks;
        let (state, message) = match (looks, self.ends) {
            (1, _) if kind == "restore-jobs" => ("PENDING", None),
            (1, _) => ("CREATED", None),
            (2, _) => ("RUNNING", None),
            (_, Some((state, message))) => (state, Some(message)),
            (_, None) => ("COMPLETED", None),
        };
        let order = &job["Order"];
        let made = (state == "COMPLETED").then(|| self.product(kind, id, &job, looks == 3)).flatten();
        match kind {
            "backup-jobs" => said(&json!({
                "BackupJobId": id,
                "State": state,
                "StatusMessage": message,
                "PercentDone": if looks == 1 { "0.0" } else { "50.0" },
                "CreationDate": job["CreationDate"],
                "RecoveryPointArn": made,
            })),
            "copy-jobs" => said(&json!({"CopyJob": {
                "CopyJobId": id,
                "State": state,
                "StatusMessage": message,
                "SourceRecoveryPointArn": order["RecoveryPointArn"],
                "DestinationRecoveryPointArn": made,
            }})),
            _ => said(&json!({
                "RestoreJobId": id,
                "Status": state,
                "StatusMessage": message,
                "PercentDone": "50.00%",
                "CreatedResourceArn": made,
            })),
        }
    }

    /// What a job that is complete has made.
    fn product(&mut self, kind: &str, id: &str, job: &Value, first: bool) -> Option<String> {
        let (order, region) = (&job["Order"], job["Region"].as_str()?);
        if kind == "restore-jobs" {
            let name = order["Metadata"]["DBInstanceIdentifier"].as_str()?;
            return Some(format!("arn:aws:rds:{region}:111122223333:db:{name}"));
        }
        let (to, vault, made) = if kind == "backup-jobs" {
            let vault = order["BackupVaultName"].as_str()?.to_owned();
            (region.to_owned(), vault, job["CreationDate"].as_i64()?)
        } else {
            let parts: Vec<_> = order["DestinationBackupVaultArn"].as_str()?.split(':').collect();
            let source = self
                .points
                .values()
                .flatten()
                .find(|it| it["RecoveryPointArn"] == order["RecoveryPointArn"])?;
            // A copy keeps the date of its original.
            (parts[3].to_owned(), parts[6].to_owned(), source["CreationDate"].as_i64()?)
        };
        let arn = format!("arn:aws:rds:{to}:111122223333:snapshot:awsbackup:{id}");
        if first {
            let point = point(&to, &vault, &arn, made);
            self.put(&to, &vault, point);
        }
        Some(arn)
    }
}
