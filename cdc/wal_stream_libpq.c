/* The real database behind wal_stream.h: an ordinary connection for set-up and upkeep, and one that
 * turns into the replication stream.
 *
 * Happy path: both connect, the server is checked, publication and slot are made, START_REPLICATION
 * turns the second into COPY, whose messages PQgetCopyData hands over without blocking. Each is one
 * malloc of libpq's, freed when the next is asked for: the row lives there until it is appended to
 * the run. Failure modes: every error closes the stream; texts name postgres.url without its
 * password. */
#include "cdc/publication.h"
#include "cdc/slot.h"
#include "cdc/stream_options.h"
#include "cdc/timeline.h"
#include "cdc/wal_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define LIBPQ_STREAM_MAGIC UINT32_C(0x77616c73)

enum { URL_TEXT_MAX = 512, SQL_MAX_BYTES = 4096 };

typedef struct {
    cdc_wal_stream base; /* first: the interface points here */
    uint32_t magic;
    const core_config *config;
    core_log *log;
    int cancel_fd;
    const char *slot_name;
    cdc_publication *publication;
    pg_connection *ordinary;
    pg_connection *replication;
    char *message;         /* libpq's, the last one given out */
    bool text_refused;     /* the server ended the last stream since it could not convert a text */
    bool text_as_stored;   /* so on this one it does not try */
    uint32_t timeline;     /* the server's, when it was connected to */
    bool publication_gone; /* or made anew, while it was streamed */
} libpq_stream;

static libpq_stream *libpq_stream_of(cdc_wal_stream *base) {
    libpq_stream *stream = (libpq_stream *)base;
    CORE_MAGIC_CHECK(stream, LIBPQ_STREAM_MAGIC);
    return stream;
}

static PGconn *native_of(const libpq_stream *stream) {
    return pg_connection_native(stream->replication);
}

/* "postgres.url (walcast.yaml:3) postgres://u:***@h/d" in front of the error. */
static bool url_wrap(const libpq_stream *stream, core_error *error) {
    char url[URL_TEXT_MAX];
    core_config_redact_url(core_config_text(stream->config, "postgres.url"), url, sizeof url);
    return core_error_wrap(error, "postgres.url (%s) %s",
                           core_config_origin(stream->config, "postgres.url"), url);
}

/* ---- Connecting ---- */

static pg_connection *connection_open(const libpq_stream *stream, bool replication,
                                      core_error *error) {
    pg_connection_spec spec = {
        .url = core_config_text(stream->config, "postgres.url"),
        .application_name = "walcast",
        .replication = replication,
        .as_stored = replication && stream->text_as_stored,
        .timeout_ms = core_config_integer(stream->config, "postgres.connect_timeout"),
        .cancel_fd = stream->cancel_fd,
    };
    return pg_connection_new(&spec, error);
}

static bool identify(libpq_stream *stream, cdc_wal_server *server, core_error *error) {
    pg_result *result = pg_query(stream->replication, "IDENTIFY_SYSTEM", NULL, 0, error);
    if (result == NULL)
        return false;
    uint64_t timeline = 0;
    bool ok =
        core_slice_to_u64(core_slice_text(pg_result_value(result, 0, 0)), &server->system_id) &&
        core_slice_to_u64(core_slice_text(pg_result_value(result, 0, 1)), &timeline) &&
        core_lsn_parse(core_slice_text(pg_result_value(result, 0, 2)), &server->wal_lsn) &&
        core_slice_to_text(core_slice_text(pg_result_value(result, 0, 3)), server->database,
                           sizeof server->database);
    server->timeline = stream->timeline = (uint32_t)timeline;
    pg_result_free(result);
    return ok || core_error_set(error, CORE_ERROR_INPUT, "IDENTIFY_SYSTEM was not understood");
}

static bool sender_timeout_ask(libpq_stream *stream, cdc_wal_server *server, core_error *error) {
    pg_result *result = pg_query(
        stream->ordinary, "SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'", NULL,
        0, error);
    if (result == NULL)
        return false;
    bool ok = pg_result_rows(result) == 1 &&
              core_slice_to_i64(core_slice_text(pg_result_value(result, 0, 0)),
                                &server->sender_timeout_ms);
    pg_result_free(result);
    return ok || core_error_set(error, CORE_ERROR_INPUT, "wal_sender_timeout was not understood");
}

