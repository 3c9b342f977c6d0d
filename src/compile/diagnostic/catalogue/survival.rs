//! Entries about what a recovery needs while a site is lost.

use super::{Entry, acceptable, warning};

pub(crate) const LOST_REGION: Entry = acceptable(
    "a step calls the region that is lost",
    "While a region is down, nothing can be asked of it, and nothing changed in it. A step of an ungraceful \
     failover that calls it stops the recovery. A fence may: it stays unconfirmed and is accepted at the \
     gate. So may steps that are skipped when the run is ungraceful, that may fail, or that come after the \
     recovery.",
    "- id: promote\n  uses: aws.rds.switchover_global_cluster\n  with: {region: \"{{ from.region }}\", global_cluster: pay}",
    "- id: promote\n  uses: aws.rds.switchover_global_cluster\n  with: {region: \"{{ from.region }}\", global_cluster: pay}\n  \
     ungraceful:\n    uses: aws.rds.failover_global_cluster\n    with: {region: \"{{ to.region }}\", global_cluster: pay, \
     allow_data_loss: true}",
);

pub(crate) const LOST_CONTROL_PLANE: Entry = acceptable(
    "a global control plane lives in the region that is lost",
    "Route 53, IAM, CloudFront and others answer everywhere, but are changed in one region only: us-east-1, \
     for Global Accelerator us-west-2. When that region is the lost one, a failover that edits DNS records \
     cannot move anybody.",
    "sites: {east: {role: active, provider: aws, region: us-east-1}}\n# …\n- {id: dns, phase: shift, uses: \
     aws.route53.change_records}",
    "- {id: traffic, phase: shift, uses: aws.arc.set_routing_controls}",
);

pub(crate) const SHARED_FAILURE_DOMAIN: Entry = acceptable(
    "two sites fail together",
    "The site to move to lies in the same region of the same provider as the one that is lost, or both name \
     the same `failure_domain`. What takes one takes both. Where two halves of a region are meant, as with \
     zones or halls, say so: give each site its own `failure_domain`.",
    "sites:\n  a: {role: active, provider: aws, region: eu-west-1}\n  b: {role: standby, provider: aws, region: eu-west-1}",
    "sites:\n  a: {role: active, provider: aws, region: eu-west-1}\n  b: {role: standby, provider: aws, region: eu-central-1}",
);

pub(crate) const LOST_DEPENDENCY: Entry = acceptable(
    "the recovery needs something that is lost with the site",
    "`dependencies` says what the recovery path needs and where it lives: images, sign-on, licences. One that \
     lives only in the lost site, or in a site that fails with it, is not there when it is needed. The same \
     kind and name in several sites counts as there while one of them is.",
    "dependencies: [{kind: image_registry, name: ecr, site: east}]   # east is the active site",
    "dependencies:\n  - {kind: image_registry, name: ecr, site: east}\n  - {kind: image_registry, name: ecr, site: west}",
);

pub(crate) const LOST_ADDRESS: Entry = acceptable(
    "a step waits for an answer of the site that is lost",
    "The step talks to a server or an address of the lost site itself, and the recovery waits for the answer. \
     It will not come.",
    "- {id: flush, phase: freeze, uses: http.request, with: {method: POST, url: \"{{ from.url }}/flush\"}}",
    "- {id: flush, phase: freeze, uses: http.request, with: {method: POST, url: \"{{ from.url }}/flush\"}, ungraceful: skip}",
);

pub(crate) const LOST_RESOURCE: Entry = acceptable(
    "a step needs a resource of the region that is lost",
    "A parameter names something by an ARN or address in the lost region: a source to replicate from, an image, \
     a load balancer that users are sent to. It is gone together with the region.",
    "- {id: dns, uses: dns.update, with: {values: [pay-1.us-east-1.elb.amazonaws.com]}}   # us-east-1 is lost",
    "- {id: dns, uses: dns.update, with: {values: [\"{{ to.values.load_balancer }}\"]}}",
);

pub(crate) const LOST_KEY: Entry = acceptable(
    "a step needs a key of the region that is lost",
    "KMS keys live in one region. What is encrypted with a key of the lost region cannot be decrypted, however \
     many copies of it there are elsewhere. Encrypt copies with a key of the region they are in.",
    "with: {kms_key_arn: \"arn:aws:kms:us-east-1:111122223333:key/1\"}   # us-east-1 is lost",
    "with: {kms_key_arn: \"{{ to.values.key_arn }}\"}",
);

pub(crate) const LOST_SECRET: Entry = acceptable(
    "a secret cannot be read when the site is lost",
    "The recovery reads a secret in the lost region, or from a store that is declared to live there. Without \
     it the run does not even start.",
    "secrets:\n  db: {from: command, argv: [aws, --region, us-east-1, secretsmanager, get-secret-value, --secret-id, db]}",
    "secrets:\n  db: {from: command, argv: [aws, --region, us-west-2, secretsmanager, get-secret-value, --secret-id, db]}",
);

pub(crate) const LOST_JOURNAL: Entry = acceptable(
    "drctl itself is lost with the site",
    "The machine drctl runs on, or the journal it writes, is declared to live in the site whose loss it is for. \
     Run it from the other site, or keep the journal outside of both.",
    "dependencies: [{kind: journal, name: bastion-east, site: east}]   # east is the active site",
    "dependencies: [{kind: journal, name: bastion-west, site: west}]",
);

pub(crate) const COPY_FROM_LOST_SITE: Entry = acceptable(
    "a copy is started where everything is lost",
    "Copies of backups and snapshots are made from their source region. Once it is lost there is nothing to \
     copy from: what was not copied before is not there.",
    "- {id: copy, phase: restore, uses: aws.backup.copy_recovery_point, with: {region: \"{{ from.region }}\"}}",
    "- {id: newest, phase: assess, uses: aws.backup.find_recovery_point, with: {region: \"{{ to.region }}\"}}",
);

pub(crate) const LOST_ENDPOINTS: Entry = acceptable(
    "all endpoints of the routing controls are in the region that is lost",
    "A cluster of routing controls has endpoints in five regions so that it can be reached without any one of \
     them. A step that knows only the one in the lost region gives that away.",
    "cluster_endpoints:\n  - {region: us-east-1, url: \"https://a.route53-recovery-cluster.us-east-1.amazonaws.com/v1\"}",
    "cluster_endpoints:   # all five\n  - {region: us-east-1, url: \"https://a.route53-recovery-cluster.us-east-1.amazonaws.com/v1\"}\n  \
     - {region: us-west-2, url: \"https://b.route53-recovery-cluster.us-west-2.amazonaws.com/v1\"}",
);

pub(crate) const UNKNOWN_PLACE: Entry = warning(
    "a provider or region that nobody knows",
    "What is lost together with a site is told by its provider and region: the control planes of that region, \
     calls that go there, other sites in it. With a mistyped word nothing is found to be lost, and \
     every check \
     of survivability passes. So does a region of another cloud, and a site of a cloud that names no region. \
     Where the region is newer than this build, accept the finding.",
    "sites: {east: {role: active, provider: asw, region: us-esat-1}}",
    "sites: {east: {role: active, provider: aws, region: us-east-1}}",
);
