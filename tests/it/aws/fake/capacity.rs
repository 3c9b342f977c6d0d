//! Auto Scaling, EKS node groups, an ECS service, Systems Manager automations, and what the account has room
//! for. Instances and tasks come and go one at a look; updates and automations take three.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Fake, Request, Response};

/// All of it: one group, which is also that of the one node group.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) desired: u32,
    /// Instances in service.
    pub(crate) serving: u32,
    /// How many instances AWS has capacity for.
    pub(crate) room: u32,
    pub(crate) suspended: Vec<&'static str>,
    /// Free addresses of the subnet.
    pub(crate) addresses: u32,
    pub(crate) quota_vcpus: f64,
    pub(crate) used_vcpus: f64,
    /// Tasks wanted and tasks that run, of the one service.
    pub(crate) tasks: (u32, u32),
    /// Updates and automations by their tokens.
    begun: BTreeMap<String, String>,
    /// Looks at each update and automation.
    looks: BTreeMap<String, u32>,
    /// How the next automation or update ends.
    pub(crate) fails: bool,
    /// Nobody may change the service.
    pub(crate) refuses: bool,
    /// Smallest and largest number of tasks, where autoscaling scales the service.
    pub(crate) limits: Option<(u32, u32)>,
    /// Id of the one deployment.
    pub(crate) deployment: &'static str,
}

/// A fake and a hand on its world.
pub(crate) struct FakeCapacity {
    pub(crate) fake: Fake,
    pub(crate) world: Arc<Mutex<World>>,
}

impl FakeCapacity {
    /// Starts one with a group of min 1, max 4, desired 1, of which one serves.
    pub(crate) fn start() -> Self {
        let world = Arc::new(Mutex::new(World {
            min: 1,
            max: 4,
            desired: 1,
            serving: 1,
            room: 100,
            suspended: Vec::new(),
            addresses: 250,
            quota_vcpus: 64.0,
            used_vcpus: 2.0,
            tasks: (1, 1),
            begun: BTreeMap::new(),
            looks: BTreeMap::new(),
            fails: false,
            refuses: false,
            limits: None,
            deployment: "ecs-svc/1",
        }));
        let served = Arc::clone(&world);
        let fake = Fake::start(Box::new(move |request| served.lock().unwrap().serve(request)));
        Self { fake, world }
    }

    /// Changes the world.
    pub(crate) fn change(&self, how: impl FnOnce(&mut World)) {
        how(&mut self.world.lock().unwrap());
    }

    /// Min, max and desired.
    pub(crate) fn size(&self) -> (u32, u32, u32) {
        let world = self.world.lock().unwrap();
        (world.min, world.max, world.desired)
    }
}

fn said(value: &Value) -> Response {
    (200, value.to_string())
}

fn refused(code: &str, message: &str) -> Response {
    (400, json!({"__type": code, "message": message}).to_string())
}

fn result(action: &str, inner: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"http://fake/\"><{action}Result>{inner}</{action}Result>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    );
    (200, body)
}

/// An answer of EC2.
fn listed(action: &str, list: &str, items: &str) -> Response {
    (200, format!("<{action}Response><{list}>{items}</{list}></{action}Response>"))
}

fn document(it: &Request) -> Response {
    if it.json["Name"] == "nobody" {
        return refused("InvalidDocument", "no such document");
    }
    said(&json!({"Document": {
        "Name": it.json["Name"],
        "Status": "Active",
        "DocumentType": "Automation",
        "Parameters": [
            {"Name": "Cluster", "Type": "StringList"},
            {"Name": "Speed", "Type": "String", "DefaultValue": "fast"},
        ],
    }}))
}

