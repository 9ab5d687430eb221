//! What a login is going to do, as flags, environment and configuration have it together. What can be known to fail fails here,
//! before anything is shown or asked.

use super::input::{self, read_stdin};
use super::port;
use crate::cli::{self, Flow};
use crate::context::Context;
use crate::credential::{AccountKey, Name};
use crate::error::Error;
use crate::error::usage::login as usage;
use crate::flow::Client;
use crate::flow::loopback::Listener;
use crate::flow::{DiscoveryError, discovery};
use crate::provider::{ClientAuth, Code, Endpoint, Grant, Login, Provider, RedirectUri};
use crate::secret::{ClientSecret, Secret, client_value};
use crate::ui::{Ui, paste};

/// Client secrets have some 40 characters.
const MAX_SECRET: u64 = 4096;

/// A login that can begin.
pub struct Plan {
    pub provider: Provider,
    pub account: AccountKey,
    pub client: Client,
    /// The secret came from stdin and is kept in the store.
    pub keep_secret: bool,
    pub scope: Vec<String>,
    pub listener: Option<Listener>,
    /// Whether a line from stdin may be the answer.
    pub can_paste: bool,
}

impl Plan {
    /// Binds the port and reads the secret, where there are any.
    ///
    /// # Errors
    /// The login could not end well.
    pub fn new(
        context: &Context,
        args: &cli::Login,
        mut provider: Provider,
    ) -> Result<Self, Error> {
        if let (Some(uri), Login::Code(code)) = (&args.redirect_uri, &mut provider.login) {
            code.redirect_uri = redirect_uri(uri)?;
        }
        if let (Some(hint), Login::Code(code)) = (&args.login_hint, &mut provider.login) {
            // OpenID Connect Core §3.1.2.1.
            code.authorization_params
                .insert("login_hint".to_owned(), hint.clone());
        }
        // Before a secret is asked for, or a store is touched.
        let listener = port::bind(&provider, args)?;
        let mut from_file = false;
        let secret = match (&args.client_file, args.client_secret_stdin) {
            (Some(file), _) => {
                let (id, secret) = input::client_file(file)?;
                provider.client_id = Some(id);
                from_file = secret.is_some();
                secret
            }
            (None, true) => Some(read_secret(&context.ui)?),
            (None, false) => context.client_secret(&provider)?,
        };
        let by_hand = context.ui.is_interactive() && !args.client_secret_stdin;
        let plan = Self {
            account: context.accounts().of(&provider.name),
            client: Client {
                id: provider.client_id.clone(),
                secret,
            },
            keep_secret: args.client_secret_stdin || from_file,
            scope: scope(args, &provider),
            can_paste: matches!(provider.login, Login::Code(_)) && (args.paste || by_hand),
            provider,
            listener,
        };
        plan.check_client()?;
        plan.check_way_back()?;
        plan.look_at_scope(&context.ui);
        Ok(plan)
    }

    /// Where the tokens of this login come from.
    pub fn token_endpoint(&self) -> Option<&Endpoint> {
        let own = self.provider.login.token_endpoint()?;
        let has_secret = self.client.secret.is_some();
        Some(match &self.provider.login {
            Login::Code(_) => self.provider.token_endpoint_for(own, has_secret),
            _ => own,
        })
    }

    fn check_client(&self) -> Result<(), Error> {
        let provider = &self.provider;
        let by_code = matches!(provider.login, Login::Code(_));
        let proves_itself = match provider.client_auth {
            ClientAuth::Post | ClientAuth::Basic => true,
            // "Semrush Auth" knows only clients with a secret.
            ClientAuth::Unset => by_code && provider.confidential_token_endpoint.is_some(),
            ClientAuth::None => false,
        };
        if (by_code || proves_itself) && self.client.id.is_none() {
            return Err(Error::NoClientId {
                provider: provider.name.clone(),
                help: provider.client_id_help.clone(),
                redirect_uri: provider.code().map(|code| code.redirect_uri.to_string()),
            });
        }
        if self.keep_secret && provider.client_auth == ClientAuth::None {
            return Err(usage::secret_never_sent(&provider.name));
        }
        if proves_itself && self.client.secret.is_none() {
            return Err(usage::no_client_secret(&provider.name));
        }
        Ok(())
    }

    /// Whether the browser's answer can arrive, and be known for this login's.
    fn check_way_back(&self) -> Result<(), Error> {
        let Provider { name, login, .. } = &self.provider;
        let Login::Code(Code {
            redirect_uri,
            code_challenge_method,
            ..
        }) = login
        else {
            return Ok(());
        };
        if redirect_uri.is_loopback() {
            return Ok(());
        }
        // A code alone carries no state; what then binds it to this login is the verifier (RFC 7636 §1).
        if redirect_uri.is_out_of_band() && code_challenge_method.is_none() {
            return Err(usage::code_bound_to_nothing(name, redirect_uri));
        }
        if !self.can_paste {
            return Err(usage::nowhere_to_paste(redirect_uri));
        }
        Ok(())
    }

