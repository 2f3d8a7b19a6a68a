/* The auth room's public header: who is asking, and what the database lets them see.
 *
 * A verifier is made from the configuration; every thread may use it. With auth.jwks_url a thread
 * of its own keeps the issuer's keys. Tokens and secrets are never logged and never part of an
 * error's text. Access asks PostgreSQL on threads
 * of its own; whoever decides gets an answer at once, which may be that it is being asked. */
#ifndef WALCAST_AUTH_AUTH_H
#define WALCAST_AUTH_AUTH_H

#include "auth/mac.h"
#include "auth/row_query.h"
#include "core/core.h"
#include "expr/expr.h"
#include "fanout/fanout.h"
#include "pg/pg.h"

#include <stdio.h>

#define AUTH_CLAIM_MAX 256
#define AUTH_TOKEN_MAX 16384
#define AUTH_NEVER_S   (INT64_MAX / CORE_US_PER_S) /* far enough; still a time in microseconds */

typedef struct auth_verifier auth_verifier;

/* Why a token is refused; the realtime protocol and HTTP give each its own code. */
typedef enum {
    AUTH_OK = 0,
    AUTH_MISSING,   /* no token at all */
    AUTH_MALFORMED, /* not three base64url parts of JSON */
    AUTH_SIGNATURE, /* wrong signature, or an algorithm that is not accepted */
    AUTH_EXPIRED,
    AUTH_NOT_YET,       /* nbf in the future */
    AUTH_CLAIM_MISSING, /* role or exp */
    AUTH_CLAIM_INVALID, /* of the wrong type or too long, or another project's */
    AUTH_CLOSED,        /* neither secret nor JWKS is configured: nothing is open */
    AUTH_ISSUER,        /* not auth.issuer */
    AUTH_AUDIENCE,      /* none of auth.audience */
    AUTH_UNAVAILABLE,   /* what it is checked with is not there: may be tried again */
    AUTH_KEY_MALFORMED, /* begins like an API key and is none: cut, or mistyped */
    AUTH_KEY_UNKNOWN,
    AUTH_KEY_EXPIRED,
    AUTH_KEY_ELSEWHERE, /* another project's, or environment's */
    AUTH_REVOKED,       /* a token by its jti, or an API key */
} auth_verdict;

typedef struct {
    char role[AUTH_CLAIM_MAX];
    char subject[AUTH_CLAIM_MAX]; /* "sub", may be empty */
    char project[AUTH_CLAIM_MAX]; /* the process's own when the token names none */
    char environment[AUTH_CLAIM_MAX];
    char id[AUTH_CLAIM_MAX]; /* "jti", or an API key's prefix; may be empty */
    unsigned scopes;         /* CORE_SCOPE bits */
    /* Since 1970: when it counts no more, auth.clock_skew included. Of an API key AUTH_NEVER_S: see
     * auth_verifier_recheck. */
    int64_t expires_s;
    uint64_t key;         /* tells an API key's secret from all others; 0: a token */
    uint64_t claims_hash; /* equal for tokens of equal claims, times left out */
} auth_claims;

typedef struct {
    const core_config *config; /* all of these outlive the verifier */
    const core_clock *clock;
    core_log *log;         /* may be NULL */
    core_metrics *metrics; /* may be NULL */
    /* Takes API keys, and tokens with a jti unless revoked: by the bucket {nats.stream}_keys, which
     * a thread of the verifier's watches. False: API keys are unavailable, jti is not looked at. */
    bool keys;
} auth_verifier_spec;

/* Connects to nothing itself; what is hardly meant is told on the log. */
CORE_MUST_CHECK auth_verifier *auth_verifier_new(const auth_verifier_spec *spec, core_error *error);
/* Joins the thread. NULL is allowed. */
void auth_verifier_free(auth_verifier *verifier);
/* False: nothing can be accepted, since neither secret nor JWKS is configured. */
bool auth_verifier_open(const auth_verifier *verifier);
/* API keys and revoked tokens were read once, or are not looked at: no credential is unavailable
 * for want of them. Any thread; never waits. */
