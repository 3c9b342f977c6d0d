//! Signed calls without an SDK, for services of which one or two operations are needed: the query, JSON and
//! REST protocols. Must never follow what an answer says, nor send anything twice.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use serde_json::Value;

use super::failure::{Error, seconds};
use super::place::partition_of;
use super::transport::{NoAnswer, Transport};

/// How long a presigned address is good for.
const PRESIGNED: Duration = Duration::from_hours(1);

/// One call, not signed yet.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Name the service is signed as, which is also the prefix of its host name.
    service: &'static str,
    method: http::Method,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    endpoint: Option<String>,
    host: Option<&'static str>,
    limit: Option<Duration>,
}

impl Call {
    fn new(service: &'static str, method: http::Method, path: &str) -> Self {
        Self {
            service,
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            endpoint: None,
            host: None,
            limit: None,
        }
    }

    /// A call of the query protocol, answered in XML: STS, Auto Scaling, EC2, CloudWatch.
    pub(super) fn query(
        service: &'static str,
        version: &'static str,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> Self {
        let fixed = [("Action", action), ("Version", version)];
        let form: Vec<_> = fixed.iter().chain(parameters).map(|(name, value)| pair(name, value)).collect();
        Self::new(service, http::Method::POST, "/")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(form.join("&").into())
    }

    /// A call of the JSON protocol: ECS, SSM, DynamoDB, Application Auto Scaling. `version` is `1.0` or
    /// `1.1`, `target` the service's prefix with the operation.
    pub(super) fn json(service: &'static str, version: &str, target: &str, body: &Value) -> Self {
        Self::new(service, http::Method::POST, "/")
            .header("content-type", &format!("application/x-amz-json-{version}"))
            .header("x-amz-target", target)
            .body(body.to_string().into())
    }

    /// A call of a REST protocol: Lambda, EKS, S3. The path must be made of [`segment`]s.
    pub(super) fn rest(service: &'static str, method: http::Method, path: &str) -> Self {
        Self::new(service, method, path)
    }

    /// Adds a parameter to the address.
    pub(super) fn parameter(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(&pair(name, value));
        self
    }

    /// Sends this JSON.
    pub(super) fn content(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string().into())
    }

    /// Sends this body.
    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Calls this address, whatever is configured: for services that give out addresses of their own.
    pub(super) fn at(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Calls this host name in place of the service's own; `{region}` and `{dual_stack}` stand for the
    /// region and for what its partition's hosts of both protocols end in.
    pub(super) fn host(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self
    }

    /// Waits this long for the answer.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Name the service is signed as.
    pub(super) fn service(&self) -> &'static str {
        self.service
    }

    fn address(&self, region: &str, configured: Option<&str>) -> String {
        let own = || match self.host {
            Some(host) => {
                let host = host.replace("{region}", region);
                format!("https://{}", host.replace("{dual_stack}", partition_of(region).dual_stack))
            }
            None => format!("https://{}.{region}.{}", self.service, partition_of(region).domain),
        };
        let base = self.endpoint.clone().or_else(|| configured.map(str::to_owned)).unwrap_or_else(own);
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        format!("{}{}{query}", base.trim_end_matches('/'), self.path)
    }
}

/// An answer with a status below 300.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    /// A header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as it is.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Error> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|error| Error::Unreadable(format!("no JSON: {error}")))
    }

    /// The body as text, for reading XML from.
    pub(super) fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|_| Error::Unreadable("not UTF-8".to_owned()))
    }
}

/// With what a call is signed and where it goes.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) region: &'a str,
    /// Absent: the call is not signed, as `AssumeRoleWithWebIdentity` is.
    pub(super) credentials: Option<Credentials>,
    pub(super) now: SystemTime,
    /// Address in place of the service's own.
    pub(super) endpoint: Option<&'a str>,
}