impl World {
    fn serve(&mut self, it: &Request) -> Response {
        match it.action.as_str() {
            "DescribeAutoScalingGroups" => self.groups(it),
            "UpdateAutoScalingGroup" => {
                let number = |name| it.get(name).parse().unwrap();
                self.resize(number("MinSize"), number("MaxSize"), number("DesiredCapacity"));
                result(&it.action, "")
            }
            "DescribeScalingActivities" => self.activities(),
            "DescribeSubnets" => {
                let free = self.addresses;
                let item = format!(
                    "<item><subnetId>subnet-1</subnetId><availableIpAddressCount>{free}</availableIpAddressCount></item>"
                );
                listed(&it.action, "subnetSet", &item)
            }
            "DescribeInstanceTypes" => {
                let item = "<item><instanceType>m5.large</instanceType><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo></item>";
                listed(&it.action, "instanceTypeSet", item)
            }
            "GetServiceQuota" => {
                said(&json!({"Quota": {"QuotaCode": "L-1216C47A", "Value": self.quota_vcpus}}))
            }
            "GetMetricData" => {
                let (now, used) = (jiff::Timestamp::now(), self.used_vcpus);
                let inner = format!(
                    "<MetricDataResults><member><Id>m1</Id><Timestamps><member>{now:.0}</member></Timestamps>\
                     <Values><member>{used}</member></Values><StatusCode>Complete</StatusCode></member></MetricDataResults>"
                );
                result(&it.action, &inner)
            }
            "GET /clusters/c/node-groups/n" => self.nodegroup(),
            "POST /clusters/c/node-groups/n/update-config" => self.update(it),
            "DescribeServices" => self.services(it),
            "UpdateService" if self.refuses => refused("AccessDeniedException", "not authorized"),
            "UpdateService" => {
                self.tasks.0 = u32::try_from(it.json["desiredCount"].as_u64().unwrap()).unwrap();
                said(&json!({"service": {"serviceName": "s"}}))
            }
            "DescribeScalableTargets" => {
                let targets = self.limits.map(|(min, max)| json!({"MinCapacity": min, "MaxCapacity": max}));
                said(&json!({"ScalableTargets": Vec::from_iter(targets)}))
            }
            "RegisterScalableTarget" => {
                let number = |name: &str| u32::try_from(it.json[name].as_u64().unwrap()).unwrap();
                self.limits = Some((number("MinCapacity"), number("MaxCapacity")));
                said(&json!({}))
            }
            "StartAutomationExecution" => self.automation(it),
            "DescribeDocument" => document(it),
            "GetAutomationExecution" => self.execution(it),
            path if path.starts_with("GET /clusters/c/updates/") => self.updated(path),
            path if path.starts_with("GET /clusters/") => (
                404,
                json!({"__type": "ResourceNotFoundException", "message": "No node group found"}).to_string(),
            ),
            other => refused("UnknownOperationException", other),
        }
    }

    fn resize(&mut self, min: u32, max: u32, desired: u32) {
        (self.min, self.max, self.desired) = (min, max, desired);
    }

    fn groups(&mut self, it: &Request) -> Response {
        if it.get("AutoScalingGroupNames.member.1") != "g" {
            return result(&it.action, "<AutoScalingGroups/>");
        }
        let member = |at: u32, state: &str| {
            format!(
                "<member><InstanceId>i-{at}</InstanceId><InstanceType>m5.large</InstanceType>\
                 <LifecycleState>{state}</LifecycleState><HealthStatus>Healthy</HealthStatus>\
                 <ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>"
            )
        };
        let members: String = (0..self.serving.max(self.desired.min(self.room)))
            .map(|at| match (at < self.serving, at < self.desired) {
                (true, true) => member(at, "InService"),
                (true, false) => member(at, "Terminating"),
                (false, _) => member(at, "Pending"),
            })
            .collect();
        let suspended: Vec<_> = self
            .suspended
            .iter()
            .map(|name| format!("<member><ProcessName>{name}</ProcessName></member>"))
            .collect();
        let suspended = suspended.concat();
        let inner = format!(
            "<AutoScalingGroups><member><AutoScalingGroupName>g</AutoScalingGroupName><MinSize>{}</MinSize>\
             <MaxSize>{}</MaxSize><DesiredCapacity>{}</DesiredCapacity>\
             <VPCZoneIdentifier>subnet-1</VPCZoneIdentifier>\
             <Instances>{members}</Instances><SuspendedProcesses>{suspended}</SuspendedProcesses>\
             </member></AutoScalingGroups>",
            self.min, self.max, self.desired
        );
        if self.serving > self.desired {
            self.serving -= 1;
        } else if self.serving < self.desired.min(self.room) {
            self.serving += 1;
        }
        result(&it.action, &inner)
    }

    fn activities(&self) -> Response {
        let inner = if self.serving < self.desired && self.serving == self.room {
            "<Activities><member><StatusCode>Failed</StatusCode><StatusMessage>We currently do not have sufficient \
             m5.large capacity</StatusMessage></member></Activities>"
        } else {
            "<Activities/>"
        };
        result("DescribeScalingActivities", inner)
    }

