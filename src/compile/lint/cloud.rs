//! What texts say about regions of a cloud: ARNs, addresses, its own command line. Knows nothing of sites.

use serde_json::Value;

/// The words of a program and its arguments, or of the line a shell reads.
pub(super) fn words(argv: &Value) -> Vec<&str> {
    let words: Vec<&str> = argv.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match words.as_slice() {
        [line] => line.split_whitespace().collect(),
        _ => words,
    }
}

fn arguments<'a, 'w>(words: &'a [&'w str]) -> Option<&'a [&'w str]> {
    let (program, arguments) = words.split_first()?;
    (program.rsplit('/').next() == Some("aws")).then_some(arguments)
}

/// The region in which a call of the AWS command line says it is made.
pub(super) fn region_of<'w>(words: &[&'w str]) -> Option<&'w str> {
    let arguments = arguments(words)?;
    let after = arguments.iter().position(|word| *word == "--region").and_then(|at| arguments.get(at + 1));
    after.copied().or_else(|| arguments.iter().find_map(|word| word.strip_prefix("--region=")))
}

/// The region in which the control plane of a global service lives that the AWS command line is to change.
///
/// Source: AWS Fault Isolation Boundaries, "Global services".
pub(super) fn home_of(words: &[&str]) -> Option<&'static str> {
    let arguments = arguments(words)?;
    let mut plain = Vec::new();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if !word.starts_with("--") {
            plain.push(*word);
        } else if !word.contains('=') && plain.is_empty() {
            rest.next();
        }
    }
    match plain.first().copied()? {
        "route53" | "iam" | "cloudfront" | "organizations" | "route53domains" => Some("us-east-1"),
        "globalaccelerator" | "networkmanager" => Some("us-west-2"),
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
    use serde_json::json;

    #[test]
    fn the_command_line_says_where_it_calls() {
        let line = json!(["aws", "--region", "us-east-1", "ecs", "update-service"]);
        assert_eq!((region_of(&words(&line)), home_of(&words(&line))), (Some("us-east-1"), None));
        let line = json!(["/usr/bin/aws --profile dr route53 change-resource-record-sets"]);
        assert_eq!((region_of(&words(&line)), home_of(&words(&line))), (None, Some("us-east-1")));
        let line = json!(["aws", "globalaccelerator", "update-endpoint-group", "--region=us-west-2"]);
        assert_eq!(
            (region_of(&words(&line)), home_of(&words(&line))),
            (Some("us-west-2"), Some("us-west-2"))
        );
        assert_eq!(region_of(&words(&json!(["./promote", "--region", "us-east-1"]))), None);
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
