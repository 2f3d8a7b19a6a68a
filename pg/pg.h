/* The pg room's public header: ordinary connections to PostgreSQL.
 *
 * Everything waits with poll(2) up to a deadline and can be cancelled by a descriptor that becomes
 * readable (a stop request), so a role's thread never hangs in libpq. Not for service threads,
 * which hand a job to the pool instead. SQL goes with parameters; names only through
 * pg_identifier_append. */
#ifndef WALCAST_PG_PG_H
#define WALCAST_PG_PG_H

#include "core/core.h"

typedef struct pg_connection pg_connection;

typedef struct {
    const char *url;
    const char *application_name;
    bool replication;       /* replication=database: also takes replication commands */
    bool as_stored;         /* text unconverted, in the database's own encoding */
    bool keeps_search_path; /* the role's own; for statements that somebody else wrote */
    int64_t timeout_ms;     /* for connecting and for each query */
    int cancel_fd;          /* readable: give up; -1: none */
} pg_connection_spec;

/* Errors: CONFIG for a malformed URL, refused credentials, unknown database or role, DENIED for a
 * privilege that is missing (a retry cannot help, though the caller may); TRANSIENT when the server
 * is away or starting. Passwords never appear in texts. The session's output settings are fixed
 * (DateStyle ISO, TimeZone UTC, ... in connection.c) and its search path, unless it
 * `keeps_search_path`, is empty: qualify names, pg_catalog's excepted. Text is UTF-8 unless
 * `as_stored`, but of a SQL_ASCII database any bytes.
 */
CORE_MUST_CHECK pg_connection *pg_connection_new(const pg_connection_spec *spec, core_error *error);
void pg_connection_free(pg_connection *connection);
/* False once libpq has seen the socket break: free it and connect again. */
bool pg_connection_alive(const pg_connection *connection);
/* Whether libpq can read the URL at all: CONFIG error when not. Connects to nothing. */
CORE_MUST_CHECK bool pg_url_check(const char *url, core_error *error);
/* e.g. 150020 */
int pg_connection_server_version(const pg_connection *connection);
/* PostgreSQL's name of the database's encoding, "UTF8"; valid as long as the connection. */
const char *pg_connection_server_encoding(const pg_connection *connection);
/* Whether `key`, told by its address, was noted on this connection: what a session was given once
 * (a temporary function, say) is there as long as the connection is. At most eight; a ninth is not
 * kept. */
bool pg_connection_noted(const pg_connection *connection, const char *key);
void pg_connection_note(pg_connection *connection, const char *key);
/* The PGconn itself, for the cdc room's replication calls. */
void *pg_connection_native(pg_connection *connection);

typedef struct pg_result pg_result;
/* `parameters` are text, NULL for SQL NULL; on a replication connection `count` must be 0. NULL on
 * error, whose text has the server's message, detail, hint and SQLSTATE. */
CORE_MUST_CHECK pg_result *pg_query(pg_connection *connection, const char *sql,
                                    const char *const *parameters, size_t count, core_error *error);
/* As pg_query, of a statement that this connection runs again and again: the server parses it once,
 * and plans it only as long as it learns from that. `sql` is told by its address, so it must be
 * static. A connection keeps eight of them; any more are as pg_query. */
CORE_MUST_CHECK pg_result *pg_query_kept(pg_connection *connection, const char *sql,
                                         const char *const *parameters, size_t count,
                                         core_error *error);
/* As pg_query, for what somebody else wrote: text that holds more than one statement is refused. */
CORE_MUST_CHECK pg_result *pg_query_one(pg_connection *connection, const char *sql,
                                        const char *const *parameters, size_t count,
                                        core_error *error);
/* Whether the server takes it as one statement, without running it; how many parameters it has. */
CORE_MUST_CHECK bool pg_statement_check(pg_connection *connection, const char *sql,
                                        size_t *parameters, core_error *error);
/* From now on a query may take so long; the server's statement_timeout is the caller's to set. */
void pg_connection_limit(pg_connection *connection, int64_t timeout_ms);
void pg_result_free(pg_result *result);
size_t pg_result_rows(const pg_result *result);
/* Text, valid until the result is freed; NULL for SQL NULL. Out of range aborts. */
const char *pg_result_value(const pg_result *result, size_t row, size_t column);
/* The SQLSTATE of the connection's last failed query, "" when none. */
const char *pg_connection_sqlstate(const pg_connection *connection);

