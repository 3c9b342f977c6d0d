//! What texts say about regions of a cloud: ARNs, addresses, its own command line. Knows nothing of sites,
//! nor of how a program is wrapped.

use serde_json::Value;

use crate::model::program::Program;

/// Options of the AWS command line before a service that take a value.
///
/// Source: `aws help`, global parameters.
const VALUED: [&str; 9] = [
    "--endpoint-url",
    "--output",
    "--query",
    "--profile",
    "--region",
    "--color",
    "--ca-bundle",
    "--cli-read-timeout",
    "--cli-connect-timeout",
];

/// Programs that say where they call, with the option and the variables they say it by.
const CALLERS: [(&str, &[&str], &[&str]); 5] = [
    ("aws", &["--region"], &["AWS_REGION", "AWS_DEFAULT_REGION"]),
    ("eksctl", &["--region", "-r"], &["AWS_REGION", "AWS_DEFAULT_REGION"]),
    ("sam", &["--region"], &["AWS_REGION", "AWS_DEFAULT_REGION"]),
    ("gcloud", &["--region"], &["CLOUDSDK_COMPUTE_REGION"]),
    ("az", &["--location", "-l"], &["AZURE_DEFAULTS_LOCATION"]),
];

/// The region in which a call of a cloud's command line says it is made.
pub(super) fn region_of(program: &Program) -> Option<&str> {
    let (_, options, variables) = CALLERS.iter().find(|(name, ..)| *name == program.name())?;
    let arguments = program.arguments();
    let given = |option: &&str| {
        let after = arguments.iter().position(|word| word == option).and_then(|at| arguments.get(at + 1));
        let joined = arguments.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
        after.map(String::as_str).or(joined)
    };
    let by_variable = |name: &&str| program.env.get(*name).map(String::as_str);
    options.iter().find_map(given).or_else(|| variables.iter().find_map(by_variable))
}

/// The region in which the control plane of a global service lives that the AWS command line is to change.
///
/// Source: AWS Fault Isolation Boundaries, "Global services".
pub(super) fn home_of(program: &Program) -> Option<&'static str> {
    if program.name() != "aws" {
        return None;
    }
    let mut rest = program.arguments().iter();
    let service = loop {
        let word = rest.next()?;
        if !word.starts_with('-') {
            break word;
        }
        if VALUED.contains(&word.as_str()) {
            rest.next();
        }
    };
    match service.as_str() {
        "route53" | "iam" | "cloudfront" | "organizations" | "route53domains" | "account" | "shield"
        | "waf" => Some("us-east-1"),
        "globalaccelerator" | "networkmanager" | "route53-recovery-control-config" => Some("us-west-2"),
        _ => None,
    }
}

/// The first text in a value that names a resource of a region: an ARN, or an address of the cloud there.
pub(super) fn names_region<'v>(value: &'v Value, region: &str) -> Option<&'v str> {
    match value {
        Value::String(text) => is_there(text, region).then_some(text),
        Value::Array(items) => items.iter().find_map(|item| names_region(item, region)),
        Value::Object(fields) => {
            let (weighted, kept) = (fields.contains_key("set_identifier"), fields.get("action"));
            // One of several records of a name may well stand for the site that is gone.
            if weighted || kept.and_then(Value::as_str) == Some("delete") {
                return None;
            }
            fields.values().find_map(|field| names_region(field, region))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn is_there(text: &str, region: &str) -> bool {
    let arn = text.strip_prefix("arn:").is_some_and(|rest| rest.split(':').nth(2) == Some(region));
    arn || text.contains(&format!(".{region}.amazonaws.com"))
        || text.contains(&format!(".{region}.elb.amazonaws.com"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::program;
    use serde_json::json;

    fn said(line: &Value) -> (Option<String>, Option<&'static str>) {
        let found = program::of_argv(line, false, program::Variables::new());
        (found.iter().find_map(region_of).map(str::to_owned), found.iter().find_map(home_of))
    }

    #[test]
    fn the_command_line_says_where_it_calls() {
        for (line, region, home) in [
            (json!(["aws", "--region", "us-east-1", "ecs", "update-service"]), Some("us-east-1"), None),
            (json!(["/usr/bin/aws --profile dr route53 change"]), None, Some("us-east-1")),
            (json!(["aws", "--no-cli-pager", "route53", "change"]), None, Some("us-east-1")),
            (json!(["aws", "--output=json", "--debug", "iam", "x"]), None, Some("us-east-1")),
            (
                json!(["aws", "globalaccelerator", "update", "--region=us-west-2"]),
                Some("us-west-2"),
                Some("us-west-2"),
            ),
            (json!(["sh", "-c", "AWS_REGION=us-east-1 aws ecs x"]), Some("us-east-1"), None),
            (json!(["sudo", "env", "AWS_DEFAULT_REGION=us-east-1", "aws", "x"]), Some("us-east-1"), None),
            (json!(["gcloud", "sql", "x", "--region", "us-east1"]), Some("us-east1"), None),
            (json!(["./promote", "--region", "us-east-1"]), None, None),
        ] {
            assert_eq!(said(&line), (region.map(str::to_owned), home), "{line}");
        }
    }

    #[test]
    fn resources_of_a_region_are_known_by_arn_and_address() {
        for text in [
            "arn:aws:rds:us-east-1:111122223333:db:x",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/pay:1",
            "pay-1.us-east-1.elb.amazonaws.com",
        ] {
            assert_eq!(names_region(&json!({"a": [text]}), "us-east-1"), Some(text));
            assert_eq!(names_region(&json!({"a": [text]}), "us-west-2"), None);
        }
        assert_eq!(names_region(&json!("arn:aws:iam::111122223333:role/us-east-1"), "us-east-1"), None);
        let spared = json!([{"set_identifier": "east", "values": ["a.us-east-1.elb.amazonaws.com"]}]);
        assert_eq!(names_region(&spared, "us-east-1"), None);
    }
}
