/* What payload.c has of payload_csv.c. */
#ifndef WALCAST_SEARCH_INDEX_PAYLOAD_PRIVATE_H
#define WALCAST_SEARCH_INDEX_PAYLOAD_PRIVATE_H

#include "search-index/payload.h"

#include <stdio.h>

/* RFC 4180 with a head: `name`, or `name:string`, `name:number`, `name:boolean`. Appends the array;
 * an empty field is null. */
CORE_MUST_CHECK bool search_csv_read(core_slice body, char delimiter, core_buffer *out,
                                     size_t *count, search_refusal *refusal);

#endif