    fn look_at_scope(&self, ui: &Ui) {
        let known = &self.provider.known_scopes;
        for scope in &self.scope {
            if !known.is_empty() && !known.contains(scope) {
                ui.warn(&format!(
                    "seo-auth does not know the scope {} of {}; it requests the scope anyway",
                    scope, self.provider.title
                ));
            }
        }
    }
}

/// The provider that is named, with the client and the way that are named; an empty client is none.
///
/// # Errors
/// There is no such provider.
pub fn provider(context: &Context, args: &cli::Login) -> Result<Provider, Error> {
    let mut provider = context.provider(args.provider.as_deref().unwrap_or_default())?;
    if let Some(id) = args.client_id.as_deref().map(str::trim) {
        provider.client_id = Some(id.to_owned()).filter(|id| !id.is_empty());
    }
    // No other way has use for them.
    let is_service = args.key_file.is_some() || args.subject.is_some();
    let implied = is_service.then_some(Flow::ServiceAccount);
    if let Some(flow) = args.flow.or(implied) {
        choose(&mut provider, flow)?;
    }
    Ok(provider)
}

/// What was typed, with the provider's name; on a terminal that is asked for.
///
/// # Errors
/// There is none.
pub fn with_name(context: &Context, args: &cli::Login) -> Result<cli::Login, Error> {
    let mut args = args.clone();
    if args.provider.is_none() {
        args.provider = Some(asked_for(context)?);
    }
    Ok(args)
}

fn asked_for(context: &Context) -> Result<String, Error> {
    let names = context.config.providers.names();
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    let names = names.join(", ");
    if context.ui.is_interactive() && !context.ui.json {
        context.ui.say(&format!("The providers are {names}."));
        let name = paste::answer(&context.ui, "Which one do you want to sign in to?");
        if !name.is_empty() {
            return Ok(name);
        }
    }
    Err(usage::no_provider(&names))
}

/// With the endpoints that its issuer names, where one is configured.
///
/// # Errors
/// The issuer can't be reached, or what it tells can't be used.
pub fn discover(context: &Context, provider: &mut Provider) -> Result<(), Error> {
    let Some(issuer) = provider.issuer.clone() else {
        return Ok(());
    };
    let account = context.accounts().of(&provider.name);
    let failed = |source| Error::Flow {
        account: account.clone(),
        source,
    };
    let asked = discovery::discover(context.http(), &issuer.endpoint, &issuer.name);
    let found = context.until_interrupted(asked)?.map_err(failed)?;
    provider.complete(&found).map_err(|missing| {
        failed(
            DiscoveryError::Lacks {
                issuer: issuer.name.clone(),
                missing,
            }
            .into(),
        )
    })
}

/// `--flow`.
fn choose(provider: &mut Provider, flow: Flow) -> Result<(), Error> {
    let grant = match flow {
        Flow::Device => Grant::DeviceCode,
        Flow::Code => Grant::AuthorizationCode,
        Flow::Key => Grant::ApiKey,
        Flow::ServiceAccount => Grant::JwtBearer,
        Flow::ClientCredentials => Grant::ClientCredentials,
    };
    // Which ways there are will be in the metadata.
    if let Login::Issuer(known) = &mut provider.login
        && grant != Grant::ApiKey
    {
        known.grant = Some(grant);
        return Ok(());
    }
    let ways: Vec<&str> = provider
        .logins()
        .map(|login| login.grant().flow())
        .collect();
    let ways = ways.join(" and ");
    provider
        .choose(grant)
        .map_err(|()| usage::no_such_flow(&provider.name, grant.flow(), &ways))
}

/// What `--scope` names, else the provider's; short names become what they stand for.
pub fn scope(args: &cli::Login, provider: &Provider) -> Vec<String> {
    let named = named_scope(args).unwrap_or_else(|| provider.scope.clone());
    let full = |name: String| provider.scope_names.get(&name).cloned().unwrap_or(name);
    named.into_iter().map(full).collect()
}

/// What `--scope` names; `None` where that is nothing. White space separates, for no scope has any (RFC 6749 §3.3).
pub fn named_scope(args: &cli::Login) -> Option<Vec<String>> {
    let parts = args.scope.iter().flat_map(|text| text.split_whitespace());
    let scope: Vec<String> = parts.map(str::to_owned).collect();
    (!scope.is_empty()).then_some(scope)
}

fn redirect_uri(text: &str) -> Result<RedirectUri, Error> {
    RedirectUri::parse(text).map_err(usage::wrong_redirect_uri)
}

pub fn read_secret(ui: &Ui) -> Result<ClientSecret, Error> {
    let text = read_stdin(ui, "Client secret", MAX_SECRET, usage::not_a_secret)?;
    let secret = client_value(&text).map_err(|flaw| usage::not_a_secret(&flaw.to_string()))?;
    Ok(Secret::new(secret.to_owned()))
}
