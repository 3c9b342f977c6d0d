//! Mail, against a small server that speaks SMTP on the loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use drctl::model::time::Timestamp;
use drctl::notify::{Answer, Mail, Notice, Protection, Transport};

use super::story::target;

/// A mail server that answers `RCPT` as it is told and remembers what it was sent.
struct PostOffice {
    address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl PostOffice {
    fn open(recipient: &'static str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                drop(stream.write_all(b"220 here\r\n"));
                let mut data = false;
                while let Some(Ok(line)) = lines.next() {
                    let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                        "." if data => {
                            data = false;
                            "250 taken\r\n"
                        }
                        _ if data => "",
                        "EHLO" => "250-here\r\n250 8BITMIME\r\n",
                        "RCPT" => recipient,
                        "DATA" => {
                            data = true;
                            "354 go on\r\n"
                        }
                        "QUIT" => "221 bye\r\n",
                        _ => "250 ok\r\n",
                    };
                    heard.lock().unwrap().push(line);
                    drop(stream.write_all(answer.as_bytes()));
                }
            }
        });
        Self { address, said }
    }

    async fn sent(&self, protection: Protection) -> Answer {
        let to = ["On call <oncall@example.com>".to_owned(), "ann@example.com".to_owned()];
        let from = ("drctl@example.com", to.as_slice());
        let mail = Mail::new("127.0.0.1", Some(self.address.port()), protection, None, from).unwrap();
        let mail = target("mail", Transport::Smtp(mail), &[]);
        let notice = Notice::trial("abcd", "ann", Timestamp::from_millis(0));
        mail.sender().send(&mail.worded(notice), Timestamp::from_millis(0)).await
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn mail_names_its_notice_so_that_a_second_one_shows() {
    let office = PostOffice::open("250 ok\r\n");
    let (first, second) = (office.sent(Protection::None).await, office.sent(Protection::None).await);
    assert!(matches!((&first, &second), (Answer::Taken(_), Answer::Taken(_))), "{first:?} {second:?}");
    let said = office.said();
    for part in [
        "MAIL FROM:<drctl@example.com>",
        "RCPT TO:<oncall@example.com>",
        "RCPT TO:<ann@example.com>",
        "Subject: drctl: test notice",
    ] {
        assert!(said.iter().any(|line| line.starts_with(part)), "{part}: {said:#?}");
    }
    let ids: Vec<_> = said.iter().filter(|line| line.starts_with("Message-ID: ")).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_gets_no_mail() {
    let office = PostOffice::open("250 ok\r\n");
    let answer = office.sent(Protection::StartTls).await;
    assert!(!matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert!(!office.said().iter().any(|line| line.starts_with("MAIL")), "{:?}", office.said());
}

#[tokio::test]
async fn a_refused_recipient_is_given_up_and_a_busy_server_tried_again() {
    let refused = PostOffice::open("550 nobody of that name\r\n").sent(Protection::None).await;
    assert!(matches!(&refused, Answer::Refused(why) if why.contains("nobody of that name")), "{refused:?}");
    let busy = PostOffice::open("451 later\r\n").sent(Protection::None).await;
    assert!(matches!(&busy, Answer::Later { why, .. } if why.contains("later")), "{busy:?}");
}

#[test]
fn nothing_leaves_this_machine_unprotected() {
    let to = ["ann@example.com".to_owned()];
    let mail =
        |host: &str, to: &[String]| Mail::new(host, None, Protection::None, None, ("d@example.com", to));
    assert!(mail("localhost", &to).is_ok());
    let error = mail("mail.example.com", &to).err().unwrap().to_string();
    assert!(error.contains("only for this machine"), "{error}");
    assert!(mail("localhost", &[]).err().unwrap().to_string().contains("nobody"));
    let error = mail("localhost", &["ann".to_owned()]).err().unwrap().to_string();
    assert!(error.contains("`ann`"), "{error}");
}
