//! Following a run: nothing is missed and nothing comes twice, however often the stream breaks.

use reqwest::Method;

use super::{ANN, EVE, folder, id_of, simulated};
use crate::support::served::Served;

/// Reads at most so many events after a sequence: their ids, and whether the run was over with the last.
async fn some(server: &Served, run: &str, after: Option<u64>, most: usize) -> (Vec<u64>, bool) {
    let path = format!("/api/v1/runs/{run}/events");
    let mut request = server.request(Method::GET, &path, EVE).header("accept", "text/event-stream");
    if let Some(after) = after {
        request = request.header("last-event-id", after.to_string());
    }
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut text, mut ids, mut over) = (String::new(), Vec::new(), false);
    while ids.len() < most && !over {
        let chunk = response.chunk().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            let Some(id) = field("id: ") else { continue };
            if ids.len() < most {
                ids.push(id.parse().unwrap());
                over = field("event: ") == Some("status_changed") && event.contains("succeeded");
            }
        }
    }
    (ids, over)
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_exactly_where_it_was() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let (_, started) = server.post("/api/v1/runs", ANN, &simulated(60)).await;
    let run = id_of(&started);
    let (mut seen, mut most) = (Vec::new(), 1);
    loop {
        let (ids, over) = some(&server, &run, seen.last().copied(), most).await;
        seen.extend(ids);
        if over {
            break;
        }
        most = most % 5 + 1;
    }
    let all: Vec<u64> = (1..=seen.len() as u64).collect();
    assert_eq!(seen, all);
    let (again, _) = some(&server, &run, None, usize::MAX).await;
    assert_eq!(again, all, "read from the journal");
}

#[tokio::test]
async fn many_viewers_see_the_same() {
    let drctl = folder();
    let server = std::sync::Arc::new(Served::start(&drctl));
    let (_, started) = server.post("/api/v1/runs", ANN, &simulated(120)).await;
    let run = id_of(&started);
    let mut viewers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (server, run) = (std::sync::Arc::clone(&server), run.clone());
        viewers.spawn(async move { some(&server, &run, None, usize::MAX).await.0 });
    }
    let seen = viewers.join_all().await;
    let all: Vec<u64> = (1..=seen[0].len() as u64).collect();
    assert!(seen.iter().all(|ids| *ids == all));
}
