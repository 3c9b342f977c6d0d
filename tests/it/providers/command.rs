//! `command.run` with real programs.

use std::path::Path;
use std::time::{Duration, Instant};

use drctl::engine::input::{Direction, Observation};
use drctl::model::limits;
use drctl::model::run::{Failure, FailureClass};
use drctl::ports::{AttemptContext, Began, Polled, Provider as _, Started};
use drctl::providers::CommandProvider;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::attempt::{action, context, until};

/// A provider over a folder of its own.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn provider(&self) -> CommandProvider {
        CommandProvider::new(self.folder.path().join("runs"), env!("CARGO_BIN_EXE_drctl").into())
    }

    /// A file of the first attempt of the step.
    fn of_attempt(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("runs/payments-abcdefgh").join(format!("work-1.{name}"))
    }

    /// What is noted about the attempts of the run.
    fn notes(&self) -> std::path::PathBuf {
        self.folder.path().join("runs/payments-abcdefgh/attempts.log")
    }

    /// Whether a process is recorded: that of a supervised program in a file, any other in the notes.
    fn is_recorded(&self) -> bool {
        let notes = std::fs::read_to_string(self.notes()).unwrap_or_default();
        notes.contains(r#"{"note":"process""#) || self.of_attempt("process").exists()
    }

    /// Takes out the note of the process, as if drctl had been killed before it could write it.
    fn forget_process(&self) {
        let notes = std::fs::read_to_string(self.notes()).unwrap();
        let kept: Vec<_> = notes.lines().filter(|line| !line.starts_with(r#"{"note":"process""#)).collect();
        assert!(kept.len() < notes.lines().count(), "{notes}");
        std::fs::write(self.notes(), kept.join("\n") + "\n").unwrap();
    }

    /// Names of the files of the run, in order.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.notes().parent().unwrap()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    async fn run(&self, with: Value, context: &AttemptContext) -> Result<Map<String, Value>, Failure> {
        match self.provider().start(&action("command.run", with), context).await? {
            Started::Done(outputs) => Ok(outputs),
            Started::Handle(handle) => panic!("still under way: {handle}"),
        }
    }

    /// Begins an attempt, waits until the program has written `started`, and forgets it, as a crash would.
    async fn crash_during(&self, with: &Value, context: &AttemptContext) {
        let (provider, action) = (self.provider(), action("command.run", with.clone()));
        let mut attempt = provider.start(&action, context);
        let started = self.path("started");
        // The shell makes the file before it writes: one that is there may still be empty.
        let begun = || number_in(&started).is_some() && self.is_recorded();
        tokio::select! {
            outcome = &mut attempt => panic!("ended before the crash: {outcome:?}"),
            () = until("the program has started and is recorded", begun) => {}
        }
    }
}

fn sh(script: &str) -> Value {
    json!({"argv": ["/bin/sh", "-c", script]})
}

/// The same call with further parameters.
fn with(mut call: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("an object is needed") };
    call.as_object_mut().unwrap().extend(more);
    call
}

