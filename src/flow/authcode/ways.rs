//! The wait for the answer: the browser at the listener and the user's paste race each other.

use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use crate::flow::callback::{Expected, Outcome, Rejection};
use crate::flow::loopback::{Claim, Event, Reply, Serving};
use crate::flow::{FlowError, Interaction};
use crate::http::Http;

/// How often the live line is drawn.
const TICK: Duration = Duration::from_secs(1);

/// The ways by which the answer may come. They race each other.
pub(super) struct Ways<'a> {
    /// Where its trace goes, refused callbacks are told too.
    pub http: &'a Http,
    /// What the answer must look like.
    pub expected: Expected,
    /// The listener's, for people.
    pub address: String,
    pub serving: Option<Serving>,
    /// `None`: nothing can be pasted.
    pub pasted: Option<UnboundedReceiver<String>>,
    /// What was wrong with the last line that was pasted.
    pub trouble: Option<String>,
    /// Why callbacks were refused, as far as the user was told: once each.
    pub told: Vec<Rejection>,
}

/// The login's answer, and the browser where it was the browser that brought it.
pub(super) type Answer = (Outcome, Option<Reply>);

impl Ways<'_> {
    /// Waits for the answer; `None` when the deadline passed first.
    ///
    /// # Errors
    /// No way is left by which an answer could come.
    pub async fn wait(
        &mut self,
        deadline: Instant,
        interaction: &dyn Interaction,
    ) -> Result<Option<Answer>, FlowError> {
        let mut tick = Instant::now();
        loop {
            let answer = tokio::select! {
                biased;
                event = next(self.serving.as_mut().map(|serving| &mut serving.events)) => self.heard(event, interaction)?,
                line = next(self.pasted.as_mut()) => self.read(line, interaction)?,
                () = sleep_until(deadline) => return Ok(None),
                () = sleep_until(tick) => {
                    interaction.waiting(deadline.saturating_duration_since(tick), None);
                    tick += TICK;
                    None
                }
            };
            if answer.is_some() {
                return Ok(answer);
            }
        }
    }

    fn heard(
        &mut self,
        event: Option<Event>,
        interaction: &dyn Interaction,
    ) -> Result<Option<Answer>, FlowError> {
        let reason = match event {
            Some(Event::Callback(outcome, reply)) => return Ok(Some((outcome, Some(reply)))),
            Some(Event::Refused(rejection)) => {
                self.refused(rejection, interaction);
                return Ok(None);
            }
            Some(Event::Died(reason)) => reason,
            None => "its thread ended".to_owned(),
        };
        self.serving = None;
        if self.pasted.is_none() {
            let address = self.address.clone();
            return Err(FlowError::ListenerDied { address, reason });
        }
        interaction.warn(&format!(
            "the listener at {} ended ({reason}); paste the address of the last browser page instead",
            self.address
        ));
        Ok(None)
    }

    /// Waiting on is safe, for only the true answer has the state; but whoever waits for nothing should know why.
    fn refused(&mut self, rejection: Rejection, interaction: &dyn Interaction) {
        let address = &self.address;
        self.http.tell(1, || {
            format!("a callback at {address} was refused: {rejection}")
        });
        let can_paste = self.pasted.is_some();
        let Some(way_out) = way_out(rejection, can_paste) else {
            return;
        };
        if !self.told.contains(&rejection) {
            self.told.push(rejection);
            interaction.warn(&format!(
                "the browser sent an answer that is not for this login: {rejection}; {way_out}"
            ));
        }
    }

    fn read(
        &mut self,
        line: Option<String>,
        interaction: &dyn Interaction,
    ) -> Result<Option<Answer>, FlowError> {
        let Some(line) = line else {
            self.pasted = None;
            // A script that gave a wrong address, and then no more, waits for nothing.
            return match (&self.serving, self.trouble.take()) {
                (Some(_), None) => Ok(None),
                (_, trouble) => Err(FlowError::NothingPasted { trouble }),
            };
        };
        if line.trim().is_empty() {
            return Ok(None);
        }
        match self.expected.judge_pasted(&line) {
            Ok(outcome) if self.is_first() => Ok(Some((outcome, None))),
            // The browser was quicker, and its event is under way.
            Ok(_) => Ok(None),
            Err(rejection) => {
                let trouble = advice(rejection, &self.expected);
                interaction.warn(&trouble);
                self.trouble = Some(trouble);
                Ok(None)
            }
        }
    }

    fn is_first(&self) -> bool {
        let claim = self.serving.as_ref().map(|serving| &serving.claim);
        claim.is_none_or(Claim::take)
    }
}

/// What the user can do about a refused callback, where it is likely to have been the provider's answer.
fn way_out(rejection: Rejection, can_paste: bool) -> Option<&'static str> {
    match rejection {
        Rejection::ErrorWithoutState => Some("if you denied the request, press Ctrl-C"),
        Rejection::Empty if can_paste => {
            Some("paste the whole address here, with the part after `#`, or press Ctrl-C")
        }
        Rejection::Empty => Some(
            "press Ctrl-C, run it again with `--paste`, and paste the whole address, with the part after `#`",
        ),
        Rejection::FormPost => Some(
            "press Ctrl-C, and remove `response_mode` from authorization_params in config.toml, or report it to the provider",
        ),
        Rejection::TooLarge => Some(
            "delete the browser's cookies for this address, or use a private window, and open the address again",
        ),
        _ => None,
    }
}

/// What to tell a user whose line was of no use. Never the line itself: it may hold a code.
fn advice(rejection: Rejection, expected: &Expected) -> String {
    let address = &expected.redirect[..url::Position::AfterPath];
    let begins = format!("it starts with {address}");
    match rejection {
        Rejection::NotAnAddress | Rejection::OtherAddress if expected.stateless => {
            "this is not a code: paste only the code that the page shows".to_owned()
        }
        Rejection::NotAnAddress | Rejection::OtherAddress => {
            format!(
                "{rejection}: paste the whole address from the browser's address bar; {begins}?…"
            )
        }
        _ => format!(
            "the pasted address is not for this login: {rejection}; finish in the tab that was opened for it, and paste \
             the address of its last page; {begins}?…"
        ),
    }
}

/// Of a way that isn't there, nothing ever comes.
async fn next<T>(way: Option<&mut UnboundedReceiver<T>>) -> Option<T> {
    match way {
        Some(way) => way.recv().await,
        None => pending().await,
    }
}
