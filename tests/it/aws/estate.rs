//! The emulators all tests share: started by the first that needs them, ended when the last has gone. Every
//! test works in an account of its own, so that they never see each other.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use drctl::providers::aws::{AwsProvider, Keys, Settings};
use drctl::runtime::SystemClock;
use serde_json::Value;

use super::client::Caller;

/// Two emulators. `moto` knows the most operations, `ministack` has state rules, global clusters, replication
/// and changes that take a look to be over.
pub(super) struct Estate {
    pub(super) moto: Caller,
    pub(super) ministack: Caller,
    /// Held while the estate is used.
    _users: File,
}

impl Estate {
    /// The estate, with an account nobody else uses.
    pub(super) async fn up() -> Self {
        let folder = folder();
        let users = open(&folder.join("users"));
        users.lock_shared().unwrap();
        let addresses = addresses(&folder).unwrap_or_else(|| start(&folder));
        let account = fresh_account();
        let caller = |name: &str| Caller {
            endpoint: addresses[name].as_str().unwrap().to_owned(),
            account: account.clone(),
            key: account.clone(),
        };
        // To ministack an account is a key of twelve digits; moto knows it from a role that was assumed.
        let role = format!("arn:aws:iam::{account}:role/test");
        let parameters = [("RoleArn", role.as_str()), ("RoleSessionName", "test")];
        let mut moto = caller("moto");
        let assumed = moto.query("sts", "us-east-1", "2011-06-15", "AssumeRole", &parameters).await;
        assumed.element("AccessKeyId").unwrap().clone_into(&mut moto.key);
        Self { moto, ministack: caller("ministack"), _users: users }
    }
}

/// A provider whose calls all go to one address, signed by the account of a caller.
pub(super) fn provider(caller: &Caller) -> AwsProvider {
    AwsProvider::new(settings(caller), Arc::new(SystemClock::real()))
}

/// Settings for [`provider`].
pub(super) fn settings(caller: &Caller) -> Settings {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let keys = Keys { id: caller.key.clone(), secret: "not-checked".to_owned(), token: None };
    Settings { endpoint: Some(caller.endpoint.clone()), keys: Some(keys), ..Settings::default() }
}

/// A program of the Python environment that `tests/all.sh` installs.
pub(super) fn python(program: &str) -> PathBuf {
    let path = root().join("target/aws/venv/bin").join(program);
    assert!(
        path.exists(),
        "{} is missing: run `bash tests/all.sh`, which installs the emulators of AWS",
        path.display()
    );
    path
}

/// Lets the vendor's own SDK judge a fake: a program talks to it with that, and must be content.
pub(super) fn certify(program: &str, fake: &Caller) {
    let output = Command::new(python("python"))
        // Leaves no compiled modules behind.
        .arg("-B")
        .arg(root().join("tests/it/aws").join(program))
        .arg(&fake.endpoint)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "certified", "{said}");
}

/// The repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A port nobody listens on.
pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn folder() -> PathBuf {
    let folder = root().join("target/aws/estate");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn open(path: &std::path::Path) -> File {
    File::options().create(true).append(true).open(path).unwrap()
}

/// Where the emulators listen, if they do.
fn addresses(folder: &std::path::Path) -> Option<Value> {
    let addresses: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("estate.json")).ok()?).ok()?;
    let listens = |name: &str| {
        let address = addresses[name].as_str()?.strip_prefix("http://")?.parse().ok()?;
        std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()
    };
    (listens("moto").is_some() && listens("ministack").is_some()).then_some(addresses)
}

/// Starts the emulators, unless another process just does.
#[expect(clippy::zombie_processes, reason = "it outlives this process, and ends by itself")]
fn start(folder: &std::path::Path) -> Value {
    let starting = open(&folder.join("starting"));
    starting.lock().unwrap();
    if let Some(addresses) = addresses(folder) {
        return addresses;
    }
    let _ = fs::remove_file(folder.join("estate.json"));
    let log = File::create(folder.join("estate.log")).unwrap();
    let mut child = Command::new(python("python"))
        .arg(root().join("tests/it/aws/estate.py"))
        .arg(folder)
        // Whoever ends this test must not end what others use.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    for _ in 0..1_200 {
        if let Some(addresses) = addresses(folder) {
            return addresses;
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = fs::read_to_string(folder.join("estate.log")).unwrap_or_default();
    panic!("the emulators of AWS do not start; see {}: {log}", folder.display());
}

fn fresh_account() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut hasher = DefaultHasher::new();
    let now = jiff::Timestamp::now().as_nanosecond();
    (now, std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)).hash(&mut hasher);
    format!("{:012}", hasher.finish() % 1_000_000_000_000)
}
