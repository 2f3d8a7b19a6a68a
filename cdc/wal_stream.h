/* The database as the source sees it: set-up of publication and slot, then the stream of WAL.
 *
 * An interface, so that tests can simulate a server and its faults; wal_stream_libpq.c is the real
 * one. Used by the source's thread only. After any error the stream is closed by the caller and
 * connected anew. */
#ifndef WALCAST_CDC_WAL_STREAM_H
#define WALCAST_CDC_WAL_STREAM_H

#include "cdc/lookup.h"
#include "cdc/pgoutput.h"
#include "cdc/position.h"
#include "cdc/slot_health.h"

typedef struct {
    uint64_t system_id;
    uint32_t timeline;
    core_lsn wal_lsn;          /* how far its WAL is written */
    int64_t sender_timeout_ms; /* wal_sender_timeout; 0: none */
    char database[256];        /* its name; at most NAMEDATALEN - 1 characters */
} cdc_wal_server;

#define CDC_LOST_REASON_MAX 128

typedef struct {
    bool exists;
    core_lsn confirmed_lsn;
    bool two_phase;     /* gives prepared transactions at PREPARE, whatever is asked for */
    int64_t active_pid; /* of the walsender that streams it; 0: none */
    char exported[64];  /* just made: the snapshot that it begins with, until `start`; or empty */
    bool lost;          /* the server has given up its WAL or its catalog rows: it cannot be used */
    char lost_reason[CDC_LOST_REASON_MAX];
} cdc_slot_state;

typedef struct {
    bool made;                       /* it was not there */
    uint32_t oids[CDC_PUBLICATIONS]; /* its own, and that of the tables without a key; 0: none */
} cdc_publication_state;

typedef struct {
    core_lsn lsn; /* where to begin; the slot's position when that is beyond */
    bool whole;   /* no streaming of transactions in progress, whatever is configured */
} cdc_wal_start;

typedef enum { CDC_WAL_MESSAGE, CDC_WAL_DRY, CDC_WAL_BROKEN } cdc_wal_result;

typedef struct cdc_wal_stream cdc_wal_stream;
struct cdc_wal_stream {
    /* Connects (again), checks that the server can do it, asks who it is. Blocks up to the
     * connection's time limit; returns at once when connected. */
    bool (*connect)(cdc_wal_stream *stream, cdc_wal_server *server, core_error *error);
    /* Where the server's timeline left `timeline`; 0: it does not come from it. */
    bool (*fork)(cdc_wal_stream *stream, uint32_t timeline, core_lsn *fork_lsn, core_error *error);
    /* Makes the publication when missing and reads the slot. Only when `may_create`, that is
     * without history to keep, a missing slot is made (otherwise `exists` stays false) and one that
     * is older than its publication moved to now. */
    bool (*prepare)(cdc_wal_stream *stream, bool may_create, cdc_slot_state *slot,
                    cdc_publication_state *publication, core_error *error);
    /* Gives up the history up to now: makes a slot that is missing, drops and makes one that is
     * lost, moves any other. */
    bool (*renew)(cdc_wal_stream *stream, cdc_slot_state *slot, core_error *error);
    bool (*start)(cdc_wal_stream *stream, const cdc_wal_start *start, core_error *error);
    /* The next frame, valid until the next call. DRY: none waits; never blocks. */
    cdc_wal_result (*next)(cdc_wal_stream *stream, core_slice *bytes, core_error *error);
    /* Tells the server where we are. Never blocks. */
    bool (*feedback)(cdc_wal_stream *stream, const cdc_feedback *feedback, core_error *error);
    /* For poll(2) while streaming. */
    int (*fd)(const cdc_wal_stream *stream);
    /* Ends the stream in good order, so that the last feedback surely arrived; at most
     * `timeout_ms`. */
    void (*finish)(cdc_wal_stream *stream, int64_t timeout_ms);
    /* Drops the streaming connection, whatever its state. */
    void (*close)(cdc_wal_stream *stream);
    /* A transaction id that none had before: every later one is greater. Takes it from the server's
     * supply, so not often. */
    bool (*fresh_xid)(cdc_wal_stream *stream, uint64_t *xid, core_error *error);
    /* Now and then while streaming: publishes tables that appeared. Errors are only logged. */
    void (*maintain)(cdc_wal_stream *stream);
    /* How the slot stands; also when nothing is streamed. Blocks up to the connection's time limit.
     */
    bool (*watch)(cdc_wal_stream *stream, cdc_slot_health *health, core_error *error);
    /* Writes a heartbeat into the WAL; `*lsn` is its end. Blocks likewise. */
    bool (*heartbeat)(cdc_wal_stream *stream, core_lsn *lsn, core_error *error);
    void (*free)(cdc_wal_stream *stream);
    /* The encoding that the text of the stream at hand comes in, by PostgreSQL's name; NULL: UTF-8,
     * or any bytes from a database of no encoding. Set by `start`. */
    const char *text_encoding;
    /* The server ended the last stream by an error of its own that asking for no streaming avoids:
     * a table rewritten in a savepoint that was rolled back cannot always be decoded while its
     * transaction runs ("could not map filenode"), but well after its commit. Cleared by `start`.
     */
    bool wants_whole;
    /* What the same database tells beside its WAL; NULL: nothing. Freed with the stream. */
    cdc_lookup *lookup;
};

/* The real one. `cancel_fd` readable calls off what blocks. NULL: CONFIG, the URL is malformed. */
CORE_MUST_CHECK cdc_wal_stream *cdc_wal_stream_libpq_new(const core_config *config, core_log *log,
                                                         int cancel_fd, core_error *error);

#endif