/// Both ways to run a program: as drctl's own child and under a supervisor.
fn both_ways(call: &Value) -> [Value; 2] {
    [with(call.clone(), json!({"idempotent": true})), call.clone()]
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn number_in(path: &str) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[tokio::test]
async fn json_becomes_outputs_and_text_stays_text() {
    for call in both_ways(&sh(r#"echo '{"lsn": "0/3", "lag": 4}'"#)) {
        let outputs = Fixture::new().run(call, &context().0).await.unwrap();
        assert_eq!(Value::Object(outputs), json!({"exit_code": 0, "lsn": "0/3", "lag": 4}));
    }
    for call in both_ways(&sh("printf 'hello \\377\\n'; echo noise >&2")) {
        let outputs = Fixture::new().run(call, &context().0).await.unwrap();
        assert_eq!(Value::Object(outputs), json!({"exit_code": 0, "stdout": "hello \u{fffd}"}));
    }
}

/// Without capture nothing but its input needs a file, and of the first program of a run nothing is there.
#[tokio::test]
async fn the_first_program_of_a_run_gets_its_input_though_nothing_is_captured() {
    for call in both_ways(&json!({"argv": ["/bin/sh", "-c", "cat > \"$SEEN\""]})) {
        let fixture = Fixture::new();
        let seen = fixture.path("seen");
        let more = json!({"stdin": "abc", "capture": false, "env": {"SEEN": seen}});
        let outputs = fixture.run(with(call, more), &context().0).await.unwrap();
        assert_eq!(Value::Object(outputs), json!({"exit_code": 0}));
        assert_eq!(std::fs::read_to_string(&seen).unwrap(), "\"abc\"");
        assert!(!fixture.files().iter().any(|name| name.contains("stdin")), "{:?}", fixture.files());
    }
}

#[tokio::test]
async fn the_program_is_told_about_its_attempt_and_gets_its_input() {
    let script = r#"read -r input; printf '{"input": %s, "told": "%s %s"}' "$input" \
        "$DRCTL_RUN $DRCTL_NODE $DRCTL_ATTEMPT $DRCTL_DIRECTION $DRCTL_MODE $DRCTL_INTENT" \
        "$DRCTL_FENCING_TOKEN $EXTRA $PWD""#;
    for call in both_ways(&sh(script)) {
        let fixture = Fixture::new();
        let folder = fixture.path("");
        let (context, _switch) = context();
        let more =
            json!({"stdin": {"a": [1]}, "env": {"EXTRA": "x", "DRCTL_FENCING_TOKEN": "999"}, "cwd": folder});
        let outputs = fixture.run(with(call, more), &context).await.unwrap();
        assert_eq!(outputs["input"], json!({"a": [1]}));
        let told =
            format!("payments-abcdefgh work 1 do ungraceful real 7 x {}", folder.trim_end_matches('/'));
        assert_eq!(outputs["told"], told);
    }
}

#[tokio::test]
async fn a_large_output_is_cut_off_with_a_note_and_is_no_failure() {
    let script = format!("head -c {} /dev/zero | tr '\\0' 'x'", limits::OUTPUT_BYTES + 10);
    for call in both_ways(&sh(&script)) {
        let outputs = Fixture::new().run(call, &context().0).await.unwrap();
        let text = outputs["stdout"].as_str().unwrap();
        assert!(text.ends_with("x\n[cut off by drctl: 10 more bytes]"), "{}", &text[text.len() - 60..]);
    }
}

#[tokio::test]
async fn exit_codes_decide_the_class() {
    for (script, class, words) in [
        ("echo broken >&2; exit 3", FailureClass::Permanent, "exit code 3: broken"),
        ("exit 75", FailureClass::Transient, "exit code 75"),
        ("kill -9 $$", FailureClass::InDoubt, "signal 9"),
    ] {
        for call in both_ways(&sh(script)) {
            let failure = Fixture::new().run(call, &context().0).await.unwrap_err();
            assert_eq!(failure.class, class, "{script}: {failure}");
            assert!(failure.message.contains(words), "{script}: {failure}");
        }
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_refused_and_certainly_not_applied() {
    let fixture = Fixture::new();
    let plain = fixture.path("plain");
    std::fs::write(&plain, "not a program").unwrap();
    for (call, words) in [
        (json!({"argv": ["/nowhere/program"]}), "was not found"),
        (json!({"argv": [plain]}), "may not be executed"),
        (json!({"argv": ["/bin/true"], "cwd": "/nowhere"}), "working directory `/nowhere`"),
        (json!({"argv": [""]}), "names no program"),
    ] {
        for call in both_ways(&call) {
            let fixture = Fixture::new();
            let failure = fixture.run(call.clone(), &context().0).await.unwrap_err();
            assert_eq!(failure.class, FailureClass::Refused, "{failure}");
            assert!(failure.message.contains(words), "{failure}");
            let observed = fixture.provider().observe(&action("command.run", call), &context().0, None).await;
            let Observation::NeverBegan(why) = observed else { panic!("{observed:?}") };
            // Only a supervisor leaves word of why it could not be started.
            assert!(why.contains(words) || why.contains("no trace") || why.contains("not started"), "{why}");
        }
    }
}

#[tokio::test]
async fn a_shell_reads_the_words_only_when_asked() {
    let plain = Fixture::new().run(json!({"argv": ["echo", "$HOME;", "id"]}), &context().0).await.unwrap();
    assert_eq!(plain["stdout"], "$HOME; id");
    let shell = Fixture::new()
        .run(json!({"argv": ["echo one;", "echo two"], "shell": true}), &context().0)
        .await
        .unwrap();
    assert_eq!(shell["stdout"], "one\ntwo");
}

#[tokio::test]
async fn giving_up_ends_the_whole_group_even_one_that_ignores_sigterm() {
    for call in
        both_ways(&sh("trap '' TERM; sleep 600 & echo $! > child; echo $$ > started; wait; wait; sleep 600"))
    {
        let fixture = Fixture::new();
        let (context, switch) = context();
        let call = with(call, json!({"cwd": fixture.path(""), "grace": "200ms"}));
        let (started, child) = (fixture.path("started"), fixture.path("child"));
        let begun = Instant::now();
        let give_up = async {
            until("the program has started", || number_in(&started).is_some()).await;
            switch.cancel();
        };
        let (outcome, ()) = tokio::join!(fixture.run(call, &context), give_up);
        let failure = outcome.unwrap_err();
        assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
        assert!(begun.elapsed() < Duration::from_secs(10));
        let pids = [number_in(&started).unwrap(), number_in(&child).unwrap()];
        until("all of the group is gone", || pids.iter().all(|pid| !is_alive(*pid))).await;
    }
}

#[tokio::test]
async fn a_program_that_obeys_when_it_is_given_up_does_not_use_up_its_grace() {
    for call in both_ways(&sh("echo $$ > started; exec sleep 600")) {
        let fixture = Fixture::new();
        let (context, switch) = context();
        let call = with(call, json!({"cwd": fixture.path(""), "grace": "60s"}));
        let started = fixture.path("started");
        let begun = Instant::now();
        let give_up = async {
            until("the program has started", || number_in(&started).is_some()).await;
            switch.cancel();
        };
        let (outcome, ()) = tokio::join!(fixture.run(call, &context), give_up);
        assert_eq!(outcome.unwrap_err().class, FailureClass::InDoubt);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_supervised_program_that_outlives_drctl_is_adopted_and_its_end_is_known() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let script = "echo $$ >> started; while [ ! -e go ]; do sleep 0.02; done; echo '{\"id\": 5}'";
    let call = with(sh(script), json!({"cwd": fixture.path("")}));
    fixture.crash_during(&call, &context).await;

    let (provider, action) = (fixture.provider(), action("command.run", call));
    let Observation::InProgress(handle) = provider.observe(&action, &context, None).await else {
        panic!("the program lives");
    };
    assert_eq!(handle["process"]["pid"], number_in(&fixture.path("started")).unwrap());
    assert!(matches!(provider.poll(&action, &context, &handle).await, Ok(Polled::Pending(_))));

    std::fs::write(fixture.path("go"), "").unwrap();
    let done = loop {
        match provider.poll(&action, &context, &handle).await.unwrap() {
            Polled::Pending(_) => {}
            Polled::Done(outputs) => break outputs,
        }
    };
    assert_eq!(Value::Object(done.clone()), json!({"exit_code": 0, "id": 5}));
    assert_eq!(provider.observe(&action, &context, Some(&handle)).await, Observation::Applied(done));
    let starts = std::fs::read_to_string(fixture.path("started")).unwrap();
    assert_eq!(starts.lines().count(), 1, "started once");
}

#[tokio::test]
async fn a_supervised_program_that_failed_unwatched_has_failed_as_if_it_had_been_watched() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let script = "echo $$ > started; while [ ! -e go ]; do sleep 0.02; done; echo half done >&2; exit 4";
    let call = with(sh(script), json!({"cwd": fixture.path("")}));
    fixture.crash_during(&call, &context).await;
    let (provider, action) = (fixture.provider(), action("command.run", call));
    let Observation::InProgress(handle) = provider.observe(&action, &context, None).await else {
        panic!("the program lives");
    };
    std::fs::write(fixture.path("go"), "").unwrap();
    let failure = loop {
        match provider.poll(&action, &context, &handle).await {
            Ok(Polled::Pending(_)) => {}
            Ok(Polled::Done(outputs)) => panic!("{outputs:?}"),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("exit code 4: half done"), "{failure}");
    assert_eq!(provider.observe(&action, &context, None).await, Observation::Failed(failure));
}

/// What it says with its exit code is its own word, also to whoever comes later; what it says when drctl ends
/// it, or when it is killed, is none.
#[tokio::test]
async fn only_a_program_that_ended_by_itself_has_failed() {
    for (script, expected) in [
        ("exit 75", Some(FailureClass::Transient)),
        ("exit 3", Some(FailureClass::Permanent)),
        ("kill -9 $$", None),
        ("trap 'exit 9' TERM; echo $$ > started; while :; do sleep 0.02; done", None),
    ] {
        let fixture = Fixture::new();
        let (context, switch) = context();
        let call = with(sh(script), json!({"cwd": fixture.path("")}));
        let started = fixture.path("started");
        let is_stopped = script.starts_with("trap");
        let give_up = async {
            if is_stopped {
                until("the program has started", || number_in(&started).is_some()).await;
                switch.cancel();
            }
        };
        let (outcome, ()) = tokio::join!(fixture.run(call.clone(), &context), give_up);
        let live = outcome.unwrap_err();
        let observed = fixture.provider().observe(&action("command.run", call), &context, None).await;
        assert_eq!(live.class, expected.unwrap_or(FailureClass::InDoubt), "{script}");
        if expected.is_some() {
            assert_eq!(observed, Observation::Failed(live), "{script}");
        } else {
            assert!(matches!(observed, Observation::Unknown(_)), "{script}: {observed:?}");
        }
    }
}

#[tokio::test]
async fn an_adopted_program_can_be_given_up() {
    let fixture = Fixture::new();
    let (context, switch) = context();
    let call = with(sh("echo $$ > started; sleep 600"), json!({"cwd": fixture.path(""), "grace": "1s"}));
    fixture.crash_during(&call, &context).await;
    let (provider, action) = (fixture.provider(), action("command.run", call));
    let Observation::InProgress(handle) = provider.observe(&action, &context, None).await else {
        panic!("the program lives");
    };
    switch.cancel();
    let failure = provider.poll(&action, &context, &handle).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    let pid = number_in(&fixture.path("started")).unwrap();
    until("the program is gone", || !is_alive(pid)).await;
}

#[tokio::test]
async fn an_idempotent_program_is_adopted_while_it_lives_and_may_be_sent_again_afterwards() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let script = "echo $$ > started; while [ ! -e go ]; do sleep 0.02; done";
    let call = with(sh(script), json!({"cwd": fixture.path(""), "idempotent": true}));
    fixture.crash_during(&call, &context).await;
    let (provider, action) = (fixture.provider(), action("command.run", call));
    let Observation::InProgress(handle) = provider.observe(&action, &context, None).await else {
        panic!("the program lives");
    };
    std::fs::write(fixture.path("go"), "").unwrap();
    let failure = loop {
        match provider.poll(&action, &context, &handle).await {
            Ok(_) => {}
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.class, FailureClass::InDoubt);
    // It has ended, and its effect may be there: sent again it is there for certain, and can be taken back.
    let observed = provider.observe(&action, &context, Some(&handle)).await;
    assert!(matches!(observed, Observation::Unknown(_)), "{observed:?}");
}

#[tokio::test]
async fn without_a_record_the_live_program_is_found_by_its_key() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let call = with(sh("echo $$ > started; sleep 600"), json!({"cwd": fixture.path("")}));
    fixture.crash_during(&call, &context).await;
    for name in ["process", "supervisor"] {
        std::fs::remove_file(fixture.of_attempt(name)).unwrap();
    }
    let (provider, action) = (fixture.provider(), action("command.run", call));
    let observed = provider.observe(&action, &context, None).await;
    assert!(matches!(observed, Observation::InProgress(_)), "{observed:?}");
    let pid = number_in(&fixture.path("started")).unwrap();
    rustix::process::kill_process_group(
        rustix::process::Pid::from_raw(pid.cast_signed()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    until("the program is gone", || !is_alive(pid)).await;
}

#[tokio::test]
async fn a_live_program_is_followed_before_it_is_asked() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let script = fixture.path("tool");
    let text = "[ \"$1\" = observe ] && echo '{\"state\": \"not_applied\"}' && exit\necho $$ > started; exec sleep 600\n";
    std::fs::write(&script, text).unwrap();
    let call = json!({"argv": ["/bin/sh", script], "cwd": fixture.path(""), "observes": true});
    fixture.crash_during(&call, &context).await;
    // drctl was killed between the start of the program and the note of its number.
    fixture.forget_process();
    let (provider, action) = (fixture.provider(), action("command.run", call));
    let observed = provider.observe(&action, &context, None).await;
    let pid = number_in(&fixture.path("started")).unwrap();
    assert!(
        matches!(&observed, Observation::InProgress(handle) if handle["process"]["pid"] == pid),
        "{observed:?}"
    );
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
    until("the program is gone", || !is_alive(number_in(&fixture.path("started")).unwrap())).await;
    assert_eq!(provider.observe(&action, &context, None).await, Observation::NotApplied);
}

#[tokio::test]
async fn doubt_without_evidence_is_answered_honestly() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let provider = fixture.provider();
    let call = action("command.run", sh("true"));
    let nothing = provider.observe(&call, &context, None).await;
    assert!(matches!(nothing, Observation::NeverBegan(_)), "nothing was begun here: {nothing:?}");
    let elsewhere = json!({"process": {"pid": 1, "start": 1, "boot": "another"}});
    assert!(matches!(provider.observe(&call, &context, Some(&elsewhere)).await, Observation::Unknown(_)));

    std::fs::create_dir_all(fixture.of_attempt("intent").parent().unwrap()).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (boot, words) in [(boot.trim(), "while nobody watched"), ("another boot", "host was restarted")] {
        let intent = json!({"key": "nobody has this key", "token": 1, "boot": boot});
        std::fs::write(fixture.of_attempt("intent"), intent.to_string()).unwrap();
        let observed = provider.observe(&call, &context, None).await;
        let Observation::Unknown(why) = observed else { panic!("{observed:?}") };
        assert!(why.contains(words), "{why}");
    }
    let failure = fixture.run(sh("true"), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "an attempt is never begun twice: {failure}");
}

#[tokio::test]
async fn no_trace_says_something_only_in_the_folder_where_there_would_be_one() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let (mut context, _switch) = context();
    let call = action("command.run", sh("true"));
    let began = |traces: Option<String>| Some(Began { host: "here".to_owned(), traces });
    let restarted = fixture.provider().place().map(|place| place.replacen('-', "+", 1));
    for traces in [None, other.provider().place(), restarted] {
        context.began = began(traces);
        let observed = fixture.provider().observe(&call, &context, None).await;
        assert!(
            matches!(&observed, Observation::Unknown(why) if why.contains("another state folder")),
            "{observed:?}"
        );
    }
    context.began = began(fixture.provider().place());
    let observed = fixture.provider().observe(&call, &context, None).await;
    assert!(matches!(observed, Observation::NeverBegan(_)), "{observed:?}");
}

#[tokio::test]
async fn a_live_program_is_found_by_whoever_keeps_his_state_elsewhere() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let (mut context, _switch) = context();
    // Programs of other tests, which run beside this one, have another key.
    context.idempotency_key = "found-elsewhere".to_owned();
    let call = sh(&format!("echo $$ > {}; exec sleep 600", fixture.path("started")));
    fixture.crash_during(&call, &context).await;
    context.began = Some(Began { host: "here".to_owned(), traces: fixture.provider().place() });
    let (provider, action) = (other.provider(), action("command.run", call));
    let observed = provider.observe(&action, &context, None).await;
    assert!(matches!(observed, Observation::InProgress(_)), "{observed:?}");
    let pid = number_in(&fixture.path("started")).unwrap();
    let group = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    until("the program is gone", || !is_alive(pid)).await;
    // Its supervisor carries the key as well, for the moment in which it writes down how the program ended.
    let mut observed = provider.observe(&action, &context, None).await;
    while matches!(observed, Observation::InProgress(_)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        observed = provider.observe(&action, &context, None).await;
    }
    assert!(matches!(observed, Observation::Unknown(_)), "{observed:?}");
}

#[tokio::test]
async fn a_program_that_observes_is_asked() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let script = fixture.path("tool");
    std::fs::write(&script, "[ \"$1\" = observe ] && cat answer && exit\nexit 9\n").unwrap();
    let call = json!({"argv": ["/bin/sh", script], "cwd": fixture.path(""), "observes": true});
    let call = action("command.run", call);
    for (answer, expected) in [
        (
            json!({"state": "applied", "outputs": {"id": 3}}),
            Observation::Applied([("id".to_owned(), json!(3))].into_iter().collect()),
        ),
        (json!({"state": "not_applied"}), Observation::NotApplied),
    ] {
        std::fs::write(fixture.path("answer"), answer.to_string()).unwrap();
        assert_eq!(fixture.provider().observe(&call, &context, None).await, expected);
    }
    std::fs::write(fixture.path("answer"), "{\"state\": \"in_progress\"}").unwrap();
    let Observation::InProgress(handle) = fixture.provider().observe(&call, &context, None).await else {
        panic!("in progress");
    };
    std::fs::write(fixture.path("answer"), "{\"state\": \"applied\"}").unwrap();
    assert_eq!(fixture.provider().poll(&call, &context, &handle).await, Ok(Polled::Done(Map::new())));
}

#[tokio::test]
async fn undo_calls_the_program_only_when_it_has_one() {
    let (mut context, _switch) = context();
    context.direction = Direction::Undo;
    context.prepared = Some(json!({"before": 2}));
    let script = "[ \"$0\" = undo ] && echo \"$DRCTL_DIRECTION $DRCTL_PREPARED\"";
    let outputs = Fixture::new().run(with(sh(script), json!({"undoes": true})), &context).await.unwrap();
    assert_eq!(outputs["stdout"], r#"undo {"before":2}"#);
    let failure = Fixture::new().run(sh(script), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("no undo"), "{failure}");
}

#[tokio::test]
async fn what_a_program_prints_about_secrets_is_not_kept_unless_asked() {
    let (mut context, _switch) = context();
    context.sensitive = true;
    for call in both_ways(&sh("echo hunter2; echo hunter2 >&2; exit $CODE")) {
        for (capture, code) in [(json!(null), "0"), (json!(false), "0"), (json!(null), "3")] {
            let fixture = Fixture::new();
            let call = with(call.clone(), json!({"capture": capture, "env": {"CODE": code}}));
            let outcome = fixture.run(call, &context).await;
            assert!(!format!("{outcome:?}").contains("hunter2"), "{outcome:?}");
            assert_eq!(outcome.is_ok(), code == "0");
            let found = std::process::Command::new("grep")
                .args(["-r", "hunter2", &fixture.path("runs")])
                .output()
                .unwrap();
            assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
        }
        let kept =
            Fixture::new().run(with(call, json!({"capture": true, "env": {"CODE": "0"}})), &context).await;
        assert_eq!(kept.unwrap()["stdout"], "hunter2");
    }
}

#[tokio::test]
async fn files_of_an_attempt_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    fixture.run(sh("echo x; umask"), &context().0).await.unwrap();
    let run = Path::new(&fixture.path("runs")).join("payments-abcdefgh");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&run), 0o700);
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(&run).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        seen.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    seen.sort();
    let names = ["exit", "intent", "process", "stderr", "stdout", "supervisor"];
    assert_eq!(seen, names.map(|name| format!("work-1.{name}")));

    let fixture = Fixture::new();
    let provider = fixture.provider();
    let call = with(sh("echo x; umask"), json!({"idempotent": true}));
    provider.start(&action("command.run", call), &context().0).await.unwrap();
    let run = fixture.notes().parent().unwrap().to_owned();
    assert_eq!(mode(&run), 0o700);
    assert_eq!(fixture.files(), ["attempts.log", "output-7-1", "work-1.stdout"]);
    for name in fixture.files() {
        assert_eq!(mode(&run.join(&name)), 0o600, "{name}");
    }
}

