//! What `doctor` says of each thing that commonly breaks, word for word.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

use crate::harness::bus::PrivateBus;
use crate::harness::certificates::Authority;
use crate::harness::home::{Ended, Home, SEO_AUTH, SandboxServer, built_in_at, ended};
use crate::harness::servers::{DeadPort, nginx, plain_nginx, tinyproxy};

/// Any free port, since a fixed one may be taken where the tests run.
const FREE_PORT: &str = "[providers.ahrefs]\nredirect_uri = \"http://127.0.0.1:0/callback\"\n";

/// A place to be checked: a home without a bus, a sandbox server, an authority that takes the place of the system's.
struct Place {
    home: Home,
    sandbox: SandboxServer,
    authority: Authority,
}

impl Place {
    fn new(config: &str) -> Self {
        let home = Home::new();
        home.configure(config);
        Self {
            sandbox: SandboxServer::start(&home, &[]),
            home,
            authority: Authority::named("The system's authority"),
        }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = self.home.command(line);
        // Whether there is a screen differs from machine to machine.
        command
            .env("SSL_CERT_FILE", self.authority.pem())
            .env("BROWSER", "/bin/true");
        command
    }

    fn doctor(&self) -> Command {
        self.command(&["doctor"])
    }

    /// Against the sandbox, so that nothing leaves the machine.
    fn sandboxed(&self) -> Command {
        self.sandbox.point(self.doctor())
    }

    /// The same for any command, on a private bus.
    fn on(&self, bus: &PrivateBus, line: &[&str]) -> Command {
        let mut command = self.sandbox.point(self.command(line));
        let kept = [
            "DBUS_SESSION_BUS_ADDRESS",
            "XDG_RUNTIME_DIR",
            "XDG_DATA_HOME",
        ];
        command.envs(
            bus.env()
                .into_iter()
                .filter(|(name, _)| kept.contains(name)),
        );
        command
    }

    /// What it said, with what differs from run to run taken out.
    fn told(&self, ended: &Ended) -> String {
        let text = ended
            .stdout
            .replace(&self.home.path().display().to_string(), "HOME")
            .replace(&self.authority.pem().display().to_string(), "CA")
            .replace(self.sandbox.origin(), "SANDBOX");
        assert_eq!(ended.stderr, "");
        text.lines().map(steady).map(|line| line + "\n").collect()
    }
}

/// A line without times, and without what this machine has or has not.
fn steady(line: &str) -> String {
    if line.contains("  loopback  ") {
        return "  (loopback)".to_owned();
    }
    if line.contains("  version  ") {
        return "  (version)".to_owned();
    }
    match line.rsplit_once(" (") {
        Some((rest, time)) if time.ends_with(" ms)") => format!("{rest} (N ms)"),
        _ => line.to_owned(),
    }
}

fn run(command: Command, code: i32) -> Ended {
    ended(command, "").expect(code)
}

#[test]
fn all_is_well() {
    let place = Place::new(FREE_PORT);
    let bus = PrivateBus::start();
    assert_snapshot!(place.told(&run(place.on(&bus, &["doctor"]), 0)));
    let object = run(place.on(&bus, &["doctor", "--json"]), 0).json();
    assert_eq!(object["schema"], "seo-auth.doctor.v1");
    assert_eq!(object["ok"], true);
    assert_eq!(object["exit_code"], 0);
    for finding in object["findings"].as_array().unwrap() {
        assert_eq!(finding["level"], "ok", "{finding}");
    }
}

#[test]
fn a_locked_keyring() {
    let place = Place::new(FREE_PORT);
    let bus = PrivateBus::start();
    bus.lock_collection();
    assert_snapshot!(place.told(&run(place.on(&bus, &["doctor"]), 0)));
    run(place.on(&bus, &["doctor", "--store", "keyring"]), 7);
}

#[test]
fn a_keyring_that_hangs() {
    let place = Place::new(FREE_PORT);
    let bus = PrivateBus::start();
    bus.stop_daemon();
    let ended = run(place.on(&bus, &["doctor", "--store", "keyring"]), 7);
    bus.continue_daemon();
    assert_snapshot!(place.told(&ended));
}

