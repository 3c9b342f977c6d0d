//! Sessions to a PostgreSQL server that has a certificate of a private authority.

use std::path::{Path, PathBuf};

use drctl::model::run::{Failure, FailureClass};
use drctl::ports::{Provider as _, Started};
use drctl::providers::{PostgresProvider, ProgramRunner};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::support::attempt::{action, context};
use crate::support::postgres::PostgresPair;

/// An authority, whose certificate is in a file.
fn authority(path: &Path) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(path, params.self_signed(&key).unwrap().pem()).unwrap();
    Issuer::new(params, key)
}

/// Certificate and key of a server at an address.
fn issued(authority: &Issuer<'_, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

async fn is_encrypted(folder: &Path, connection: &str) -> Result<Value, Failure> {
    let (context, _switch) = context();
    let provider = PostgresProvider::new(ProgramRunner::new(folder.join("runs")));
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let query = action("postgres.query", json!({"connection": connection, "sql": sql}));
    match provider.start(&query, &context).await? {
        Started::Done(outputs) => Ok(outputs["rows"][0]["ssl"].clone()),
        Started::Handle(handle) => panic!("still under way: {handle}"),
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let (ours, _theirs) = (authority(&file("our ca.pem")), authority(&file("theirs.pem")));
    std::fs::write(file("empty.pem"), "nothing\n").unwrap();
    let pair = PostgresPair::start().await;
    let (certificate, key) = issued(&ours, "127.0.0.1");
    pair.primary.serve_tls(&certificate, &key).await;

    let plain = pair.primary.connection();
    let with = |options: &str| format!("{plain} {}", options.replace('@', folder.path().to_str().unwrap()));
    let asked = async |options: &str| is_encrypted(folder.path(), &with(options)).await;
    assert_eq!(asked("").await.unwrap(), json!(false));
    assert_eq!(asked("sslmode=verify-full sslrootcert='@/our ca.pem'").await.unwrap(), json!(true));
    assert_eq!(asked("sslmode=require sslrootcert='@/our ca.pem'").await.unwrap(), json!(true));
    let port = plain.split("port=").nth(1).unwrap().split(' ').next().unwrap();
    let root = file("our%20ca.pem");
    let url = format!(
        "postgresql://postgres@127.0.0.1:{port}/postgres?sslrootcert={}&sslmode=verify-full",
        root.display()
    );
    assert_eq!(is_encrypted(folder.path(), &url).await.unwrap(), json!(true));

    for (options, said) in [
        ("sslmode=verify-full", "UnknownIssuer"),
        ("sslmode=verify-full sslrootcert=@/theirs.pem", "invalid peer certificate"),
        ("sslmode=verify-full sslrootcert=@/absent.pem", "absent.pem cannot be used"),
        ("sslmode=verify-full sslrootcert=@/empty.pem", "it holds no certificate"),
        ("sslrootcert=@/theirs.pem", "needs sslmode=verify-full"),
        ("sslmode=always", "connection string cannot be read"),
    ] {
        let failure = asked(options).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent, "{options}: {failure}");
        assert!(failure.message.contains(said), "{options}: {failure}");
    }

    let (certificate, key) = issued(&ours, "db.example.com");
    pair.primary.serve_tls(&certificate, &key).await;
    let failure = asked("sslmode=require sslrootcert='@/our ca.pem'").await.unwrap_err();
    assert!(failure.message.contains("not valid for name"), "{failure}");
}
