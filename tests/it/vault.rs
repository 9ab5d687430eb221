//! The shared store, on a real OpenBao: a fleet on one grant, and what each kind of trouble is told as.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
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

#[test]
fn ten_runners_on_an_expired_token_refresh_once() {
    let bao = Bao::start();
    let (provider, grant) = Provider::start(3_600);
    signed_in(&bao, &provider);
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
    let bao = Bao::start();
    let (provider, grant) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
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
    while !bao
        .run(&[
            "kv",
            "get",
            "-format=json",
            "secret/seo-auth/idp/default/grant",
        ])
        .contains("\"holder\"")
    {
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
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let reader = bao.token("reader", READER);
    let runner = Home::new();
    provider.configure(&runner);
    let print = |args: &[&str]| {
        let mut command = bao.point(runner.command(args));
        command.env("VAULT_TOKEN", &reader);
        ended(command, "")
    };
    assert_eq!(print(&["token", "print", "idp"]).expect(0).stdout, "at-1\n");
    let exec = print(&["exec", "idp", "--", "sh", "-c", "echo $IDP_ACCESS_TOKEN"]);
    assert_eq!(exec.expect(0).stdout, "at-1\n");
    let refused = print(&["token", "refresh", "idp"]).expect(7);
    assert!(
        refused
            .stderr
            .contains("secret/data/seo-auth/idp/default/grant"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("read"), "{refused:?}");
    // As any other reader of the engine sees it.
    let plain: Value = serde_json::from_str(&bao.run(&[
        "kv",
        "get",
        "-format=json",
        "secret/seo-auth/idp/default/token",
    ]))
    .unwrap();
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
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    let reader = bao.token("reader", READER);
    let runner = Home::new();
    provider.configure(&runner);
    let mut command = bao.point(runner.command(&["token", "print", "idp", "-v"]));
    command.env("VAULT_TOKEN", &reader);
    let mut waiting = command.spawn().unwrap();
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
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
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
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    run(&bao, &home, &["logout", "idp"], "").expect(0);
    run(&bao, &home, &["token", "print", "idp"], "").expect(4);
    for secret in ["token", "grant"] {
        let path = format!("secret/seo-auth/idp/default/{secret}");
        let metadata: Value =
            serde_json::from_str(&bao.run(&["kv", "metadata", "get", "-format=json", &path]))
                .unwrap();
        let data = &metadata["data"];
        let current = data["current_version"].as_u64().unwrap();
        for (version, state) in data["versions"].as_object().unwrap() {
            let is_tombstone = version.parse::<u64>().unwrap() == current;
            assert_eq!(
                state["destroyed"], !is_tombstone,
                "{secret} {version}: {state}"
            );
        }
        let held = bao.run(&["kv", "get", "-format=json", &path]);
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
    let bao = Bao::start();
    let (provider, grant) = Provider::start(1);
    let home = signed_in(&bao, &provider);
    let grant_path = "secret/seo-auth/idp/default/grant";
    let token_path = "secret/seo-auth/idp/default/token";
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    for path in [grant_path, token_path] {
        bao.run(&["kv", "rollback", "-version=1", path]);
    }
    let refreshes = grant.lock().unwrap().refreshes;
    let told = run(&bao, &home, &["token", "print", "idp"], "").expect(7);
    assert!(told.stderr.contains("rolled back"), "{told:?}");
    assert_eq!(grant.lock().unwrap().refreshes, refreshes);
}

#[test]
fn runners_sign_in_by_approle_and_jwt_free_of_a_token() {
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
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
    let bao = Bao::start();
    let (provider, grant) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
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

/// In front of a server: the first reads after each write are answered as before it, as a standby that lags answers them.
fn lagging(bao: &Bao, reads: usize) -> ApiServer {
    let address = bao.address.strip_prefix("http://").unwrap().to_owned();
    let stale = Mutex::new(std::collections::HashMap::<String, Vec<Vec<u8>>>::new());
    ApiServer::start(move |asked: &Asked| -> Reply {
        let mut stale = stale.lock().unwrap();
        if asked.method == "GET" {
            let before = stale.get_mut(&asked.target).and_then(Vec::pop);
            return Reply::Raw(before.unwrap_or_else(|| forward(&address, asked)));
        }
        let look = Asked {
            method: "GET".to_owned(),
            body: String::new(),
            ..asked.clone()
        };
        let before = forward(&address, &look);
        stale.insert(asked.target.clone(), vec![before; reads]);
        Reply::Raw(forward(&address, asked))
    })
}

fn forward(address: &str, asked: &Asked) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let token = asked.header("x-vault-token").unwrap_or_default();
    write!(
        stream,
        "{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Vault-Token: {token}\r\nContent-Length: {}\r\n\r\n{}",
        asked.method,
        asked.target,
        asked.body.len(),
        asked.body
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

const GRANT: &str = "secret/seo-auth/idp/default/grant";
const TOKEN: &str = "secret/seo-auth/idp/default/token";

fn held(bao: &Bao, path: &str) -> String {
    bao.run(&["kv", "get", "-format=json", path])
}

#[test]
fn a_standby_that_lags_loses_nothing() {
    let bao = Bao::start();
    let (provider, grant) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    let standby = lagging(&bao, 3);
    let through = |args: &[&str], stdin: &str| {
        let mut command = bao.point(home.command(args));
        command.env("VAULT_ADDR", standby.origin());
        ended(command, stdin)
    };
    through(&["token", "refresh", "idp"], "").expect(0);
    let print = ["token", "print", "idp"];
    assert_eq!(through(&print, "").expect(0).stdout, "at-1\n");
    // The claim was given up by the one who had it.
    assert!(!held(&bao, GRANT).contains("holder"));

    // Another account's login in its place: from here on nobody has the token of before.
    let other = provider
        .login()
        .replace("at-0", "other")
        .replace(":1,", ":4102444800,");
    through(&["login", "idp", "--with-token", "--replace"], &other).expect(0);
    assert!(held(&bao, TOKEN).contains("other"));
    assert_eq!(through(&print, "").expect(0).stdout, "other\n");

    through(&["logout", "idp"], "").expect(0);
    for path in [GRANT, TOKEN] {
        let metadata = bao.run(&["kv", "metadata", "get", "-format=json", path]);
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let versions = metadata["data"]["versions"].as_object().unwrap();
        let readable = versions
            .values()
            .filter(|state| state["destroyed"] == false);
        assert_eq!(readable.count(), 1, "{metadata}");
        assert!(!held(&bao, path).contains("other"));
    }
    assert!(!grant.lock().unwrap().dead);
}

#[test]
fn a_token_whose_writer_died_is_written_by_the_next() {
    let bao = Bao::start();
    let (provider, grant) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let newcomer = Home::new();
    provider.configure(&newcomer);
    let commands: [(&Home, &[&str]); 3] = [
        (&home, &["token", "print", "idp"]),
        (&home, &["token", "refresh", "--all", "--min-valid", "30m"]),
        (&newcomer, &["token", "print", "idp"]),
    ];
    for (home, args) in commands {
        // As between the two writes of a refresh.
        bao.run(&["kv", "rollback", "-version=1", TOKEN]);
        assert!(held(&bao, TOKEN).contains("at-0"));
        run(&bao, home, args, "").expect(0);
        assert!(held(&bao, TOKEN).contains("at-1"), "{args:?}");
    }
    assert_eq!(grant.lock().unwrap().refreshes, 1);
}

#[test]
fn a_login_mends_a_store_that_was_rolled_back_or_emptied() {
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let login = provider
        .login()
        .replace("at-0", "again")
        .replace(":1,", ":4102444800,");
    for break_it in [
        ["kv", "rollback", "-version=1"],
        ["kv", "metadata", "delete"],
    ]
    .map(|words| words.to_vec())
    {
        for path in [GRANT, TOKEN] {
            bao.run(&[&break_it[..], &[path]].concat());
        }
        run(
            &bao,
            &home,
            &["login", "idp", "--with-token", "--replace"],
            &login,
        )
        .expect(0);
        let printed = run(&bao, &home, &["token", "print", "idp"], "").expect(0);
        assert_eq!(printed.stdout, "again\n");
    }
}

#[test]
fn a_login_moves_after_a_refresh_that_is_under_way() {
    let bao = Bao::start();
    let (provider, grant) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    let runner = Home::new();
    provider.configure(&runner);
    grant.lock().unwrap().takes = Duration::from_millis(1_500);
    let mut command = bao.point(runner.command(&["token", "print", "idp"]));
    let refreshing = command.spawn().unwrap();
    let begun = Instant::now();
    while !held(&bao, GRANT).contains("holder") {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    run(&bao, &home, &["move", "idp", "--to", "file"], "").expect(0);
    grant.lock().unwrap().takes = Duration::ZERO;
    let output = refreshing.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "at-1\n");
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    assert!(!grant.lock().unwrap().dead);
    run(&bao, &runner, &["token", "print", "idp"], "").expect(4);
}

#[test]
fn a_shared_login_ends_only_where_its_end_is_asked_for() {
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let left = run(&bao, &home, &["logout", "--all"], "").expect(0);
    assert!(left.stderr.contains("seo-auth logout idp"), "{left:?}");
    run(&bao, &home, &["token", "print", "idp"], "").expect(0);
    let ended = run(&bao, &home, &["logout", "--all", "--store", "vault"], "").expect(0);
    assert!(
        ended
            .stderr
            .contains("from the shared store, for all machines"),
        "{ended:?}"
    );
    run(&bao, &home, &["token", "print", "idp"], "").expect(4);
}

/// Who renews the login, and until when, is another machine's to know.
#[test]
fn a_reader_is_not_told_to_sign_in() {
    let bao = Bao::start();
    let (provider, _) = Provider::start(3_600);
    let home = signed_in(&bao, &provider);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let reader = bao.token("reader", READER);
    let runner = Home::new();
    provider.configure(&runner);
    let as_reader = |args: &[&str]| {
        let mut command = bao.point(runner.command(args));
        command.env("VAULT_TOKEN", &reader);
        ended(command, "")
    };
    as_reader(&["token", "print", "idp"]).expect(0);
    let status = as_reader(&["status", "idp", "--warn-before", "365d"]).expect(0);
    assert!(status.stdout.contains("elsewhere"), "{status:?}");
    assert!(!status.stderr.contains("seo-auth login"), "{status:?}");
    // Nor is who refreshes it, by a check that reads the token alone.
    let before = run(&bao, &home, &["status", "--json"], "").expect(0).json();
    let after = run(&bao, &home, &["status", "--check", "--json"], "").json();
    for field in ["renewable", "act_by"] {
        assert_eq!(
            before["accounts"][0][field], after["accounts"][0][field],
            "{after}"
        );
    }
    assert_eq!(after["accounts"][0]["renewable"], true, "{after}");
}
