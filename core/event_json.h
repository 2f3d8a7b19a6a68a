/* A change as a message of its own in JSON, for consumers that do not read event.proto: Debezium's
 * envelope with Walcast's own members; docs/JSON.md describes it.
 *
 * The writer promises that the reader gets the very change back: what JSON cannot tell of a value
 * (an array's bounds, bytes that are not UTF-8) is carried beside it, in `exact`, found by reading
 * back each value as it is written. core_run_decode takes such messages as it takes runs: as a run
 * of one row. A message of the stream is JSON when it begins with '{', which no run does. */
#ifndef WALCAST_CORE_EVENT_JSON_H
#define WALCAST_CORE_EVENT_JSON_H

#include "core/event.h"
#include "core/json.h"

#define CORE_EVENT_JSON_FORMAT 1
/* Times a JSON message's own bytes that decoding it takes of the arena at the most, besides what
 * its relation takes. */
#define CORE_EVENT_JSON_ARENA_FACTOR 8
#define CORE_EVENT_JSON_MARKS        ((CORE_COLUMNS_MAX + 7) / 8) /* bytes of a bit a column */

/* ---- Writing; owned by one thread ---- */

/* What `source` says; the texts must outlive the writer. */
typedef struct {
    const char *version;
    const char *name;
    const char *database; /* NULL: not told */
} core_event_json_source;

typedef struct {
    core_event_json_source source;
    char epoch[CORE_EPOCH_TEXT_SIZE];
    int64_t now_us;
    core_slice snapshot_id; /* the run's */
    uint64_t snapshot_after_sequence;
    core_buffer relation; /* the run's, as JSON */
    core_buffer scratch;  /* a value read back */
    /* Columns of the row at hand whose JSON does not tell their text; [0] before, [1] after. */
    uint8_t inexact[2][CORE_EVENT_JSON_MARKS];
} core_event_json_writer;

/* `row_max`: the largest message that will be asked for. Allocates nothing yet. */
void core_event_json_writer_init(core_event_json_writer *writer,
                                 const core_event_json_source *source, size_t row_max);
void core_event_json_writer_fini(core_event_json_writer *writer);
/* The changes that follow are of this run. `now_us`: for `ts_ms`. */
void core_event_json_begin(core_event_json_writer *writer, const core_run *run, int64_t now_us);
/* Appends the message; check the buffer afterwards. */
void core_event_json_change(core_event_json_writer *writer, const core_change *change,
                            core_buffer *out);
/* Appends a piece of a message that is too large for one: `place` says whose (op, transaction,
 * index, last). */
void core_event_json_part(core_event_json_writer *writer, const core_change *place,
                          const core_part *part, core_buffer *out);
/* Bytes of such a message besides its chunk's base64, at the most; SIZE_MAX: memory is out. */
size_t core_event_json_part_overhead(core_event_json_writer *writer, const core_change *place);

/* ---- Reading ---- */

static inline bool core_event_is_json(core_slice payload) {
    return payload.length > 0 && payload.data[0] == '{';
}
/* It begins as a part does; its form is not checked. */
bool core_event_json_is_part(core_slice payload);
/* core_run_decode of a JSON message: the run of its one row, in protobuf, is made in `arena`. Of a
 * part, which needs no arena, only what a part has. INPUT when it is not one of ours, LIMIT when
 * the arena is full. */
CORE_MUST_CHECK bool core_event_json_decode(core_slice payload, core_arena *arena, core_run *run,
                                            core_error *error);

#endif
