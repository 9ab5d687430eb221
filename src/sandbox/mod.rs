//! The embedded authorization server: Semrush's and Ahrefs' endpoints at their real paths, and an ordinary
//! provider's under `/generic/`, on one loopback origin. It is as strict as the RFCs, so that a client that gets
//! through here has obeyed them; nothing it issues is good anywhere else.
//!
//! | room | what happens there |
//! |---|---|
//! | `message` | a request as plain values, an answer as plain values |
//! | `books` | what was handed out: device codes, authorization codes |
//! | `desk` | the books, and what the sandbox was told to do |
//! | `route` | which path is whose; Host, method and the faults that all endpoints share |
//! | `device` | RFC 8628: device codes, polls, the page where the user code is compared |
//! | `authorize` | RFC 6749 §4.1.1: authorization requests and consent |
//! | `code` | RFC 6749 §4.1.2 and RFC 7636: codes and their exchange |
//! | `token` | the token endpoints: which grants, which clients |
//! | `tokens` | grants, rotation, reuse detection, revocation |
//! | `client` | client authentication |
//! | `api` | the providers' APIs and their envelopes |
//! | `keys` | the providers of API keys |
//! | `fault` | scripted faults |
//! | `pages` | every page a person sees |
//!
//! The rooms are functions of what was asked, the desk and the time: no test of theirs needs a socket or a wait.

mod api;
mod authorize;
mod books;
mod client;
mod code;
mod desk;
mod device;
mod fault;
mod keys;
mod message;
mod options;
mod pages;
mod route;
#[cfg(test)]
mod tests;
mod token;
mod tokens;

use std::io;
use std::mem;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tiny_http::{Request, Server};

use desk::Desk;
use message::Asked;
pub use options::{Approve, FIRST, Options, PLAYED};

/// A running sandbox: it serves until the process ends.
pub struct Sandbox {
    origin: String,
    dispatcher: JoinHandle<()>,
}

struct Shared {
    desk: Mutex<Desk>,
    notice: Box<dyn Fn(&str) + Send + Sync>,
}

impl Sandbox {
    /// Binds 127.0.0.1, and nothing else, and serves from threads of its own.
    ///
    /// # Errors
    ///
    /// The port is taken or may not be used, or no thread could be had.
    pub fn start(options: Options) -> io::Result<Sandbox> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let origin = format!("http://{}", listener.local_addr()?);
        let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            desk: Mutex::new(Desk::new(&options, origin.clone())),
            notice: options.notice,
        });
        let dispatcher = thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || dispatch(&server, &shared))?;
        Ok(Sandbox { origin, dispatcher })
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Serves until the process ends, or until the listener is beyond help.
    pub fn wait(self) {
        self.dispatcher.join().ok();
    }
}

/// Gives each request a thread, until the server fails: a slow client delays nobody.
fn dispatch(server: &Server, shared: &Arc<Shared>) {
    while let Ok(request) = server.recv() {
        let shared = Arc::clone(shared);
        // Where no thread can be had, the request is dropped, which tiny_http answers with 500.
        thread::Builder::new()
            .name("sandbox request".to_owned())
            .spawn(move || serve(request, &shared))
            .ok();
    }
}

fn serve(mut request: Request, shared: &Shared) {
    let reply = match Asked::read(&mut request) {
        Ok(asked) => {
            // A panic in one request is no reason to refuse all later ones.
            let mut desk = shared.desk.lock().unwrap_or_else(PoisonError::into_inner);
            route::answer(&mut desk, &asked, Instant::now())
        }
        Err(refusal) => Some(refusal),
    };
    let Some(reply) = reply else {
        // Its connection stays open, without an answer, until its client or the process ends.
        mem::forget(request.into_writer());
        (shared.notice)("left a request without an answer, as scripted");
        return;
    };
    if let Some(line) = &reply.notice {
        (shared.notice)(line);
    }
    reply.send(request);
}