static void ordinary_drop(libpq_stream *stream) {
    pg_connection_free(stream->ordinary);
    stream->ordinary = NULL;
}

static void libpq_close(cdc_wal_stream *base) {
    libpq_stream *stream = libpq_stream_of(base);
    PQfreemem(stream->message);
    stream->message = NULL;
    pg_connection_free(stream->replication);
    stream->replication = NULL;
}

/* A dead ordinary connection (the server restarted, say) is found out and replaced here. */
static bool ordinary_open(libpq_stream *stream, core_error *error) {
    if (stream->ordinary != NULL && !cdc_server_check(stream->ordinary, error)) {
        bool lost = !pg_connection_alive(stream->ordinary) || error->code == CORE_ERROR_TRANSIENT;
        ordinary_drop(stream);
        if (!lost)
            return false;
    }
    if (stream->ordinary != NULL)
        return true;
    stream->ordinary = connection_open(stream, false, error);
    return stream->ordinary != NULL && cdc_server_check(stream->ordinary, error);
}

static bool libpq_connect(cdc_wal_stream *base, cdc_wal_server *server, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    if (!ordinary_open(stream, error))
        return url_wrap(stream, error);
    if (stream->replication == NULL) {
        stream->text_as_stored = stream->text_refused;
        stream->text_refused = false;
        stream->replication = connection_open(stream, true, error);
    }
    if (stream->replication == NULL || !identify(stream, server, error) ||
        !sender_timeout_ask(stream, server, error)) {
        libpq_close(base);
        return url_wrap(stream, error);
    }
    return true;
}

/* ---- Set-up ---- */

/* The first timeline has no history. */
static bool libpq_fork(cdc_wal_stream *base, uint32_t timeline, core_lsn *fork_lsn,
                       core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    char sql[64];
    *fork_lsn = 0;
    if (stream->timeline < 2)
        return true;
    (void)snprintf(sql, sizeof sql, "TIMELINE_HISTORY %" PRIu32, stream->timeline);
    pg_result *result = pg_query(stream->replication, sql, NULL, 0, error);
    if (result == NULL)
        return core_error_wrap(error, "asking for the history of timeline %" PRIu32,
                               stream->timeline) ||
               url_wrap(stream, error);
    const char *history = pg_result_rows(result) == 1 ? pg_result_value(result, 0, 1) : NULL;
    bool ok = cdc_timeline_fork(core_slice_text(history), timeline, fork_lsn, error);
    pg_result_free(result);
    return ok || url_wrap(stream, error);
}

/* A slot older than its publication cannot be decoded: pgoutput looks the publication up as it was
 * at the time of each change. Without history to keep, the slot may skip what was not published. */
static bool slot_join_publication(libpq_stream *stream, cdc_slot_state *slot, core_error *error) {
    if (slot->active_pid != 0)
        return true;
    CORE_LOG(stream->log, WARN, "cdc", "slot is older than its publication: it starts from now",
             CORE_LOG_TEXT("slot", stream->slot_name));
    return cdc_slot_advance(stream->ordinary, stream->slot_name, slot, error);
}

/* `exports`: with the database snapshot that it begins with. */
static bool slot_make(libpq_stream *stream, bool exports, cdc_slot_state *slot, core_error *error) {
    CORE_LOG(stream->log, INFO, "cdc", "making the slot: it waits for transactions that are open",
             CORE_LOG_TEXT("slot", stream->slot_name));
    *slot = (cdc_slot_state){0};
    return exports ? cdc_slot_create_exporting(stream->replication, stream->slot_name, slot, error)
                   : cdc_slot_create(stream->ordinary, stream->slot_name, slot, error);
}

static bool prepare(libpq_stream *stream, bool may_create, cdc_slot_state *slot,
                    cdc_publication_state *publication, core_error *error) {
    if (!cdc_publication_ensure(stream->publication, stream->ordinary, publication, error) ||
        !cdc_slot_look(stream->ordinary, stream->slot_name, slot, error))
        return false;
    stream->publication_gone = false;
    if (!may_create || slot->lost)
        return true;
    if (!slot->exists) {
        bool exports = core_config_list_count(stream->config, "snapshot.initial") > 0;
        return slot_make(stream, exports, slot, error);
    }
    return !publication->made || slot_join_publication(stream, slot, error);
}