/// The number of an attempt of the step.
fn attempt(number: u32) -> AttemptContext {
    let (mut context, _switch) = context();
    context.attempt = number;
    context
}

#[tokio::test]
async fn what_was_printed_is_kept_under_the_name_of_its_attempt_and_files_of_nothing_are_used_again() {
    let fixture = Fixture::new();
    let provider = fixture.provider();
    let run = async |number, script| {
        let call = action("command.run", with(sh(script), json!({"idempotent": true})));
        provider.start(&call, &attempt(number)).await
    };
    let names = |own: &[&str]| {
        let mut names: Vec<_> = own.iter().map(|name| (*name).to_owned()).collect();
        names.extend(fixture.files().into_iter().filter(|name| name.starts_with("output-")));
        names.insert(0, "attempts.log".to_owned());
        names.sort();
        names
    };
    for number in 1..=3 {
        run(number, "exit 0").await.unwrap();
        assert_eq!(fixture.files(), ["attempts.log", "output-7-0", "output-7-1"], "after {number}");
    }
    let said = run(4, "echo said").await.unwrap();
    assert!(matches!(said, Started::Done(outputs) if outputs["stdout"] == "said"));
    let failure = run(5, "echo why >&2; exit 1").await.unwrap_err();
    assert!(failure.message.ends_with(": why"), "{failure}");
    run(6, "exit 0").await.unwrap();
    assert_eq!(fixture.files(), names(&["work-4.stdout", "work-5.stderr"]));
    let text = |name| std::fs::read_to_string(fixture.notes().with_file_name(name)).unwrap();
    assert_eq!((text("work-4.stdout"), text("work-5.stderr")), ("said\n".to_owned(), "why\n".to_owned()));
    assert_eq!(fixture.files().len(), 5, "{:?}", fixture.files());
    drop(provider);
    assert_eq!(fixture.files(), ["attempts.log", "work-4.stdout", "work-5.stderr"]);
}

