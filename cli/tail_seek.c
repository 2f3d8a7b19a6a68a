/* An LSN's or a time's place in the stream by halving; see tail.h.
 *
 * Commit positions only grow along the stream, so each message that is looked at tells on which
 * side the place is; commit times grow but for a jitter, which a margin covers. Messages that age
 * away meanwhile are at the old end: the place is behind them. Starting too early costs only
 * reading, since the printer leaves out what was committed before the place. */
#include "cli/tail.h"

#define ARENA_CHUNK     ((size_t)64 << 10)
#define MESSAGE_MAX     ((size_t)64 << 20) /* nats-server's own limit */
#define ARENA_MAX_BYTES (((size_t)4 << 20) + CORE_EVENT_JSON_ARENA_FACTOR * MESSAGE_MAX)
#define TIME_MARGIN_US  INT64_C(10000000)

typedef struct {
    fanout_connection *connection;
    const char *stream;
    tail_place place;
    core_buffer payload;
    core_arena arena;
} seeker;

bool tail_place_is_behind(const tail_place *place, const core_transaction *transaction) {
    if (transaction->commit_lsn == 0) /* of no transaction: a gap's mark */
        return false;
    if (place->kind == TAIL_LSN)
        return transaction->commit_lsn < place->lsn;
    return place->kind == TAIL_TIME && transaction->commit_time_us < place->time_us;
}

/* Is all of the message before the place? */
static bool message_is_behind(seeker *seek, uint64_t sequence, bool *behind, core_error *error) {
    core_run run;
    *behind = true;
    if (!fanout_stream_message(seek->connection, seek->stream, sequence, &seek->payload, error))
        return error->code == CORE_ERROR_INPUT; /* gone */
    core_arena_reset(&seek->arena);
    if (!core_run_decode(core_buffer_slice(&seek->payload), &seek->arena, &run, error))
        return core_error_wrap(error, "stream sequence %llu", (unsigned long long)sequence);
    *behind = tail_place_is_behind(&seek->place, &run.last_transaction);
    return true;
}

bool tail_seek(fanout_connection *connection, const char *stream, const fanout_stream_info *info,
               const tail_place *place, uint64_t *sequence, core_error *error) {
    seeker seek = {.connection = connection, .stream = stream, .place = *place};
    seek.place.time_us -= TIME_MARGIN_US;
    core_buffer_init(&seek.payload, MESSAGE_MAX);
    core_arena_init(&seek.arena, ARENA_CHUNK, ARENA_MAX_BYTES);
    uint64_t low = info->first_sequence;
    uint64_t high = info->last_sequence + 1;
    bool ok = true;
    while (ok && low < high) {
        uint64_t middle = low + (high - low) / 2;
        bool behind = false;
        ok = message_is_behind(&seek, middle, &behind, error);
        if (behind)
            low = middle + 1;
        else
            high = middle;
    }
    *sequence = low;
    core_buffer_fini(&seek.payload);
    core_arena_fini(&seek.arena);
    return ok;
}
