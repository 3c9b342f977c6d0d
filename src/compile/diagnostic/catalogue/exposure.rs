//! Entries about data and secrets in places where they must not be.

use super::{Entry, acceptable, warning};

pub(crate) const ACTIVE_OUTSIDE_RESIDENCY: Entry = warning(
    "the service runs outside the allowed jurisdictions already",
    "`residency.allow` does not hold the jurisdiction of the active site. One of the two is wrong; as it \
     stands, a failback is refused.",
    "residency: {allow: [EU]}\nsites: {east: {role: active, jurisdiction: US}}",
    "residency: {allow: [EU]}\nsites: {north: {role: active, jurisdiction: EU}}",
);

pub(crate) const COPY_OUTSIDE_RESIDENCY: Entry = warning(
    "a copy of the data leaves the allowed jurisdictions",
    "The step copies data to a region in which no site lies whose jurisdiction `residency` allows. A backup is \
     data too.",
    "residency: {allow: [EU]}\n# …\nwith: {destination_vault_arn: \"arn:aws:backup:us-east-1:1:backup-vault:dr\"}",
    "with: {destination_vault_arn: \"arn:aws:backup:eu-west-1:1:backup-vault:dr\"}",
);

pub(crate) const CREDENTIAL_IN_TEXT: Entry = acceptable(
    "a credential in clear text",
    "The text holds something that has the shape of an access key, a token or a private key. Whoever may read \
     the runbook, its runs or its history has it. Take it out, and change it: it has been written down.",
    "headers: {x-note: \"AKIA…\"}",
    "headers: {x-key: \"{{ secrets.key }}\"}",
);

pub(crate) const NOT_SENSITIVE: Entry = warning(
    "a parameter that is a secret by its name is not sensitive",
    "Values of parameters are kept in the journal and shown with the run. One that is `sensitive` is kept as a \
     digest only.",
    "parameters: {db_password: {type: string, required: true}}",
    "parameters: {db_password: {type: string, required: true, sensitive: true}}",
);

pub(crate) const SECRET_SHOWN: Entry = warning(
    "a secret is shown to others on its way",
    "Arguments of a program are seen by everyone who lists the running programs of that machine. A request \
     without encryption is read by everyone between.",
    "with: {argv: [psql, \"password={{ secrets.db }}\"]}",
    "with: {argv: [psql], env: {PGPASSWORD: \"{{ secrets.db }}\"}}",
);
