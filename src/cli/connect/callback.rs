//! The way back from the consent page: a listener on this machine that takes one answer.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

/// Bytes of a request that are read at most.
const HEAD_MAX: usize = 16 * 1024;
/// How long the head of a request may take.
const HEAD_WAIT: Duration = Duration::from_secs(5);

/// What the consent page sent somebody back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The person agreed.
    Code(String),
    /// The person did not; in the third party's word.
    Denied(String),
}

/// A listener for the answer.
pub(super) struct Callback {
    listener: TcpListener,
    path: String,
    state: String,
}

impl Callback {
    /// Listens. `path` is where the answer comes in, `state` what it must carry.
    pub(super) async fn listen(address: SocketAddr, path: &str, state: &str) -> anyhow::Result<Callback> {
        let listener = TcpListener::bind(address).await;
        let listener = listener
            .with_context(|| format!("cannot listen on {address} for the way back; --listen names another address"))?;
        Ok(Callback { listener, path: path.to_owned(), state: state.to_owned() })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Waits for the answer. Whatever else comes in is refused, and waiting goes on; a connection on which nothing comes
    /// keeps nobody waiting.
    pub(super) async fn answer(&self) -> anyhow::Result<Answer> {
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted?;
                    visits.spawn(visit(stream, self.path.clone(), self.state.clone()));
                }
                Some(visited) = visits.join_next() => {
                    if let Ok(Some(answer)) = visited {
                        return Ok(answer);
                    }
                }
            }
        }
    }
}

/// One connection: what it brings, where that is the answer.
async fn visit(mut stream: TcpStream, path: String, state: String) -> Option<Answer> {
    let target = timeout(HEAD_WAIT, target(&mut stream)).await.ok()?.ok()??;
    match read(&target, &path, &state) {
        Ok(answer) => {
            let text = match &answer {
                Answer::Code(_) => "Signed in. You can close this page and go back to the terminal.",
                Answer::Denied(_) => "Not signed in. You can close this page and go back to the terminal.",
            };
            reply(&mut stream, "200 OK", text).await;
            Some(answer)
        }
        Err(why) => {
            reply(&mut stream, "400 Bad Request", &why).await;
            None
        }
    }
}

/// Reads the answer out of an address that a person copied from the browser.
pub(super) fn pasted(text: &str, state: &str) -> anyhow::Result<Answer> {
    let url = Url::parse(text.trim()).context("that is not the address the browser was sent to")?;
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    match read(&target, url.path(), state) {
        Ok(answer) => Ok(answer),
        Err(why) => bail!(why),
    }
}

fn read(target: &str, path: &str, state: &str) -> Result<Answer, String> {
    let (got_path, query) = target.split_once('?').unwrap_or((target, ""));
    if got_path != path {
        return Err("Nothing is here.".to_owned());
    }
    let member = |wanted: &str| {
        let found = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    };
    let got_state = member("state").unwrap_or_default();
    if !bool::from(got_state.as_bytes().ct_eq(state.as_bytes())) {
        return Err("This answer does not belong to the question that was asked last: start again.".to_owned());
    }
    match (member("code"), member("error")) {
        (_, Some(error)) => Ok(Answer::Denied(error)),
        (Some(code), None) => Ok(Answer::Code(code)),
        (None, None) => Err("There is no code in this answer.".to_owned()),
    }
}

/// The target of a GET request.
async fn target(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut more = [0; 2048];
        let count = stream.read(&mut more).await?;
        if count == 0 || head.len() + count > HEAD_MAX {
            return Ok(None);
        }
        head.extend_from_slice(&more[..count]);
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    Ok((words.next() == Some("GET")).then(|| words.next().unwrap_or_default().to_owned()))
}

async fn reply(stream: &mut TcpStream, status: &str, text: &str) {
    let body = format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>Interline</title>\n<p>{text}</p>\n");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Whoever does not wait for the page misses nothing.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, expected: Option<Answer>) {
        assert_eq!(read(target, "/callback", "s1").ok(), expected, "{target}");
    }

    #[test]
    fn only_the_answer_to_the_question_is_taken() {
        let code = |text: &str| Some(Answer::Code(text.to_owned()));
        check("/callback?code=abc%3D&state=s1", code("abc="));
        check("/callback?code=abc=&state=s1", code("abc="));
        check("/callback?state=s1&error=access_denied", Some(Answer::Denied("access_denied".to_owned())));
        check("/callback?code=abc&state=s2", None);
        check("/callback?code=abc", None);
        check("/callback?code=&state=s1", None);
        check("/other?code=abc&state=s1", None);
        check("/favicon.ico", None);
    }

    #[tokio::test]
    async fn what_comes_with_the_answer_does_not_hide_it() {
        for _ in 0..50 {
            let callback = Callback::listen("127.0.0.1:0".parse().unwrap(), "/callback", "s1").await.unwrap();
            let mut visitors = Vec::new();
            for target in ["/favicon.ico", "/robots.txt", "/callback?code=c&state=s1", "/favicon.ico"] {
                let mut stream = TcpStream::connect(callback.address().unwrap()).await.unwrap();
                stream.write_all(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
                visitors.push(stream);
            }
            let answer = timeout(Duration::from_secs(60), callback.answer()).await.expect("it is heard").unwrap();
            assert_eq!(answer, Answer::Code("c".to_owned()));
        }
    }

    #[test]
    fn an_address_can_be_pasted() {
        let answer = pasted(" https://localhost:1/back?code=a%3D%3D&state=s1\n", "s1").unwrap();
        assert_eq!(answer, Answer::Code("a==".to_owned()));
        assert!(pasted("abc", "s1").is_err());
        assert!(pasted("https://localhost:1/back?code=a&state=s2", "s1").is_err());
    }
}
