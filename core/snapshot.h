/* The record of a snapshot: what was asked for and how far it is. The value of key `snapshot.{id}`
 * in bucket `{nats.stream}_state`.
 *
 * Whoever wants rows (a command, a role that builds an index) makes one in state `requested`; the
 * process that streams the slot carries it out and is the only writer of everything but `wanted`.
 * Both write by compare-and-set and read again after a conflict. Rooms that may not know each other
 * meet in this record. */
#ifndef WALCAST_CORE_SNAPSHOT_H
#define WALCAST_CORE_SNAPSHOT_H

#include "core/arena.h"
#include "core/buffer.h"
#include "core/error.h"

#define CORE_SNAPSHOT_TOKEN      "snapshot" /* keys are CORE_SNAPSHOT_TOKEN "." id */
#define CORE_SNAPSHOT_ID_SIZE    24
#define CORE_SNAPSHOT_RANGES_MAX 4096
#define CORE_SNAPSHOT_JSON_MAX   ((size_t)768 << 10) /* below the broker's usual 1 MiB a message */
#define CORE_SNAPSHOT_FILTER_MAX 4096

typedef enum {
    CORE_SNAPSHOT_REQUESTED,
    CORE_SNAPSHOT_RUNNING,
    CORE_SNAPSHOT_PAUSED,
    CORE_SNAPSHOT_FAILED, /* `error` says why; resuming goes on where it stopped */
    CORE_SNAPSHOT_DONE,
    CORE_SNAPSHOT_CANCELLED,
} core_snapshot_state;

typedef enum { CORE_SNAPSHOT_RUN, CORE_SNAPSHOT_PAUSE, CORE_SNAPSHOT_CANCEL } core_snapshot_wanted;

/* A part of a table that is read in order. Places are JSON arrays of the key's values as text, of
 * tables without a key their ctid; empty: none. */
typedef struct {
    core_slice schema; /* the table, or one of its partitions */
    core_slice table;
    core_slice after; /* rows beyond this */
    core_slice up_to; /* and up to this, itself included */
    core_slice last;  /* the last one that is in the stream */
    core_slice key;   /* what places are made of: a JSON array, one text a column; empty: ctids */
    uint64_t
        sequence; /* the change stream's: of what was read up to `last`, nothing is behind it */
    bool done;
} core_snapshot_range;

typedef struct {
    char id[CORE_SNAPSHOT_ID_SIZE];
    core_slice schema;
    core_slice table;
    core_slice filter;   /* SQL condition; empty: all rows */
    core_slice stream;   /* an addressed snapshot's own stream; empty: the change stream */
    bool initial;        /* taken when the slot was made, from its exported snapshot */
    uint64_t rate_bytes; /* a second, at the most; 0: no limit */
    core_snapshot_wanted wanted;
    core_snapshot_state state;
    core_slice error; /* FAILED: why; RUNNING: what is being waited for */
    core_slice epoch; /* of the change stream when it began */
    core_slice low;   /* pg_snapshot at which a table without a key began to be read */
    int64_t requested_us;
    int64_t started_us;
    int64_t updated_us;
    int64_t finished_us;
    uint64_t rows;
    uint64_t bytes; /* of their messages */
    uint64_t chunks;
    uint64_t expected_rows;  /* an estimate */
    uint64_t start_sequence; /* the change stream's last message when it began, and ended */
    uint64_t end_sequence;
    core_snapshot_range *ranges; /* none before it was planned */
    size_t range_count;
} core_snapshot;

/* "requested", ...; static. */
const char *core_snapshot_state_name(core_snapshot_state state);
const char *core_snapshot_wanted_name(core_snapshot_wanted wanted);
/* Nothing will change any more, unless it is resumed (FAILED). */
bool core_snapshot_is_over(const core_snapshot *snapshot);
/* A new id: 16 of [0-9a-z], at random. */
CORE_MUST_CHECK bool core_snapshot_id_make(char id[CORE_SNAPSHOT_ID_SIZE], core_error *error);
/* The id of the initial snapshot of a table in a history: whoever makes it again finds it. */
void core_snapshot_id_initial(core_slice epoch, core_slice schema, core_slice table,
                              char id[CORE_SNAPSHOT_ID_SIZE]);
/* The key, "snapshot.{id}". */
void core_snapshot_key(const char *id, char key[CORE_SNAPSHOT_ID_SIZE + 16]);

/* Appends the JSON. */
void core_snapshot_encode(const core_snapshot *snapshot, core_buffer *out);
/* Texts are copied into `arena`, where they and the ranges live. INPUT error when it is no such
 * record; unknown members are skipped. */
CORE_MUST_CHECK bool core_snapshot_decode(core_slice json, core_arena *arena,
                                          core_snapshot *snapshot, core_error *error);

/* A place's values: `values` gets up to `max`, in `arena`. False when it is no array of so many
 * strings. */
CORE_MUST_CHECK bool core_snapshot_place_read(core_slice place, core_arena *arena,
                                              core_slice *values, size_t max, size_t *count);
/* Appends a place of these values. */
void core_snapshot_place_write(core_buffer *out, const core_slice *values, size_t count);

#endif
