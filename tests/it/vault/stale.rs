//! What a shared store shows that is not, or no more, as it should be: a standby that lags, a writer that died, a store that
//! was rolled back, another machine at work.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Bao, Fleet, GRANT, Reader, TOKEN, held, readable, run};
use crate::harness::api::{ApiServer, Asked, Reply, json};
use crate::harness::home::{Home, ended};

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

#[test]
fn a_standby_that_lags_loses_nothing() {
    let Fleet {
        bao,
        provider,
        grant,
        home,
    } = Fleet::start(3_600);
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
        assert_eq!(readable(&bao, path), 1);
        assert!(!held(&bao, path).contains("other"));
    }
    assert!(!grant.lock().unwrap().dead);
}

/// In front of a server: to the requests with these numbers, its engine says that it is not ready.
fn not_ready(bao: &Bao, numbers: Range<usize>) -> ApiServer {
    let address = bao.address.strip_prefix("http://").unwrap().to_owned();
    let count = AtomicUsize::new(0);
    ApiServer::start(move |asked: &Asked| -> Reply {
        if !numbers.contains(&count.fetch_add(1, Ordering::SeqCst)) {
            return Reply::Raw(forward(&address, asked));
        }
        json(
            400,
            r#"{"errors":["Waiting for the primary to upgrade from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service when the primary is finished"]}"#,
        )
    })
}

#[test]
fn an_engine_that_is_not_ready_is_told_by_a_read_and_waited_for_by_a_refresh() {
    let Fleet {
        bao,
        provider: _provider,
        grant: _grant,
        home,
    } = Fleet::start(3_600);
    let through = |server: &ApiServer, args: &[&str]| {
        let mut command = bao.point(home.command(args));
        command.env("VAULT_ADDR", server.origin());
        ended(command, "")
    };
    let told = through(&not_ready(&bao, 0..1), &["token", "print", "idp"]).expect(7);
    assert!(
        told.stderr.contains("its engine is not ready yet"),
        "{told:?}"
    );
    // Reads and writes that follow the first look, of two requests.
    for first in 2..6 {
        let server = not_ready(&bao, first..first + 2);
        through(&server, &["token", "refresh", "idp"]).expect(0);
    }
}

#[test]
fn a_token_whose_writer_died_is_written_by_the_next() {
    let Fleet {
        bao,
        provider,
        grant,
        home,
    } = Fleet::start(3_600);
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
    let Fleet {
        bao,
        provider,
        home,
        ..
    } = Fleet::start(3_600);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let login = provider
        .login()
        .replace("at-0", "again")
        .replace(":1,", ":4102444800,");
    // Who has seen no generation has the token's to go by.
    let newcomer = Home::new();
    provider.configure(&newcomer);
    let cases: [(&Home, &[&str], &[&str]); 3] = [
        (&home, &["kv", "rollback", "-version=1"], &[GRANT, TOKEN]),
        (&home, &["kv", "metadata", "delete"], &[GRANT, TOKEN]),
        (&newcomer, &["kv", "metadata", "delete"], &[GRANT]),
    ];
    for (number, (home, words, paths)) in cases.into_iter().enumerate() {
        for path in paths {
            bao.run(&[words, &[*path]].concat());
        }
        let again = format!("again-{number}");
        let login = login.replace("again", &again);
        let args = ["login", "idp", "--with-token", "--replace"];
        run(&bao, home, &args, &login).expect(0);
        let printed = run(&bao, home, &["token", "print", "idp"], "").expect(0);
        assert_eq!(printed.stdout, format!("{again}\n"));
    }
}

#[test]
fn a_login_moves_after_a_refresh_that_is_under_way() {
    let Fleet {
        bao,
        provider,
        grant,
        home,
    } = Fleet::start(3_600);
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
    let Fleet {
        bao,
        provider: _provider,
        home,
        ..
    } = Fleet::start(3_600);
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
    let Fleet {
        bao,
        provider,
        home,
        ..
    } = Fleet::start(3_600);
    run(&bao, &home, &["token", "refresh", "idp"], "").expect(0);
    let reader = Reader::of(&bao, &provider);
    let status = reader
        .run(&["status", "idp", "--warn-before", "365d"])
        .expect(0);
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
