/* Which entries' ranges hold a number: a segment tree over the ranges' ends, so that a look costs
 * the logarithm of how many there are, and what it finds. Filled, sorted once, then only read.
 *
 * Private to triggers. */
#ifndef WALCAST_TRIGGERS_RANGES_H
#define WALCAST_TRIGGERS_RANGES_H

#include "triggers/postings.h"

typedef struct {
    int64_t low, high;
    uint32_t id;
} triggers_range;

typedef struct {
    triggers_range *items; /* while it is filled */
    size_t count;
    size_t capacity;
    int64_t *ends; /* in order, each once */
    size_t end_count;
    triggers_postings nodes; /* key: a node's number */
    uint32_t *list_of;       /* the first list at a node or above, from 1; 0: none */
    uint32_t *list_above;    /* of each list the next one above its node */
    size_t leaves;
} triggers_ranges;

void triggers_ranges_fini(triggers_ranges *ranges);
/* Ends included; one that holds nothing is left out. False when memory is out. */
CORE_MUST_CHECK bool triggers_ranges_add(triggers_ranges *ranges, int64_t low, int64_t high,
                                         uint32_t id);
CORE_MUST_CHECK bool triggers_ranges_sort(triggers_ranges *ranges);
/* Each entry whose range holds the number, once a range. */
void triggers_ranges_find(const triggers_ranges *ranges, int64_t number, triggers_visit visit,
                          void *context);

#endif
