//! What the tests of the authorization code flow share: a browser of bytes, an authorization server of one answer, and an
//! [`Interaction`] that writes down what it was told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use url::Url;

use super::{AuthorizationPrompt, DevicePrompt, Interaction};

/// Sends these bytes and reads until the other side closes. What was read before a reset counts.
pub fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // The other side may answer and close before it has read all.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// What a browser sends when it goes to `url`.
pub fn visit(url: &Url) -> String {
    let address = url.socket_addrs(|| None).unwrap()[0];
    exchange(address, get(url).as_bytes())
}

/// The request of [`visit`].
pub fn get(url: &Url) -> String {
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\n\r\n")
}

/// The status of an answer.
pub fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

/// A token endpoint that answers once.
pub struct TokenEndpoint {
    pub origin: Url,
    request: JoinHandle<String>,
}

impl TokenEndpoint {
    /// With this status line and body.
    pub fn answering(status: &'static str, body: &'static str) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", socket.local_addr().unwrap());
        let request = thread::spawn(move || {
            let (mut stream, _) = socket.accept().unwrap();
            let request = read_form(&mut stream);
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            request
        });
        Self {
            origin: Url::parse(&origin).unwrap(),
            request,
        }
    }

    /// The form that it was sent.
    pub fn form(self) -> Vec<(String, String)> {
        let request = self.request.join().unwrap();
        url::form_urlencoded::parse(request.as_bytes())
            .into_owned()
            .collect()
    }
}

fn read_form(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return body.to_owned();
            }
        }
    }
}

/// What stands for the user: called with the authorization URL as soon as it is shown, on a thread of its own.
type User = Box<dyn FnOnce(Url) + Send>;

/// Writes down what it was told.
#[derive(Default)]
pub struct Told {
    pub prompts: Mutex<Vec<AuthorizationPrompt>>,
    pub warnings: Arc<Mutex<Vec<String>>>,
    user: Mutex<Option<User>>,
    warned: Mutex<Option<mpsc::Sender<()>>>,
}

impl Told {
    /// With a user who acts on the authorization URL.
    pub fn to(user: impl FnOnce(Url) + Send + 'static) -> Self {
        Self {
            user: Mutex::new(Some(Box::new(user))),
            ..Self::default()
        }
    }

    /// Lets a test wait for warnings.
    pub fn notify(&self) -> mpsc::Receiver<()> {
        let (warned, warnings) = mpsc::channel();
        *self.warned.lock().unwrap() = Some(warned);
        warnings
    }

    /// The one authorization URL that was shown.
    pub fn url(&self) -> Url {
        Url::parse(&self.prompts.lock().unwrap()[0].url).unwrap()
    }
}

impl Interaction for Told {
    fn device_code(&self, _: &DevicePrompt) {}

    fn authorization_url(&self, prompt: &AuthorizationPrompt) {
        self.prompts.lock().unwrap().push(prompt.clone());
        let url = Url::parse(&prompt.url).unwrap();
        if let Some(user) = self.user.lock().unwrap().take() {
            thread::spawn(move || user(url));
        }
    }

    fn waiting(&self, _: Duration, _: Option<&str>) {}

    fn warn(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.to_owned());
        if let Some(warned) = &*self.warned.lock().unwrap() {
            let _ = warned.send(());
        }
    }
}

/// The value of a parameter of a URL.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