bool auth_verifier_known(const auth_verifier *verifier);
/* On AUTH_OK appends the token's payload, one JSON object as it was signed but with the role that
 * counts as its `role`, to `json`, which may be NULL; nothing otherwise. At most AUTH_TOKEN_MAX
 * bytes. Any thread; never waits, not even for an issuer's keys: AUTH_UNAVAILABLE. */
CORE_MUST_CHECK auth_verdict auth_verify(const auth_verifier *verifier, core_slice token,
                                         auth_claims *claims, core_buffer *json);
/* What of the configuration of tokens is allowed but hardly meant: the `index`th sentence; NULL
 * behind the last. Static. */
const char *auth_tokens_warning(const core_config *config, size_t index);
/* Says on `report`, a line each, which credentials are accepted. With `ask` fetches the keys of
 * auth.jwks_url: false when that fails. */
CORE_MUST_CHECK bool auth_tokens_check(const core_config *config, bool ask, FILE *report);
/* One sentence for the client. Static. */
const char *auth_verdict_text(auth_verdict verdict);
/* Whether what was accepted goes on counting: AUTH_OK, AUTH_REVOKED, AUTH_KEY_EXPIRED or
 * AUTH_KEY_UNKNOWN. A token's exp is its holder's to look at, an API key's end is told here. Any
 * thread; never waits. */
CORE_MUST_CHECK auth_verdict auth_verifier_recheck(const auth_verifier *verifier,
                                                   const auth_claims *claims);
/* Something that was accepted may have ended: recheck what is held. On a thread of the verifier's;
 * must not block. */
typedef void (*auth_ended)(void *context);
/* One listener; NULL: none any more, and no call is running when this returns. */
void auth_verifier_listen(const auth_verifier *verifier, auth_ended ended, void *context);

/* A token signed with auth.jwt_secret, into `out`. `claims_json` are further members of the payload
 * ("" or `"k":"v",...`), already valid JSON. CONFIG error without a secret. */
CORE_MUST_CHECK bool auth_token_sign(const core_config *config, const char *role,
                                     const char *subject, int64_t issued_s, int64_t expires_s,
                                     core_slice claims_json, core_buffer *out, core_error *error);

/* ---- API keys, and tokens that are revoked ----
 *
 * A key is `wc_`, a prefix that names it, `_`, a secret and a checksum. The bucket holds a record
 * for each name of a project and environment, and of a key only its SHA-256. All of this asks NATS
 * and blocks up to its time limits; for tools, one thread. */

#define AUTH_KEY_TEXT_MAX        64
#define AUTH_KEY_PREFIX_MAX      9
#define AUTH_KEY_NAME_MAX        65
#define AUTH_KEY_SECRETS_MAX     8 /* of one name, those of rotations that still count included */
#define AUTH_KEYS_MAX            100000
#define AUTH_KEY_INDEXES_MAX     1024
#define AUTH_KEY_TITLE_MAX       256
#define AUTH_KEY_DESCRIPTION_MAX 1024
#define AUTH_KEY_INDEXES_CLAIM   "searchIndexes"
#define AUTH_KEY_BYTES_MAX       ((size_t)128 << 20) /* of all keys in a process's memory */
#define AUTH_REVOCATIONS_MAX     100000

typedef enum { AUTH_KEY_ACTIVE, AUTH_KEY_ENDED, AUTH_KEY_REVOKED } auth_key_state;

/* One key of a record. */
typedef struct {
    char prefix[AUTH_KEY_PREFIX_MAX];
    uint8_t hash[32];
    int64_t created_s, expires_s; /* AUTH_NEVER_S: never */
    int64_t revoked_s;            /* 0: not */
} auth_key_secret;

