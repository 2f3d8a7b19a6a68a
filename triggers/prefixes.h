/* Which entries' prefixes a text begins with: the prefixes in order, each with the longest other
 * one that it begins with itself. Filled, sorted once, then only read.
 *
 * Private to triggers. */
#ifndef WALCAST_TRIGGERS_PREFIXES_H
#define WALCAST_TRIGGERS_PREFIXES_H

#include "triggers/postings.h"

typedef struct {
    core_slice text;
    uint32_t id;
} triggers_prefix;

typedef struct {
    triggers_prefix *items; /* in order */
    size_t count;
    size_t capacity;
    core_arena texts;
    core_slice *prefixes; /* each once, in order */
    uint32_t *above;      /* of each, the longest that it begins with, from 1; 0: none */
    size_t prefix_count;
    triggers_postings lists; /* key: a prefix's number */
} triggers_prefixes;

void triggers_prefixes_fini(triggers_prefixes *prefixes);
/* The text is copied. False when memory is out. */
CORE_MUST_CHECK bool triggers_prefixes_add(triggers_prefixes *prefixes, core_slice text,
                                           uint32_t id);
CORE_MUST_CHECK bool triggers_prefixes_sort(triggers_prefixes *prefixes);
void triggers_prefixes_find(const triggers_prefixes *prefixes, core_slice text,
                            triggers_visit visit, void *context);

#endif
