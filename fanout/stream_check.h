/* Whether an existing stream can be the one that a spec asks for. */
#ifndef WALCAST_FANOUT_STREAM_CHECK_H
#define WALCAST_FANOUT_STREAM_CHECK_H

#include "fanout/connection.h"

/* What the server is told for `spec`; points into it and into `subjects`. */
void fanout_stream_config(const fanout_stream_spec *spec, const char **subjects,
                          jsStreamConfig *config);
/* CONFIG error that names both sides when the stream is not ours. */
CORE_MUST_CHECK bool fanout_stream_matches(const fanout_stream_spec *spec,
                                           const jsStreamConfig *found, core_error *error);
/* True when what may be changed on a living stream (age, bytes, duplicate window, denials) differs.
 */
bool fanout_stream_differs(const fanout_stream_spec *spec, const jsStreamConfig *found);

#endif