/* All keys of one name; `project`, `environment` and `name` are its place. */
typedef struct {
    char project[AUTH_CLAIM_MAX];
    char environment[AUTH_CLAIM_MAX];
    char name[AUTH_KEY_NAME_MAX]; /* letters, digits, `.`, `-`, `_` */
    char role[AUTH_CLAIM_MAX];
    char subject[AUTH_CLAIM_MAX]; /* may be empty */
    unsigned scopes;
    /* The search indexes that it is for, a JSON array of names and of beginnings that end with `*`;
     * "": all. Policies and rooms see it as the claim AUTH_KEY_INDEXES_CLAIM. */
    char indexes[AUTH_KEY_INDEXES_MAX];
    char title[AUTH_KEY_TITLE_MAX]; /* what somebody wrote of it, as the next one; may be empty */
    char description[AUTH_KEY_DESCRIPTION_MAX];
    int64_t created_s;
    int64_t changed_s;   /* when title or description were written; 0: with the key */
    size_t secret_count; /* the newest last */
    auth_key_secret secrets[AUTH_KEY_SECRETS_MAX];
} auth_key_record;

auth_key_state auth_key_secret_state(const auth_key_secret *secret, int64_t now_s);

typedef struct auth_key_store auth_key_store;
/* Connects to NATS; the errors are fanout_connection_new's. The spec's parts outlive it. */
CORE_MUST_CHECK auth_key_store *auth_key_store_new(const auth_verifier_spec *spec,
                                                   core_error *error);
void auth_key_store_free(auth_key_store *store);
/* Makes the record of `wished` (its secrets are not read) with one key, which counts until
 * `expires_s`; `text` gets the key, which is kept nowhere. INPUT when the wish is not valid,
 * CONFLICT when a key of the name still counts, LIMIT when there are AUTH_KEYS_MAX names. */
CORE_MUST_CHECK bool auth_key_create(auth_key_store *store, const auth_key_record *wished,
                                     int64_t expires_s, char text[AUTH_KEY_TEXT_MAX],
                                     auth_key_record *made, core_error *error);
/* Adds a key to the name, which counts as long as the one before it was made to; those before count
 * for `overlap_s` at most. `record` has the name's place, and gets the rest. INPUT when there is
 * none that counts. */
CORE_MUST_CHECK bool auth_key_rotate(auth_key_store *store, auth_key_record *record,
                                     int64_t overlap_s, char text[AUTH_KEY_TEXT_MAX],
                                     core_error *error);
/* Writes title and description (NULL: stays) of a name that has a key that counts; INPUT: none has.
 * `record` has the name's place, and gets the rest. */
CORE_MUST_CHECK bool auth_key_describe(auth_key_store *store, auth_key_record *record,
                                       const char *title, const char *description,
                                       core_error *error);
/* Ends all keys of the name at once. INPUT when there is none. */
CORE_MUST_CHECK bool auth_key_revoke(auth_key_store *store, auth_key_record *record,
                                     core_error *error);
/* `record` NULL: one that cannot be read; `problem` says where it is and why. */
typedef void (*auth_key_each_handler)(void *context, const auth_key_record *record,
                                      const char *problem);
/* All records, of every project. */
CORE_MUST_CHECK bool auth_key_each(auth_key_store *store, auth_key_each_handler handler,
                                   void *context, core_error *error);
/* Tokens with this jti count no more, until `until_s`, when they must have expired by themselves.
 * A later end stays. LIMIT when AUTH_REVOCATIONS_MAX are held. */
CORE_MUST_CHECK bool auth_token_revoke(auth_key_store *store, const char *jti, int64_t until_s,
                                       core_error *error);

/* ---- What PostgreSQL lets a role see ----
 *
 * One thread asks, with a connection of its own, for all tables that a role could read, and again
 * every `auth.grants_interval` while somebody holds the role. Each answer is an immutable, counted
 * auth_grants; a decision is a look into it. Closed by default: what was not yet answered, or can
 * no longer be asked, is not allowed. */

#define AUTH_REASON_MAX 384

typedef struct auth_access auth_access;
typedef struct auth_role auth_role;     /* a role that somebody asks about; counted */
typedef struct auth_grants auth_grants; /* what it may see, as of one moment; immutable, counted */
typedef struct auth_table auth_table;   /* a table of an auth_grants, lives as long */

