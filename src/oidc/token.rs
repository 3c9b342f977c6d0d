//! One token: what it says of itself, whether it is to be believed, and whom it is about. Must never use
//! what is not signed but to find the key.

use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use super::keys::Keys;
use super::proof;
use crate::model::time::{Duration, Timestamp};

/// Longest token that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// Longest name of a person, in characters.
const NAME: usize = 200;
/// Most groups that are looked at.
const GROUPS: usize = 2_000;
/// The algorithms that are believed: none without a key, and none whose key would have to be a secret.
const BELIEVED: [(&str, Algorithm); 3] =
    [("RS256", Algorithm::RS256), ("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)];

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no token, or too long.
    #[error("this token cannot be read")]
    Malformed,
    /// It is signed in a way that is not believed.
    #[error("only tokens signed with RS256, ES256 or EdDSA are believed")]
    Algorithm,
    /// It demands something of its reader that drctl does not know.
    #[error("this token has a critical header that is not known")]
    Critical,
    /// Its key is not among those of the issuer.
    #[error("the key that signed this token is none of its issuer's")]
    UnknownKey,
    /// The signature is wrong.
    #[error("this token was not signed by its issuer")]
    Signature,
    /// It is of another issuer.
    #[error("this token is of an issuer that is not configured")]
    Issuer,
    /// It was made for somebody else.
    #[error("this token was made for somebody else: its audience is not that of drctl")]
    Audience,
    /// It is over.
    #[error("this token has expired")]
    Expired,
    /// Its time has not come.
    #[error("this token is not good yet")]
    Early,
    /// A claim is missing, or is not what it should be.
    #[error("this token says nothing usable in its claim `{0}`")]
    Claim(String),
    /// The issuer does not vouch for the address.
    #[error("the issuer of this token has not verified the address it names")]
    Unverified,
    /// The issuer's keys cannot be used.
    #[error("the keys of the issuer cannot be used: {0}")]
    Keys(&'static str),
}

/// What a token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The issuer, exactly as tokens name it.
    pub issuer: String,
    /// For whom tokens are made: one of these is enough.
    pub audience: Vec<String>,
    /// How far the clocks may be apart.
    pub leeway: Duration,
    /// Claim with the name of the person.
    pub name_claim: String,
    /// Claim with the groups; dots lead into nested claims.
    pub groups_claim: String,
}

/// Who a proved token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The issuer's own id of the person.
    pub subject: String,
    /// The name the journal shows.
    pub name: String,
    /// The groups.
    pub groups: Vec<String>,
}

/// What a token says of itself before anything is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Who claims to have issued it.
    pub issuer: String,
    /// Id of the key that is said to have signed it.
    pub key: Option<String>,
}

impl Presented {
    /// Reads what a token says of itself.
    ///
    /// # Errors
    /// When it is no token, or is signed in a way that is not believed.
    pub fn read(token: &str) -> Result<Self, Error> {
        let header = header(token)?;
        algorithm(&header)?;
        if header.contains_key("crit") {
            return Err(Error::Critical);
        }
        let claims: Map<String, Value> =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| Error::Malformed)?;
        let issuer = text(&claims, "iss")?.to_owned();
        let key = header.get("kid").map(|id| id.as_str().map(str::to_owned).ok_or(Error::Malformed));
        Ok(Self { issuer, key: key.transpose()? })
    }
}

/// Whether a text has the shape of such a token: three parts. Tells it from tokens of drctl.
#[must_use]
pub fn is_like(token: &str) -> bool {
    token.split('.').count() == 3
}

/// Proves a token with the keys of its issuer, and says whom it is about.
///
/// # Errors
/// When anything about it is not as the rules say.
pub fn prove(token: &str, keys: &Keys, rules: &Rules, now: Timestamp) -> Result<Person, Error> {
    let presented = Presented::read(token)?;
    if presented.issuer != rules.issuer {
        return Err(Error::Issuer);
    }
    let algorithm = algorithm(&header(token)?)?;
    let key = keys.find(presented.key.as_deref(), algorithm).ok_or(Error::UnknownKey)?;
    proof::lend_ring();
    let mut validation = Validation::new(algorithm);
    // Times are compared below, with the clock that everything else goes by.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&rules.issuer]);
    validation.set_audience(&rules.audience);
    let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation);
    let claims = decoded.map_err(|error| refusal(&error))?.claims;
    in_time(&claims, rules.leeway, now)?;
    let name = name(&claims, &rules.name_claim)?;
    if rules.name_claim == "email" && claims.get("email_verified").is_some_and(|it| !is_true(it)) {
        return Err(Error::Unverified);
    }
    let subject = text(&claims, "sub")?.chars().take(NAME).collect();
    Ok(Person { subject, name, groups: groups(&claims, &rules.groups_claim) })
}

fn header(token: &str) -> Result<Map<String, Value>, Error> {
    use base64::Engine as _;
    if token.len() > LONGEST || !is_like(token) {
        return Err(Error::Malformed);
    }
    let part = token.split('.').next().unwrap_or_default();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
    serde_json::from_slice(&bytes.map_err(|_| Error::Malformed)?).map_err(|_| Error::Malformed)
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Error> {
    let named = header.get("alg").and_then(Value::as_str).ok_or(Error::Malformed)?;
    let known = BELIEVED.iter().find(|(name, _)| *name == named);
    known.map(|(_, algorithm)| *algorithm).ok_or(Error::Algorithm)
}

fn refusal(error: &jsonwebtoken::errors::Error) -> Error {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => Error::Signature,
        ErrorKind::InvalidAudience => Error::Audience,
        ErrorKind::InvalidIssuer => Error::Issuer,
        ErrorKind::InvalidAlgorithm => Error::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) => Error::Claim(claim.clone()),
        _ => Error::Malformed,
    }
}

fn in_time(claims: &Map<String, Value>, leeway: Duration, now: Timestamp) -> Result<(), Error> {
    if time(claims, "exp")?.is_none_or(|at| at.plus(leeway) <= now) {
        return Err(Error::Expired);
    }
    if time(claims, "nbf")?.is_some_and(|at| at.minus(leeway) > now) {
        return Err(Error::Early);
    }
    Ok(())
}

/// A time of a token: seconds since 1970, whole or not.
fn time(claims: &Map<String, Value>, claim: &str) -> Result<Option<Timestamp>, Error> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let wrong = || Error::Claim(claim.to_owned());
    let seconds = value.as_f64().ok_or_else(wrong)?;
    let since = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    let millis = i64::try_from(since.as_millis()).map_err(|_| wrong())?;
    Ok(Some(Timestamp::from_millis(millis)))
}

fn text<'c>(claims: &'c Map<String, Value>, claim: &str) -> Result<&'c str, Error> {
    let text = claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| Error::Claim(claim.to_owned()))
}

fn name(claims: &Map<String, Value>, claim: &str) -> Result<String, Error> {
    let name = text(claims, claim)?.trim();
    let fits = !name.is_empty() && name.chars().count() <= NAME && !name.chars().any(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(Error::Claim(claim.to_owned())) }
}

/// Some providers write it as a text.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}

fn groups(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    let nested = || {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    // A claim may have dots in its name: addresses are usual ones.
    let found = claims.get(claim).or_else(nested);
    match found {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).take(GROUPS).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
