//! Asks the person at the terminal. Without a terminal nothing is asked: the answer names the flag.

use std::io::{BufRead, IsTerminal, Write};

use crate::engine::event::MissingConsent;
use crate::engine::input::Consents;

/// Asks for each missing consent, where there is a terminal, and adds what was given.
pub(crate) fn ask_consents(missing: &[MissingConsent], consents: &mut Consents) {
    if !std::io::stdin().is_terminal() {
        return;
    }
    for consent in missing {
        match consent {
            MissingConsent::Confirm(text) if consents.confirm.is_none() => {
                let typed = ask(&format!("This is the point of no return. Type {text} to go on: "));
                consents.confirm = typed.filter(|typed| typed == text);
            }
            MissingConsent::AcceptLoss(loss)
                if consents.accept_loss.is_none_or(|accepted| accepted < *loss) =>
            {
                let sure = ask(&format!("Up to {loss} of data will be lost. Type that loss to accept it: "));
                consents.accept_loss = sure.and_then(|typed| typed.parse().ok());
            }
            MissingConsent::AcceptUnmeasuredLoss if !consents.accept_unmeasured_loss => {
                let sure =
                    ask("How much data will be lost could not be measured. Type `unmeasured` to accept it: ");
                consents.accept_unmeasured_loss = sure.as_deref() == Some("unmeasured");
            }
            MissingConsent::AcceptUnfenced(fences) if !consents.accept_unfenced => {
                let text = format!(
                    "The old primary may still accept writes ({} unconfirmed). Type `unfenced` to accept it: ",
                    fences.join(", ")
                );
                consents.accept_unfenced = ask(&text).as_deref() == Some("unfenced");
            }
            MissingConsent::Confirm(_)
            | MissingConsent::AcceptLoss(_)
            | MissingConsent::AcceptUnmeasuredLoss
            | MissingConsent::AcceptUnfenced(_) => {}
        }
    }
}

/// Shows a question and reads one line; `None` at the end of input.
pub(crate) fn ask(question: &str) -> Option<String> {
    let mut error = anstream::stderr();
    // A question nobody can see is answered by nobody.
    write!(error, "\x1b[1m{question}\x1b[0m").and_then(|()| error.flush()).ok()?;
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim().to_owned()),
    }
}
