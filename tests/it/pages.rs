//! Pages as people open them: in a real browser, on a screen, on a telephone and on paper.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::Value;

use crate::support::binary::Drctl;
use crate::support::browser::Browser;

const REAL: &str = include_str!("../fixtures/cli/real.yaml");
const PAY: &str = include_str!("../fixtures/cli/pay.yaml");

/// What every page of drctl must be, wherever it is opened.
fn opens_quietly(browser: &mut Browser) {
    assert_eq!(browser.value("document.scripts.length"), 0);
    for width in [1_200, 390] {
        browser.width(width);
        let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{wide} pixels wide on a screen of {width}");
    }
    browser.width(1_200);
    // Its style took hold: without one, a browser writes with serifs.
    let font = browser.value("getComputedStyle(document.body).fontFamily");
    assert!(font.as_str().unwrap().contains("sans-serif"), "{font}");
    let pages = printed(&browser.print());
    assert!((1..20).contains(&pages), "{pages} pages");
    assert_eq!((&browser.console, &browser.requests), (&Vec::new(), &Vec::new()));
}

/// How many sheets were printed; all of them have something written on them.
fn printed(pdf: &[u8]) -> usize {
    assert!(pdf.starts_with(b"%PDF-"), "no PDF");
    let text = String::from_utf8_lossy(pdf);
    let pages = text.matches("/Type /Page\n").count();
    assert!(text.contains("/Type /Font") && text.matches("/Font <<").count() >= pages, "nothing is written");
    pages
}

/// The texts of all elements that a selector finds and that have a place on the screen.
fn seen(browser: &mut Browser, selector: &str) -> Vec<String> {
    let found = browser.value(&format!(
        "[...document.querySelectorAll({selector:?})].filter(it => {{ const box = it.getBoundingClientRect(); \
         return box.width > 0 && box.height > 0; }}).map(it => it.textContent.trim())"
    ));
    found.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A failover that a person had to help, with a hostile message in it.
fn report() -> String {
    let step = "      - {id: bad, phase: validate, uses: command.run, with: {argv: [./bad]}, drill: skip}\n  failback:";
    let drctl = Drctl::with(&[("runbooks/pay.yaml", &REAL.replacen("  failback:", step, 1))]);
    drctl.write_program("effect", "#!/bin/sh\necho \"$1\" >> effects\n");
    let hostile =
        "</td></table><script>alert(1)</script><img src=https://example.invalid/x onerror=alert(2)>";
    drctl.write_program("bad", &format!("#!/bin/sh\necho '{hostile}' >&2\nexit 1\n"));
    assert_eq!(drctl.run("failover pay --reason drill --accept-loss unmeasured").code, 6);
    let skipped = drctl.run("skip latest bad --reason unneeded");
    assert_ne!(skipped.code, 2, "{}", skipped.stderr);
    drctl.run("runs report latest --format html").stdout
}

#[test]
fn a_report_opens_in_a_browser_and_prints() {
    let mut browser = Browser::open(&report());
    opens_quietly(&mut browser);
    let title = browser.value("document.title");
    assert!(title.as_str().unwrap().starts_with("Failover of Payments: "), "{title}");
    let bars = seen(&mut browser, "svg.gantt rect.bar");
    let names = seen(&mut browser, "svg.gantt text.name");
    let steps = ["fence", "promote", "check", "bad"];
    assert!(steps.iter().all(|step| names.iter().any(|name| name == step)), "{names:?}");
    assert_eq!(bars.len(), names.len());
    let outside = browser.value(
        "(() => { const frame = document.querySelector('svg.gantt').getBoundingClientRect(); \
         return [...document.querySelectorAll('svg.gantt text')].filter(it => { \
         const box = it.getBoundingClientRect(); \
         return box.left < frame.left - 1 || box.right > frame.right + 1 \
         || box.top < frame.top - 1 || box.bottom > frame.bottom + 1; }).map(it => it.textContent); })()",
    );
    assert_eq!(outside, Value::Array(Vec::new()), "words that leave the picture");
    assert_eq!(seen(&mut browser, "svg.clock").len(), 1);
    let timeline = seen(&mut browser, "table.timeline td.note").join("\n");
    assert!(timeline.contains("bad"), "{timeline}");
    // What a program said is shown as it said it, and is no part of the page.
    let all = browser.value("document.body.innerText");
    assert!(all.as_str().unwrap().contains("<script>alert(1)</script>"), "{all}");
    assert_eq!(browser.value("document.images.length"), 0);
}

#[test]
fn a_forecast_opens_in_a_browser_and_prints() {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", PAY)]);
    let page = drctl.run("simulate pay --runs 200 --seed 1 --format html").stdout;
    let mut browser = Browser::open(&page);
    opens_quietly(&mut browser);
    assert_eq!(seen(&mut browser, "h1"), ["Forecast of a failover of pay"]);
    assert!(seen(&mut browser, ".fact").iter().any(|fact| fact.contains("recovery time, p50")));
    let words = seen(&mut browser, "svg text").join(" ");
    assert!(["p50", "scale", "fence"].iter().all(|word| words.contains(word)), "{words}");
}

/// The instrument itself: what the two tests above do not find must be there to be found.
#[test]
fn a_page_that_asks_for_more_is_found_out() {
    let noisy = "<!doctype html><title>x</title><img src=\"https://example.invalid/x.png\">\
                 <script>console.error('oops'); nothing.at.all;</script>";
    let browser = Browser::open(noisy);
    assert_eq!(browser.requests, ["https://example.invalid/x.png"]);
    let console = browser.console.join("\n");
    assert!(console.contains("oops") && console.contains("nothing is not defined"), "{console}");
}
