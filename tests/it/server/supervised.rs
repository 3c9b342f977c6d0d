//! `drctl serve` under a service manager: what systemd is told, and the files that make it a service.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::folder;
use crate::support::served::Served;

/// What the service manager hears.
struct Manager {
    socket: UnixDatagram,
    path: String,
    _folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify").display().to_string();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self { socket, path, _folder: folder }
    }

    /// The next message, one line each.
    fn hears(&self) -> Vec<String> {
        let mut bytes = [0; 4_096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect()
    }

    /// The next message that is no sign of life.
    fn hears_news(&self) -> Vec<String> {
        loop {
            let heard = self.hears();
            if heard != ["WATCHDOG=1"] {
                return heard;
            }
        }
    }
}

#[test]
fn the_service_manager_hears_ready_alive_reloading_and_stopping() {
    let (drctl, manager) = (folder(), Manager::new());
    let environment = [("NOTIFY_SOCKET", manager.path.as_str()), ("WATCHDOG_USEC", "400000")];
    let server = Served::start_with(&drctl, &environment);
    let ready = manager.hears_news();
    assert_eq!(ready[0], "READY=1");
    assert!(ready[1].starts_with("STATUS=listens on 127.0.0.1:"), "{ready:?}");
    for _ in 0..3 {
        assert_eq!(manager.hears(), ["WATCHDOG=1"]);
    }
    server.hang_up();
    let reloading = manager.hears_news();
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(manager.hears_news()[0], "READY=1");
    assert_eq!(server.terminate(), Some(0));
    let stopping = manager.hears_news();
    assert_eq!(stopping[0], "STOPPING=1");
    assert_eq!(stopping[1], "EXTEND_TIMEOUT_USEC=45000000", "the drain, and twenty seconds");
}

#[test]
fn without_a_watchdog_no_sign_of_life_is_sent() {
    let (drctl, manager) = (folder(), Manager::new());
    let server = Served::start_with(&drctl, &[("NOTIFY_SOCKET", &manager.path)]);
    assert_eq!(manager.hears()[0], "READY=1");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(manager.hears()[0], "STOPPING=1");
}

fn operations(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations").join(name)).unwrap()
}

/// The unit with what a machine of the tests does not have replaced by what it has.
fn unit() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = operations("drctl.service").replace("/usr/local/bin/drctl", env!("CARGO_BIN_EXE_drctl"));
    std::fs::write(folder.path().join("drctl.service"), text).unwrap();
    folder
}

#[test]
fn the_unit_is_sound_and_closed() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        assert!(std::env::var_os("CI").is_none(), "systemd-analyze is missing: install systemd");
        return;
    };
    assert!(version.status.success());
    let folder = unit();
    let path = folder.path().join("drctl.service");
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("drctl.service"), "{said}");
    let exposure = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=25"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(exposure.status.success(), "{}", String::from_utf8_lossy(&exposure.stdout));
}

#[test]
fn the_unit_leaves_programs_of_runs_alone_and_gives_them_time() {
    let unit = operations("drctl.service");
    // A program of a step goes on over a restart and is adopted; killed, it would be in doubt.
    for line in ["Type=notify", "KillMode=process", "Restart=always", "WatchdogSec=60s", "TimeoutStopSec=60s"]
    {
        assert!(unit.lines().any(|it| it == line), "{line} is missing");
    }
    let container = operations("Containerfile");
    for line in ["USER 10001:10001", "STOPSIGNAL SIGTERM", "VOLUME /var/lib/drctl"] {
        assert!(container.lines().any(|it| it == line), "{line} is missing");
    }
}
