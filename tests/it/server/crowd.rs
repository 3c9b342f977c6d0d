//! Many who begin something at once: the first have their answers first.

use std::sync::Arc;
use std::time::Instant;

use reqwest::StatusCode;

use super::{ANN, folder_with, simulated};
use crate::support::served::Served;

#[tokio::test]
async fn the_first_of_many_starts_do_not_wait_for_the_last() {
    let drctl = folder_with("[server]\nrequests_per_second = 100000\n");
    let server = Arc::new(Served::start(&drctl));
    let since = Instant::now();
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..80 {
        let server = Arc::clone(&server);
        // So slowly that driving them takes nothing from what is measured.
        starts.spawn(async move {
            let (status, started) = server.post("/api/v1/runs", ANN, &simulated(1)).await;
            assert_eq!(status, StatusCode::CREATED, "{started}");
            since.elapsed()
        });
    }
    let mut took = starts.join_all().await;
    took.sort();
    assert!(took[8] * 2 < took[79], "{took:?}");
}
