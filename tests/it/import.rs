//! `import`: the keys of `.env` files become logins, and leave the files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::api::{json as answer, reply};
use crate::harness::home::{Ended, Home, ended};
use crate::harness::vendors::Vendors;

const ENV: &str = "# keys of the team\r\nexport MOZ_API_TOKEN='moz-planted-key' # good\nSERPAPI_KEY=\"serp-planted-key\"\nDATABASE_URL=postgres://planted\n\nDATAFORSEO_LOGIN=me@x.example\nDATAFORSEO_PASSWORD=p4ss-planted\nSEMRUSH_OAUTH_TOKEN=oauth-planted-token\nCLOUDFLARE_API_TOKEN=bad-planted-key\n";

fn vendors() -> Vendors {
    let hosts = [
        "api.moz.com",
        "serpapi.com",
        "api.dataforseo.com",
        "api.semrush.com",
        "api.cloudflare.com",
    ];
    Vendors::start(&hosts, |asked| {
        let has = |text: &str| {
            asked.target.contains(text)
                || asked.headers.iter().any(|(_, value)| value.contains(text))
        };
        match asked.header("x-host").unwrap() {
            "api.moz.com" if has("moz-planted-key") => answer(200, r#"{"result":{}}"#),
            "serpapi.com" if has("serp-planted-key") => answer(200, r#"{"total_searches_left":5}"#),
            "api.dataforseo.com" => answer(200, r#"{"status_code":20000}"#),
            "api.semrush.com" if has("Bearer oauth-planted-token") => {
                answer(200, r#"{"meta":{"success":true},"data":{}}"#)
            }
            "api.cloudflare.com" if has("bad-planted-key") => answer(401, r#"{"success":false}"#),
            _ => reply(500, &[], ""),
        }
    })
}

fn place(content: &[u8]) -> Home {
    let home = Home::new();
    fs::write(home.path().join(".env"), content).unwrap();
    home
}

fn import(vendors: &Vendors, home: &Home, args: &[&str]) -> Ended {
    let mut command: Command = home.command(&["import", "--store", "file", "-vvv"]);
    command.args(args).current_dir(home.path());
    let ended = ended(vendors.point(command), "");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("planted"), "{ended:?}");
    }
    ended
}

fn outcomes(ended: &Ended) -> Vec<(String, String)> {
    let object = ended.json();
    assert_eq!(object["schema"], "seo-auth.import.v1");
    let found = object["found"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found
        .map(|one| (text(&one["variable"]), text(&one["outcome"])))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = expected.iter();
    pairs
        .map(|(name, fate)| ((*name).to_owned(), (*fate).to_owned()))
        .collect()
}

fn env_of(home: &Home) -> String {
    fs::read_to_string(home.path().join(".env")).unwrap()
}

#[test]
fn the_keys_of_a_file_become_logins_and_leave_it() {
    let vendors = vendors();
    let home = place(ENV.as_bytes());
    let env = home.path().join(".env");
    fs::set_permissions(&env, fs::Permissions::from_mode(0o640)).unwrap();
    let dry = import(&vendors, &home, &["--dry-run", "--json"]).expect(0);
    assert!(outcomes(&dry).iter().all(|(_, outcome)| outcome == "found"));
    assert_eq!(dry.json()["found"][0]["line"], 2);
    assert!(vendors.server.asked().is_empty());
    let unasked = import(&vendors, &home, &[]).expect(2);
    assert!(unasked.stderr.contains("--yes"), "{unasked:?}");
    // The one that the vendor refuses is left, and is the exit code.
    let done = import(&vendors, &home, &["--yes", "--remove", "--json"]).expect(5);
    assert_eq!(
        outcomes(&done),
        pairs(&[
            ("MOZ_API_TOKEN", "stored"),
            ("SERPAPI_KEY", "stored"),
            ("DATAFORSEO_LOGIN", "stored"),
            ("DATAFORSEO_PASSWORD", "stored"),
            ("SEMRUSH_OAUTH_TOKEN", "stored"),
            ("CLOUDFLARE_API_TOKEN", "refused"),
        ])
    );
    assert_eq!(
        env_of(&home),
        "# keys of the team\r\nDATABASE_URL=postgres://planted\n\nCLOUDFLARE_API_TOKEN=bad-planted-key\n"
    );
    assert_eq!(fs::metadata(&env).unwrap().mode() & 0o777, 0o640);
    let leftovers: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".env"))
        .collect();
    assert_eq!(leftovers, [".env"]);
    for (name, kind) in [("moz", "key"), ("dataforseo", "key"), ("semrush", "oauth")] {
        let status = home.run(&["status", name, "--json"]).expect(0).json();
        assert_eq!(status["accounts"][0]["kind"], kind, "{status}");
    }
}

#[test]
fn what_is_stored_already_counts_and_another_value_is_left() {
    let vendors = vendors();
    let home = place(ENV.as_bytes());
    import(&vendors, &home, &["--yes"]).expect(5);
    let asked = vendors.server.asked().len();
    let again = import(&vendors, &home, &["--yes", "--json"]).expect(5);
    assert_eq!(outcomes(&again)[0].1, "stored");
    // Only the one that was refused is tried once more.
    assert_eq!(vendors.server.asked().len(), asked + 1);
    fs::write(
        home.path().join(".env"),
        "MOZ_API_TOKEN=other-moz-planted-key\n",
    )
    .unwrap();
    let kept = import(&vendors, &home, &["--yes", "--json", "--remove"]).expect(0);
    assert_eq!(outcomes(&kept), pairs(&[("MOZ_API_TOKEN", "kept")]));
    assert_eq!(env_of(&home), "MOZ_API_TOKEN=other-moz-planted-key\n");
    let replaced = import(
        &vendors,
        &home,
        &["--yes", "--json", "--remove", "--replace"],
    )
    .expect(0);
    assert_eq!(outcomes(&replaced), pairs(&[("MOZ_API_TOKEN", "stored")]));
    assert_eq!(env_of(&home), "");
    let printed = home.run(&["token", "print", "moz"]).expect(0);
    assert_eq!(printed.stdout, "other-moz-planted-key\n");
}

#[test]
fn the_last_of_several_lines_counts_and_a_missing_field_is_told() {
    let vendors = vendors();
    let text =
        "MOZ_API_TOKEN=old-planted\nMOZ_API_TOKEN=moz-planted-key\nDATAFORSEO_PASSWORD=p-planted\n";
    let home = place(text.as_bytes());
    let done = import(&vendors, &home, &["--yes", "--remove", "--json"]).expect(0);
    let expected = [
        ("MOZ_API_TOKEN", "kept"),
        ("MOZ_API_TOKEN", "stored"),
        ("DATAFORSEO_PASSWORD", "kept"),
    ];
    assert_eq!(outcomes(&done), pairs(&expected));
    assert!(
        done.stderr
            .contains("the login is missing (DATAFORSEO_LOGIN)"),
        "{done:?}"
    );
    assert_eq!(
        env_of(&home),
        "MOZ_API_TOKEN=old-planted\nDATAFORSEO_PASSWORD=p-planted\n"
    );
}

#[test]
fn a_shared_name_goes_where_it_is_told() {
    let vendors = vendors();
    let home = place(b"API_KEY=moz-planted-key\nSEMRUSH_API_KEY=x-planted\n");
    home.configure("[providers.another]\ngrant = \"api_key\"\napi_base = \"https://api.example\"\ntoken_variables = [\"SEMRUSH_API_KEY\", \"API_KEY\"]\n");
    let found = import(&vendors, &home, &["--dry-run", "--json"])
        .expect(0)
        .json();
    let providers = |object: &Value| {
        let found = object["found"].as_array().unwrap().iter();
        let names = found.map(|one| one["provider"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(providers(&found), ["another", "another"]);
    let args = [
        "--dry-run",
        "--json",
        "--as",
        "API_KEY=moz",
        "--as",
        "SEMRUSH_API_KEY=semrush-v3",
    ];
    let found = import(&vendors, &home, &args).expect(0).json();
    assert_eq!(providers(&found), ["moz", "semrush-v3"]);
    let wrong = import(&vendors, &home, &["--as", "API_KEY=nobody"]).expect(2);
    assert!(wrong.stderr.contains("--as"), "{wrong:?}");
}

#[test]
fn odd_files_lose_nothing() {
    let vendors = vendors();
    // A link stays one; what isn't UTF-8 stays to the byte.
    let mut noise = b"caf\xe9=1\n\xff\xfe\nMOZ_API_TOKEN=moz-planted-key\nrest\xe9".to_vec();
    let home = Home::new();
    fs::write(home.path().join("real"), &noise).unwrap();
    symlink("real", home.path().join(".env")).unwrap();
    import(&vendors, &home, &["--yes", "--remove"]).expect(0);
    let link = fs::symlink_metadata(home.path().join(".env")).unwrap();
    assert!(link.is_symlink());
    let left = fs::read(home.path().join("real")).unwrap();
    assert_eq!(left, b"caf\xe9=1\n\xff\xfe\nrest\xe9");
    // 3 MB of lines that mean nothing.
    noise = "noise \" ' = # \\ \n".repeat(200_000).into_bytes();
    fs::write(home.path().join("noise"), &noise).unwrap();
    let ended = import(&vendors, &home, &["noise", "--yes", "--json"]).expect(0);
    assert_eq!(ended.json()["found"], json!([]));
    for (name, says) in [("missing.env", "can't be read"), (".", "can't be read")] {
        let ended = import(&vendors, &home, &[name]).expect(2);
        assert!(ended.stderr.contains(says), "{ended:?}");
    }
}

/// Nobody may write there: the login is stored, and the file is told to be as it was.
#[test]
fn a_file_that_cant_be_changed_is_told() {
    let vendors = vendors();
    let home = Home::new();
    let folder = home.path().join("locked");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(".env"), "MOZ_API_TOKEN=moz-planted-key\n").unwrap();
    // Root may write everywhere but where the file system itself forbids it.
    let script =
        "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && shift && exec \"$@\"";
    let mut command = crate::harness::home::with_mounts(&home, script);
    command.arg(&folder).arg(crate::harness::home::SEO_AUTH);
    command.args([
        "import",
        "locked/.env",
        "--yes",
        "--remove",
        "--store",
        "file",
    ]);
    command.current_dir(home.path());
    let ended = ended(vendors.point(command), "").expect(1);
    assert!(
        ended
            .stderr
            .contains("could not be removed from locked/.env"),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("stored"), "{ended:?}");
    home.run(&["token", "print", "moz"]).expect(0);
}

#[test]
fn stdin_is_a_file_and_doctor_names_what_lies_about() {
    let vendors = vendors();
    let home = place(b"MOZ_API_TOKEN=moz-planted-key\n");
    let mut command = home.command(&["import", "-", "--yes", "--store", "file"]);
    command.current_dir(home.path());
    ended(vendors.point(command), "SERPAPI_KEY=serp-planted-key\n").expect(0);
    home.run(&["token", "print", "serpapi"]).expect(0);
    home.run(&["import", "-", "--remove"]).expect(2);
    let mut doctor = home.command(&["doctor"]);
    doctor.current_dir(home.path());
    let told = ended(doctor, "");
    assert!(told.stdout.contains("MOZ_API_TOKEN"), "{told:?}");
    assert!(!told.stdout.contains("planted"), "{told:?}");
}

#[test]
fn two_names_of_one_key_and_names_of_nobody_are_told() {
    let vendors = vendors();
    // The first is good, and the last one counts: it alone is tried, and told as refused.
    let content = b"SERPAPI_API_KEY=serp-planted-key\nSERPAPI_KEY=bad-planted\nMYSTERY_API_KEY=planted\nHOME_PAGE=planted\n";
    let home = place(content);
    let ended = import(&vendors, &home, &["--yes"]);
    assert!(
        ended
            .stderr
            .contains("SERPAPI_API_KEY (line 1) is not used"),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("seo-auth login serpapi --flow key --no-check"),
        "{ended:?}"
    );
    let row = |name: &str| {
        ended
            .stdout
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
    };
    assert!(row("SERPAPI_API_KEY").ends_with("kept"), "{ended:?}");
    assert!(row("SERPAPI_KEY").ends_with("unreachable"), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("Not known, and left in the file: MYSTERY_API_KEY."),
        "{ended:?}"
    );
    fs::write(home.path().join(".env"), ENV).unwrap();
    let removed = import(&vendors, &home, &["--yes", "--remove"]).expect(5);
    assert!(
        removed.stderr.contains("Removed 5 of these lines"),
        "{removed:?}"
    );
}