/* On a connection of its own: another command would end the snapshot that a new slot exported. */
static bool failover_mark(const libpq_stream *stream, core_error *error) {
    pg_connection *connection = connection_open(stream, true, error);
    bool ok = connection != NULL &&
              cdc_slot_failover_mark(connection, stream->slot_name, stream->log, error);
    pg_connection_free(connection);
    return ok;
}

static bool failover_prepare(const libpq_stream *stream, const cdc_slot_state *slot,
                             core_error *error) {
    bool wanted = false;
    if (!core_config_bool(stream->config, "postgres.failover") || !slot->exists || slot->lost ||
        slot->active_pid != 0)
        return true;
    return cdc_slot_failover_wanted(stream->ordinary, stream->slot_name, stream->log, &wanted,
                                    error) &&
           (!wanted || failover_mark(stream, error));
}

static bool libpq_prepare(cdc_wal_stream *base, bool may_create, cdc_slot_state *slot,
                          cdc_publication_state *publication, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    return (prepare(stream, may_create, slot, publication, error) &&
            failover_prepare(stream, slot, error)) ||
           url_wrap(stream, error);
}

static bool renew(libpq_stream *stream, cdc_slot_state *slot, core_error *error) {
    if (slot->exists && !slot->lost) {
        CORE_LOG(stream->log, WARN, "cdc", "the gap is accepted: the slot is moved to now",
                 CORE_LOG_TEXT("slot", stream->slot_name));
        return cdc_slot_advance(stream->ordinary, stream->slot_name, slot, error);
    }
    if (slot->exists) {
        CORE_LOG(stream->log, WARN, "cdc", "the gap is accepted: dropping the lost slot",
                 CORE_LOG_TEXT("slot", stream->slot_name),
                 CORE_LOG_TEXT("lost", slot->lost_reason));
        if (!cdc_slot_drop(stream->ordinary, stream->slot_name, error))
            return false;
    }
    return slot_make(stream, false, slot, error);
}

static bool libpq_renew(cdc_wal_stream *base, cdc_slot_state *slot, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    return (renew(stream, slot, error) && failover_prepare(stream, slot, error)) ||
           url_wrap(stream, error);
}

/* ---- Streaming ---- */

static void start_sql(const libpq_stream *stream, const cdc_stream_options *options, core_lsn lsn,
                      core_buffer *sql) {
    core_buffer names;
    core_buffer_init(&names, SQL_MAX_BYTES);
    cdc_publication_names_append(stream->publication, &names);
    core_buffer_text(sql, "START_REPLICATION SLOT ");
    pg_identifier_append(sql, core_slice_text(stream->slot_name));
    core_buffer_format(sql, " LOGICAL " CORE_LSN_FORMAT " (", CORE_LSN_ARGS(lsn));
    cdc_stream_options_append(options, sql);
    core_buffer_text(sql, ", publication_names ");
    pg_literal_append(sql, core_buffer_slice(&names));
    core_buffer_text(sql, ")");
    core_buffer_u8(sql, '\0');
    assert(core_buffer_ok(&names) && core_buffer_ok(sql));
    core_buffer_fini(&names);
}

/* NULL: the server sees to it that it is UTF-8. */
static const char *text_encoding(const libpq_stream *stream) {
    if (!stream->text_as_stored)
        return NULL;
    const char *encoding = pg_connection_server_encoding(stream->replication);
    CORE_LOG(
        stream->log, WARN, "cdc",
        "PostgreSQL cannot convert a text of the slot to UTF-8: until the next connection it is "
        "converted here, and what has no equivalent becomes U+FFFD",
        CORE_LOG_TEXT("encoding", encoding));
    return encoding;
}

static bool libpq_start(cdc_wal_stream *base, const cdc_wal_start *start, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    cdc_stream_options options;
    if (!cdc_stream_options_decide(stream->config,
                                   pg_connection_server_version(stream->replication), start->whole,
                                   &options, error))
        return false;
    stream->base.text_encoding = text_encoding(stream);
    stream->base.wants_whole = false;
    if (!options.messages)
        CORE_LOG(stream->log, WARN, "cdc",
                 "PostgreSQL 13 sends no logical messages (pg_logical_emit_message) through "
                 "pgoutput: there will be none; 14 does");
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    start_sql(stream, &options, start->lsn, &sql);
    pg_result *result = pg_query(stream->replication, (const char *)sql.data, NULL, 0, error);
    core_buffer_fini(&sql);
    pg_result_free(result);
    return result != NULL ||
           core_error_wrap(error, "starting replication from slot \"%s\"", stream->slot_name);
}

