//! The shared store, on a real OpenBao: a fleet on one grant, and what each kind of trouble is told as.

mod stale;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::api::{ApiServer, Asked, Reply, json as answer};
use crate::harness::home::{Ended, Home, ended};

/// A server in memory, unsealed, with an engine at `secret/`.
struct Bao {
    child: Child,
    address: String,
}

fn bao() -> Command {
    Command::new(
        std::env::var_os("SEO_AUTH_TEST_BAO").expect("SEO_AUTH_TEST_BAO names OpenBao's program"),
    )
}

impl Bao {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let listen = format!("-dev-listen-address=127.0.0.1:{port}");
        let mut child = bao()
            .args([
                "server",
                "-dev",
                "-dev-no-store-token",
                "-dev-root-token-id=root",
                &listen,
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Said when it is unsealed and its engine is mounted.
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Development mode should NOT be used")));
        thread::spawn(move || lines.for_each(drop));
        let server = Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
        };
        // Every write of ours is a check-and-set, and so nobody else's may be less.
        server.run(&["write", "secret/config", "cas_required=true"]);
        server
    }

    fn run(&self, args: &[&str]) -> String {
        let output = bao()
            .args(args)
            .env("BAO_ADDR", &self.address)
            .env("BAO_TOKEN", "root")
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A token with this policy.
    fn token(&self, name: &str, policy: &str) -> String {
        let mut write = bao()
            .args(["policy", "write", name, "-"])
            .env("BAO_ADDR", &self.address)
            .env("BAO_TOKEN", "root")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        write
            .stdin
            .take()
            .unwrap()
            .write_all(policy.as_bytes())
            .unwrap();
        assert!(write.wait().unwrap().success());
        self.run(&["token", "create", "-policy", name, "-field", "token"])
            .trim()
            .to_owned()
    }

    fn point(&self, mut command: Command) -> Command {
        command
            .env("VAULT_ADDR", &self.address)
            .env("VAULT_TOKEN", "root")
            .env("SEO_AUTH_STORE", "vault");
        command
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As the README has it.
const READER: &str = r#"path "secret/data/seo-auth/+/+/token" { capabilities = ["read"] }"#;

/// A provider whose refresh tokens are good once; one that comes twice ends the grant.
struct Provider {
    server: ApiServer,
}

#[derive(Default)]
struct Grant {
    current: usize,
    dead: bool,
    refreshes: usize,
    /// How long an answer takes.
    takes: Duration,
}

impl Provider {
    fn start(expires_in: u32) -> (Self, std::sync::Arc<Mutex<Grant>>) {
        let grant = std::sync::Arc::new(Mutex::new(Grant::default()));
        let state = std::sync::Arc::clone(&grant);
        let server = ApiServer::start(move |asked: &Asked| -> Reply {
            let mut grant = state.lock().unwrap();
            let sent = format!("refresh_token=rt-{}", grant.current);
            if grant.dead || !asked.body.split('&').any(|pair| pair == sent) {
                grant.dead = true;
                return answer(400, r#"{"error":"invalid_grant"}"#);
            }
            grant.current += 1;
            grant.refreshes += 1;
            let body = json!({
                "access_token": format!("at-{}", grant.current), "token_type": "Bearer", "expires_in": expires_in,
                "refresh_token": format!("rt-{}", grant.current),
            });
            let takes = grant.takes;
            drop(grant);
            thread::sleep(takes);
            answer(200, &body.to_string())
        });
        (Self { server }, grant)
    }

    fn configure(&self, home: &Home) {
        let origin = self.server.origin();
        home.configure(&format!(
            "[providers.idp]\nclient_id = \"app\"\ntoken_endpoint = \"{origin}/token\"\n\
             device_authorization_endpoint = \"{origin}/device\"\n"
        ));
    }

    /// The login, whose token has expired, as an export of another machine.
    fn login(&self) -> String {
        json!({
            "schema": "seo-auth.token.v1", "provider": "idp", "access_token": "at-0", "token_type": "Bearer",
            "expires_at_epoch": 1, "obtained_at_epoch": 0, "refresh_token": "rt-0", "issuer": self.server.origin(),
            "client_id": "app",
        })
        .to_string()
    }
}

fn run(bao: &Bao, home: &Home, args: &[&str], stdin: &str) -> Ended {
    ended(bao.point(home.command(args)), stdin)
}

fn signed_in(bao: &Bao, provider: &Provider) -> Home {
    let home = Home::new();
    provider.configure(&home);
    run(
        bao,
        &home,
        &["login", "idp", "--with-token"],
        &provider.login(),
    )
    .expect(0);
    home
}

/// A store, a provider, and the machine that signed in.
struct Fleet {
    bao: Bao,
    provider: Provider,
    grant: std::sync::Arc<Mutex<Grant>>,
    home: Home,
}

impl Fleet {
    fn start(expires_in: u32) -> Self {
        let bao = Bao::start();
        let (provider, grant) = Provider::start(expires_in);
        let home = signed_in(&bao, &provider);
        Self {
            bao,
            provider,
            grant,
            home,
        }
    }
}

/// A runner that may read `token` alone.
struct Reader<'b> {
    bao: &'b Bao,
    home: Home,
    token: String,
}

impl<'b> Reader<'b> {
    fn of(bao: &'b Bao, provider: &Provider) -> Self {
        let home = Home::new();
        provider.configure(&home);
        let token = bao.token("reader", READER);
        Self { bao, home, token }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bao.point(self.home.command(args));
        command.env("VAULT_TOKEN", &self.token);
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args), "")
    }
}

fn runners(bao: &Bao, provider: &Provider, count: usize) -> Vec<(Home, Command)> {
    (0..count)
        .map(|_| {
            let home = Home::new();
            provider.configure(&home);
            let command = bao.point(home.command(&["token", "print", "idp"]));
            (home, command)
        })
        .collect()
}

fn outputs(runners: Vec<(Home, Command)>) -> Vec<Output> {
    let children: Vec<_> = runners
        .into_iter()
        .map(|(home, mut command)| (home, command.spawn().unwrap()))
        .collect();
    children
        .into_iter()
        .map(|(_home, child)| child.wait_with_output().unwrap())
        .collect()
}

const GRANT: &str = "secret/seo-auth/idp/default/grant";
const TOKEN: &str = "secret/seo-auth/idp/default/token";

fn held(bao: &Bao, path: &str) -> String {
    bao.run(&["kv", "get", "-format=json", path])
}

/// How many versions of a secret can still be read; the newest is always one of them.
fn readable(bao: &Bao, path: &str) -> usize {
    let metadata = bao.run(&["kv", "metadata", "get", "-format=json", path]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let data = &metadata["data"];
    let versions = data["versions"].as_object().unwrap();
    assert_eq!(
        versions[&data["current_version"].to_string()]["destroyed"],
        false,
        "{data}"
    );
    let readable = versions
        .values()
        .filter(|state| state["destroyed"] == false);
    readable.count()
}

#[test]
fn ten_runners_on_an_expired_token_refresh_once() {
    let Fleet {
        bao,
        provider,
        grant,
        home: _home,
    } = Fleet::start(3_600);
    for output in outputs(runners(&bao, &provider, 10)) {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "at-1\n",
            "{output:?}"
        );
    }
    let grant = grant.lock().unwrap();
    assert_eq!((grant.refreshes, grant.dead), (1, false));
}

#[test]
fn a_holder_that_died_is_taken_over() {
    let Fleet {
        bao,
        provider,
        grant,
        home,
    } = Fleet::start(3_600);
    // Killed after its claim and before it asked anybody: nothing is lost.
    let hang = ApiServer::start(|_| Reply::Hang);
    let other = Home::new();
    other.configure(&format!(
        "[providers.idp]\nclient_id = \"app\"\ntoken_endpoint = \"{}/token\"\ndevice_authorization_endpoint = \"{}/d\"\n",
        provider.server.origin(),
        hang.origin()
    ));
    grant.lock().unwrap().takes = Duration::from_millis(60_000);
    let mut holder = bao
        .point(other.command(&["token", "print", "idp"]))
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !held(&bao, GRANT).contains("\"holder\"") {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    grant.lock().unwrap().takes = Duration::ZERO;
    let was_sent = grant.lock().unwrap().refreshes;
    let next = run(&bao, &home, &["token", "print", "idp"], "");
    // Where the request had been answered already, nobody has the new token: the provider says so, once.
    match was_sent {
        0 => assert_eq!(next.expect(0).stdout, "at-1\n"),
        _ => {
            next.expect(4);
            run(&bao, &home, &["token", "print", "idp"], "").expect(4);
        }
    }
}

#[test]
fn one_request_prints_a_valid_token_and_reading_it_is_enough() {
    let Fleet {
        bao,
        provider,
        home,
        ..
    } = Fleet::start(3_600);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let reader = Reader::of(&bao, &provider);
    let printed = reader.run(&["token", "print", "idp"]).expect(0);
    assert_eq!(printed.stdout, "at-1\n");
    let exec = reader.run(&["exec", "idp", "--", "sh", "-c", "echo $IDP_ACCESS_TOKEN"]);
    assert_eq!(exec.expect(0).stdout, "at-1\n");
    let refused = reader.run(&["token", "refresh", "idp"]).expect(7);
    assert!(
        refused
            .stderr
            .contains("secret/data/seo-auth/idp/default/grant"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("read"), "{refused:?}");
    // As any other reader of the engine sees it.
    let plain: Value = serde_json::from_str(&held(&bao, TOKEN)).unwrap();
    let data = &plain["data"]["data"];
    assert_eq!(data["access_token"], "at-1");
    assert_eq!(data["token_type"], "Bearer");
    assert!(
        data["expires_at"].as_str().unwrap().ends_with('Z'),
        "{data}"
    );
    assert!(
        data["scope"].is_string() && data.get("refresh_token").is_none(),
        "{data}"
    );
}

#[test]
fn a_reader_waits_for_whoever_refreshes() {
    let Fleet {
        bao,
        provider,
        home,
        ..
    } = Fleet::start(3_600);
    let reader = Reader::of(&bao, &provider);
    let mut waiting = reader
        .command(&["token", "print", "idp", "-v"])
        .spawn()
        .unwrap();
    let mut told = BufReader::new(waiting.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(told.any(|line| line.contains("so it is refreshed")));
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "at-1\n");
}

#[test]
fn each_trouble_has_its_reason_in_ten_seconds() {
    let Fleet {
        bao,
        provider,
        home,
        ..
    } = Fleet::start(3_600);
    let print = |change: &dyn Fn(&mut Command)| {
        let mut command = bao.point(home.command(&["token", "print", "idp"]));
        change(&mut command);
        let begun = Instant::now();
        let ended = ended(command, "").expect(7);
        assert!(begun.elapsed() < Duration::from_secs(10), "{ended:?}");
        assert_eq!(ended.stdout, "");
        ended.stderr
    };
    let set = |name: &'static str, value: String| {
        move |command: &mut Command| {
            command.env(name, &value);
        }
    };
    assert!(
        print(&set("VAULT_ADDR", "http://127.0.0.1:9".to_owned())).contains("can't be reached")
    );
    assert!(print(&set("VAULT_TOKEN", "wrong".to_owned())).contains("token is wrong"));
    let nobody = bao.token(
        "nobody",
        r#"path "secret/data/other" { capabilities = ["read"] }"#,
    );
    let told = print(&set("VAULT_TOKEN", nobody));
    assert!(
        told.contains("capability to read secret/data/seo-auth/idp/default/token"),
        "{told}"
    );
    provider.configure(&home);
    let file = home.path().join(".config/seo-auth/config.toml");
    let config = fs::read_to_string(&file).unwrap();
    home.configure(&format!("{config}[vault]\nmount = \"nowhere\"\n"));
    assert!(print(&|_| {}).contains("no engine at the mount `nowhere`"));
    home.configure(&config);
    let stop = |signal: &str| {
        let killed = Command::new("kill")
            .args([signal, &bao.child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    };
    stop("-STOP");
    let told = print(&|_| {});
    stop("-CONT");
    assert!(told.contains("did not answer within"), "{told}");
    bao.run(&["operator", "seal"]);
    assert!(print(&|_| {}).contains("it is sealed"));
}

#[test]
fn a_login_moves_there_and_back() {
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = Home::new();
    provider.configure(&home);
    home.run_with_stdin(
        &["login", "idp", "--with-token", "--store", "file"],
        &provider.login(),
    )
    .expect(0);
    run(&bao, &home, &["move", "idp", "--to", "vault"], "").expect(0);
    let status = run(&bao, &home, &["status", "--json"], "").expect(0).json();
    assert_eq!(status["accounts"][0]["store"], "vault", "{status}");
    assert_eq!(
        run(&bao, &home, &["token", "print", "idp"], "")
            .expect(0)
            .stdout,
        "at-1\n"
    );
    // A failure leaves it where it is.
    bao.run(&["operator", "seal"]);
    run(&bao, &home, &["move", "idp", "--to", "file"], "").expect(7);
    drop(bao);
    let bao = Bao::start();
    let home = signed_in(&bao, &provider);
    run(&bao, &home, &["move", "idp", "--to", "file"], "").expect(0);
    let object = run(&bao, &home, &["move", "idp", "--to", "file", "--json"], "")
        .expect(0)
        .json();
    assert_eq!(object["moved"], false);
    assert!(
        run(&bao, &home, &["status", "--json"], "").expect(0).json()["accounts"][0]["store"]
            == "file"
    );
    run(&bao, &home, &["move", "idp", "--to", "nowhere"], "").expect(2);
}

#[test]
fn a_logout_leaves_no_readable_version() {
    let Fleet {
        bao,
        provider,
        home,
        ..
    } = Fleet::start(3_600);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    run(&bao, &home, &["logout", "idp"], "").expect(0);
    run(&bao, &home, &["token", "print", "idp"], "").expect(4);
    for path in [GRANT, TOKEN] {
        assert_eq!(readable(&bao, path), 1);
        let held = held(&bao, path);
        assert!(!held.contains("rt-1") && !held.contains("at-1"), "{held}");
    }
    // The counter goes on, and so does the generation.
    run(
        &bao,
        &home,
        &["login", "idp", "--with-token"],
        &provider.login(),
    )
    .expect(0);
    run(&bao, &home, &["status"], "").expect(0);
}

#[test]
fn a_store_that_was_rolled_back_is_refused() {
    let Fleet {
        bao,
        provider: _provider,
        grant,
        home,
    } = Fleet::start(1);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    for path in [GRANT, TOKEN] {
        bao.run(&["kv", "rollback", "-version=1", path]);
    }
    let refreshes = grant.lock().unwrap().refreshes;
    let told = run(&bao, &home, &["token", "print", "idp"], "").expect(7);
    assert!(told.stderr.contains("rolled back"), "{told:?}");
    assert_eq!(grant.lock().unwrap().refreshes, refreshes);
}

#[test]
fn runners_sign_in_by_approle_and_jwt_free_of_a_token() {
    let Fleet {
        bao,
        provider,
        home,
        ..
    } = Fleet::start(3_600);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    bao.token("reader", READER);
    bao.run(&["auth", "enable", "approle"]);
    bao.run(&["write", "auth/approle/role/runner", "token_policies=reader"]);
    let role = bao.run(&["read", "-field=role_id", "auth/approle/role/runner/role-id"]);
    let secret = bao.run(&[
        "write",
        "-f",
        "-field=secret_id",
        "auth/approle/role/runner/secret-id",
    ]);
    let runner = Home::new();
    provider.configure(&runner);
    let config = fs::read_to_string(runner.path().join(".config/seo-auth/config.toml")).unwrap();
    runner.configure(&format!("{config}[vault]\nauth = \"approle\"\n"));
    let mut command = bao.point(runner.command(&["token", "print", "idp"]));
    command
        .env_remove("VAULT_TOKEN")
        .env("VAULT_ROLE_ID", role.trim())
        .env("VAULT_SECRET_ID", secret.trim());
    assert_eq!(ended(command, "").expect(0).stdout, "at-1\n");
    let mut command = bao.point(runner.command(&["token", "print", "idp"]));
    command
        .env("VAULT_ROLE_ID", role.trim())
        .env("VAULT_SECRET_ID", "planted-wrong");
    let told = ended(command, "").expect(7);
    assert!(told.stderr.contains("refused the login"), "{told:?}");
    assert!(!told.stderr.contains("planted"), "{told:?}");
}

#[test]
fn what_is_due_is_refreshed_and_nothing_else() {
    let Fleet {
        bao,
        provider: _provider,
        grant,
        home,
    } = Fleet::start(3_600);
    let all = ["token", "refresh", "--all", "--min-valid", "30m"];
    run(&bao, &home, &all, "").expect(0);
    run(&bao, &home, &all, "").expect(0);
    assert_eq!(grant.lock().unwrap().refreshes, 1);
    run(
        &bao,
        &home,
        &["token", "refresh", "--all", "--min-valid", "2h"],
        "",
    )
    .expect(0);
    assert_eq!(grant.lock().unwrap().refreshes, 2);
}
