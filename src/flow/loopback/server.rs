//! The listener's thread: accepts, reads with bounds, judges, and answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::{HeaderMap, Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::event::{Claim, Event, Reply};
use crate::flow::callback::{Expected, Rejection};
use crate::flow::page::Page;

/// A browser sends its request at once. Long enough for one that was suspended for a moment, short enough for idle
/// connections to go by themselves.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// Headers of a request that is answered. Browsers send some 2 kB, but cookies are shared by all ports of a host: developers
/// gather dozens of kilobytes. They are read and dropped.
const HEADER_CAP: usize = 64 * 1_024;
/// Read at most, so that what exceeds [`HEADER_CAP`] gets a page; beyond it hyper answers a bare 431.
const READ_CAP: usize = 4 * HEADER_CAP;
/// Browsers send some 20 headers, proxies of companies and extensions add theirs; hyper's own bound is 100.
const MAX_HEADERS: usize = 1_000;
/// Held open at once; macOS gives a process 256 descriptors. One more, and the oldest that isn't the callback is closed.
const MAX_CONNECTIONS: usize = 100;
/// Accepted in one go before their requests are read: few enough that none is pushed out unread.
const BATCH: usize = 25;
/// After a refused `accept` where nothing of ours can be given up: the next one would meet the same.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Some ten seconds of nothing but refusals: the listener is dead.
const MAX_ACCEPT_FAILURES: u32 = 200;
/// What the other side still sends after our answer is read away, so that closing doesn't cut the answer off (a TCP reset):
/// so long, and so much.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

/// What all connections share.
pub(super) struct Server {
    pub expected: Expected,
    pub claim: Claim,
    pub events: tokio_mpsc::UnboundedSender<Event>,
}

/// One connection, as its task and the accepting loop see it.
#[derive(Default)]
struct Visit {
    /// It brought the callback: it is never closed to make room.
    claimed: AtomicBool,
    /// Dropped when the answer is written.
    writing: Mutex<Option<mpsc::Sender<()>>>,
}

impl Server {
    /// Serves until `stopped` is dropped, or accepting fails for good.
    pub fn run(self, sockets: Vec<StdListener>, stopped: oneshot::Receiver<()>) {
        let events = self.events.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build();
        let ended = runtime.and_then(|runtime| {
            runtime.block_on(async {
                let sockets = sockets.into_iter().map(adopt).collect::<io::Result<_>>()?;
                tokio::select! {
                    _ = stopped => Ok(()),
                    error = Arc::new(self).accept_all(sockets) => Err(error),
                }
            })
        });
        if let Err(error) = ended {
            // Where nobody hears it, nobody waits for it.
            let _ = events.send(Event::Died(error.to_string()));
        }
    }

    /// Answers with why it ended.
    async fn accept_all(self: Arc<Self>, sockets: Vec<TcpListener>) -> io::Error {
        let mut guests = Guests::default();
        let (mut failures, mut accepted) = (0, 0_usize);
        loop {
            match accept_any(&sockets).await {
                Ok(stream) => {
                    failures = 0;
                    let visit = Arc::new(Visit::default());
                    let task = tokio::spawn(Arc::clone(&self).receive(stream, Arc::clone(&visit)));
                    guests.admit(task, visit);
                    accepted = accepted.wrapping_add(1);
                    if accepted % BATCH == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                // The other side left before we came; nothing of ours failed.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    failures += 1;
                    if failures >= MAX_ACCEPT_FAILURES {
                        return error;
                    }
                    // Out of descriptors, mostly. Closed when their tasks are next run.
                    match guests.dismiss_half() {
                        true => tokio::task::yield_now().await,
                        false => sleep(ACCEPT_PAUSE).await,
                    }
                }
            }
        }
    }

