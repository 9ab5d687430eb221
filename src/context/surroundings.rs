//! Where we run, as the environment and a few files tell.

use std::path::Path;

use crate::environment::{text_var, var};
use crate::ui::browser::{Platform, Surroundings};

/// What matters for a browser.
pub fn here() -> Surroundings {
    Surroundings {
        platform: platform(),
        display: has_display(),
        ssh: var("SSH_CONNECTION").is_some() || var("SSH_TTY").is_some(),
        container: is_container(),
    }
}

/// A screen on which another program can show something.
pub fn has_display() -> bool {
    var("DISPLAY").is_some() || var("WAYLAND_DISPLAY").is_some()
}

fn platform() -> Platform {
    if cfg!(windows) {
        Platform::Windows
    } else if cfg!(target_os = "macos") {
        Platform::MacOs
    } else if is_wsl() {
        Platform::Wsl
    } else {
        Platform::Freedesktop
    }
}

/// WSL sets the variable in every login session; its kernel says who built it.
fn is_wsl() -> bool {
    let built_by_microsoft = || {
        let version = std::fs::read_to_string("/proc/version").unwrap_or_default();
        version.to_ascii_lowercase().contains("microsoft")
    };
    var("WSL_DISTRO_NAME").is_some() || built_by_microsoft()
}

/// Docker's and Podman's marks, systemd's variable for containers, and those of the cloud shells.
fn is_container() -> bool {
    const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
    const VARIABLES: [&str; 6] = [
        "container",
        "KUBERNETES_SERVICE_HOST",
        "CODESPACES",
        "GITPOD_WORKSPACE_ID",
        "CLOUD_SHELL",
        "ACC_CLOUD",
    ];
    let cloud_shell = text_var("AWS_EXECUTION_ENV").is_some_and(|name| name == "CloudShell");
    let marked = || MARKS.iter().any(|mark| Path::new(mark).exists());
    cloud_shell
        || VARIABLES.iter().any(|name| var(name).is_some())
        || (cfg!(target_os = "linux") && marked())
}