/* The server ended the stream, or the socket broke. */
static cdc_wal_result stream_ended(libpq_stream *stream, core_error *error) {
    PGresult *result = PQgetResult(native_of(stream));
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (text == NULL)
        text = PQerrorMessage(native_of(stream));
    int length = (int)strcspn(text, "\n");
    stream->text_refused = state != NULL && strcmp(state, "22P05") == 0 &&
                           !core_config_bool(stream->config, "postgres.binary");
    stream->base.wants_whole = state != NULL && strcmp(state, "XX000") == 0;
    (void)core_error_set(error, CORE_ERROR_TRANSIENT, "the server ended the stream: %.*s%s%s",
                         length, text, state != NULL ? ", SQLSTATE " : "",
                         state != NULL ? state : "");
    PQclear(result);
    return CDC_WAL_BROKEN;
}

static cdc_wal_result libpq_next(cdc_wal_stream *base, core_slice *bytes, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    PGconn *native = native_of(stream);
    PQfreemem(stream->message);
    stream->message = NULL;
    if (stream->publication_gone) {
        (void)core_error_set(error, CORE_ERROR_TRANSIENT,
                             "publication \"%s\" was dropped or made anew while it was streamed",
                             core_config_text(stream->config, "postgres.publication"));
        return CDC_WAL_BROKEN;
    }
    int length = PQgetCopyData(native, &stream->message, 1);
    if (length == 0) {
        if (PQconsumeInput(native) == 0)
            return stream_ended(stream, error);
        length = PQgetCopyData(native, &stream->message, 1);
    }
    if (length == 0)
        return CDC_WAL_DRY;
    if (length < 0)
        return stream_ended(stream, error);
    *bytes = core_slice_make(stream->message, (size_t)length);
    return CDC_WAL_MESSAGE;
}

static bool libpq_feedback(cdc_wal_stream *base, const cdc_feedback *feedback, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    PGconn *native = native_of(stream);
    core_buffer text;
    core_buffer_init(&text, 64);
    cdc_feedback_write(&text, feedback);
    bool ok = core_buffer_ok(&text) &&
              PQputCopyData(native, (const char *)text.data, (int)text.length) == 1 &&
              PQflush(native) >= 0; /* 1: the rest goes with the next */
    core_buffer_fini(&text);
    int length = (int)strcspn(PQerrorMessage(native), "\n");
    return ok || core_error_set(error, CORE_ERROR_TRANSIENT, "reporting the position failed: %.*s",
                                length, PQerrorMessage(native));
}

static int libpq_fd(const cdc_wal_stream *base) {
    const libpq_stream *stream = (const libpq_stream *)base;
    CORE_MAGIC_CHECK(stream, LIBPQ_STREAM_MAGIC);
    return PQsocket(native_of(stream));
}

/* Reads on until the server has answered CopyDone with its own: then it has handled all we sent. */
static void libpq_finish(cdc_wal_stream *base, int64_t timeout_ms) {
    libpq_stream *stream = libpq_stream_of(base);
    PGconn *native = native_of(stream);
    const core_clock *clock = core_clock_system();
    int64_t deadline_ms = core_clock_ms(clock) + timeout_ms;
    if (PQputCopyEnd(native, NULL) != 1 || PQflush(native) < 0)
        return;
    for (;;) {
        core_slice bytes;
        core_error ignored;
        cdc_wal_result result = libpq_next(base, &bytes, &ignored);
        int64_t left_ms = deadline_ms - core_clock_ms(clock);
        if (result == CDC_WAL_BROKEN || left_ms <= 0)
            return;
        struct pollfd fd = {.fd = PQsocket(native), .events = POLLIN};
        if (result == CDC_WAL_DRY && poll(&fd, 1, (int)left_ms) < 0 && errno != EINTR)
            return;
    }
}

/* Since 18 the server leaves out the changes of a publication that is gone, with no more than a
 * warning in its log: the stream must end before more of them pass by. */