    fn nodegroup(&self) -> Response {
        said(&json!({"nodegroup": {
            "nodegroupName": "n",
            "clusterName": "c",
            "status": "ACTIVE",
            "scalingConfig": {"minSize": self.min, "maxSize": self.max, "desiredSize": self.desired},
            "resources": {"autoScalingGroups": [{"name": "g"}]},
            "health": {"issues": []},
        }}))
    }

    /// The id of what a token has begun, and whether that was just now.
    fn begin(&mut self, token: &str, prefix: &str) -> (String, bool) {
        if let Some(id) = self.begun.get(token) {
            return (id.clone(), false);
        }
        let id = format!("{prefix}{:012}", self.begun.len() + 1);
        self.begun.insert(token.to_owned(), id.clone());
        (id, true)
    }

    fn look(&mut self, id: &str) -> u32 {
        let looks = self.looks.entry(id.to_owned()).or_default();
        *looks += 1;
        *looks
    }

    fn update(&mut self, it: &Request) -> Response {
        let token = it.json["clientRequestToken"].as_str().unwrap().to_owned();
        let (id, begun) = self.begin(&token, "00000000-0000-4000-8000-");
        if begun && !self.fails {
            let number =
                |name: &str| u32::try_from(it.json["scalingConfig"][name].as_u64().unwrap()).unwrap();
            self.resize(number("minSize"), number("maxSize"), number("desiredSize"));
        }
        said(&json!({"update": {"id": id, "status": "InProgress", "type": "ConfigUpdate"}}))
    }

    fn updated(&mut self, path: &str) -> Response {
        let id = path.rsplit('/').next().unwrap().to_owned();
        let status = match (self.look(&id), self.fails) {
            (1..3, _) => "InProgress",
            (_, true) => "Failed",
            (_, false) => "Successful",
        };
        let errors =
            json!([{"errorCode": "NodeCreationFailure", "errorMessage": "Instances failed to join"}]);
        let errors = if status == "Failed" { errors } else { json!([]) };
        said(&json!({"update": {"id": id, "status": status, "errors": errors}}))
    }

    fn services(&mut self, it: &Request) -> Response {
        if it.json["services"] != json!(["s"]) {
            return said(&json!({"services": [], "failures": [{"reason": "MISSING"}]}));
        }
        let (desired, running) = self.tasks;
        let state = match (running == desired, self.fails) {
            (true, _) => "COMPLETED",
            (false, false) => "IN_PROGRESS",
            (false, true) => "FAILED",
        };
        let deployment = json!({
            "id": self.deployment,
            "status": "PRIMARY",
            "rolloutState": state,
            "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
        });
        let found = json!({
            "serviceName": "s",
            "status": "ACTIVE",
            "schedulingStrategy": "REPLICA",
            "desiredCount": desired,
            "runningCount": running,
            "pendingCount": desired.saturating_sub(running),
            "deployments": [deployment],
            "events": [{"id": "1", "message": "(service s) has started 1 tasks."}],
        });
        if !self.fails {
            self.tasks.1 =
                if running < desired { running + 1 } else { running.saturating_sub(1).max(desired) };
        }
        said(&json!({"services": [found], "failures": []}))
    }

    fn automation(&mut self, it: &Request) -> Response {
        if it.json["DocumentName"] == "nobody" {
            return refused("AutomationDefinitionNotFoundException", "no such document");
        }
        let token = it.json["ClientToken"].as_str().unwrap();
        if token.len() != 36 {
            return refused("ValidationException", "ClientToken must be a UUID");
        }
        let (id, _) = self.begin(token, "11111111-0000-4000-8000-");
        said(&json!({"AutomationExecutionId": id}))
    }

    fn execution(&mut self, it: &Request) -> Response {
        let id = it.json["AutomationExecutionId"].as_str().unwrap().to_owned();
        if !self.begun.values().any(|begun| *begun == id) {
            return refused("AutomationExecutionNotFoundException", "no such execution");
        }
        let (status, more) = match (self.look(&id), self.fails) {
            (1, _) => ("Pending", json!({})),
            (2, _) => ("InProgress", json!({"CurrentStepName": "drain"})),
            (_, true) => ("Failed", json!({"FailureMessage": "Step drain timed out"})),
            (_, false) => ("Success", json!({"Outputs": {"drain.Count": ["3"]}})),
        };
        let mut found = json!({"AutomationExecutionId": id, "AutomationExecutionStatus": status});
        found.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said(&json!({"AutomationExecution": found}))
    }
}