typedef enum {
    AUTH_ACCESS_PENDING,     /* being asked: `changed` will be called */
    AUTH_ACCESS_ALLOWED,     /* the columns that auth_table_column says */
    AUTH_ACCESS_FILTERED,    /* the same, of the rows that auth_table_policy lets pass */
    AUTH_ACCESS_REFUSED,     /* the reason says what to do */
    AUTH_ACCESS_ABSENT,      /* there is no such table (any more); asked anew for each `oid` */
    AUTH_ACCESS_UNAVAILABLE, /* the database is away for longer than auth.grants_valid, or does
                                not show changed policies that the stream has told of */
} auth_access_verdict;

/* A role's grants differ from those given out before (its generation is another), or what was
 * PENDING or UNAVAILABLE is known: look again. From access's thread; must not block, nor call
 * auth_access_free. */
typedef void (*auth_changed)(void *context, const char *role, uint64_t generation);

typedef struct {
    const core_config *config;
    pg_pool *pool; /* for channel checks; NULL: they are unavailable. Must outlive access */
    core_log *log;
    core_metrics *metrics;
    auth_changed changed;
    void *context;
} auth_access_spec;

/* Starts the thread; connects to nothing before a role is asked for. */
CORE_MUST_CHECK auth_access *auth_access_new(const auth_access_spec *spec, core_error *error);
/* Calls off what it waits for and joins the thread; `changed` is not called any more. Channel
 * checks under way still end by the pool: stop the pool first, then free access, then the pool. All
 * roles must have been released; auth_grants may live on. */
void auth_access_free(auth_access *access);

/* ---- Any thread, none of these waits for the database ---- */

/* The role is kept up to date until as many releases; then it is forgotten after a minute. Names
 * are as in the token, not quoted. NULL with LIMIT when AUTH_ROLES_MAX are held, INPUT when it
 * cannot be a role's name, INTERNAL when memory is out. */
#define AUTH_ROLES_MAX 64
CORE_MUST_CHECK auth_role *auth_access_role(auth_access *access, const char *name,
                                            core_error *error);
/* NULL is allowed. */
void auth_role_release(auth_role *role);
const char *auth_role_name(const auth_role *role);

/* The decision on a table. */
typedef struct {
    auth_access_verdict verdict;
    uint64_t generation;          /* of the grants it rests on; grows with each that differs */
    auth_grants *grants;          /* ALLOWED, FILTERED: one reference, the holder's; else NULL */
    const auth_table *table;      /* the same: of these grants */
    char reason[AUTH_REASON_MAX]; /* for the client, "" when ALLOWED or FILTERED */
} auth_table_decision;

/* `oid` is core_relation's for a change, 0 for a client's wish: then the name alone counts. A table
 * that the last look did not show, or another one of the name, is PENDING once and asked for at
 * once, then ABSENT (REFUSED: the name now means another table than the change's). */
void auth_role_table(auth_role *role, core_slice schema, core_slice table, uint32_t oid,
                     auth_table_decision *decision);
/* Releases the grants. */
void auth_table_decision_fini(auth_table_decision *decision);
/* Whether the role exists, whatever its tables: PENDING, ALLOWED, REFUSED or UNAVAILABLE, with the
 * generation and reason; no table. What a subscription to a whole schema needs at its join. */
void auth_role_decision(auth_role *role, auth_table_decision *decision);

/* ---- In order with the change stream ----
 *
 * DDL that a transaction of the stream holds counts for what stands behind it: from the call on,
 * decisions are PENDING until a look that sees the transaction has been had, for five seconds;
 * then UNAVAILABLE until it has. Whoever reads the stream tells of it before it reads on. */

typedef enum {
    AUTH_CURRENT,     /* all that was told is seen */
    AUTH_CATCHING_UP, /* decisions are PENDING; `changed` will be called */
    AUTH_BEHIND,      /* they are UNAVAILABLE; the same */
} auth_currency;

/* A committed transaction, by its top-level id, changed what roles may see. Any number of calls
 * costs a bounded number of looks a second. Answers about private channels that are kept are
 * dropped. */
