/* Waiting for room in the stream; see source_private.h.
 *
 * A full stream refuses every message, so publishing again and again would be a storm that helps
 * nobody. Instead the stream is looked at: when its limits or what it holds have changed, or after
 * a while in any case (what is full may be the account or the disk), the source comes up again and
 * tries. Meanwhile the slot stays ours: feedback goes on, the socket is not read, and PostgreSQL
 * holds the WAL. */
#include "cdc/source_private.h"

enum {
    FULL_LOOK_MS = 1000,
    FULL_TRY_MS = 30000,
};

static int64_t sooner(int64_t a_ms, int64_t b_ms) {
    return a_ms < b_ms ? a_ms : b_ms;
}

/* False also when the broker does not say: then coming up finds out. */
static bool stream_look(const cdc_source *source, fanout_stream_info *info) {
    fanout_connection *connection = fanout_publisher_connection(source->publisher);
    core_error ignored;
    return fanout_connection_alive(connection) &&
           fanout_stream_inspect(connection, core_config_text(source->config, "nats.stream"), info,
                                 &ignored);
}

static bool stream_changed(const cdc_source *source) {
    const fanout_stream_info *before = &source->full_stream;
    fanout_stream_info now;
    return !stream_look(source, &now) || now.max_bytes != before->max_bytes ||
           now.bytes != before->bytes || now.first_sequence != before->first_sequence ||
           now.created_us != before->created_us;
}

void cdc_source_full_begin(cdc_source *source) {
    int64_t now_ms = core_clock_ms(source->clock);
    source->full_stream = (fanout_stream_info){0};
    if (!stream_look(source, &source->full_stream))
        source->full_stream = (fanout_stream_info){0};
    source->full_look_at_ms = now_ms + FULL_LOOK_MS + core_backoff_next_ms(&source->backoff);
    source->full_until_ms = now_ms + FULL_TRY_MS;
    source->record_at_ms = 0; /* at once: who knows how long the tail is there */
}

bool cdc_source_full_step(cdc_source *source, bool *over, core_error *error) {
    int64_t now_ms = core_clock_ms(source->clock);
    if (!cdc_source_positions_keep(source, error))
        return false;
    *over = now_ms >= source->full_until_ms;
    if (!*over && now_ms >= source->full_look_at_ms) {
        *over = stream_changed(source);
        source->full_look_at_ms = now_ms + FULL_LOOK_MS;
    }
    return true;
}

int64_t cdc_source_full_until_ms(const cdc_source *source) {
    int64_t at_ms = core_clock_ms(source->clock) + cdc_source_keep_left_ms(source);
    at_ms = sooner(at_ms, source->full_look_at_ms);
    return sooner(sooner(at_ms, source->full_until_ms), source->watch_at_ms);
}
