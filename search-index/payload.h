/* Documents as they are sent: JSON, one JSON object a line, or CSV; brought into one form, a JSON
 * array of objects in valid UTF-8. Pure. */
#ifndef WALCAST_SEARCH_INDEX_PAYLOAD_H
#define WALCAST_SEARCH_INDEX_PAYLOAD_H

#include "search-index/code.h"

#define SEARCH_PAYLOAD_MAX     ((size_t)32 << 20) /* bytes of a body */
#define SEARCH_CSV_COLUMNS_MAX 1000
#define SEARCH_DOCUMENTS_MAX   ((size_t)1 << 20) /* of one body */

typedef enum { SEARCH_PAYLOAD_JSON, SEARCH_PAYLOAD_NDJSON, SEARCH_PAYLOAD_CSV } search_payload_kind;

/* By the Content-Type; false: it is missing or another one. */
CORE_MUST_CHECK bool search_payload_kind_find(core_slice content_type, search_payload_kind *kind,
                                              search_refusal *refusal);
/* Of what is sent as JSON only. */
CORE_MUST_CHECK bool search_payload_is_json(core_slice content_type, search_refusal *refusal);

/* Appends the array to `out`. `delimiter` is CSV's. False: `refusal` says what is malformed, and
 * `out` is not to be used. */
CORE_MUST_CHECK bool search_payload_read(search_payload_kind kind, core_slice body, char delimiter,
                                         core_buffer *out, size_t *count, search_refusal *refusal);

#endif