void auth_access_altered(auth_access *access, uint32_t xid);
/* The stream was not read for a while, or is read from here on: looks of before count no more. */
void auth_access_renew(auth_access *access);
/* The worst of the roles that are held and were looked at. */
auth_currency auth_access_currency(auth_access *access);

auth_grants *auth_grants_retain(auth_grants *grants);
void auth_grants_release(auth_grants *grants);
/* Whether postgres.publication holds the table: else none of its changes come. */
bool auth_table_published(const auth_table *table);
bool auth_table_all_columns(const auth_table *table);
/* One that came after the look is not allowed, unless all are. */
bool auth_table_column(const auth_table *table, core_slice name);
/* The first of the columns that may not be read; empty: there is none. */
core_slice auth_table_hidden(const auth_table *table, const core_slice *names, size_t count);

/* ---- Row-level security ---- */

/* The SQL condition that a row must pass for the role to see it, over the table's columns; empty:
 * row-level security does not apply. Lives as long as the grants. */
core_slice auth_table_policy(const auth_table *table);
/* Equal for policies, functions and facts of columns that are: what was compiled of one of them is
 * right for the other. */
uint64_t auth_policy_hash(const auth_grants *grants, const auth_table *table);

/* Whether row-level security applies to the role on the table, or with empty names on any of the
 * schema, or of the name, or at all; as of the last look. */
bool auth_role_secured(auth_role *role, core_slice schema, core_slice table);

/* What a relation's columns of that table are compared by, as of the look; one that it did not show
 * is of a collation that nothing is known of. `facts` has room for all. */
void auth_table_facts(const auth_table *table, const core_relation *relation,
                      expr_column_facts *facts);
/* An SQL function of the database whose body may stand for its call. Its slices live as long as the
 * grants. False: there is none of that name and number of arguments, or there are several. */
CORE_MUST_CHECK bool auth_grants_function(const auth_grants *grants, core_slice schema,
                                          core_slice name, size_t arguments,
                                          expr_function *function);

/* For each role that policies or tokens name and each published table with row-level security that
 * applies to it and that it may read: two lines, whether its policies are evaluated in the engine
 * or in SQL and why, and what they say. False when the database cannot be asked. */
CORE_MUST_CHECK bool auth_policies_report(const core_config *config, FILE *report,
                                          core_error *error);

/* ---- Private channels: policies on realtime.messages ---- */

typedef enum {
    AUTH_BROADCAST_READ,
    AUTH_BROADCAST_WRITE,
    AUTH_PRESENCE_READ,
    AUTH_PRESENCE_WRITE,
    AUTH_CHANNEL_RIGHTS
} auth_channel_right;

typedef struct {
    const char *role;
    const char *subject;    /* "sub", may be empty */
    core_slice claims_json; /* the token's payload */
    uint64_t claims_hash;
    core_slice topic; /* without "realtime:", as realtime.topic() gives it */
} auth_channel_question;

typedef struct {
    bool unavailable; /* could not be asked now: nothing is allowed, try again later */
    bool allowed[AUTH_CHANNEL_RIGHTS];
    char reasons[AUTH_CHANNEL_RIGHTS][AUTH_REASON_MAX]; /* why not; "" when allowed */
} auth_channel_rights;

/* Exactly once: from a thread of the pool, or in pg_pool_stop, or, for one who waited for another's
 * question that the pool did not take, from the other's thread. Must not block. */
typedef void (*auth_channel_done)(void *context, const auth_channel_rights *rights);

/* True: decided at once, in `rights`, and `done` is not called (a recent answer for the same topic,
 * role and claims, a role that bypasses row-level security, or a refusal that needs no database).
 * False: `done` is called with the answer; everything of the question was copied. Equal questions
 * that are under way share one. Any thread; never waits. */
CORE_MUST_CHECK bool auth_channel_check(auth_access *access, const auth_channel_question *question,
                                        auth_channel_rights *rights, auth_channel_done done,
                                        void *context);

