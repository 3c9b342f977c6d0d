//! Tokens of an identity provider: who is let in, whoever tries, and whether the provider is there or not.

use reqwest::{Method, StatusCode};
use ring::hmac;
use serde_json::{Value, json};

use super::{ANN, folder, folder_with, id_of};
use crate::support::binary::Drctl;
use crate::support::issuer::{Issuer, Signer, joined};
use crate::support::served::{Served, answer};

/// A folder whose server believes an issuer.
fn believing(issuer: &str) -> Drctl {
    folder_with(&format!(
        "[[auth.oidc]]\nissuer = \"{issuer}\"\naudience = [\"drctl\"]\n\
         grants = [\n  {{group = \"viewers\", roles = [\"viewer\"]}},\n  \
         {{group = \"oncall\", roles = [\"operator\"]}},\n  {{group = \"leads\", roles = [\"approver\"]}},\n]\n\
         [auth.people]\nann = [\"ann@example.com\"]\n"
    ))
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// What a token of a person says; `null` takes a claim away.
fn claims(issuer: &str, name: &str, changed: &Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "aud": "drctl", "sub": format!("id-of-{name}"), "exp": now() + 300, "iat": now(),
        "email": format!("{name}@example.com"), "email_verified": true, "groups": ["staff", "viewers"],
    });
    for (claim, value) in changed.as_object().unwrap() {
        claims[claim] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn asks(server: &Served, token: &str) -> (u16, String) {
    let (status, body) = server.get("/api/v1/runs", token).await;
    (status.as_u16(), body["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_token_is_believed_when_everything_about_it_is_right() {
    let (es, ed, rs, other) = (Signer::es("es"), Signer::ed("ed"), Signer::rs("rs"), Signer::es("es"));
    let issuer = Issuer::start(&[&es, &ed, &rs]).await;
    let drctl = believing(&issuer.name);
    let server = Served::start(&drctl);
    let says = |changed: Value| claims(&issuer.name, "kim", &changed);
    let es_token = |changed: Value| es.token(&says(changed));
    let public = rs.public()["n"].as_str().unwrap().to_owned();
    let shared = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
    let hs = |id: &str| {
        joined(&json!({"alg": "HS256", "kid": id}), &says(json!({})), |message| {
            hmac::sign(&shared, message).as_ref().to_vec()
        })
    };
    let mut forged = es_token(json!({}));
    let claims = forged.split('.').nth(1).unwrap().to_owned();
    forged = forged.replace(&claims, es_token(json!({"groups": ["oncall"]})).split('.').nth(1).unwrap());
    let critical = json!({"alg": "ES256", "kid": "es", "crit": ["x"], "x": 1});
    let asked: [(&str, String, u16, &str); 30] = [
        ("ES256", es_token(json!({})), 200, ""),
        ("EdDSA", ed.token(&says(json!({}))), 200, ""),
        ("RS256", rs.token(&says(json!({}))), 200, ""),
        ("one of several audiences", es_token(json!({"aud": ["mail", "drctl"]})), 200, ""),
        ("expired within the leeway", es_token(json!({"exp": now() - 10})), 200, ""),
        ("early within the leeway", es_token(json!({"nbf": now() + 10})), 200, ""),
        ("a group as one word", es_token(json!({"groups": "oncall"})), 200, ""),
        ("expired", es_token(json!({"exp": now() - 90})), 401, "has expired"),
        ("without an end", es_token(json!({"exp": null})), 401, "`exp`"),
        ("an end that is no time", es_token(json!({"exp": "never"})), 401, "`exp`"),
        ("early", es_token(json!({"nbf": now() + 90})), 401, "not good yet"),
        ("wrong audience", es_token(json!({"aud": "mail"})), 401, "audience"),
        ("no audience", es_token(json!({"aud": null})), 401, "`aud`"),
        ("wrong issuer", es_token(json!({"iss": "https://evil.example"})), 401, "issuer"),
        ("several issuers", es_token(json!({"iss": [issuer.name, "x"]})), 401, "`iss`"),
        ("a key of the same id", other.token(&says(json!({}))), 401, "not signed"),
        ("an unknown key", Signer::es("new").token(&says(json!({}))), 401, "none of its issuer"),
        ("forged claims", forged, 401, "not signed"),
        (
            "no signature",
            joined(&json!({"alg": "ES256", "kid": "es"}), &says(json!({})), |_| vec![]),
            401,
            "not signed",
        ),
        ("none", joined(&json!({"alg": "none"}), &says(json!({})), |_| vec![]), 401, "RS256, ES256"),
        ("HS256 with a public key", hs("rs"), 401, "RS256, ES256"),
        (
            "RS256 with a key of ES256",
            rs.token_with(&json!({"alg": "RS256", "kid": "es"}), &says(json!({}))),
            401,
            "none of",
        ),
        (
            "the header says another",
            es.token_with(&json!({"alg": "EdDSA", "kid": "ed"}), &says(json!({}))),
            401,
            "not signed",
        ),
        ("critical header", es.token_with(&critical, &says(json!({}))), 401, "critical"),
        ("no name", es_token(json!({"email": null})), 401, "`email`"),
        ("a name that breaks lines", es_token(json!({"email": "a\nb"})), 401, "`email`"),
        ("an address nobody verified", es_token(json!({"email_verified": false})), 401, "not verified"),
        ("no group that counts", es_token(json!({"groups": ["staff"]})), 403, "needs the role viewer"),
        ("garbage", "a.b.c".to_owned(), 401, "cannot be read"),
        ("too long", es_token(json!({"more": "x".repeat(20_000)})), 401, "cannot be read"),
    ];
    for (what, token, status, words) in asked {
        let (found, detail) = asks(&server, &token).await;
        assert_eq!(found, status, "{what}: {detail}");
        assert!(detail.contains(words), "{what}: {detail}");
    }
    // A token without an id of its key is believed where one key alone can be meant.
    assert_eq!(asks(&server, &es.token_with(&json!({"alg": "ES256"}), &says(json!({})))).await.0, 200);
}

#[tokio::test]
async fn a_new_key_is_read_once_and_strangers_cannot_make_it_be_read_often() {
    let (old, new) = (Signer::es("old"), Signer::ed("new"));
    let issuer = Issuer::start(&[&old]).await;
    let drctl = believing(&issuer.name);
    let server = Served::start(&drctl);
    let says = claims(&issuer.name, "kim", &json!({}));
    assert_eq!(asks(&server, &old.token(&says)).await.0, 200);
    let before = issuer.asked();
    issuer.publish(&[&new]);
    assert_eq!(asks(&server, &new.token(&says)).await.0, 200);
    assert_eq!(asks(&server, &old.token(&says)).await.0, 401, "the old key is gone");
    for round in 0..20 {
        assert_eq!(asks(&server, &Signer::es(&format!("strange-{round}")).token(&says)).await.0, 401);
    }
    assert_eq!(issuer.asked(), before + 1);
}

#[tokio::test]
async fn people_approve_while_the_provider_is_down_also_after_a_restart() {
    let signer = Signer::es("es");
    let issuer = Issuer::start(&[&signer]).await;
    let drctl = believing(&issuer.name);
    let token =
        |name: &str, group: &str| signer.token(&claims(&issuer.name, name, &json!({"groups": [group]})));
    let (operator, lead, look) = (token("ann", "oncall"), token("bob", "leads"), token("eve", "viewers"));
    let server = Served::start(&drctl);
    assert_eq!(asks(&server, &look).await.0, 200);
    assert_eq!(server.terminate(), Some(0));
    let name = issuer.stop().await;
    let server = Served::start(&drctl);
    let start = json!({"runbook": "asking", "operation": "failover", "reason": "fire"});
    let (status, started) = server.post("/api/v1/runs", &operator, &start).await;
    assert_eq!(status, StatusCode::CREATED, "{started:#}");
    assert_eq!(started["run"]["started_by"]["name"], "ann", "the name the configuration gives her");
    let run = id_of(&started);
    server.run_until(&run, &look, |view| view["status"] == "awaiting_approval").await;
    let approve = format!("/api/v1/runs/{run}/approve");
    // The same person, with a token of drctl that lets her approve.
    let (status, refused) = server.post(&approve, ANN, &json!({})).await;
    assert_eq!((status, &refused["reason"]), (StatusCode::CONFLICT, &json!("refused")), "{refused}");
    let (status, heard) = server.post(&approve, &lead, &json!({})).await;
    assert_eq!((status, &heard["answer"]), (StatusCode::OK, &json!("accepted")), "{heard}");
    server.run_until(&run, &look, |view| view["status"] == "succeeded").await;
    let (_, page) = server.get(&format!("/api/v1/runs/{run}/events"), &look).await;
    let text = page["events"].to_string();
    assert!(text.contains("\"name\":\"bob@example.com\""), "{text}");
    assert!(text.contains(&format!("api@127.0.0.1 by {name} id-of-bob")), "{text}");
    assert!(!text.contains(&lead[..40]), "a token is in the journal");
    let (status, _) = asks(&server, &Signer::es("new").token(&claims(&name, "kim", &json!({})))).await;
    assert_eq!(status, 401, "an unknown key stays unknown");
}

/// The file in which the keys of the only issuer are kept.
fn kept(drctl: &Drctl) -> std::path::PathBuf {
    let folder = std::fs::read_dir(drctl.path(".drctl/oidc")).unwrap();
    folder.map(|entry| entry.unwrap().path()).find(|path| path.extension().unwrap() == "json").unwrap()
}

#[tokio::test]
async fn kept_keys_are_believed_for_a_time_only() {
    let signer = Signer::es("es");
    let issuer = Issuer::start(&[&signer]).await;
    let drctl = believing(&issuer.name);
    let token = signer.token(&claims(&issuer.name, "kim", &json!({})));
    let server = Served::start(&drctl);
    assert_eq!(asks(&server, &token).await.0, 200);
    assert_eq!(server.terminate(), Some(0));
    issuer.stop().await;
    let path = kept(&drctl);
    let text = std::fs::read_to_string(&path).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let at = |hours: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        text.replace(document["at"].as_str().unwrap(), &format!("{at:.3}"))
    };
    for (what, content, status) in [
        ("six days old", at(-6 * 24), 200),
        ("eight days old", at(-8 * 24), 503),
        ("of tomorrow", at(24), 503),
        ("broken", "{".to_owned(), 503),
        ("of another issuer", text.replace("127.0.0.1", "127.0.0.2"), 503),
    ] {
        std::fs::write(&path, content).unwrap();
        let server = Served::start(&drctl);
        let (found, detail) = asks(&server, &token).await;
        assert_eq!(found, status, "{what}: {detail}");
        let (status, _) = server.get("/api/v1/runs", ANN).await;
        assert_eq!(status, StatusCode::OK, "tokens of drctl need no provider");
    }
}

#[tokio::test]
async fn what_is_no_set_of_keys_harms_nobody() {
    let signer = Signer::es("es");
    let issuer = Issuer::start(&[&signer]).await;
    let name = issuer.name.clone();
    let token = signer.token(&claims(&name, "kim", &json!({})));
    let many: Vec<Value> = (0..101).map(|at| Signer::ed(&format!("k{at}")).public()).collect();
    let mut secret = signer.public();
    secret["kty"] = json!("oct");
    secret["k"] = json!("c2VjcmV0");
    for (what, text) in [
        ("no JSON", "<html>".to_owned()),
        ("too many keys", json!({"keys": many}).to_string()),
        ("too large", format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(300 * 1024))),
        ("much too large", "x".repeat(5 << 20)),
        ("a shared secret", json!({"keys": [secret]}).to_string()),
        ("none", json!({"keys": []}).to_string()),
    ] {
        issuer.publish_text(text);
        let drctl = believing(&name);
        let server = Served::start(&drctl);
        let (status, problem) = server.get("/api/v1/runs", &token).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{what}: {problem}");
        assert_eq!(problem["reason"], "identity_provider_unreachable", "{what}");
        assert_eq!(answer(server.request(Method::GET, "/healthz", "")).await.0, StatusCode::OK, "{what}");
    }
}

#[tokio::test]
async fn sighup_reads_tokens_and_issuers_again() {
    let signer = Signer::es("es");
    let issuer = Issuer::start(&[&signer]).await;
    let drctl = folder();
    let server = Served::start(&drctl);
    let token = signer.token(&claims(&issuer.name, "kim", &json!({})));
    assert_eq!((asks(&server, &token).await.0, asks(&server, ANN).await.0), (401, 200));
    let mut text = std::fs::read_to_string(believing(&issuer.name).path("drctl.toml")).unwrap();
    text = text.replacen("name = \"ann\"", "expires = \"2020-01-01T00:00:00Z\"\nname = \"ann\"", 1);
    drctl.write("drctl.toml", &text);
    server.hang_up();
    server.until(async || asks(&server, ANN).await.0 == 401).await;
    assert_eq!(asks(&server, &token).await.0, 200);
    // What cannot be used leaves everything as it was.
    text.push_str("nonsense = true\n");
    drctl.write("drctl.toml", &text);
    server.hang_up();
    assert_eq!((asks(&server, &token).await.0, asks(&server, ANN).await.0), (200, 401));
}