/// Signs a call, sends it once, and reads the answer.
pub(super) async fn send(transport: &Transport, call: &Call, with: Signed<'_>) -> Result<Answer, Error> {
    let address = call.address(with.region, with.endpoint);
    let unbuilt = |what: &str| Error::Unanswered(NoAnswer::Unbuilt(what.to_owned()));
    let mut builder = http::Request::builder().method(call.method.clone()).uri(&address);
    for (name, value) in &call.headers {
        builder = builder.header(*name, value);
    }
    let mut request =
        builder.body(call.body.clone()).map_err(|_| unbuilt("its address or a header is not valid"))?;
    if let Some(credentials) = with.credentials {
        let instructions = signature(call, &address, credentials, with.region, with.now)
            .ok_or_else(|| unbuilt("it could not be signed"))?;
        instructions.apply_to_request_http1x(&mut request);
    }
    let answer = transport.exchange(request, call.limit).await.map_err(Error::Unanswered)?;
    let (parts, body) = answer.into_parts();
    if parts.status.as_u16() < 300 {
        return Ok(Answer { headers: parts.headers, body });
    }
    Err(refusal(&parts, &body))
}

fn signature(
    call: &Call,
    address: &str,
    credentials: Credentials,
    region: &str,
    now: SystemTime,
) -> Option<aws_sigv4::http_request::SigningInstructions> {
    let mut settings = SigningSettings::default();
    if call.service == "s3" {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    signature_with(call, address, credentials, region, now, settings)
}

fn signature_with(
    call: &Call,
    address: &str,
    credentials: Credentials,
    region: &str,
    now: SystemTime,
    settings: SigningSettings,
) -> Option<aws_sigv4::http_request::SigningInstructions> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(call.service)
        .time(now)
        .settings(settings)
        .build()
        .ok()?;
    let headers = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let body = SignableBody::Bytes(&call.body);
    let request = SignableRequest::new(call.method.as_str(), address, headers, body).ok()?;
    Some(sign(request, &parameters.into()).ok()?.into_parts().0)
}

/// The address of a call with its signature, good for an hour.
pub(super) fn presigned(call: &Call, with: Signed<'_>) -> Option<String> {
    let address = call.address(with.region, with.endpoint);
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(PRESIGNED);
    let signed = signature_with(call, &address, with.credentials?, with.region, with.now, settings)?;
    let mut request = http::Request::builder().method(call.method.clone()).uri(&address).body(()).ok()?;
    signed.apply_to_request_http1x(&mut request);
    Some(request.uri().to_string())
}

/// What a status of 300 and more says, in whichever of the protocols.
fn refusal(parts: &http::response::Parts, body: &[u8]) -> Error {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let text = String::from_utf8_lossy(body);
    let (code, message) = if text.trim_start().starts_with('<') {
        xml_refusal(&text)
    } else {
        json_refusal(&text, header("x-amzn-errortype"))
    };
    let retry_after = header("retry-after").and_then(seconds);
    Error::Service { status: parts.status.as_u16(), code, message, retry_after }
}

fn xml_refusal(text: &str) -> (String, String) {
    let Ok(document) = roxmltree::Document::parse(text) else { return (String::new(), text.to_owned()) };
    let first = |name: &str| {
        let found = document.descendants().find(|node| node.tag_name().name() == name);
        found.and_then(|node| node.text()).unwrap_or_default().to_owned()
    };
    (first("Code"), first("Message"))
}

/// Codes come as `namespace#Code:http://…`.
fn json_refusal(text: &str, header: Option<&str>) -> (String, String) {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let field = |names: &[&str]| names.iter().find_map(|name| body.get(name)?.as_str());
    let code = header.or_else(|| field(&["__type", "code", "Code"])).unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    (code.to_owned(), field(&["message", "Message", "errorMessage"]).unwrap_or_default().to_owned())
}

/// One segment of a path, so that a name with a slash stays one.
pub(super) fn segment(name: &str) -> String {
    encoded(name)
}

fn pair(name: &str, value: &str) -> String {
    format!("{}={}", encoded(name), encoded(value))
}