#[test]
fn no_keyring_on_the_bus() {
    let place = Place::new(FREE_PORT);
    let bus = PrivateBus::without_keyring();
    assert_snapshot!(place.told(&run(place.on(&bus, &["doctor"]), 0)));
    run(place.on(&bus, &["doctor", "--store", "keyring"]), 7);
}

#[test]
fn a_keyring_that_is_gone_with_logins_in_it() {
    let place = Place::new(FREE_PORT);
    let mut bus = PrivateBus::start();
    run(place.on(&bus, &["login", "semrush"]), 0);
    bus.kill_keyring();
    run(place.on(&bus, &["doctor", "--store", "file"]), 7);
    let object = run(place.on(&bus, &["doctor", "--json"]), 7).json();
    let keyring = &object["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["name"] == "keyring")
        .unwrap();
    assert_eq!(keyring["level"], "failure");
    assert!(
        keyring["what"]
            .as_str()
            .unwrap()
            .ends_with("; accounts stored there: 1"),
        "{keyring}"
    );
}

#[test]
fn a_machine_that_trusts_nobody_still_signs_in_on_loopback() {
    let place = Place::new(&format!("store = \"file\"\n{FREE_PORT}"));
    let mut doctor = place.sandboxed();
    doctor.env("SSL_CERT_FILE", "/dev/null");
    let told = place.told(&run(doctor, 0));
    for line in [
        "warning  authorities      SSL_CERT_FILE names /dev/null: it contains no certificate in PEM format",
        "warning  authorities      the HTTP client could not be set up: SSL_CERT_FILE names \"/dev/null\": it contains no certificate in PEM format",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let mut login = place.home.command(&["login", "semrush", "--sandbox"]);
    login.env("SSL_CERT_FILE", "/dev/null");
    run(login, 0);
    let authority = Authority::new();
    let server = nginx(
        &authority.issue("IP:127.0.0.1"),
        "location / { return 404; }",
    );
    place
        .home
        .configure(&moved_to(&format!("https://127.0.0.1:{}", server.port)));
    let mut doctor = place.doctor();
    doctor.env("SSL_CERT_FILE", "/dev/null");
    run(doctor, 2);
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let place = Place::new(&format!(
        "store = \"file\"\n[providers.ahrefs]\nredirect_uri = \"http://127.0.0.1:{port}/callback\"\n"
    ));
    let told = place.told(&run(place.sandboxed(), 2));
    let holder = format!(", pid {})", std::process::id());
    assert!(told.contains(&holder), "{told}");
    let (before, _) = told.split_once(&holder).unwrap();
    // The name of the thread that runs this test.
    let (_, name) = before.rsplit_once('(').unwrap();
    let told = told.replace(&format!("({name}{holder}"), "(HOLDER)");
    assert_snapshot!(told.replace(&port.to_string(), "PORT"));
}

#[test]
fn a_proxy_that_wants_a_password() {
    let place = Place::new(&format!("store = \"file\"\n{FREE_PORT}"));
    let proxy = tinyproxy(1, "BasicAuth someone letmein");
    let mut command = place.doctor();
    command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port));
    let told = place.told(&run(command, 6));
    assert_snapshot!(told.replace(&proxy.port.to_string(), "PORT"));
}

fn moved_to(origin: &str) -> String {
    format!("store = \"file\"\n{}", built_in_at(origin))
}

#[test]
fn an_unknown_authority_and_then_a_known_one() {
    let authority = Authority::new();
    let server = nginx(
        &authority.issue("IP:127.0.0.1"),
        "location / { return 404; }",
    );
    let place = Place::new(&moved_to(&format!("https://127.0.0.1:{}", server.port)));
    let without_ports = |told: String| told.replace(&server.port.to_string(), "PORT");
    assert_snapshot!(
        "unknown_authority",
        without_ports(place.told(&run(place.doctor(), 6)))
    );
    let mut command = place.doctor();
    command.env("SSL_CERT_FILE", authority.pem());
    let told = place.told(&run(command, 0));
    assert!(
        told.contains("answers, certificate by Corporate Inspection CA"),
        "{told}"
    );
}

