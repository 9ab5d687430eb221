//! The command line, as it was typed: types only. The doc comments are the help.

pub mod plain;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::clock::parse_duration;

/// Sign in to SEO APIs once; scripts always get a valid token
///
/// `seo-auth login` signs in with the browser. It stores the credential in the operating system's keyring, or in a sealed
/// (encrypted) file if there is no keyring. `seo-auth token print` prints a valid access token for scripts.
#[derive(Debug, Parser)]
#[command(
    name = "seo-auth",
    version,
    propagate_version = true,
    max_term_width = 100,
    help_template = HELP,
    after_help = AFTER_HELP,
    after_long_help = format!("{AFTER_HELP}{EXIT_CODES}")
)]
pub struct Cli {
    /// Flags that stand before or after the command.
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What people do first stands first.
const HELP: &str = "\
{about-with-newline}
  seo-auth login semrush                 sign in (also ahrefs, google, moz, ...)
  seo-auth import                        store the API keys of a .env file
  seo-auth status --check                which logins work, and their quotas
  TOKEN=$(seo-auth token print semrush)  a valid token for a script
  seo-auth exec semrush -- ./report.sh   run a script that needs the token

{usage-heading} {usage}

{all-args}{after-help}";

const AFTER_HELP: &str = "\
Try it without an account: seo-auth login semrush --sandbox
Options of every command (--profile, --store, --json, -v, ...): seo-auth --help";

const EXIT_CODES: &str = "

Exit codes: 0 done, 1 failed, 2 usage or configuration error, 4 login needed, 5 not authorised, 6 provider unreachable, \
7 credential store unavailable, 8 protocol violated, 130 interrupted";

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Profile: it keeps several accounts of one provider apart [default: default]
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Store to save to (`login`) or to look in (other commands) [auto|keyring|file|vault]
    #[arg(long, global = true, hide_short_help = true, value_name = "STORE")]
    pub store: Option<String>,
    /// Configuration file [default: config.toml in the platform's config folder]
    #[arg(
        long,
        global = true, hide_short_help = true,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
    )]
    pub config: Option<OsString>,
    /// Folder for the logins [default: the platform's state folder]
    #[arg(
        long,
        global = true, hide_short_help = true,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
    )]
    pub state_dir: Option<OsString>,
    /// Write JSON on stdout, and errors as JSON on stderr
    #[arg(long, global = true, hide_short_help = true)]
    pub json: bool,
    /// Show each request and its result (-vv: also what was sent and received, -vvv: also the bodies, with secrets masked)
    #[arg(short, long, global = true, hide_short_help = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Show only errors
    #[arg(short, long, global = true, hide_short_help = true)]
    pub quiet: bool,
    /// When to use colour [auto|always|never]; auto: only on a terminal, and not with NO_COLOR or TERM=dumb
    // Listed with a line each, these three would give every command's help its long form.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that is not dumb, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Wherever it is written to.
    Always,
    /// Nowhere.
    Never,
}

