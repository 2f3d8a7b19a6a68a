/* What a zone is made of; shared by its reader and its look-up. */
#ifndef WALCAST_TRIGGERS_ZONE_PRIVATE_H
#define WALCAST_TRIGGERS_ZONE_PRIVATE_H

#include "triggers/zone.h"

typedef struct {
    int64_t utc_s;
    int32_t offset_s; /* from then on */
} triggers_zone_change;

struct triggers_zone {
    int32_t first_offset_s; /* before the first change */
    bool has_rule;          /* for what is behind the last one */
    triggers_zone_rule rule;
    size_t count;
    triggers_zone_change changes[]; /* ascending */
};

#endif
