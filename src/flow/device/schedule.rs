//! When to poll again: a pure decision by RFC 8628 §3.5.

use crate::flow::FlowError;
use crate::flow::refusal::Meaning;
use crate::http::HttpError;

/// RFC 8628 §3.2: "If no value is provided, clients MUST use 5 as the default."
const DEFAULT_INTERVAL: u64 = 5;
/// Zero would be a busy loop at somebody else's server.
const MIN_INTERVAL: u64 = 1;
/// A server that asks for more than a minute between polls means something else (milliseconds, mostly).
const MAX_INTERVAL: u64 = 60;
/// RFC 8628 §3.5: `slow_down` adds 5 seconds "for this and all subsequent requests".
const SLOW_DOWN: u64 = 5;
/// Back-off after lost connections stops growing here, so that an approval is seen within a minute of the line's return.
const MAX_BACKOFF: u64 = 60;

/// One page of a gateway that restarts ends no login; so many in a row are what the server has to say.
const ODD_ANSWERS: u32 = 3;

/// How often to poll, and how often in a row the line broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    /// Seconds between two polls.
    pub(super) interval: u64,
    broken: u32,
    odd: u32,
}

impl Schedule {
    pub(super) fn new(interval: Option<u64>) -> Self {
        let interval = interval
            .unwrap_or(DEFAULT_INTERVAL)
            .clamp(MIN_INTERVAL, MAX_INTERVAL);
        Self {
            interval,
            broken: 0,
            odd: 0,
        }
    }

    fn wait(&self, troubled: bool) -> Decision {
        Decision::Wait {
            seconds: self.interval,
            troubled,
        }
    }
}

/// What follows from an answer that brought no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Poll again after so many seconds; `troubled` where the provider failed rather than the user waited.
    Wait {
        seconds: u64,
        troubled: bool,
    },
    Denied,
    Expired,
    Fail,
}

/// RFC 8628 §3.5, by the error that a poll gave. Changes the schedule where the RFC says "for all subsequent requests".
pub(super) fn decide(error: &FlowError, schedule: &mut Schedule) -> Decision {
    match error {
        FlowError::Http(HttpError::BodyTooLarge { .. }) => Decision::Fail,
        FlowError::Http(error) if error.is_lasting() => Decision::Fail,
        // "On encountering a connection timeout, clients MUST unilaterally reduce their polling frequency […] exponential
        // backoff".
        FlowError::Http(_) => {
            schedule.broken = schedule.broken.saturating_add(1);
            let factor = 2_u64.saturating_pow(schedule.broken);
            let seconds = schedule
                .interval
                .saturating_mul(factor)
                .min(MAX_BACKOFF.max(schedule.interval));
            Decision::Wait {
                seconds,
                troubled: true,
            }
        }
        FlowError::Overloaded { retry_after, .. } => {
            let asked = retry_after.map_or(0, |span| span.as_secs());
            Decision::Wait {
                seconds: schedule.interval.max(asked),
                troubled: true,
            }
        }
        FlowError::Refused { error, .. } => {
            schedule.broken = 0;
            schedule.odd = 0;
            match error.meaning() {
                Meaning::Pending => schedule.wait(false),
                Meaning::SlowDown => {
                    schedule.interval = schedule.interval.saturating_add(SLOW_DOWN);
                    schedule.wait(false)
                }
                Meaning::Passing => schedule.wait(true),
                Meaning::Denied => Decision::Denied,
                Meaning::CodeExpired => Decision::Expired,
                _ => Decision::Fail,
            }
        }
        FlowError::Unreadable { .. } => {
            schedule.odd += 1;
            match schedule.odd < ODD_ANSWERS {
                true => schedule.wait(true),
                false => Decision::Fail,
            }
        }
        _ => Decision::Fail,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::flow::Step;
    use crate::http::wire::ErrorResponse;

    fn refused(code: &str) -> FlowError {
        let error = ErrorResponse {
            error: code.into(),
            error_description: None,
        };
        FlowError::Refused {
            step: Step::DevicePoll,
            error,
        }
    }

    fn lost() -> FlowError {
        HttpError::TimedOut {
            host: "as.example".into(),
        }
        .into()
    }

    #[test]
    fn slow_down_adds_five_seconds_for_good() {
        let mut schedule = Schedule::new(Some(5));
        assert_eq!(
            decide(&refused("slow_down"), &mut schedule),
            Decision::Wait {
                seconds: 10,
                troubled: false
            }
        );
        assert_eq!(
            decide(&refused("slow_down"), &mut schedule),
            Decision::Wait {
                seconds: 15,
                troubled: false
            }
        );
        let pending = decide(&refused("authorization_pending"), &mut schedule);
        assert_eq!(
            pending,
            Decision::Wait {
                seconds: 15,
                troubled: false
            }
        );
    }

    #[test]
    fn lost_connections_back_off_and_recover() {
        let mut schedule = Schedule::new(Some(5));
        let waits: Vec<Decision> = (0..5).map(|_| decide(&lost(), &mut schedule)).collect();
        let seconds = [10, 20, 40, 60, 60];
        assert_eq!(
            waits,
            seconds.map(|seconds| Decision::Wait {
                seconds,
                troubled: true
            })
        );
        let pending = decide(&refused("authorization_pending"), &mut schedule);
        assert_eq!(
            pending,
            Decision::Wait {
                seconds: 5,
                troubled: false
            }
        );
    }

    #[test]
    fn an_overloaded_server_is_asked_again_when_it_says() {
        let mut schedule = Schedule::new(Some(5));
        for (asked, seconds) in [(None, 5), (Some(2), 5), (Some(30), 30)] {
            let retry_after = asked.map(Duration::from_secs);
            let error = FlowError::Overloaded {
                host: String::new(),
                status: 503,
                retry_after,
            };
            assert_eq!(
                decide(&error, &mut schedule),
                Decision::Wait {
                    seconds,
                    troubled: true
                }
            );
        }
    }

    #[test]
    fn the_users_decision_and_the_rest_end_it() {
        let mut schedule = Schedule::new(None);
        assert_eq!(schedule.interval, 5);
        for (code, decision) in [
            ("access_denied", Decision::Denied),
            ("authorization_declined", Decision::Denied),
            ("expired_token", Decision::Expired),
            ("code_expired", Decision::Expired),
            ("bad_verification_code", Decision::Expired),
        ] {
            assert_eq!(decide(&refused(code), &mut schedule), decision, "{code}");
        }
        assert_eq!(
            decide(&refused("invalid_grant"), &mut schedule),
            Decision::Fail
        );
        let page = FlowError::Unreadable {
            host: String::new(),
            status: 200,
            content: "a web page",
        };
        for _ in 0..2 {
            let waits = schedule.wait(true);
            assert_eq!(decide(&page, &mut schedule), waits);
        }
        assert_eq!(decide(&page, &mut schedule), Decision::Fail);
    }

    #[test]
    fn odd_intervals_are_bounded() {
        for (given, used) in [(None, 5), (Some(0), 1), (Some(7), 7), (Some(5_000), 60)] {
            assert_eq!(Schedule::new(given).interval, used);
        }
    }
}
