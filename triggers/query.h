/* Parameters of an address: what stands behind the question mark. Pure. Private to the room. */
#ifndef WALCAST_TRIGGERS_QUERY_H
#define WALCAST_TRIGGERS_QUERY_H

#include "core/core.h"

typedef enum {
    TRIGGERS_QUERY_NONE,  /* it is not there */
    TRIGGERS_QUERY_FOUND, /* once, and not empty */
    TRIGGERS_QUERY_WRONG, /* empty, twice, not valid percent-encoded UTF-8, or without room */
} triggers_query_result;

/* The value of `name`, decoded, as a C string. */
CORE_MUST_CHECK triggers_query_result triggers_query_find(core_slice query, const char *name,
                                                          char *text, size_t text_size);

/* A number from 1 to `max`; `initial` where it is not there. False with an INPUT error. */
CORE_MUST_CHECK bool triggers_query_number(core_slice query, const char *name, uint64_t initial,
                                           uint64_t max, uint64_t *number, core_error *error);

#endif