#[test]
fn each_layer_of_the_network_is_told_apart() {
    // The kernel takes the connection, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    // No name in DNS (RFC 1035 §2.3.4), so the resolver asks nobody.
    let nowhere = "x".repeat(64);
    let dead = DeadPort::new();
    let plain = plain_nginx("location / { return 503; }");
    for (origin, told) in [
        (
            format!("https://{nowhere}.example"),
            "failure  ahrefs, semrush  the name ",
        ),
        (
            format!("https://127.0.0.1:{}", dead.port),
            "refused the connection",
        ),
        (
            format!("https://127.0.0.1:{}", plain.port),
            "failure  ahrefs, semrush  the TLS connection to ",
        ),
        (
            format!("http://127.0.0.1:{}", plain.port),
            "failure  ahrefs, semrush  127.0.0.1 is failing (503)",
        ),
        (format!("http://{silent}"), "did not answer in time"),
    ] {
        let place = Place::new(&moved_to(&origin));
        let text = place.told(&run(place.doctor(), 6));
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn a_clock_that_is_off() {
    let place = Place::new(&format!("store = \"file\"\n{FREE_PORT}"));
    let plain = place.sandboxed();
    let mut command = place.home.program("faketime");
    command.args(["-f", "+2h"]).arg(SEO_AUTH).arg("doctor");
    command.envs(
        plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    assert_snapshot!(place.told(&run(command, 0)));
}

#[test]
fn a_broken_configuration() {
    let place = Place::new(FREE_PORT);
    place
        .home
        .configure("# mine\nstore = \"file\"\n\n[providers.ahrefs]\nclient_idd = \"planted\"\n");
    let mut command = place.sandboxed();
    command.env("SEO_AUTH_STORE", "file");
    let told = place.told(&run(command, 2));
    // With the broken file, Ahrefs' own port is the one that is looked at, and it may be taken here.
    let told: String = told
        .lines()
        .filter(|line| !line.contains("ahrefs port"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_snapshot!(told);
}

#[test]
fn variables_are_named_and_their_values_are_not() {
    let place = Place::new(FREE_PORT);
    let mut command = place.sandboxed();
    let planted = "hunter2planted";
    for name in [
        "SEO_AUTH_SEMRUSH_TOKEN",
        "SEO_AUTH_AHREFS_CLIENT_SECRET",
        "SEO_AUTH_SEMRUSH_TOKN",
        "SEO_AUTH_TOKN",
        "SEO_AUTH_KEY",
    ] {
        command.env(name, planted);
    }
    command.env(
        "ALL_PROXY",
        format!("http://{planted}:{planted}@127.0.0.1:1"),
    );
    command.env("BROWSER", planted);
    let ended = ended(command, "");
    for told in [
        "SEO_AUTH_SEMRUSH_TOKEN is set: its token is used",
        "did you mean SEO_AUTH_SEMRUSH_TOKEN?",
        // No variable is like it.
        "unset it; the variables of a provider are SEO_AUTH_<PROVIDER>_TOKEN",
        "SEO_AUTH_AHREFS_CLIENT_SECRET",
        "ALL_PROXY is http://127.0.0.1:1, with user name and password",
        "SEO_AUTH_KEY is not a key",
    ] {
        assert!(ended.stdout.contains(told), "{told}: {}", ended.stdout);
    }
    assert!(!format!("{ended:?}").contains(planted), "{ended:?}");
    assert_eq!(ended.code, Some(2));
}

#[test]
fn files_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new(&format!("store = \"file\"\n{FREE_PORT}"));
    run(place.sandboxed(), 0);
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap()
    };
    open(&place.home.path().join(".config/seo-auth/file-store.key"));
    let told = place.told(&run(place.sandboxed(), 0));
    for line in [
        "other users can access HOME/.config/seo-auth/file-store.key (mode 0644)",
        "→ run `chmod go-rwx HOME/.config/seo-auth/file-store.key`",
    ] {
        assert!(told.contains(line), "{told}");
    }
}