/* ---- Audit: a record of each request and join, and of each administrative act ----
 *
 * Records go into the stream `{nats.stream}_AUDIT` (docs/AUDIT.md has their form). A running
 * process writes them through a journal (fanout.h): whoever tells of something waits for nothing,
 * and what finds no room is counted. No record holds a token, a key's secret, a query or a body. */

typedef struct auth_audit auth_audit;

CORE_MUST_CHECK auth_audit *auth_audit_new(const core_config *config, core_log *log,
                                           core_metrics *metrics, core_error *error);
/* Whoever tells must have stopped; waits up to two seconds for what is on its way. */
void auth_audit_free(auth_audit *audit);

/* One answered request, or one join. Texts are copied. */
typedef struct {
    bool join;                 /* of a channel; else an HTTP request */
    bool refused;              /* what audit.requests calls so */
    bool quiet;                /* recorded only when it is refused */
    core_slice id;             /* the request's; of a join, its WebSocket's */
    const auth_claims *claims; /* NULL: nobody was identified */
    const char *route;         /* a template; never what a client sent */
    const char *method;        /* a request's */
    unsigned status;           /* a request's */
    core_slice outcome;        /* a join's: "ok", or the code of its refusal */
    core_address client;       /* who asks */
    int64_t took_ns;
    uint64_t bytes; /* of a request's answer, its head left out */
} auth_request;

/* Any thread; NULL `audit` records nothing. */
void auth_audit_request(auth_audit *audit, const auth_request *request);

/* Something that changed what others may do or how the system works: "key.created". Texts without
 * secrets; NULL where there is none. */
typedef struct {
    const char *act;
    const char *object;        /* what was changed: a key's name, a table */
    const char *detail;        /* one line */
    const auth_claims *claims; /* who did it; NULL: the process itself, or who runs the command */
    const char *project;       /* NULL: that of the claims, else the process's */
    const char *environment;   /* the same */
} auth_act;

/* In a running process, as auth_audit_request. */
void auth_audit_act(auth_audit *audit, const auth_act *act);
/* The same of what a request over HTTP did; `audit` NULL: nothing is recorded. */
void auth_audit_caller(auth_audit *audit, const core_route_caller *caller, const char *act,
                       const char *object, const char *detail);
/* In a command: waits for the stream's word, up to `nats.ack_timeout`; makes the stream when it is
 * missing. `connection` NULL: connects for it. False: it was done and is not recorded. */
CORE_MUST_CHECK bool auth_audit_act_wait(const core_config *config, fanout_connection *connection,
                                         const auth_act *act, core_error *error);

/* ---- Secrets at rest ----
 *
 * Webhook secrets, credentials: sealed (AES-256-GCM) under a master key of `secrets.key` or
 * `secrets.key_file`, in the bucket {nats.stream}_defs under secret.{project}.{name}. What is told
 * in the clear is wiped by who asked for it: auth_secrets_wipe. Values are never logged and never
 * part of an error's text.
 *
 * One thread at a time; each call blocks up to the connection's time limit. */

#define AUTH_SECRET_MAX      65536 /* bytes of a value */
#define AUTH_SECRET_NAME_MAX 64

typedef struct auth_secrets auth_secrets;

typedef struct {
    core_slice project, name;
    int64_t created_us; /* since 1970 */
    uint64_t key_id;
    bool current;    /* sealed under the first of the keys */
    bool known;      /* under one of them */
    bool sealed_now; /* by this rotation */
} auth_secret_fact;

/* Reads the keys; makes the bucket when it is missing. None configured is no error yet: secrets can
 * be listed and removed without. CONFIG error when the keys cannot be read. The connection must
 * outlive it. */
CORE_MUST_CHECK auth_secrets *auth_secrets_new(fanout_connection *connection,
                                               const core_config *config, core_error *error);
void auth_secrets_free(auth_secrets *secrets);
/* Whether the keys that are configured can be read, without a connection; `*exposed` gets the key
 * file's mode where others than its owner may read it, else 0. */
CORE_MUST_CHECK bool auth_secrets_keys_check(const core_config *config, unsigned *exposed,
                                             core_error *error);
