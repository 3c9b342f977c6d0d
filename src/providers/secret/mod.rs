//! Reads secrets from the environment, from files and from programs. Never stores, logs or prints a value.

use std::collections::BTreeMap;

use crate::model::values::{Secret, SecretSourceKind};
use crate::ports::{BoxFuture, SecretError, SecretSource};

/// Longest a program may take to print its secret.
const PROGRAM_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);
/// Largest secret, in bytes.
const LARGEST: usize = 64 * 1024;

/// Resolves secrets where their authors say they are.
pub struct Secrets {
    environment: fn(&str) -> Option<String>,
}

impl Secrets {
    /// Makes a source that reads environment variables with a function.
    #[must_use]
    pub fn new(environment: fn(&str) -> Option<String>) -> Self {
        Self { environment }
    }

    async fn read(&self, secret: &Secret) -> Result<String, String> {
        let value = match secret.from {
            SecretSourceKind::Env => {
                let name = secret.name.as_deref().ok_or("it names no environment variable")?;
                (self.environment)(name).ok_or_else(|| format!("environment variable {name} is not set"))?
            }
            SecretSourceKind::File => {
                let path = secret.path.as_deref().ok_or("it names no file")?;
                let bytes = tokio::fs::read(path).await.map_err(|error| format!("{path}: {error}"))?;
                text(bytes).map_err(|error| format!("{path}: {error}"))?
            }
            SecretSourceKind::Command => run(&secret.argv).await?,
        };
        if value.is_empty() { Err("it is empty".to_owned()) } else { Ok(value) }
    }
}

impl SecretSource for Secrets {
    fn resolve<'a>(
        &'a self,
        secrets: &'a BTreeMap<String, Secret>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, SecretError>> {
        Box::pin(async move {
            let mut values = BTreeMap::new();
            for (name, secret) in secrets {
                let value = self.read(secret).await;
                let value = value.map_err(|message| SecretError { name: name.clone(), message })?;
                values.insert(name.clone(), value);
            }
            Ok(values)
        })
    }
}

/// Runs a program and takes what it prints. What it prints on failure is not repeated: it may be the secret.
#[expect(clippy::disallowed_methods, reason = "a secret's program is no action of a runbook")]
async fn run(argv: &[String]) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("it names no program")?;
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PROGRAM_WITHIN, child).await;
    let output = output.map_err(|_| format!("{program} took longer than {} s", PROGRAM_WITHIN.as_secs()))?;
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} ended with {}", output.status));
    }
    text(output.stdout).map_err(|error| format!("{program}: {error}"))
}

/// Bytes as text, without one final line break.
fn text(bytes: Vec<u8>) -> Result<String, &'static str> {
    if bytes.len() > LARGEST {
        return Err("the value is larger than 64 KiB");
    }
    let mut value = String::from_utf8(bytes).map_err(|_| "the value is not UTF-8")?;
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(from: SecretSourceKind) -> Secret {
        Secret { from, name: None, path: None, argv: Vec::new() }
    }

    fn resolve(secret: Secret) -> Result<String, String> {
        let source = Secrets::new(|name| (name == "PRESENT").then(|| "from-env".to_owned()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let secrets = BTreeMap::from([("s".to_owned(), secret)]);
        let values = runtime.block_on(source.resolve(&secrets)).map_err(|error| error.to_string());
        values.map(|mut values| values.remove("s").unwrap())
    }

    #[test]
    fn each_source_gives_its_value() {
        let env = Secret { name: Some("PRESENT".to_owned()), ..secret(SecretSourceKind::Env) };
        assert_eq!(resolve(env).as_deref(), Ok("from-env"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "from-file\r\n").unwrap();
        let file = Secret { path: Some(path.display().to_string()), ..secret(SecretSourceKind::File) };
        assert_eq!(resolve(file).as_deref(), Ok("from-file"));
        let argv = ["/bin/echo", "from-command"].map(str::to_owned).to_vec();
        assert_eq!(
            resolve(Secret { argv, ..secret(SecretSourceKind::Command) }).as_deref(),
            Ok("from-command")
        );
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_a_program_prints_is_repeated() {
        let env = Secret { name: Some("ABSENT".to_owned()), ..secret(SecretSourceKind::Env) };
        assert!(resolve(env).unwrap_err().contains("ABSENT is not set"));
        let argv = ["/bin/sh", "-c", "echo hunter2; exit 3"].map(str::to_owned).to_vec();
        let error = resolve(Secret { argv, ..secret(SecretSourceKind::Command) }).unwrap_err();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
    }
}