// Only the arguments of the command that is called are built: those of all are half of what a short command costs.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Sign in to a provider and store the credential
    Login(Box<Login>),
    /// Store the API keys of .env files
    Import(Import),
    /// Move a login from one store to another
    Move(Move),
    /// Revoke the tokens at the provider, then delete them here
    ///
    /// Some providers can't revoke tokens. The command says so, and deletes the login here.
    Logout(Logout),
    /// Show all logins, their expiry, and when to sign in again
    Status(Status),
    /// Print or refresh an access token
    #[command(subcommand)]
    Token(Token),
    /// Run a command with tokens in its environment
    Exec(Exec),
    /// Send an authorised HTTP request to a provider's API
    Api(Box<Api>),
    /// List the known providers, or show one in detail
    ///
    /// They are built in, or come from the configuration file.
    Providers {
        /// The provider to show in detail
        provider: Option<String>,
    },
    /// Run a test authorization server on this machine, offline
    Sandbox(Sandbox),
    /// Find common problems, and say how to fix them
    ///
    /// Exits with 0 if a login could work, else with the exit code of the first problem to fix. The output contains no
    /// secret, so you can paste it into an issue.
    Doctor,
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all pages into a folder (roff)
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
    /// Scope to request (repeatable, or comma-separated)
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    pub scope: Vec<String>,
    /// Client ID that the provider gave you
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Read the client secret from stdin, and keep it in the store
    #[arg(hide_short_help = true, long, conflicts_with_all = ["with_token", "paste"])]
    pub client_secret_stdin: bool,
    /// Read client ID and client secret from a JSON file (-: stdin)
    ///
    /// Google, for example, offers this file for download when you create a client.
    #[arg(hide_short_help = true, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["client_id", "client_secret_stdin", "with_token"])]
    pub client_file: Option<PathBuf>,
    /// Email of the account to suggest in the browser
    #[arg(hide_short_help = true, long, value_name = "EMAIL")]
    pub login_hint: Option<String>,
    /// Service account: its key file [default: stdin]
    ///
    /// The key is kept in the store. You can delete the file afterwards.
    #[arg(hide_short_help = true, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// Service account: the user to impersonate
    #[arg(hide_short_help = true, long, value_name = "EMAIL")]
    pub subject: Option<String>,
    /// Redirect URI, exactly as it is registered at the provider
    #[arg(hide_short_help = true, long, value_name = "URI")]
    pub redirect_uri: Option<String>,
    /// Way to sign in
    ///
    /// Needed only for a way other than the provider's first one; `seo-auth providers NAME` lists its ways.
    #[arg(long, value_name = "FLOW")]
    pub flow: Option<Flow>,
    /// How long to wait for the approval: 90s, 10m
    #[arg(hide_short_help = true, long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Do not open a browser
    #[arg(long, conflicts_with = "browser")]
    pub no_browser: bool,
    /// Browser to open [default: $BROWSER, else the system's]
    #[arg(hide_short_help = true, long, value_name = "CMD")]
    pub browser: Option<String>,
    /// Read the address of the last browser page from stdin
    #[arg(hide_short_help = true, long)]
    pub paste: bool,
    /// Show the address as a QR code
    #[arg(hide_short_help = true, long)]
    pub qr: bool,
    /// Copy the user code to the terminal's clipboard
    #[arg(hide_short_help = true, long)]
    pub copy: bool,
    /// Store a key without checking it at the provider
    #[arg(hide_short_help = true, long)]
    pub no_check: bool,
    /// Read a token or a key from stdin, and store it
    ///
    /// Also reads the JSON of `token print --format json --with-refresh-token`.
    #[arg(long, conflicts_with_all = ["sandbox", "paste"])]
    pub with_token: bool,
    /// Replace a stored login of another issuer or user
    #[arg(hide_short_help = true, long)]
    pub replace: bool,
    /// Sign in to the built-in test server (profile `sandbox`)
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
    /// Client ID and client secret (RFC 6749 §4.4)
    ClientCredentials,
}