/* One sentence on what is wrong with them, static; NULL: nothing. Reads the file. */
const char *auth_secrets_warning(const core_config *config);
/* A new master key as text (hexadecimal). False when the system gives no random bytes. */
#define AUTH_SECRET_KEY_TEXT_SIZE 65
CORE_MUST_CHECK bool auth_secrets_key_make(char text[AUTH_SECRET_KEY_TEXT_SIZE], core_error *error);

/* In all of these: INPUT when the name or project cannot be one's, or there is no such secret;
 * CONFIG without a key that is needed. */
/* Makes it, or takes the place of the one before. INPUT when it is empty or too long. */
CORE_MUST_CHECK bool auth_secrets_set(auth_secrets *secrets, const char *project, const char *name,
                                      core_slice value, int64_t now_us, core_error *error);
/* Into an empty buffer of AUTH_SECRET_MAX. */
CORE_MUST_CHECK bool auth_secrets_get(auth_secrets *secrets, const char *project, const char *name,
                                      core_buffer *value, core_error *error);
CORE_MUST_CHECK bool auth_secrets_remove(auth_secrets *secrets, const char *project,
                                         const char *name, core_error *error);
/* The text with each `${secret:NAME}` replaced by the project's secret, into an empty buffer; at
 * most 64 of them. INPUT also on a malformed one, LIMIT when the buffer has no room. */
CORE_MUST_CHECK bool auth_secrets_expand(auth_secrets *secrets, const char *project,
                                         core_slice text, core_buffer *out, core_error *error);
/* Wipes the buffer's memory and frees it. */
void auth_secrets_wipe(core_buffer *buffer);

/* What is known of a secret without a key; the slices are valid during the call. `problem` is NULL,
 * or says why it cannot be (then only project and name are set): the walk goes on. */
typedef void (*auth_secrets_handler)(void *context, const auth_secret_fact *fact,
                                     const char *problem);
/* In the order they were set. `project` NULL: of all. */
CORE_MUST_CHECK bool auth_secrets_list(auth_secrets *secrets, const char *project,
                                       auth_secrets_handler handler, void *context,
                                       core_error *error);
/* Seals all that are not yet under the first key anew, each by compare-and-set, and tells each: how
 * it is now, or its problem. Cut, it is called again. */
CORE_MUST_CHECK bool auth_secrets_rotate(auth_secrets *secrets, auth_secrets_handler handler,
                                         void *context, core_error *error);

/* ---- Limits by tier (docs/LIMITS.md) ----
 *
 * How much each project may ask in a sliding window, counted over all nodes, and how many refused
 * credentials an address is borne with. Callers wait for nothing and hold no lock. */

typedef struct auth_limits auth_limits;

typedef enum { AUTH_LIMIT_READ, AUTH_LIMIT_WRITE } auth_limit_kind;

#define AUTH_LIMIT_NEVER INT64_C(-1) /* more at once than may ever be */

/* Where some project is limited, a thread shares the counts over NATS. */
CORE_MUST_CHECK auth_limits *auth_limits_new(const core_config *config, core_log *log,
                                             core_metrics *metrics, const core_clock *clock,
                                             core_error *error);
/* Callers must have stopped. */
void auth_limits_free(auth_limits *limits);
/* Asks for `count`, all or none, in a verified credential's project: 0: go on; else in how many
 * milliseconds it is worth another try, or NEVER. NULL `limits`: no limit. Any thread. */
CORE_MUST_CHECK int64_t auth_limits_take(auth_limits *limits, const char *project,
                                         auth_limit_kind kind, uint32_t count);
/* In how many milliseconds a credential from the address is looked at again; 0: now. Any thread. */
CORE_MUST_CHECK int64_t auth_limits_address_wait(auth_limits *limits, const core_address *address);
/* What became of one. Only those count that somebody who guesses would send: an expired one, or
 * none, does not. */
void auth_limits_address_note(auth_limits *limits, const core_address *address,
                              auth_verdict verdict);

#endif
