//! How a command ends.

use crate::error::{Error, Exit, Report};
use crate::ui::{BAD, DIM, StdoutFailed, Ui};

/// What a command that did not fail ends with: done, or a code that is its answer (`status --check`).
pub type Outcome = Result<Option<Exit>, Error>;

/// Tells an error on stderr: to a person, or with `--json` as an object.
pub fn tell(ui: &Ui, report: &Report, exit_code: u8) {
    if ui.json {
        ui.talk(&format!("{}\n", report.object(exit_code)));
        return;
    }
    ui.tell(&format!("{BAD}error:{BAD:#} {}", report.message));
    if let Some(hint) = &report.hint {
        ui.tell(&format!("{DIM}hint:{DIM:#}  {hint}"));
    }
}

impl From<StdoutFailed> for Error {
    fn from(StdoutFailed(source): StdoutFailed) -> Self {
        Self::stdout(source)
    }
}
