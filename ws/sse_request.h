/* What a client of /realtime/v1/sse asks for, read from its query: pure text in, a subscription's
 * bindings out.
 *
 *   table    schema.table, or table alone (of public); `*` for either means any. A name with a dot,
 *            a comma, a quote or a star in it stands in double quotes, as in SQL; unlike in SQL,
 * case counts without quotes too schema   with it, `table` (or any, without it) is one name as it
 * stands, without quotes filter   as a postgres_changes filter select   column names, by comma,
 * quoted as in `table` events   INSERT, UPDATE, DELETE, TRUNCATE, by comma, or * (the default)
 *   leave    true: say when a row stops matching the filter
 *   snapshot true: first the present rows, unless an offset is named
 *   since    the offset after which to go on; the header Last-Event-ID counts before it
 *   slow     conflate: where the client does not keep up, only the last state of a row waits for
 *            it; close (the default): it is closed
 *   apikey   who asks (not read here)
 *
 * A parameter that is none of these, or given twice, is refused: a filter that is misspelled would
 * otherwise be none. */
#ifndef WALCAST_WS_SSE_REQUEST_H
#define WALCAST_WS_SSE_REQUEST_H

#include "ws/limits.h"

typedef struct {
    core_buffer bindings; /* a postgres_changes JSON array, as in a join */
    bool has_since;
    core_offset since;
    bool conflate;
} ws_sse_request;

/* `query` is what stands behind '?'; `last_event_id` the header's value, or empty. False with an
 * INPUT error that names the parameter and says what was expected; the request is freed then. */
CORE_MUST_CHECK bool ws_sse_request_init(ws_sse_request *request, core_slice query,
                                         core_slice last_event_id, core_error *error);
void ws_sse_request_fini(ws_sse_request *request);

#endif