#[tokio::test]
async fn what_a_program_left_running_prints_later_never_reaches_another_attempt() {
    // With the open file it was given, and with one opened by its name; both in a session of their own.
    for (left, output) in [("inherited", ""), ("opened again", ">/dev/stdout 2>/dev/stderr")] {
        let fixture = Fixture::new();
        let provider = fixture.provider();
        let late = format!(
            "setsid sh -c 'while [ ! -e go ]; do sleep 0.02; done; echo late; echo late >&2; echo > printed' \
             {output} </dev/null & exit 0"
        );
        let run = async |number, script: &str| {
            let call = with(sh(script), json!({"idempotent": true, "cwd": fixture.path("")}));
            provider.start(&action("command.run", call), &attempt(number)).await
        };
        run(1, &late).await.unwrap();
        let next = "echo > go; while [ ! -e printed ]; do sleep 0.02; done; echo '{\"id\": 2}'; exit $CODE";
        let outcome = run(2, next).await.unwrap();
        let Started::Done(outputs) = outcome else { panic!("{left}: still under way") };
        assert_eq!(Value::Object(outputs), json!({"exit_code": 0, "id": 2}), "{left}");
        let failure = run(3, "exit 3").await.unwrap_err();
        assert!(!failure.message.contains("late"), "{left}: {failure}");
        for name in ["stdout", "stderr"] {
            assert_eq!(std::fs::read_to_string(fixture.of_attempt(name)).unwrap(), "late\n", "{left}");
        }
    }
}

