//! API keys as logins: each built-in provider at its true address, good and bad, and what is made of its answer.

use std::collections::BTreeSet;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::api::{Asked, json as answer, reply};
use crate::harness::home::{Ended, Home, SandboxServer, ended};
#[cfg(target_os = "linux")]
use crate::harness::terminal::Terminal;
use crate::harness::vendors::Vendors;

const GOOD: &str = "good-planted-0123456789";
const BAD: &str = "bad-planted-0123456789";

/// One provider: what its check must ask, where `KEY` stands for the key, and how a vendor answers to a good and a bad one.
struct Vendor {
    name: &'static str,
    method: &'static str,
    host: &'static str,
    target: &'static str,
    header: Option<(&'static str, &'static str)>,
    body: &'static str,
    good: (u16, &'static str),
    /// `remaining`, `limit`, `unit` of the check.
    told: (
        Option<&'static str>,
        Option<&'static str>,
        Option<&'static str>,
    ),
    bad: (u16, &'static str),
}

const PLAIN: Vendor = Vendor {
    name: "",
    method: "GET",
    host: "",
    target: "",
    header: Some(("authorization", "Bearer KEY")),
    body: "",
    good: (200, "{}"),
    told: (None, None, None),
    bad: (401, "{}"),
};

/// As the vendors' own documentation has them, or as they answered when asked without a key.
const VENDORS: &[Vendor] = &[
    Vendor {
        name: "ahrefs",
        host: "api.ahrefs.com",
        target: "/v3/subscription-info/limits-and-usage",
        good: (
            200,
            r#"{"limits_and_usage":{"units_limit_api_key":null,"units_usage_api_key":7,"units_limit_workspace":400000,"units_usage_workspace":100000,"usage_reset_date":"2026-12-01","api_key_expiration_date":"2027-03-01"}}"#,
        ),
        told: (Some("300000"), Some("400000"), Some("units")),
        bad: (403, r#"{"error":"Invalid API key"}"#),
        ..PLAIN
    },
    Vendor {
        name: "semrush",
        host: "api.semrush.com",
        target: "/apis/v4/map-rank-tracker/v0/campaigns?size=1",
        header: Some(("authorization", "Apikey KEY")),
        good: (200, r#"{"meta":{"success":true},"data":{"content":[]}}"#),
        bad: (
            401,
            r#"{"meta":{"success":false},"error":{"code":401,"message":"Unauthorized"}}"#,
        ),
        ..PLAIN
    },
    Vendor {
        name: "semrush-v3",
        host: "www.semrush.com",
        target: "/users/countapiunits.html?key=KEY",
        header: None,
        good: (200, "1,000"),
        told: (Some("1000"), None, Some("units")),
        bad: (200, "ERROR 120 :: WRONG KEY - ID PAIR"),
        ..PLAIN
    },
    Vendor {
        name: "dataforseo",
        host: "api.dataforseo.com",
        target: "/v3/appendix/user_data",
        header: Some(("authorization", "Basic PAIR")),
        good: (
            200,
            r#"{"status_code":20000,"tasks":[{"result":[{"money":{"balance":12.5}}]}]}"#,
        ),
        told: (Some("12.5"), None, Some("USD")),
        bad: (
            200,
            r#"{"status_code":40100,"status_message":"You are not authorized"}"#,
        ),
        ..PLAIN
    },
    Vendor {
        name: "moz",
        method: "POST",
        host: "api.moz.com",
        target: "/jsonrpc",
        header: Some(("x-moz-token", "KEY")),
        body: "quota.lookup",
        good: (
            200,
            r#"{"jsonrpc":"2.0","result":{"quota":{"allotted":3000,"used":500,"period_reset":"2026-12-01T00:00:00Z"}}}"#,
        ),
        told: (Some("2500"), Some("3000"), Some("rows")),
        bad: (
            200,
            r#"{"jsonrpc":"2.0","error":{"code":-32655,"message":"unauthorized"}}"#,
        ),
    },
    Vendor {
        name: "majestic",
        host: "api.majestic.com",
        target: "/api/json?cmd=GetSubscriptionInfo&app_api_key=KEY",
        header: None,
        good: (200, r#"{"Code":"OK"}"#),
        bad: (200, r#"{"Code":"FailedRequestViaAPI"}"#),
        ..PLAIN
    },
    Vendor {
        name: "serpapi",
        host: "serpapi.com",
        target: "/account.json?api_key=KEY",
        header: None,
        good: (
            200,
            r#"{"api_key":"KEY","total_searches_left":90,"searches_per_month":100,"this_month_usage":10}"#,
        ),
        told: (Some("90"), Some("100"), Some("searches")),
        bad: (401, r#"{"error":"Invalid API key: KEY"}"#),
        ..PLAIN
    },
    Vendor {
        name: "seranking",
        host: "api.seranking.com",
        target: "/v1/account/subscription",
        header: Some(("authorization", "Token KEY")),
        good: (
            200,
            r#"{"subscription_info":{"status":"active","units_left":40,"units_limit":"1,000","expiraton_date":"2027-01-31 00:00:00"}}"#,
        ),
        told: (Some("40"), Some("1000"), Some("units")),
        ..PLAIN
    },
    Vendor {
        name: "similarweb",
        host: "api.similarweb.com",
        target: "/user-capabilities",
        header: Some(("api-key", "KEY")),
        good: (200, r#"{"user_remaining":77}"#),
        told: (Some("77"), None, Some("hits")),
        bad: (200, "invalid api key"),
        ..PLAIN
    },
    Vendor {
        name: "sistrix",
        host: "api.sistrix.com",
        target: "/credits?format=json&api_key=KEY",
        header: None,
        good: (200, r#"{"answer":[{"credits":[{"value":950}]}]}"#),
        told: (Some("950"), None, Some("credits")),
        bad: (
            200,
            r#"{"error":[{"error_code":"1","error_message":"wrong key"}]}"#,
        ),
        ..PLAIN
    },
    Vendor {
        name: "serpstat",
        method: "POST",
        host: "api.serpstat.com",
        target: "/v4/?token=KEY",
        header: None,
        body: "SerpstatLimitsProcedure.getStats",
        good: (
            200,
            r#"{"id":"1","result":{"data":{"left_lines":99,"used_lines":1,"max_lines":100}}}"#,
        ),
        told: (Some("99"), Some("100"), Some("lines")),
        bad: (
            200,
            r#"{"id":"1","error":{"code":32019,"message":"Invalid token!"}}"#,
        ),
    },
    Vendor {
        name: "bing",
        host: "ssl.bing.com",
        target: "/webmaster/api.svc/json/GetUserSites?apikey=KEY",
        header: None,
        good: (
            200,
            r#"{"d":[{"Url":"https://x.example","IsVerified":true}]}"#,
        ),
        bad: (400, r#"{"ErrorCode":3,"Message":"ERROR!!! InvalidApiKey"}"#),
        ..PLAIN
    },
    Vendor {
        name: "pagespeed",
        method: "POST",
        host: "chromeuxreport.googleapis.com",
        target: "/v1/records:queryRecord",
        header: Some(("x-goog-api-key", "KEY")),
        body: r#"{"origin":"https://www.google.com"}"#,
        good: (
            403,
            r#"{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"reason":"SERVICE_DISABLED"}]}}"#,
        ),
        bad: (
            400,
            r#"{"error":{"code":400,"message":"API key not valid","details":[{"reason":"API_KEY_INVALID"}]}}"#,
        ),
        ..PLAIN
    },
    Vendor {
        name: "brightdata",
        host: "api.brightdata.com",
        target: "/customer/balance",
        good: (200, r#"{"balance":3,"pending_costs":0}"#),
        told: (Some("3"), None, Some("USD")),
        ..PLAIN
    },
    Vendor {
        name: "keywordseverywhere",
        host: "api.keywordseverywhere.com",
        target: "/v1/account/credits",
        good: (200, "[8888]"),
        told: (Some("8888"), None, Some("credits")),
        ..PLAIN
    },
    Vendor {
        name: "cloudflare",
        host: "api.cloudflare.com",
        target: "/client/v4/user/tokens/verify",
        good: (
            200,
            r#"{"success":true,"result":{"status":"active","expires_on":"2027-05-01T00:00:00Z"}}"#,
        ),
        bad: (
            401,
            r#"{"success":false,"errors":[{"message":"Invalid API Token"}]}"#,
        ),
        ..PLAIN
    },
];

/// What `KEY` and `PAIR` stand for.
fn filled(text: &str, key: &str) -> String {
    let pair = STANDARD.encode(format!("me@x.example:{key}"));
    text.replace("KEY", key).replace("PAIR", &pair)
}

impl Vendor {
    fn is_asked(&self, asked: &Asked, key: &str) -> bool {
        let header = self
            .header
            .is_none_or(|(name, value)| asked.header(name) == Some(filled(value, key).as_str()));
        asked.method == self.method
            && asked.header("x-host") == Some(self.host)
            && asked.target == filled(self.target, key)
            && header
            && asked.body.contains(self.body)
    }

    fn stdin(&self, key: &str) -> String {
        match self.name {
            "dataforseo" => json!({"login": "me@x.example", "password": key}).to_string(),
            _ => key.to_owned(),
        }
    }
}

fn vendors() -> Vendors {
    let hosts: BTreeSet<&str> = VENDORS.iter().map(|vendor| vendor.host).collect();
    let hosts: Vec<&str> = hosts.into_iter().collect();
    Vendors::start(&hosts, |asked| {
        for vendor in VENDORS {
            for (key, (status, body)) in [(GOOD, vendor.good), (BAD, vendor.bad)] {
                if vendor.is_asked(asked, key) {
                    return answer(status, &filled(body, key));
                }
            }
        }
        reply(404, &[], "nobody asks so")
    })
}

/// Runs a command there, and looks for the keys in what it says.
fn run(vendors: &Vendors, home: &Home, args: &[&str], stdin: &str) -> Ended {
    let mut command = home.command(args);
    command.args(["-vvv", "--store", "file"]);
    let ended = ended(vendors.point(command), stdin);
    let texts = [&ended.stderr, &ended.stdout];
    assert!(
        !texts.iter().any(|text| text.contains("planted")),
        "{ended:?}"
    );
    ended
}

fn account(status: &Ended, name: &str) -> Value {
    let accounts = status.json()["accounts"].clone();
    let mut accounts = accounts.as_array().unwrap().iter();
    accounts
        .find(|account| account["provider"] == name)
        .unwrap()
        .clone()
}

#[test]
fn each_vendor_is_asked_at_its_address_and_understood() {
    let vendors = vendors();
    let home = Home::new();
    for vendor in VENDORS {
        let login = ["login", vendor.name, "--flow", "key"];
        let refused = run(&vendors, &home, &login, &vendor.stdin(BAD));
        assert_eq!(refused.code, Some(5), "{}: {refused:?}", vendor.name);
        let stored = run(&vendors, &home, &login, &vendor.stdin(GOOD));
        assert_eq!(stored.code, Some(0), "{}: {stored:?}", vendor.name);
    }
    let status = run(&vendors, &home, &["status", "--check", "--json"], "");
    assert_eq!(status.code, Some(0), "{status:?}");
    for vendor in VENDORS {
        let account = account(&status, vendor.name);
        assert_eq!(account["kind"], "key", "{account}");
        let check = &account["check"];
        assert_eq!(check["result"], "works", "{}: {check}", vendor.name);
        let (remaining, limit, unit) = vendor.told;
        let number = |text: Option<&str>| text.map(|text| text.parse::<f64>().unwrap());
        assert_eq!(
            check["remaining"].as_f64(),
            number(remaining),
            "{}: {check}",
            vendor.name
        );
        assert_eq!(
            check["limit"].as_f64(),
            number(limit),
            "{}: {check}",
            vendor.name
        );
        assert_eq!(check["unit"].as_str(), unit, "{}: {check}", vendor.name);
    }
    let ahrefs = account(&status, "ahrefs");
    assert_eq!(ahrefs["act_by"], "2027-03-01T00:00:00Z", "{ahrefs}");
    let late = run(
        &vendors,
        &home,
        &["status", "cloudflare", "--warn-before", "3650d"],
        "",
    );
    assert_eq!(late.code, Some(4), "{late:?}");
    assert!(
        late.stderr.contains("seo-auth login cloudflare --flow key"),
        "{late:?}"
    );
    // On a screen, the key is in none of the columns and what is left in one of its own.
    let table = run(&vendors, &home, &["status", "--check"], "");
    assert!(table.stdout.contains("QUOTA"), "{table:?}");
    assert!(
        table
            .stdout
            .contains("300,000 of 400,000 units left until 2026-12-01"),
        "{table:?}"
    );
}

#[test]
fn a_key_that_dies_is_told_by_the_check() {
    let vendors = Vendors::start(&["api.moz.com"], |asked| {
        match asked.header("x-moz-token") {
            Some("first-planted-key") => {
                answer(200, r#"{"result":{"quota":{"allotted":9,"used":0}}}"#)
            }
            _ => answer(200, r#"{"error":{"message":"unauthorized"}}"#),
        }
    });
    let home = Home::new();
    run(&vendors, &home, &["login", "moz"], "first-planted-key").expect(0);
    run(
        &vendors,
        &home,
        &["login", "moz", "--no-check"],
        "second-planted-key",
    )
    .expect(0);
    let status = run(&vendors, &home, &["status", "--check"], "").expect(4);
    assert!(status.stdout.contains("Moz refused it"), "{status:?}");
    assert!(
        status.stdout.contains("seo-auth login moz --flow key"),
        "{status:?}"
    );
}

#[test]
fn nobody_reached_stores_nothing() {
    let vendors = Vendors::start(&["api.moz.com"], |_| reply(503, &[], ""));
    let home = Home::new();
    let login = ["login", "moz"];
    let ended = run(&vendors, &home, &login, GOOD).expect(6);
    assert!(ended.stderr.contains("was not stored"), "{ended:?}");
    assert!(ended.stderr.contains("--no-check"), "{ended:?}");
    run(
        &vendors,
        &home,
        &["token", "print", "moz", "--format", "json"],
        "",
    )
    .expect(4);
}

/// Stores these keys without asking anybody.
fn with_keys(keys: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (name, stdin) in keys {
        let login = [
            "login",
            name,
            "--flow",
            "key",
            "--no-check",
            "--store",
            "file",
        ];
        home.run_with_stdin(&login, stdin).expect(0);
    }
    home
}

const DATAFORSEO: (&str, &str) = (
    "dataforseo",
    r#"{"login":"me@x.example","password":"p4ss-word"}"#,
);

fn printed(home: &Home, args: &[&str]) -> String {
    let mut all = vec!["token", "print"];
    all.extend(args);
    home.run(&all).expect(0).stdout
}

#[test]
fn a_key_is_printed_in_every_format() {
    let home = with_keys(&[("moz", "moz-key"), ("serpapi", "serp-key"), DATAFORSEO]);
    for (args, text) in [
        (&["moz"][..], "moz-key\n"),
        (&["moz", "--format", "header"], "x-moz-token: moz-key\n"),
        (
            &["moz", "--format", "headers"],
            "{\"x-moz-token\":\"moz-key\"}\n",
        ),
        (
            &["moz", "--format", "curl"],
            "header = \"x-moz-token: moz-key\"\n",
        ),
        (
            &["moz", "--format", "env"],
            "export MOZ_API_TOKEN='moz-key'\n",
        ),
        (
            &["serpapi", "--format", "dotenv"],
            "SERPAPI_API_KEY=serp-key\n",
        ),
        (
            &["serpapi", "--format", "curl"],
            "url-query = \"api_key=serp-key\"\n",
        ),
        (&["dataforseo"], "p4ss-word\n"),
        (&["dataforseo", "--field", "login"], "me@x.example\n"),
        (
            &["dataforseo", "--format", "headers"],
            "{\"Authorization\":\"Basic bWVAeC5leGFtcGxlOnA0c3Mtd29yZA==\"}\n",
        ),
        (
            &["dataforseo", "--format", "env"],
            "export DATAFORSEO_LOGIN='me@x.example'\nexport DATAFORSEO_PASSWORD='p4ss-word'\n",
        ),
        (
            &[
                "dataforseo",
                "--format",
                "env",
                "--field",
                "password",
                "--name",
                "PW",
            ],
            "export PW='p4ss-word'\n",
        ),
    ] {
        assert_eq!(printed(&home, args), text, "{args:?}");
    }
    let object: Value = serde_json::from_str(&printed(&home, &["dataforseo", "--json"])).unwrap();
    assert_eq!(object["access_token"], "p4ss-word");
    assert_eq!(
        object["fields"],
        json!({"login": "me@x.example", "password": "p4ss-word"})
    );
    for (args, says) in [
        (&["serpapi", "--format", "headers"][..], "not in a header"),
        (&["serpapi", "--format", "header"], "not in a header"),
        (&["dataforseo", "--field", "key"], "login, password"),
        (
            &["dataforseo", "--format", "env", "--name", "X"],
            "login, password",
        ),
        (
            &["dataforseo", "--format", "json", "--field", "login"],
            "--field",
        ),
    ] {
        let mut all = vec!["token", "print"];
        all.extend(args);
        let ended = home.run(&all).expect(2);
        assert!(ended.stderr.contains(says), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn two_secret_fields_are_named() {
    let home = Home::new();
    home.configure(
        "[providers.pair]\ngrant = \"api_key\"\nfields = [\"id\", \"secret-part\", \"note?\"]\napi_base = \"https://api.example\"\napi_auth = { basic = [\"id\", \"secret-part\"] }\n",
    );
    let stdin = r#"{"id":"one","secret-part":"two"}"#;
    home.run_with_stdin(&["login", "pair", "--store", "file"], stdin)
        .expect(0);
    let ended = home.run(&["token", "print", "pair"]).expect(2);
    assert!(ended.stderr.contains("id, secret-part"), "{ended:?}");
    assert_eq!(printed(&home, &["pair", "--field", "id"]), "one\n");
    let env = printed(&home, &["pair", "--format", "dotenv"]);
    assert_eq!(env, "PAIR_ID=one\nPAIR_SECRET_PART=two\n");
    let refused = home.run_with_stdin(
        &["login", "pair", "--store", "file"],
        r#"{"id":"a:b","secret-part":"c"}"#,
    );
    assert!(refused.expect(2).stderr.contains("colon"));
}

#[test]
fn a_key_is_not_renewed() {
    let home = with_keys(&[("ahrefs", "a-key")]);
    for args in [
        &["token", "refresh", "ahrefs"][..],
        &["token", "print", "ahrefs", "--rejected"],
    ] {
        let ended = home.run_with_stdin(args, "a-key").expect(4);
        assert!(
            ended.stderr.contains("seo-auth login ahrefs --flow key"),
            "{ended:?}"
        );
        assert_eq!(ended.stdout, "");
    }
}

/// No protocol ends a key, so nobody is sent it.
#[test]
fn a_key_that_is_logged_out_is_sent_nowhere() {
    let home = with_keys(&[("ahrefs", "a-planted-key")]);
    let ended = home.run(&["logout", "ahrefs"]).expect(0);
    assert!(
        ended
            .stderr
            .contains("until you delete it at Ahrefs (https://"),
        "{ended:?}"
    );
    home.run_with_stdin(
        &[
            "login",
            "ahrefs",
            "--flow",
            "key",
            "--no-check",
            "--store",
            "file",
        ],
        "a-planted-key",
    )
    .expect(0);
    let ended = home.run(&["logout", "ahrefs", "--json"]).expect(0);
    assert!(ended.stdout.contains("unsupported"), "{ended:?}");
    assert!(!format!("{ended:?}").contains("a-planted-key"));
}

#[test]
fn a_command_finds_each_field_in_its_variable() {
    let home = with_keys(&[("moz", "moz-key"), DATAFORSEO]);
    let script = "echo $DATAFORSEO_LOGIN $DATAFORSEO_USERNAME $DATAFORSEO_PASSWORD $MOZ_API_KEY";
    let ended = home
        .run(&["exec", "dataforseo", "moz", "--", "sh", "-c", script])
        .expect(0);
    assert_eq!(
        ended.stdout,
        "me@x.example me@x.example p4ss-word moz-key\n"
    );
    let script = "echo $U $P ${DATAFORSEO_LOGIN-unset}";
    let own = [
        "exec",
        "dataforseo",
        "--as",
        "login=U",
        "--as",
        "password=P",
        "--",
        "sh",
        "-c",
        script,
    ];
    assert_eq!(
        home.run(&own).expect(0).stdout,
        "me@x.example p4ss-word unset\n"
    );
    let ended = home
        .run(&["exec", "dataforseo", "--as", "X", "--", "true"])
        .expect(2);
    assert!(ended.stderr.contains("--as FIELD=NAME"), "{ended:?}");
    let ended = home
        .run(&["exec", "dataforseo", "--as", "key=X", "--", "true"])
        .expect(2);
    assert!(ended.stderr.contains("no field `key`"), "{ended:?}");
}

#[test]
fn api_carries_a_key_and_shows_it_nowhere() {
    let vendors = Vendors::start(&["serpapi.com", "evil.example"], |asked| {
        match asked.target.split('?').next().unwrap() {
            "/moved" => reply(
                302,
                &[("Location", "/search?q=x&api_key=good-planted-0123456789")],
                "",
            ),
            "/away" => reply(302, &[("Location", "https://evil.example/")], ""),
            _ if asked.header("x-host") != Some("serpapi.com") => reply(500, &[], ""),
            _ if asked.target.ends_with("api_key=good-planted-0123456789") => {
                answer(200, r#"{"ok":true}"#)
            }
            _ => answer(400, r#"{"error":"no key good-planted-0123456789"}"#),
        }
    });
    let home = with_keys(&[("serpapi", GOOD)]);
    let ended = run(&vendors, &home, &["api", "serpapi", "search?q=x"], "").expect(0);
    assert_eq!(ended.stdout, "{\"ok\":true}\n");
    run(&vendors, &home, &["api", "serpapi", "moved"], "").expect(0);
    run(&vendors, &home, &["api", "serpapi", "away"], "").expect(8);
    run(
        &vendors,
        &home,
        &["api", "serpapi", "https://evil.example/"],
        "",
    )
    .expect(2);
    let keys: Vec<usize> = vendors
        .server
        .asked()
        .iter()
        .map(|asked| asked.target.matches("api_key=").count())
        .collect();
    assert!(keys.iter().all(|count| *count == 1), "{keys:?}");
}

/// A new key provider is one table, and nothing else.
#[test]
fn a_provider_of_ones_own_is_one_table() {
    let vendors = Vendors::start(&["api.mine.example"], |asked| match asked.header("x-key") {
        Some(GOOD) => answer(200, r#"{"left":"1,234","all":2000}"#),
        _ => answer(401, "{}"),
    });
    let home = Home::new();
    home.configure(
        r#"
        [providers.mine]
        title = "Mine"
        grant = "api_key"
        api_auth = { header = "x-key" }
        api_base = "https://api.mine.example/v1"
        token_variables = ["MINE_KEY"]
        docs = "https://mine.example/keys"
        [providers.mine.check]
        url = "/me"
        remaining = "/left"
        limit = "/all"
        unit = "calls"
        "#,
    );
    let refused = run(&vendors, &home, &["login", "mine"], BAD).expect(5);
    assert!(
        refused.stderr.contains("https://mine.example/keys"),
        "{refused:?}"
    );
    let login = run(&vendors, &home, &["login", "mine"], GOOD).expect(0);
    assert!(login.stderr.contains("1,234 of 2,000 calls"), "{login:?}");
    run(&vendors, &home, &["api", "mine", "anything"], "").expect(0);
    let exec = home.run(&["exec", "mine", "--", "sh", "-c", "test -n \"$MINE_KEY\""]);
    exec.expect(0);
    let one = home.run(&["providers", "mine"]).expect(0);
    assert!(
        one.stdout.contains("key.docs: https://mine.example/keys"),
        "{one:?}"
    );
}

#[test]
fn the_sandbox_plays_keys() {
    let home = Home::new();
    let sandbox = SandboxServer::start(&home, &[]);
    let run = |args: &[&str], stdin: &str| {
        let mut command = home.command(args);
        command.args(["--store", "file"]);
        ended(sandbox.point(command), stdin)
    };
    for (name, good, bad) in [
        ("moz", "good-key", "other-key"),
        ("serpapi", "good-key", "other-key"),
        ("seranking", "good-key", "other-key"),
        ("ahrefs", "good-key", "other-key"),
        ("semrush", "good-key", "other-key"),
        (
            "dataforseo",
            r#"{"login":"me","password":"good-key"}"#,
            r#"{"login":"me","password":"x"}"#,
        ),
    ] {
        let login = ["login", name, "--flow", "key"];
        run(&login, bad).expect(5);
        run(&login, good).expect(0);
    }
    let status = run(&["status", "--check"], "").expect(0);
    assert!(
        status.stdout.contains("2,500 of 3,000 rows left until"),
        "{status:?}"
    );
    let elsewhere = home
        .run(&["api", "moz", "x", "--profile", "sandbox"])
        .expect(2);
    assert!(
        elsewhere.stderr.contains("SEO_AUTH_SANDBOX"),
        "{elsewhere:?}"
    );
}

/// Neither in a file nor in the arguments of any process.
#[test]
fn a_key_lies_in_no_file_and_no_argument() {
    let home = with_keys(&[("serpapi", GOOD), ("moz", GOOD)]);
    let spy = "ps -eo args; env | grep -c planted";
    let ended = home
        .run(&["exec", "serpapi", "moz", "--", "sh", "-c", spy])
        .expect(0);
    assert!(!ended.stdout.contains("planted-0123"), "{ended:?}");
    let found = Command::new("grep")
        .args(["-rl", "planted-0123456789"])
        .arg(home.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_for_each_field() {
    let home = Home::new();
    let sandbox = SandboxServer::start(&home, &[]);
    let terminal = Terminal::start(&home, (80, 24), &[("SEO_AUTH_SANDBOX", sandbox.origin())]);
    terminal.seo_auth("login dataforseo --store file");
    terminal.wait_for("DataForSEO login:");
    terminal.run("me@x.example");
    terminal.wait_for("DataForSEO password (not shown):");
    terminal.run("good-planted-password");
    let screen = terminal.wait_for("exit=0");
    insta::assert_snapshot!(screen.replace(&home.path().display().to_string(), "HOME"));
    assert!(!terminal.raw().contains("planted"));
    terminal.seo_auth("status --check");
    let screen = terminal.wait_for("exit=0");
    insta::assert_snapshot!(screen);
}

#[test]
fn a_variable_is_no_key_of_two_fields() {
    let home = Home::new();
    let mut command = home.command(&["exec", "dataforseo", "--", "true"]);
    command.env("SEO_AUTH_DATAFORSEO_TOKEN", "planted-password");
    let ended = ended(command, "").expect(2);
    assert!(
        ended.stderr.contains("needs the field `login`"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("planted"), "{ended:?}");
}
