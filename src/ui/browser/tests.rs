use super::*;

fn here(platform: Platform) -> Surroundings {
    Surroundings {
        platform,
        display: platform == Platform::Freedesktop,
        ssh: false,
        container: false,
    }
}

fn first_program(browser: &Browser) -> String {
    match browser {
        Browser::None(why) => format!("{why:?}"),
        Browser::Commands(commands) => commands[0].join(" "),
    }
}

#[test]
fn the_surroundings_decide_where_the_user_did_not() {
    let desktop = here(Platform::Freedesktop);
    let headless = Surroundings {
        display: false,
        ..desktop.clone()
    };
    let over_ssh = |here: &Surroundings| Surroundings {
        ssh: true,
        ..here.clone()
    };
    let inside = |here: &Surroundings| Surroundings {
        container: true,
        ..here.clone()
    };
    // The `open` crate's first choice on the system that the tests run on.
    let launcher = launchers()[0].join(" ");
    let launcher = launcher.as_str();
    let rundll = "rundll32.exe url.dll,FileProtocolHandler";
    for (here, opened) in [
        (desktop.clone(), launcher),
        (headless.clone(), "NoScreen"),
        (over_ssh(&headless), "Ssh"),
        // X11 forwarding.
        (over_ssh(&desktop), launcher),
        (inside(&desktop), "Container"),
        (inside(&over_ssh(&headless)), "Container"),
        (over_ssh(&here(Platform::MacOs)), "Ssh"),
        (here(Platform::Windows), rundll),
        (over_ssh(&here(Platform::Windows)), "Ssh"),
        (here(Platform::Wsl), "wslview"),
        (inside(&here(Platform::Wsl)), "Container"),
    ] {
        let browser = Browser::choose(&Choice::default(), &here);
        assert!(
            first_program(&browser).starts_with(opened),
            "{here:?}: {browser:?}"
        );
    }
}

#[test]
fn the_user_decides_first() {
    let here = Surroundings {
        container: true,
        ..here(Platform::Freedesktop)
    };
    let wish = |none, command: &str, variable: &str| {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let choice = Choice {
            none,
            command: some(command),
            variable: some(variable),
        };
        first_program(&Browser::choose(&choice, &here))
    };
    assert_eq!(wish(true, "", "firefox"), "Asked");
    assert_eq!(wish(false, "chromium", "firefox"), "chromium");
    assert_eq!(wish(false, "", "firefox:w3m"), "firefox");
    assert_eq!(wish(false, "", ""), "Container");
}

#[test]
fn a_command_has_words_and_quotes() {
    assert_eq!(words("open -a Firefox"), ["open", "-a", "Firefox"]);
    assert_eq!(
        words("'/opt/my browser/run' --app=\"%s\" ''"),
        ["/opt/my browser/run", "--app=%s", ""]
    );
    assert!(words("  ").is_empty());
}

#[test]
fn only_https_and_loopback_are_opened_and_no_shell_finds_anything() {
    for refused in [
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "--help",
        "",
    ] {
        assert_eq!(acceptable(refused), None, "{refused}");
    }
    for kept in [
        "https://example.com/a?b=c&d=e%20f#g",
        "http://127.0.0.1:8976/callback?state=x-_.~",
        "http://[::1]:1/",
        "http://localhost/",
    ] {
        assert_eq!(acceptable(kept).as_deref(), Some(kept));
    }
    assert_eq!(
        acceptable("https://example.com/?a=$(id)`id`;'x'|y^!\"\\ z").as_deref(),
        Some("https://example.com/?a=%24%28id%29%60id%60%3B%27x%27%7Cy%5E%21%22%5C%20z")
    );
}

#[test]
fn what_fails_is_told_and_the_next_is_tried() {
    let browser = Browser::Commands(vec![words("/no/such/browser"), Vec::new()]);
    let failure = browser.open("https://example.com/", &[]).recv().unwrap();
    assert!(failure.contains("`/no/such/browser` can't be started"));
    assert!(failure.ends_with("the browser's command is empty"));
}