#[tokio::test]
async fn an_attempt_is_never_begun_twice_by_whomever_it_was_begun() {
    let fixture = Fixture::new();
    let call = with(sh("echo x >> started"), json!({"idempotent": true, "cwd": fixture.path("")}));
    let (context, _switch) = context();
    fixture.run(call.clone(), &context).await.unwrap();
    let refused = async |why| {
        let failure = fixture.run(call.clone(), &context).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::InDoubt, "{why}: {failure}");
        assert_eq!(std::fs::read_to_string(fixture.path("started")).unwrap(), "x\n", "{why}");
    };
    refused("by a driver that has died since").await;
    // Earlier versions had a file for each.
    std::fs::remove_file(fixture.notes()).unwrap();
    std::fs::write(fixture.of_attempt("intent"), r#"{"key": "k", "token": 1, "boot": null}"#).unwrap();
    refused("by an earlier version").await;
}

#[tokio::test]
async fn a_program_that_an_earlier_version_started_is_adopted() {
    let fixture = Fixture::new();
    let (context, _switch) = context();
    let call = with(sh("echo $$ > started; sleep 600"), json!({"cwd": fixture.path(""), "idempotent": true}));
    fixture.crash_during(&call, &context).await;
    let notes = std::fs::read_to_string(fixture.notes()).unwrap();
    for line in notes.lines().filter(|line| !line.is_empty()) {
        let note: Value = serde_json::from_str(line).unwrap();
        match note["note"].as_str().unwrap() {
            "begun" => std::fs::write(fixture.of_attempt("intent"), note["begun"].to_string()).unwrap(),
            _ => std::fs::write(fixture.of_attempt("process"), note["process"].to_string()).unwrap(),
        }
    }
    std::fs::remove_file(fixture.notes()).unwrap();
    let pid = number_in(&fixture.path("started")).unwrap();
    let observed = fixture.provider().observe(&action("command.run", call), &context, None).await;
    assert!(
        matches!(&observed, Observation::InProgress(handle) if handle["process"]["pid"] == pid),
        "{observed:?}"
    );
    let group = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    until("the program is gone", || !is_alive(pid)).await;
}

#[tokio::test]
async fn notes_that_cannot_be_read_are_no_proof_that_nothing_was_begun() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.notes()).unwrap();
    let call = action("command.run", with(sh("true"), json!({"idempotent": true})));
    let observed = fixture.provider().observe(&call, &context().0, None).await;
    assert!(matches!(&observed, Observation::Unknown(why) if why.contains("cannot be read")), "{observed:?}");
    let outcome = fixture.provider().start(&call, &context().0).await;
    assert!(outcome.unwrap_err().message.contains("nothing was started"));
}

#[tokio::test]
async fn a_directory_that_was_removed_meanwhile_is_made_again() {
    let fixture = Fixture::new();
    let provider = fixture.provider();
    for number in 1..=3 {
        let call = with(sh("echo $DRCTL_ATTEMPT"), json!({"idempotent": true, "capture": number != 2}));
        provider.start(&action("command.run", call), &attempt(number)).await.unwrap();
        let notes = std::fs::read_to_string(fixture.notes()).unwrap();
        assert!(notes.contains(&format!("\"work-{number}\"")), "{notes}");
        std::fs::remove_dir_all(fixture.path("runs")).unwrap();
    }
}