/// Encodes everything but the unreserved characters of RFC 3986, as the signature demands.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_services_own_unless_told() {
        let call = Call::rest("eks", http::Method::GET, &format!("/clusters/{}", segment("a/b c")))
            .parameter("x", "1 2")
            .parameter("y", "é");
        assert_eq!(
            call.address("us-west-2", None),
            "https://eks.us-west-2.amazonaws.com/clusters/a%2Fb%20c?x=1%202&y=%C3%A9"
        );
        assert_eq!(
            call.address("cn-north-1", Some("http://127.0.0.1:1/")),
            "http://127.0.0.1:1/clusters/a%2Fb%20c?x=1%202&y=%C3%A9"
        );
        let own = Call::json("arc-region-switch", "1.0", "T.Op", &Value::Null)
            .host("arc-region-switch.{region}.api.aws");
        assert_eq!(own.address("eu-west-1", None), "https://arc-region-switch.eu-west-1.api.aws/");
        assert_eq!(own.at("http://c").address("eu-west-1", Some("http://x")), "http://c/");
    }

    #[test]
    fn a_presigned_address_carries_its_signature_and_no_secret() {
        let call = Call::rest("rds", http::Method::GET, "/").parameter("Action", "CopyDBSnapshot");
        let credentials = Credentials::new("AKIDEXAMPLE", "s3cret", None, None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636);
        let with = Signed { region: "us-east-1", credentials: Some(credentials), now, endpoint: None };
        let url = presigned(&call, with).unwrap();
        assert!(url.starts_with("https://rds.us-east-1.amazonaws.com/?Action=CopyDBSnapshot&"), "{url}");
        assert!(url.contains("X-Amz-Signature=") && url.contains("X-Amz-Expires=3600"), "{url}");
        assert!(!url.contains("s3cret"), "{url}");
    }

    #[test]
    fn a_query_is_a_form() {
        let call = Call::query("sts", "2011-06-15", "AssumeRole", &[("RoleArn", "arn:aws:iam::1:role/x y")]);
        assert_eq!(
            &call.body[..],
            b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx%20y"
        );
    }

    #[test]
    fn the_code_is_found_in_every_protocol() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
        assert_eq!(xml_refusal(xml), ("Throttling".to_owned(), "Rate exceeded".to_owned()));
        let ec2 = "<Response><Errors><Error><Code>DryRunOperation</Code><Message>m</Message></Error></Errors></Response>";
        assert_eq!(xml_refusal(ec2).0, "DryRunOperation");
        let json = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#;
        assert_eq!(json_refusal(json, None), ("AccessDeniedException".to_owned(), "no".to_owned()));
        let header = Some("ResourceInUseException:http://internal.amazon.com/coral/");
        assert_eq!(json_refusal("{}", header).0, "ResourceInUseException");
        assert_eq!(json_refusal("not json", None), (String::new(), String::new()));
        assert_eq!(xml_refusal("<html><br>").0, "");
    }

    #[test]
    fn a_signature_covers_address_and_body_and_the_secret_is_not_in_it() {
        let credentials = Credentials::new("AKIDEXAMPLE", "s3cret", Some("t0ken".to_owned()), None, "test");
        let at = SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636);
        let of = |call: &Call| {
            let address = call.address("us-east-1", None);
            let signed = signature(call, &address, credentials.clone(), "us-east-1", at).unwrap();
            let mut request = http::Request::builder().uri(address).body(()).unwrap();
            signed.apply_to_request_http1x(&mut request);
            request.headers()["authorization"].to_str().unwrap().to_owned()
        };
        let one = of(&Call::query("iam", "2010-05-08", "ListUsers", &[]));
        assert!(one.contains("Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request"), "{one}");
        assert!(!one.contains("s3cret"), "{one}");
        assert_ne!(one, of(&Call::query("iam", "2010-05-08", "ListRoles", &[])));
        assert_ne!(one, of(&Call::query("iam", "2010-05-08", "ListUsers", &[]).parameter("a", "b")));
    }
}
