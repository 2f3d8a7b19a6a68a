/* A consumer's place in a stream, and whether the stream goes on from there: never a silent gap. If
 * it was made anew, went back behind the place, or begins after it, the place is lost. */
#ifndef WALCAST_FANOUT_PLACE_H
#define WALCAST_FANOUT_PLACE_H

#include "fanout/fanout.h"

typedef struct {
    bool known;
    uint64_t sequence;  /* all up to it was taken (or does not pass the filter) */
    int64_t created_us; /* the stream's; another value means another stream */
    int64_t max_age_ms;
} fanout_place;

/* The GAP error; returns false. */
bool fanout_place_lost(const fanout_place *place, const char *stream,
                       const fanout_stream_info *info, const char *why, core_error *error);
/* GAP error when the stream does not go on from the place. */
CORE_MUST_CHECK bool fanout_place_holds(const fanout_place *place, const char *stream,
                                        const fanout_stream_info *info, core_error *error);
/* Looks at the stream first. */
CORE_MUST_CHECK bool fanout_place_check(fanout_place *place, fanout_connection *connection,
                                        const char *stream, core_error *error);
/* The message comes next. Asks the server only when it is old enough for what was between to have
 * aged out before it was taken. */
CORE_MUST_CHECK bool fanout_place_follows(fanout_place *place, fanout_connection *connection,
                                          const char *stream, const fanout_message *message,
                                          core_error *error);
/* All up to `sequence` was taken; never back. */
void fanout_place_move(fanout_place *place, uint64_t sequence);

#endif
