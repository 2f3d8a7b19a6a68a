/* See place.h. */
#include "fanout/place.h"

#include <inttypes.h>

bool fanout_place_lost(const fanout_place *place, const char *stream,
                       const fanout_stream_info *info, const char *why, core_error *error) {
    return core_error_set(error, CORE_ERROR_GAP,
                          "stream %s %s: fetched up to sequence %" PRIu64 ", it now holds %" PRIu64
                          " to %" PRIu64 "; what is between is missing",
                          stream, why, place->sequence, info->first_sequence, info->last_sequence);
}

bool fanout_place_holds(const fanout_place *place, const char *stream,
                        const fanout_stream_info *info, core_error *error) {
    if (info->created_us != place->created_us)
        return fanout_place_lost(place, stream, info, "was made anew", error);
    if (!place->known)
        return true;
    if (info->last_sequence < place->sequence)
        return fanout_place_lost(place, stream, info, "went back", error);
    if (info->first_sequence > place->sequence + 1)
        return fanout_place_lost(place, stream, info,
                                 "no longer holds what comes next (nats.max_age)", error);
    return true;
}

bool fanout_place_check(fanout_place *place, fanout_connection *connection, const char *stream,
                        core_error *error) {
    fanout_stream_info info;
    if (!fanout_stream_inspect(connection, stream, &info, error))
        return false;
    place->max_age_ms = info.max_age_ms;
    return fanout_place_holds(place, stream, &info, error);
}

static bool may_have_aged(const fanout_place *place, const fanout_message *message) {
    if (!place->known || message->sequence <= place->sequence + 1 || place->max_age_ms == 0)
        return false;
    int64_t age_us = core_clock_wall_us(core_clock_system()) - message->stored_us;
    return age_us > place->max_age_ms / 2 * CORE_US_PER_MS;
}

bool fanout_place_follows(fanout_place *place, fanout_connection *connection, const char *stream,
                          const fanout_message *message, core_error *error) {
    return !may_have_aged(place, message) || fanout_place_check(place, connection, stream, error);
}

void fanout_place_move(fanout_place *place, uint64_t sequence) {
    if (!place->known || sequence > place->sequence)
        place->sequence = sequence;
    place->known = true;
}