/* Starts a COPY ... TO STDOUT. Until its rows begin to come an hour may pass, whatever the
 * connection's limit is. Errors as of pg_query. */
CORE_MUST_CHECK bool pg_copy_begin(pg_connection *connection, const char *sql, core_error *error);
typedef enum { PG_COPY_ROW, PG_COPY_END, PG_COPY_FAILED } pg_copy_result;
/* The COPY's next row as the server sent it, in memory that the caller may change, valid until the
 * next call on the connection. Behind END or FAILED the connection takes queries again, if it is
 * alive. Waits an hour at the most. */
CORE_MUST_CHECK pg_copy_result pg_copy_next(pg_connection *connection, uint8_t **row,
                                            size_t *length, core_error *error);
/* Calls a COPY off whose rest is not wanted, and reads what is on its way. False: the connection is
 * of no more use. */
CORE_MUST_CHECK bool pg_copy_stop(pg_connection *connection, core_error *error);

/* ---- The pool: jobs for a few connections, handed in without waiting ---- */
typedef struct pg_pool pg_pool;

/* One thing to ask, owned by who submits it and by the pool until `done`. Embed it as the first
 * member of what belongs to it. */
typedef struct pg_job pg_job;
/* What it is, for the connections that are kept for others: of `postgres.pool_size` those about
 * rows take all but two, together with the long ones all but one (of two connections one, of one
 * all). Settings that a session was ever given are no more null in it: one in which a short job ran
 * is given to no other kind, whose jobs find what a fresh one has. */
typedef enum {
    PG_JOB_SHORT, /* somebody waits for it, one round trip */
    PG_JOB_LONG,
    PG_JOB_ROWS, /* as many as there are subscribers and changes; a quarter of the queue is not
                    theirs */
    PG_JOB_KINDS
} pg_job_kind;
struct pg_job {
    /* On one of the pool's threads, with a live connection outside any transaction; must leave it
     * so, or the connection is given up. Called a second time, on a new connection, when the first
     * one had been idle and turned out to be broken: a job must bear that. */
    bool (*run)(pg_job *job, pg_connection *connection, core_error *error);
    /* Exactly once and last, whatever became of it; the pool does not touch the job any more. On
     * one of the pool's threads, or in pg_pool_stop. It must not block; it may submit. */
    void (*done)(pg_job *job, bool ok, const core_error *error);
    pg_job_kind kind;
    /* The pool's own. */
    pg_job *next;
    int64_t deadline_ms;
};

/* `postgres.pool_size` threads, which connect to `postgres.url` when there is something to ask and
 * keep the connection. config, log and metrics must outlive it; the two latter may be NULL. */
CORE_MUST_CHECK pg_pool *pg_pool_new(const core_config *config, const char *application_name,
                                     core_log *log, core_metrics *metrics, core_error *error);
/* The same of another database and size. Texts must outlive the pool; `queue_key` and `timeout_key`
 * name what limits it in errors. Without metrics: those are the pool's of `postgres.url`. */
typedef struct {
    const char *url;
    const char *application_name;
    size_t size;
    size_t queue_max;
    int64_t timeout_ms; /* to wait for a connection, and of each query by default */
    const char *queue_key, *timeout_key;
    bool keeps_search_path;
    core_log *log;
    core_metrics *metrics;
} pg_pool_spec;
CORE_MUST_CHECK pg_pool *pg_pool_new_of(const pg_pool_spec *spec, core_error *error);
/* Calls off what runs, ends what waits with a TRANSIENT error, and joins the threads. From then on
 * submit refuses. May be called twice; not from `done`. */
void pg_pool_stop(pg_pool *pool);
/* Stops it first. Nobody may submit any more. */
void pg_pool_free(pg_pool *pool);
/* Any thread, never waits. False: `done` will not be called; LIMIT when `postgres.pool_queue` jobs
 * wait, TRANSIENT when the pool is stopped. A job that found no connection within
 * `postgres.query_timeout` ends with TRANSIENT; while the server is away, jobs end at once with the
 * reason of the last attempt, made again with backoff. */
CORE_MUST_CHECK bool pg_pool_submit(pg_pool *pool, pg_job *job, core_error *error);

/* Appends `name` quoted as an identifier ("a""b"), or a literal ('it''s', E'' when needed). */
void pg_identifier_append(core_buffer *out, core_slice name);
void pg_literal_append(core_buffer *out, core_slice text);

#endif