static bool publication_watch(libpq_stream *stream, core_error *error) {
    bool same = true;
    bool ok = cdc_publication_same(stream->publication, stream->ordinary, &same, error);
    stream->publication_gone = ok && !same;
    return ok;
}

static bool libpq_fresh_xid(cdc_wal_stream *base, uint64_t *xid, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    if (stream->ordinary == NULL)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "not connected");
    pg_result *result = pg_query(stream->ordinary, "SELECT pg_current_xact_id()", NULL, 0, error);
    if (result == NULL)
        return false;
    bool ok = pg_result_rows(result) == 1 &&
              core_slice_to_u64(core_slice_text(pg_result_value(result, 0, 0)), xid);
    pg_result_free(result);
    return ok || core_error_set(error, CORE_ERROR_INPUT, "a transaction id was not understood");
}

static bool ordinary_have(libpq_stream *stream, core_error *error) {
    if (stream->ordinary == NULL)
        stream->ordinary = connection_open(stream, false, error);
    return stream->ordinary != NULL;
}

static void ordinary_drop_dead(libpq_stream *stream) {
    if (stream->ordinary != NULL && !pg_connection_alive(stream->ordinary))
        ordinary_drop(stream);
}

static bool libpq_watch(cdc_wal_stream *base, cdc_slot_health *health, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    if (ordinary_have(stream, error) &&
        cdc_slot_health_ask(stream->ordinary, stream->slot_name, health, error))
        return true;
    ordinary_drop_dead(stream);
    return url_wrap(stream, error);
}

static bool libpq_heartbeat(cdc_wal_stream *base, core_lsn *lsn, core_error *error) {
    libpq_stream *stream = libpq_stream_of(base);
    if (ordinary_have(stream, error) && cdc_slot_heartbeat(stream->ordinary, lsn, error))
        return true;
    ordinary_drop_dead(stream);
    return url_wrap(stream, error);
}

static void libpq_maintain(cdc_wal_stream *base) {
    libpq_stream *stream = libpq_stream_of(base);
    core_error error = {0};
    if (ordinary_have(stream, &error) && publication_watch(stream, &error) &&
        (stream->publication_gone ||
         cdc_publication_sync(stream->publication, stream->ordinary, &error)))
        return;
    CORE_LOG(stream->log, WARN, "cdc", "looking for new tables failed; trying again",
             CORE_LOG_TEXT("error", error.text));
    ordinary_drop(stream);
}

static void libpq_free(cdc_wal_stream *base) {
    libpq_stream *stream = libpq_stream_of(base);
    libpq_close(base);
    ordinary_drop(stream);
    cdc_publication_free(stream->publication);
    if (base->lookup != NULL)
        base->lookup->free(base->lookup);
    stream->magic = 0;
    free(stream);
}

cdc_wal_stream *cdc_wal_stream_libpq_new(const core_config *config, core_log *log, int cancel_fd,
                                         core_error *error) {
    libpq_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the stream of WAL");
        return NULL;
    }
    *stream = (libpq_stream){
        .base = {.connect = libpq_connect,
                 .fork = libpq_fork,
                 .prepare = libpq_prepare,
                 .renew = libpq_renew,
                 .start = libpq_start,
                 .next = libpq_next,
                 .feedback = libpq_feedback,
                 .fd = libpq_fd,
                 .finish = libpq_finish,
                 .close = libpq_close,
                 .fresh_xid = libpq_fresh_xid,
                 .maintain = libpq_maintain,
                 .watch = libpq_watch,
                 .heartbeat = libpq_heartbeat,
                 .free = libpq_free},
        .magic = LIBPQ_STREAM_MAGIC,
        .config = config,
        .log = log,
        .cancel_fd = cancel_fd,
        .slot_name = core_config_text(config, "postgres.slot"),
    };
    bool ok =
        pg_url_check(core_config_text(config, "postgres.url"), error) || url_wrap(stream, error);
    if (ok)
        stream->publication = cdc_publication_new(config, log, error);
    if (stream->publication != NULL)
        stream->base.lookup = cdc_lookup_new(config, log, cancel_fd);
    if (stream->base.lookup != NULL)
        return &stream->base;
    if (stream->publication != NULL)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the stream of WAL");
    libpq_free(&stream->base);
    return NULL;
}
