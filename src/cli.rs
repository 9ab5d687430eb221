//! The command line, as it was typed: types only. The doc comments are the help.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::clock::parse_duration;

/// Sign in to SEO APIs; scripts get a token that is fresh
///
/// `seo-auth login` signs in with the browser and keeps the credential in the operating system's keyring (or in a sealed
/// file, where there is no keyring). `seo-auth token print` gives scripts a token that is valid.
#[derive(Debug, Parser)]
#[command(
    name = "seo-auth",
    version,
    propagate_version = true,
    max_term_width = 100,
    help_template = HELP,
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// Flags that stand before or after the command.
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// `token print` alone: scripts call it in loops, and the tree of all commands is most of its cost.
#[derive(Parser)]
#[command(disable_help_flag = true)]
struct OnlyPrint {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    print: TokenPrint,
}

impl Cli {
    /// The call of this process. What is no plain `token print` goes through the whole tree, mistakes and help included.
    pub fn of_process() -> Result<Self, clap::Error> {
        let mut arguments = std::env::args_os();
        let program = arguments.next();
        let is_print = arguments.next().is_some_and(|word| word == "token")
            && arguments.next().is_some_and(|word| word == "print");
        if is_print
            && let Ok(OnlyPrint { global, print }) =
                OnlyPrint::try_parse_from(program.into_iter().chain(arguments))
        {
            let command = TokenCommand::Print(print);
            let command = Command::Token(Token { command });
            return Ok(Self { global, command });
        }
        Self::try_parse()
    }
}

/// What people do first stands first.
const HELP: &str = "\
{about-with-newline}
  seo-auth login semrush                 sign in; also ahrefs, google, or with a key: moz, dataforseo, ...
  seo-auth import                        move the API keys of a .env file into the store
  seo-auth status --check                which logins work, and what is left of each quota
  TOKEN=$(seo-auth token print semrush)  a valid token for a script
  seo-auth exec semrush -- ./report.sh   a script that finds the token

{usage-heading} {usage}

{all-args}{after-help}";

const AFTER_HELP: &str = "\
Try it without an account: seo-auth login semrush --sandbox
Options of every command (--profile, --store, --json, -v, ...): seo-auth --help

