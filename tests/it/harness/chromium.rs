//! A real Chromium, driven over WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::browser::request;
use super::home::Home;

/// What WebDriver calls an element's reference.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long WebDriver looks for an element, in milliseconds: a page that has not come by then doesn't come.
const PATIENCE: u32 = 20_000;
/// Nothing but the page that is asked for: no sandbox of its own (tests run as root), no look-ups, no updates.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=900,700",
];

/// A browser with a profile of its own.
pub struct Chromium {
    driver: Child,
    session: String,
}

impl Chromium {
    /// Starts one in this home.
    pub fn start(home: &Home) -> Self {
        let mut driver = home
            .program("chromedriver")
            .arg("--port=0")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(driver.stdout.as_mut().unwrap());
        let port = stdout.lines().map_while(Result::ok).find_map(|line| {
            line.split("successfully on port ")
                .nth(1)
                .map(str::to_owned)
        });
        let port = port.unwrap();
        let base = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!(
            "--user-data-dir={}",
            home.path().join("chromium").display()
        ));
        let options = json!({"args": arguments});
        let timeouts = json!({"implicit": PATIENCE});
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "timeouts": timeouts,
        }}});
        let started = call("POST", &format!("{base}/session"), &wanted);
        let id = started["sessionId"].as_str().unwrap();
        Self {
            driver,
            session: format!("{base}/session/{id}"),
        }
    }

    /// Goes to an address and waits until the page is there.
    pub fn go(&self, url: &str) {
        self.post("url", &json!({"url": url}));
    }

    /// Presses the button with this text. The page that follows may not be there yet.
    pub fn press(&self, button: &str) {
        let element = self.find(&format!("//button[normalize-space()='{button}']"));
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Waits until a page with this headline is there.
    pub fn see(&self, headline: &str) {
        self.find(&format!("//h1[normalize-space()='{headline}']"));
    }

    /// Waits for an element; fails where it does not come.
    fn find(&self, xpath: &str) -> String {
        let found = self.post("element", &json!({"using": "xpath", "value": xpath}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// The address bar.
    pub fn address(&self) -> String {
        let url = call("GET", &format!("{}/url", self.session), &Value::Null);
        url.as_str().unwrap().to_owned()
    }

    /// What a script answers on the page.
    pub fn evaluate(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.post("execute/sync", &json!({"script": script, "args": []}))
    }

    /// The status that the page came with.
    pub fn status(&self) -> Value {
        self.evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
    }

    /// Puts a picture of the page under target/screenshots.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        use base64::Engine;
        let picture = call("GET", &format!("{}/screenshot", self.session), &Value::Null);
        let picture = base64::engine::general_purpose::STANDARD
            .decode(picture.as_str().unwrap())
            .unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        std::fs::write(&file, picture).unwrap();
        file
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        call("POST", &format!("{}/{command}", self.session), body)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Ends the browser and all of its processes, which the driver's end alone would not.
        let gone = std::panic::catch_unwind(|| request("DELETE", &self.session, ""));
        drop(gone);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn call(method: &str, url: &str, body: &Value) -> Value {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = request(method, url, &body);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{method} {url}: {answer}");
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["value"].take()
}
