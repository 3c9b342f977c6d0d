//! Asks the person at the terminal. Without a terminal nothing is asked: the answer names the flag. Must
//! never keep a run from going on.

use std::io::{BufRead, IsTerminal, Write};

use tokio::sync::mpsc;

use crate::engine::event::MissingConsent;
use crate::engine::input::Consents;
use crate::engine::why_unfenced;

/// What is said to an answer that does not fit its question.
const NOT_IT: &str = "That is not it; an empty line leaves the question open.";

/// Asks for each missing consent, where there is a terminal, and adds what was given.
pub(crate) fn ask_consents(missing: &[MissingConsent], consents: &mut Consents) {
    if !std::io::stdin().is_terminal() {
        return;
    }
    for consent in missing {
        while let Some(question) = question(consent, consents) {
            match ask(&question).filter(|answer| !answer.is_empty()) {
                None => break,
                Some(answer) if take(consent, &answer, consents) => break,
                Some(_) => show(&format!("{NOT_IT}\n")),
            }
        }
    }
}

/// Shows a question and reads one line; `None` at the end of input.
pub(crate) fn ask(question: &str) -> Option<String> {
    show(question);
    read_line()
}

/// What is typed while a run goes on: lines that a thread reads from the first question on.
#[derive(Debug, Default)]
pub(super) struct Typed {
    lines: Option<mpsc::UnboundedReceiver<String>>,
}

impl Typed {
    /// Shows a question and waits for a line; `None` at the end of input. What was typed before is no answer.
    pub(super) async fn ask(&mut self, question: &str) -> Option<String> {
        let lines = self.lines.get_or_insert_with(read_lines);
        while lines.try_recv().is_ok() {}
        show(question);
        lines.recv().await
    }

    /// Asks for each missing consent.
    pub(super) async fn ask_consents(&mut self, missing: &[MissingConsent]) -> Consents {
        let mut consents = Consents::default();
        for consent in missing {
            while let Some(question) = question(consent, &consents) {
                match self.ask(&question).await.filter(|answer| !answer.is_empty()) {
                    None => break,
                    Some(answer) if take(consent, &answer, &mut consents) => break,
                    Some(_) => show(&format!("{NOT_IT}\n")),
                }
            }
        }
        consents
    }
}

fn read_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Some(line) = read_line() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn read_line() -> Option<String> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim().to_owned()),
    }
}

fn show(text: &str) {
    let mut error = anstream::stderr();
    // A question nobody can see is answered by nobody.
    let _ = write!(error, "\x1b[1m{text}\x1b[0m").and_then(|()| error.flush());
}

/// The question for a consent that is not given yet.
fn question(consent: &MissingConsent, given: &Consents) -> Option<String> {
    match consent {
        MissingConsent::Confirm(text) if given.confirm.is_none() => {
            Some(format!("This is the point of no return. Type {text} to go on: "))
        }
        MissingConsent::AcceptLoss(loss) if given.accept_loss.is_none_or(|accepted| accepted < *loss) => {
            Some(format!("Up to {loss} of data will be lost. Type that loss to accept it: "))
        }
        MissingConsent::AcceptUnmeasuredLoss if !given.accept_unmeasured_loss => Some(
            "How much data will be lost could not be measured. Type `unmeasured` to accept it: ".to_owned(),
        ),
        MissingConsent::AcceptUnfenced(fences) if !given.accept_unfenced => Some(format!(
            "The old primary may still accept writes ({}). Type `unfenced` to accept it: ",
            why_unfenced(fences)
        )),
        MissingConsent::Confirm(_)
        | MissingConsent::AcceptLoss(_)
        | MissingConsent::AcceptUnmeasuredLoss
        | MissingConsent::AcceptUnfenced(_) => None,
    }
}

/// Takes an answer. Returns whether it gives the consent.
fn take(consent: &MissingConsent, answer: &str, consents: &mut Consents) -> bool {
    match consent {
        MissingConsent::Confirm(text) => consents.confirm = Some(answer.to_owned()).filter(|it| it == text),
        MissingConsent::AcceptLoss(_) => consents.accept_loss = answer.parse().ok(),
        MissingConsent::AcceptUnmeasuredLoss => consents.accept_unmeasured_loss = answer == "unmeasured",
        MissingConsent::AcceptUnfenced(_) => consents.accept_unfenced = answer == "unfenced",
    }
    question(consent, consents).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Duration;

    #[test]
    fn only_the_asked_for_words_give_a_consent() {
        let mut consents = Consents::default();
        let confirm = MissingConsent::Confirm("pay:west".to_owned());
        assert!(!take(&confirm, "pay:east", &mut consents));
        assert_eq!(consents.confirm, None);
        assert!(take(&confirm, "pay:west", &mut consents));
        let loss = MissingConsent::AcceptLoss(Duration::from_secs(90));
        assert!(!take(&loss, "yes", &mut consents) && !take(&loss, "1m", &mut consents));
        assert!(take(&loss, "2m", &mut consents));
        let unfenced = MissingConsent::AcceptUnfenced(vec!["fence".to_owned()]);
        assert!(!take(&unfenced, "unfence", &mut consents) && !consents.accept_unfenced);
        assert!(take(&unfenced, "unfenced", &mut consents));
        assert!(take(&MissingConsent::AcceptUnmeasuredLoss, "unmeasured", &mut consents));
    }
}