Exit codes: 0 done, 1 failed, 2 usage or configuration, 4 login needed, 5 not authorised, 6 provider unreachable, \
7 credential store unavailable, 8 protocol violated, 130 interrupted";

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Which account, where a provider has several [default: default]
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub profile: Option<String>,
    /// Which store: `login` saves there, other commands look only there [auto|keyring|file|vault]
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "STORE",
        help_heading = "Global options"
    )]
    pub store: Option<String>,
    /// The configuration file [default: config.toml in the platform's folder]
    #[arg(
        long,
        global = true, hide_short_help = true,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help_heading = "Global options"
    )]
    pub config: Option<OsString>,
    /// The folder of the logins [default: the platform's folder for state]
    #[arg(
        long,
        global = true, hide_short_help = true,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help_heading = "Global options"
    )]
    pub state_dir: Option<OsString>,
    /// Write JSON on stdout, and errors as JSON on stderr
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        help_heading = "Global options"
    )]
    pub json: bool,
    /// Tell each request and its outcome (-vv: what is asked and answered, -vvv: the bodies, secrets masked)
    #[arg(short, long, global = true, hide_short_help = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(
        short,
        long,
        global = true,
        hide_short_help = true,
        help_heading = "Global options"
    )]
    pub quiet: bool,
    /// When to use colour [auto|always|never]; auto: on a terminal, unless NO_COLOR or TERM=dumb says otherwise
    // Listed with a line each, these three would give every command's help its long form.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that is not dumb, unless `NO_COLOR` is set.
    Auto,
    /// Wherever it is written to.
    Always,
    /// Nowhere.
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to a provider and store the credential
    Login(Box<Login>),
    /// Move the API keys of .env files into the store
    Import(Import),
    /// Move a login from one store to another
    Move(Move),
    /// Revoke the tokens where the provider allows it, then delete them here
    Logout(Logout),
    /// Show what is stored, until when, and when a human must act
    Status(Status),
    /// Print or refresh an access token
    Token(Token),
    /// Run a command with tokens in its environment
    Exec(Exec),
    /// Send an authorised HTTP request to a provider's API
    Api(Box<Api>),
    /// List the known providers, built in and from the config file, or tell all of one
    Providers {
        /// The provider to tell of
        provider: Option<String>,
    },
    /// Run the embedded authorization server, offline
    Sandbox(Sandbox),
    /// Check everything that commonly breaks, and say what to do
    ///
    /// Exits with 0 only when a login could work, else with the code of what must be mended first. Its output holds no
    /// secret: it is made to be pasted into an issue.
    Doctor,
    /// Write a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page, or all pages into a folder (roff)
    Man {
        /// The folder to write all pages into
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  seo-auth login semrush
  seo-auth login ahrefs --client-id 0123abcd
  seo-auth login semrush --scope user.id,domains.info
  seo-auth login semrush --with-token < token.txt
  seo-auth login ahrefs --sandbox")]
pub struct Login {
    /// The provider; `seo-auth providers` lists them
    pub provider: Option<String>,
    /// Scope to ask for (repeatable, or separated by commas)
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    pub scope: Vec<String>,
    /// The client that the provider issued to you
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Read a client secret from stdin; it is kept in the store
    #[arg(hide_short_help = true, long, conflicts_with_all = ["with_token", "paste"])]
    pub client_secret_stdin: bool,
    /// Take client ID and secret from the JSON file that the provider's console gave out (-: stdin)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["client_id", "client_secret_stdin", "with_token"])]
    pub client_file: Option<PathBuf>,
    /// The account to offer in the browser
    #[arg(hide_short_help = true, long, value_name = "EMAIL")]
    pub login_hint: Option<String>,
    /// Service account: its key file [default: stdin]; it is kept in the store, and the file can go
    #[arg(hide_short_help = true, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// Service account: the user to act for
    #[arg(hide_short_help = true, long, value_name = "EMAIL")]
    pub subject: Option<String>,
    /// The redirect URI that is registered at the provider
    #[arg(hide_short_help = true, long, value_name = "URI")]
    pub redirect_uri: Option<String>,
    /// How to sign in, where a provider has more than one way
    #[arg(long, value_name = "FLOW")]
    pub flow: Option<Flow>,
    /// How long to wait for the approval: 90s, 10m
    #[arg(hide_short_help = true, long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Never open a browser
    #[arg(long, conflicts_with = "browser")]
    pub no_browser: bool,
    /// The browser to open [default: $BROWSER, else the system's]
    #[arg(hide_short_help = true, long, value_name = "CMD")]
    pub browser: Option<String>,
    /// Read the address that the browser ended on from stdin
    #[arg(hide_short_help = true, long)]
    pub paste: bool,
    /// Show the address as a QR code
    #[arg(hide_short_help = true, long)]
    pub qr: bool,
    /// Copy the user code to the terminal's clipboard
    #[arg(hide_short_help = true, long)]
    pub copy: bool,
    /// Store a key without trying it
    #[arg(hide_short_help = true, long)]
    pub no_check: bool,
    /// Read a token, a key, or the JSON of `token print --format json --with-refresh-token`, from stdin
    #[arg(long, conflicts_with_all = ["sandbox", "paste"])]
    pub with_token: bool,
    /// Replace a stored login of another issuer
    #[arg(hide_short_help = true, long)]
    pub replace: bool,
    /// Sign in at the embedded authorization server, on the profile `sandbox`
    #[arg(long)]
    pub sandbox: bool,
    /// How the embedded authorization server behaves.
    #[command(flatten)]
    pub rules: SandboxRules,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flow {
    /// Device code (RFC 8628)
    Device,
    /// Authorization code (RFC 6749 §4.1)
    Code,
    /// An API key
    Key,
    /// A service account's key file (RFC 7523)
    ServiceAccount,
    /// The client's own id and secret (RFC 6749 §4.4)
    ClientCredentials,
}

/// How the embedded authorization server behaves.
#[derive(Args, Clone, Debug)]
pub struct SandboxRules {
    /// Sandbox: who approves [default: ask where a person has a browser, else auto]
    #[arg(hide_short_help = true, long, value_name = "HOW")]
    pub approve: Option<Approve>,
    /// Sandbox: a scripted fault, FAULT or FAULT@ENDPOINT (slow_down, expired, denied, server_error, garbage, hang at
    /// device_authorization, token, authorize, revoke, api)
    #[arg(hide_short_help = true, long, value_name = "FAULT")]
    pub fault: Vec<String>,
    /// Sandbox: how long access tokens live [default: as the provider's]
    #[arg(hide_short_help = true, long, value_name = "DURATION", value_parser = parse_duration)]
    pub expires_in: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// It approves by itself after the first poll
    Auto,
    /// A person clicks on its consent page
    Ask,
    /// It denies by itself
    Deny,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  seo-auth import --dry-run
  seo-auth import .env ~/project/.env --remove
  seo-auth import - --yes < keys.env")]
pub struct Import {
    /// The files [default: .env here]; - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Only tell what would be stored
    #[arg(long, conflicts_with = "remove")]
    pub dry_run: bool,
    /// Ask nothing
    #[arg(long)]
    pub yes: bool,
    /// Take the lines that are stored out of their files
    #[arg(long)]
    pub remove: bool,
    /// Also where another login is stored
    #[arg(long)]
    pub replace: bool,
    /// Which provider a variable belongs to, against what its name says (repeatable)
    #[arg(long = "as", value_name = "NAME=PROVIDER")]
    pub assign: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Move {
    /// The provider, where several logins are stored
    pub provider: Option<String>,
    /// The store to move it to [keyring|file|vault]
    #[arg(long, value_name = "STORE")]
    pub to: String,
}

#[derive(Args, Debug)]
pub struct Logout {
    /// The provider to log out of
    #[arg(required_unless_present = "all")]
    pub provider: Option<String>,
    /// Log out of every account that is stored
    #[arg(long, conflicts_with = "provider")]
    pub all: bool,
}

#[derive(Args, Debug)]
pub struct Status {
    /// The provider [default: all]
    pub provider: Option<String>,
    /// Ask each provider whether the token works
    #[arg(long)]
    pub check: bool,
    /// Exit with 4 when a human must act within this time: 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub warn_before: Option<Duration>,
}

#[derive(Args, Debug)]
pub struct Token {
    /// What to do with it.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// `token print`, `token refresh`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print an access token, refreshed first when it is due; never interactive
    Print(TokenPrint),
    /// Refresh the access token now
    Refresh {
        /// The provider, where several logins are stored
        provider: Option<String>,
        /// Every login that is stored
        #[arg(long, conflicts_with = "provider")]
        all: bool,
        /// Only where less than this is left: 1h
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        min_valid: Option<Duration>,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  TOKEN=$(seo-auth token print semrush)
  seo-auth token print semrush --format curl | curl -K - https://api.semrush.com/apis/v4/...
  eval \"$(seo-auth token print ahrefs --format env)\"
  seo-auth token print semrush --format github --name SEMRUSH_TOKEN")]
pub struct TokenPrint {
    /// The provider, where several logins are stored
    pub provider: Option<String>,
    /// How to write it [default: raw]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// The variable of the formats env, dotenv and github
    #[arg(long, value_name = "VAR")]
    pub name: Option<String>,
    /// Which field, of a key that has several
    #[arg(long, value_name = "FIELD")]
    pub field: Option<String>,
    /// Refresh when less than this is left [default: 60s]; with the flag, print nothing that is valid for less
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub min_valid: Option<Duration>,
    /// Read a token that an API refused from stdin; refresh if it is still the current one
    #[arg(long)]
    pub rejected: bool,
    /// Add the refresh token (only with --format json)
    #[arg(long)]
    pub with_refresh_token: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The token and a newline
    Raw,
    /// One object, schema seo-auth.token.v1
    Json,
    /// The header that a request carries: `Authorization: Bearer TOKEN`
    Header,
    /// The same as a JSON object, as MCP clients read it
    Headers,
    /// `export VAR='TOKEN'` for a POSIX shell
    Env,
    /// `VAR=...` for a .env file
    Dotenv,
    /// A config for `curl -K -`
    Curl,
    /// Masks the token, then appends it to $GITHUB_ENV (or $GITHUB_OUTPUT)
    Github,
}

const EXEC_EXAMPLES: &str = "\
Examples:
  seo-auth exec semrush -- ./report.sh
  seo-auth exec semrush ahrefs -- python3 report.py
  seo-auth exec semrush --as TOKEN --min-valid 1h -- ./long-job
  seo-auth exec semrush --token-file -- sh -c 'work \"$SEO_AUTH_TOKEN_FILE\"'";

const EXEC_MORE: &str = "

The variables are the provider's own; `seo-auth providers NAME` lists them. Of seo-auth's own, the command does not inherit \
SEO_AUTH_KEY, any SEO_AUTH_<PROVIDER>_CLIENT_SECRET, and SEO_AUTH_<PROVIDER>_TOKEN of providers that were not named; where it \
calls seo-auth itself, give the key by SEO_AUTH_KEY_FILE.

The token file follows what another process refreshes within half a minute.

Exit codes: the command's own, 128+N where signal N killed it; 126 where it can't be run, 127 where there is none; else as \
everywhere, and then it has not run.";

#[derive(Args, Debug)]
#[command(after_help = EXEC_EXAMPLES, after_long_help = format!("{EXEC_EXAMPLES}{EXEC_MORE}"))]
pub struct Exec {
    /// The providers, where several logins are stored
    pub providers: Vec<String>,
    /// The variable to set instead of the provider's own; of a key with several fields FIELD=NAME (repeatable)
    #[arg(long = "as", value_name = "NAME")]
    pub variables: Vec<String>,
    /// Refresh when less than this is left [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub min_valid: Option<Duration>,
    /// Also keep a fresh token in the file $SEO_AUTH_TOKEN_FILE while the command runs
    #[arg(long)]
    pub token_file: bool,
    /// Put what Google's libraries want into the file $GOOGLE_APPLICATION_CREDENTIALS while the command runs: the service
    /// account's key, or client and refresh token, which the command could then keep
    #[arg(long)]
    pub credentials_file: bool,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  seo-auth api ahrefs subscription-info/limits-and-usage
  seo-auth api semrush map-rank-tracker/v0/campaigns -f size=5
  seo-auth api semrush map-rank-tracker/v0/campaigns --paginate | jq '.[].name'
  seo-auth api semrush projects/v1/projects -X POST -f name=Shop

Semrush's `data` is unwrapped, other JSON comes as it is; what an API says of an error is told on stderr.

Exit codes: 1 an error of the API, 4 login needed, 6 try again later (429, 5xx), 8 not the API's answer")]
pub struct Api {
    /// The provider
    pub provider: String,
    /// Appended to the provider's api_base; or an absolute URL on its origin or on one of api_origins
    pub path: String,
    /// The HTTP method [default: GET, or POST with --input]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A parameter, as text: into the query of GET, else into the JSON body (brackets make lists and objects)
    #[arg(short = 'f', long = "raw-field", value_name = "KEY=VALUE")]
    pub raw_field: Vec<String>,
    /// A parameter, typed: true, false, null, numbers, @FILE, - for stdin
    #[arg(short = 'F', long = "field", value_name = "KEY=VALUE")]
    pub field: Vec<String>,
    /// The body, from a file or - for stdin
    #[arg(hide_short_help = true, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["raw_field", "field"])]
    pub input: Option<PathBuf>,
    /// A header
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// Also write the answer's status and headers
    #[arg(short, long)]
    pub include: bool,
    /// Fetch all pages of a list (Semrush: page, or offset, as its documentation has it) into one JSON array
    #[arg(long, conflicts_with_all = ["input", "include", "raw"])]
    pub paginate: bool,
    /// Write the bytes of any answer as they come, unpacked where they came compressed
    #[arg(hide_short_help = true, long)]
    pub raw: bool,
    /// Exit with 0 whatever the API answers
    #[arg(hide_short_help = true, long)]
    pub no_fail: bool,
    /// The default, once needed to exit with an error code when the API answers with an error
    #[arg(long, hide = true, conflicts_with = "no_fail")]
    pub fail: bool,
    /// Time limit for the whole call, waits for Retry-After included [default: 60s until an answer begins]
    #[arg(hide_short_help = true, long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  seo-auth sandbox --port 8888
  SEO_AUTH_SANDBOX=http://127.0.0.1:8888 seo-auth login semrush")]
pub struct Sandbox {
    /// The port on 127.0.0.1; 0: any free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    #[command(flatten)]
    pub rules: SandboxRules,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    /// Each example of each help text is a command line that parses.
    #[test]
    fn the_examples_work() {
        let mut tried = 0;
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                let Some(at) = line.find("seo-auth ") else {
                    continue;
                };
                // Up to what the shell would take for itself, and to the remark after two spaces.
                let end = |text: &str| text.find(['|', '<', ')']).unwrap_or(text.len());
                let call = &line[at..at + end(&line[at..])];
                let call = call.split("  ").next().unwrap();
                let outcome = Cli::try_parse_from(call.split_whitespace());
                assert!(outcome.is_ok(), "{line}: {}", outcome.unwrap_err());
                tried += 1;
            }
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(tried > 15, "only {tried} examples were found");
    }
}