// How the embedded authorization server behaves. (A doc comment here would be the help of the commands that have these.)
#[derive(Args, Clone, Debug)]
pub struct SandboxRules {
    /// Sandbox: who approves the login [default: ask if a browser can open, else auto]
    #[arg(hide_short_help = true, long, value_name = "HOW")]
    pub approve: Option<Approve>,
    /// Sandbox: simulate a fault: FAULT or FAULT@ENDPOINT (repeatable)
    ///
    /// FAULT is slow_down, expired, denied, server_error, garbage or hang. ENDPOINT is device_authorization, token,
    /// authorize, revoke or api.
    #[arg(hide_short_help = true, long, value_name = "FAULT")]
    pub fault: Vec<String>,
    /// Sandbox: lifetime of access tokens [default: as at the provider]
    #[arg(hide_short_help = true, long, value_name = "DURATION", value_parser = parse_duration)]
    pub expires_in: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// Approve automatically after the first poll
    Auto,
    /// A person decides on the consent page
    Ask,
    /// Deny automatically
    Deny,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  seo-auth import --dry-run
  seo-auth import .env ~/project/.env --remove
  seo-auth import - --yes < keys.env")]
pub struct Import {
    /// Files to read [default: .env in this folder]; - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Show what would be stored, and store nothing
    #[arg(long, conflicts_with = "remove")]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
    /// Remove the stored lines from their files
    #[arg(long)]
    pub remove: bool,
    /// Replace logins that hold another value
    #[arg(long)]
    pub replace: bool,
    /// Provider of a variable, if seo-auth guesses wrong (repeatable)
    #[arg(long = "as", value_name = "NAME=PROVIDER")]
    pub assign: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Move {
    /// The provider; needed if several logins are stored
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
    /// Log out of all accounts
    #[arg(long, conflicts_with = "provider")]
    pub all: bool,
}

#[derive(Args, Debug)]
pub struct Status {
    /// The provider [default: all]
    pub provider: Option<String>,
    /// Ask each provider whether the credential works
    #[arg(long)]
    pub check: bool,
    /// Exit with 4 if a login ends within this time: 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub warn_before: Option<Duration>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Token {
    /// Print a valid access token; refresh it first if needed
    Print(TokenPrint),
    /// Refresh the access token now
    Refresh {
        /// The provider; needed if several logins are stored
        provider: Option<String>,
        /// Refresh every stored login
        #[arg(long, conflicts_with = "provider")]
        all: bool,
        /// Refresh only if less than this is left: 1h
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        min_valid: Option<Duration>,
    },
}

#[derive(Args, Debug, Default)]
#[command(after_help = "\
Examples:
  TOKEN=$(seo-auth token print semrush)
  seo-auth token print semrush --format curl | curl -K - \"$URL\"
  eval \"$(seo-auth token print ahrefs --format env)\"
  seo-auth token print semrush --format github --name SEMRUSH_TOKEN")]
pub struct TokenPrint {
    /// The provider; needed if several logins are stored
    pub provider: Option<String>,
    /// Output format [default: raw]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Variable for the formats env, dotenv and github
    #[arg(long, value_name = "VAR")]
    pub name: Option<String>,
    /// Field to print, if the key has several
    #[arg(long, value_name = "FIELD")]
    pub field: Option<String>,
    /// Refresh if less than this is left [default: 60s]
    ///
    /// With this option, a token that is valid for less is never printed.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub min_valid: Option<Duration>,
    /// Read a refused token from stdin; print a new one
    ///
    /// For a token that an API answered with 401. It is refreshed only if it is still the current one.
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
    /// Request header: `Authorization: Bearer TOKEN`
    Header,
    /// Request headers as a JSON object, for MCP clients
    Headers,
    /// `export VAR='TOKEN'` for a POSIX shell
    Env,
    /// `VAR=...` for a .env file
    Dotenv,
    /// A config file for `curl -K -`
    Curl,
    /// Mask the token in the log, then append it to $GITHUB_ENV (or $GITHUB_OUTPUT)
    Github,
}

const EXEC_EXAMPLES: &str = "\
Examples:
  seo-auth exec semrush -- ./report.sh
  seo-auth exec semrush ahrefs -- python3 report.py
  seo-auth exec semrush --as TOKEN --min-valid 1h -- ./long-job
  seo-auth exec semrush --token-file -- sh -c 'work \"$SEO_AUTH_TOKEN_FILE\"'";

const EXEC_MORE: &str = "

The variables are the provider's own; `seo-auth providers NAME` lists them. The command does not inherit SEO_AUTH_KEY, \
SEO_AUTH_<PROVIDER>_CLIENT_SECRET, or SEO_AUTH_<PROVIDER>_TOKEN of providers that you did not name. If the command calls \
seo-auth itself, set SEO_AUTH_KEY_FILE.

If another process refreshes the token, the token file follows within half a minute.

Exit codes: the command's own; 128+N if signal N killed it; 126 if it can't be run; 127 if it was not found. If no token \
is available, the command does not run, and the exit code is that of seo-auth: see `seo-auth --help`.";

#[derive(Args, Debug)]
#[command(after_help = EXEC_EXAMPLES, after_long_help = format!("{EXEC_EXAMPLES}{EXEC_MORE}"))]
pub struct Exec {
    /// The providers; needed if several logins are stored
    pub providers: Vec<String>,
    /// Variable to set instead of the provider's own
    ///
    /// For a key with several fields, write FIELD=NAME, once for each field.
    #[arg(long = "as", value_name = "NAME")]
    pub variables: Vec<String>,
    /// Refresh if less than this is left [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub min_valid: Option<Duration>,
    /// Also write the token to $SEO_AUTH_TOKEN_FILE
    ///
    /// The file is kept fresh while the command runs.
    #[arg(long)]
    pub token_file: bool,
    /// Also write the credentials file that Google's libraries read
    ///
    /// $GOOGLE_APPLICATION_CREDENTIALS names the file while the command runs. It holds the service account's key, or the
    /// client and the refresh token. The command could keep a copy of them.
    #[arg(hide_short_help = true, long)]
    pub credentials_file: bool,
    /// Command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

const API_EXAMPLES: &str = "\
Examples:
  seo-auth api ahrefs subscription-info/limits-and-usage
  seo-auth api semrush map-rank-tracker/v0/campaigns -f size=5
  seo-auth api semrush map-rank-tracker/v0/campaigns --paginate | jq '.[].name'
  seo-auth api semrush projects/v1/projects -X POST -f name=Shop";

const API_MORE: &str = "

seo-auth unwraps Semrush's `data`, and prints other JSON unchanged. If the API answers with an error, the message goes to \
stderr.

Exit codes: 1 the API answered with an error, 4 login needed, 6 try again later (429, 5xx), 8 not an answer of the API";

#[derive(Args, Debug)]
#[command(after_help = API_EXAMPLES, after_long_help = format!("{API_EXAMPLES}{API_MORE}"))]
pub struct Api {
    /// The provider
    pub provider: String,
    /// Path below the provider's api_base, or an absolute URL
    ///
    /// The URL must be on the origin of api_base or on one of api_origins.
    pub path: String,
    /// HTTP method [default: GET; with --input: POST]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// Parameter as text
    ///
    /// It goes into the query of a GET, else into the JSON body. `KEY[]=VALUE` makes a list, `KEY[SUB]=VALUE` an object.
    #[arg(short = 'f', long = "raw-field", value_name = "KEY=VALUE")]
    pub raw_field: Vec<String>,
    /// Parameter as true, false, null, number or @FILE
    ///
    /// `@-` reads stdin.
    #[arg(short = 'F', long = "field", value_name = "KEY=VALUE")]
    pub field: Vec<String>,
    /// Request body from a file; - for stdin
    #[arg(hide_short_help = true, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["raw_field", "field"])]
    pub input: Option<PathBuf>,
    /// Request header
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// Also print the status and headers of the answer
    #[arg(short, long)]
    pub include: bool,
    /// Fetch all pages of a list as one JSON array
    #[arg(long, conflicts_with_all = ["input", "include", "raw"])]
    pub paginate: bool,
    /// Write the answer unchanged (only decompressed)
    #[arg(hide_short_help = true, long)]
    pub raw: bool,
    /// Exit with 0 even if the API answers with an error
    #[arg(hide_short_help = true, long)]
    pub no_fail: bool,
    /// This is the default now: exit with an error code if the API answers with an error
    #[arg(long, hide = true, conflicts_with = "no_fail")]
    pub fail: bool,
    /// Time limit for the whole call, with the waits for Retry-After [default: 60s until an answer begins]
    #[arg(hide_short_help = true, long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  seo-auth sandbox --port 8888
  SEO_AUTH_SANDBOX=http://127.0.0.1:8888 seo-auth login semrush")]
pub struct Sandbox {
    /// Port on 127.0.0.1; 0: any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    #[command(flatten)]
    pub rules: SandboxRules,
}

#[cfg(test)]
mod texts;

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
        let mut root = Cli::command();
        root.build();
        let mut commands = vec![root];
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