    /// One connection from its first byte to its end.
    async fn receive(self: Arc<Self>, stream: TcpStream, visit: Arc<Visit>) {
        let service = service_fn(|request| Box::pin(self.answer(request, &visit)));
        let mut connection = http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(READ_CAP)
            .max_headers(MAX_HEADERS)
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_DEADLINE)
            .serve_connection(TokioIo::new(stream), service);
        // An error was answered by hyper (400, 414, 431) as far as it could be; there is nothing to add but why.
        let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
        if ended.is_err_and(|error| error.is_parse_too_large()) {
            let _ = self.events.send(Event::Refused(Rejection::TooLarge));
        }
        let mut stream = connection.into_parts().io.into_inner();
        // A browser that has left is not waited for.
        let _ = stream.shutdown().await;
        visit.writing().take();
        let _ = timeout(LINGER, copy(&mut stream.take(LINGER_BYTES), &mut sink())).await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        visit: &Visit,
    ) -> Result<Response<String>, Infallible> {
        let judged = match size_of(request.headers()) > HEADER_CAP {
            true => Err(Rejection::TooLarge),
            false => self
                .expected
                .judge(request.method(), request.uri(), request.headers()),
        };
        let page = match judged {
            Err(rejection) => {
                // Browsers ask for an icon by themselves.
                if rejection != Rejection::NotFound {
                    let _ = self.events.send(Event::Refused(rejection));
                }
                Page::rejected(rejection)
            }
            Ok(_) if !self.claim.take() => Page::already_answered(),
            Ok(outcome) => {
                visit.claimed.store(true, Ordering::Release);
                let (page, chosen) = oneshot::channel();
                let (writing, written) = mpsc::channel();
                *visit.writing() = Some(writing);
                // Where the login is gone, so is the sender of the page.
                let _ = self
                    .events
                    .send(Event::Callback(outcome, Reply { page, written }));
                chosen.await.unwrap_or_else(|_| ended_early())
            }
        };
        Ok(page.into_response())
    }
}

fn size_of(headers: &HeaderMap) -> usize {
    let sizes = headers.iter();
    sizes
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

fn ended_early() -> Page {
    let reason = "seo-auth ended before it could finish.";
    Page::failed("the provider", StatusCode::INTERNAL_SERVER_ERROR, reason)
}

impl Visit {
    fn writing(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<()>>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The open connections, oldest first.
#[derive(Default)]
struct Guests(VecDeque<(JoinHandle<()>, Arc<Visit>)>);

impl Guests {
    fn admit(&mut self, task: JoinHandle<()>, visit: Arc<Visit>) {
        self.0.retain(|(task, _)| !task.is_finished());
        if self.0.len() >= MAX_CONNECTIONS {
            self.dismiss_oldest();
        }
        self.0.push_back((task, visit));
    }

    /// Closes the older half, so that the exchange of the code finds a descriptor too; `false` where none is dispensable.
    fn dismiss_half(&mut self) -> bool {
        self.0.retain(|(task, _)| !task.is_finished());
        let half = self.0.len().div_ceil(2);
        (0..half).filter(|_| self.dismiss_oldest()).count() > 0
    }

    /// Closes the oldest connection that is dispensable; `false` where there is none.
    fn dismiss_oldest(&mut self) -> bool {
        let dispensable = |(_, visit): &(_, Arc<Visit>)| !visit.claimed.load(Ordering::Acquire);
        let oldest = self.0.iter().position(dispensable);
        let Some((task, _)) = oldest.and_then(|index| self.0.remove(index)) else {
            return false;
        };
        task.abort();
        true
    }
}

fn adopt(socket: StdListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// The next connection of whichever family.
async fn accept_any(sockets: &[TcpListener]) -> io::Result<TcpStream> {
    poll_fn(|context| {
        for socket in sockets {
            if let Poll::Ready(accepted) = socket.poll_accept(context) {
                return Poll::Ready(accepted.map(|(stream, _)| stream));
            }
        }
        Poll::Pending
    })
    .await
}
