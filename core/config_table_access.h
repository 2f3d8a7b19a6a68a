/* The keys of who may: http.*, auth.* and what goes with them: rows of the table in config_table.c,
 * which includes them. No guard. */
/* clang-format off */
    {.key = "http.listen",
     .type = CORE_CONFIG_TEXT,
     .initial = "127.0.0.1:4000",
     .check = core_config_check_listen,
     .doc = "Address and port of everything served: realtime, REST, health, metrics, console. "
            "Port 0 picks a free one."},
    {.key = "http.threads",
     .type = CORE_CONFIG_INTEGER,
     .initial = "1",
     .min = 1,
     .max = 64,
     .unit = "threads",
     .doc = "Service threads, each with a listener and clients of its own."},
    {.key = "http.tls_cert",
     .type = CORE_CONFIG_TEXT,
     .doc = "PEM file with the server's certificate, then its chain. With it `http.listen` speaks "
            "TLS 1.2 and 1.3 only (https://, wss://). A changed file is taken within seconds, and "
            "at SIGHUP, for new connections."},
    {.key = "http.tls_key",
     .type = CORE_CONFIG_TEXT,
     .doc = "PEM file with its private key, without a passphrase."},
    {.key = "http.tls_warn",
     .type = CORE_CONFIG_DURATION,
     .initial = "14d",
     .min = 0,
     .max = 365 * DAY,
     .doc = "How long before the certificate expires `/health/ready` says `warning`."},
    {.key = "http.origins",
     .type = CORE_CONFIG_LIST,
     .initial = "*",
     .check = core_config_check_origin,
     .doc = "Origins of the pages that may open WebSockets and call everything else from a "
            "browser: `*` for any, `https://app.example.com`, `https://*.example.com`, "
            "`http://localhost:*`. Others are refused a WebSocket (403) and may not read answers. "
            "`*` opens what asks for a credential, not health, metrics and console."},
    {.key = "http.trusted_proxies",
     .type = CORE_CONFIG_LIST,
     .check = core_config_check_network,
     .doc = "Addresses and networks of the proxies in front (`127.0.0.1`, `10.0.0.0/8`, "
            "`fd00::/8`). Only from these is `X-Forwarded-For` or `Forwarded` believed; the last "
            "hop that is none of them is the client, for limits and records."},

    {.key = "auth.jwt_secret",
     .type = CORE_CONFIG_TEXT,
     .secret = true,
     .doc = "Secret of HS256, HS384 and HS512 tokens, at least 32 bytes. Without it and "
            "`auth.jwks_url` no token is taken, only API keys (`walcast keys`)."},
    {.key = "auth.jwks_url",
     .type = CORE_CONFIG_TEXT,
     .check = core_config_check_http_url,
     .doc = "Where an identity provider publishes the public keys (JSON Web Key Set) of its "
            "RS256, RS384, RS512, ES256, ES384, ES512 and EdDSA tokens."},
    {.key = "auth.jwks_ca",
     .type = CORE_CONFIG_TEXT,
     .doc = "File with the certificates (PEM) of the authority that the provider's own is checked "
            "against, instead of the system's."},
    {.key = "auth.jwks_refresh",
     .type = CORE_CONFIG_DURATION,
     .initial = "5m",
     .min = 100,
     .max = DAY,
     .doc = "How often the keys are fetched again; also sooner, at most every 2 s, when a token "
            "names a key that is not known."},
    {.key = "auth.jwks_valid",
     .type = CORE_CONFIG_DURATION,
     .initial = "24h",
     .min = SECOND,
     .max = 30 * DAY,
     .doc = "How long the last keys count while the provider cannot be reached; then its tokens "
            "are refused, with a word to try again."},
    {.key = "auth.jwks_timeout",
     .type = CORE_CONFIG_DURATION,
     .initial = "5s",
     .min = 100,
     .max = MINUTE,
     .doc = "Longest time that one fetch may take; then it has failed."},
    {.key = "auth.token_cache",
     .type = CORE_CONFIG_INTEGER,
     .initial = "16384",
     .min = 0,
     .max = 1 << 22,
     .unit = "tokens",
     .doc = "Tokens of the provider whose signature is remembered as good, 48 bytes each. 0: none. "
            "Full, what was not used for longest makes room."},

    {.key = "auth.issuer",
     .type = CORE_CONFIG_TEXT,
     .doc = "What every token's `iss` must be. Unset: anything."},
    {.key = "auth.audience",
     .type = CORE_CONFIG_LIST,
     .doc = "Every token's `aud` must be, or hold, one of these. Unset: anything, so with "
            "`auth.jwks_url` tokens for every application of that provider."},
    {.key = "auth.clock_skew",
     .type = CORE_CONFIG_DURATION,
     .initial = "0ms",
     .min = 0,
     .max = 10 * MINUTE,
     .doc = "How much later than its `exp`, and earlier than its `nbf`, a token counts, where the "
            "provider's clock and this one differ."},
    {.key = "auth.claims.role",
     .type = CORE_CONFIG_TEXT,
     .initial = "role",
     .check = core_config_check_claim,
     .doc = "The claim that names the PostgreSQL role. `app_metadata.role` is a member of an "
            "object, `roles.0` an element of an array; a claim whose name has dots is found too."},
    {.key = "auth.claims.project",
     .type = CORE_CONFIG_TEXT,
     .initial = "project_id",
     .check = core_config_check_claim,
     .doc = "The claim that names the project. A token without it is of the process's own."},
    {.key = "auth.claims.environment",
     .type = CORE_CONFIG_TEXT,
     .initial = "environment_id",
     .check = core_config_check_claim,
     .doc = "The same for the environment."},
    {.key = "auth.claims.scopes",
     .type = CORE_CONFIG_TEXT,
     .check = core_config_check_claim,
     .doc = "The claim that names what a token may do (`subscribe`, `broadcast`, `search`, "
            "`events`, `jobs`, `triggers`, `workflows`, `admin`), an array or words in a string; "
            "other words count for nothing. A token without it may do nothing, unless it is of "
            "`service_role`. Unset: `service_role` may do all, others the first three."},
    {.key = "auth.default_role",
     .type = CORE_CONFIG_TEXT,
     .check = core_config_check_identifier,
     .doc = "The role of tokens without the claim `auth.claims.role`, such as `authenticated`. "
            "Unset: they are refused."},

    {.key = "auth.grants_interval",
     .type = CORE_CONFIG_DURATION,
     .initial = "2s",
     .min = 100,
     .max = MINUTE,
     .doc = "How often the database is asked what the roles of the connected clients may see, so "
            "how soon a REVOKE reaches them where the event triggers of `walcast setup` do not "
            "tell of it in order with the data; less often where asking takes more than a "
            "twentieth of the time."},
    {.key = "auth.grants_valid",
     .type = CORE_CONFIG_DURATION,
     .initial = "1m",
     .min = SECOND,
     .max = DAY,
     .doc = "How long the last answer counts when the database cannot be asked; then nothing is "
            "delivered until it can."},
    {.key = "auth.policy_timeout",
     .type = CORE_CONFIG_DURATION,
     .initial = "2s",
     .min = 10,
     .max = MINUTE,
     .doc = "Longest time that the policies on `realtime.messages` may take for one private "
            "channel; then the channel is refused with that reason."},
    {.key = "auth.policy_cache",
     .type = CORE_CONFIG_DURATION,
     .initial = "5s",
     .min = 0,
     .max = HOUR,
     .doc = "How long their answer counts for further joins of the same topic with the same role "
            "and claims (up to 4,096 answers are kept). 0: not at all."},

    {.key = "auth.expiry_warning",
     .type = CORE_CONFIG_DURATION,
     .initial = "30s",
     .min = 0,
     .max = HOUR,
     .doc = "How long before its token expires a channel or stream of events is told so. 0: never."},
    {.key = "auth.expiry_grace",
     .type = CORE_CONFIG_DURATION,
     .initial = "5m",
     .min = 0,
     .max = DAY,
     .doc = "How long a channel whose token has expired is kept suspended: nothing is delivered to "
            "it, and with a new token it goes on where it was. Then it is closed. 0: it is closed "
            "at once."},

    {.key = "secrets.key",
     .type = CORE_CONFIG_TEXT,
     .secret = true,
     .doc = "Master key of the secrets at rest, 32 bytes as hexadecimal or base64; `walcast secret "
            "key` makes one. Further ones behind it (a comma or blank between) only open what was "
            "sealed under them. See SECRETS.md."},
    {.key = "secrets.key_file",
     .type = CORE_CONFIG_TEXT,
     .doc = "File with the same, a key a line, `#` for comments; instead of `secrets.key`. Nobody but "
            "its owner should be able to read it."},
    /* clang-format on */
