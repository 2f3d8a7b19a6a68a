/* What a zone does behind its table: the rule in POSIX's TZ form that ends a tzfile (RFC 8536,
 * 3.3.1; "CET-1CEST,M3.5.0,M10.5.0/3").
 *
 * Pure. Private to the room. */
#ifndef WALCAST_TRIGGERS_ZONE_RULE_H
#define WALCAST_TRIGGERS_ZONE_RULE_H

#include "core/core.h"

typedef enum {
    TRIGGERS_RULE_WEEKDAY,    /* Mm.w.d: the w-th weekday d of month m, 5 the last */
    TRIGGERS_RULE_DAY,        /* n: days since 1 January, 29 February counted */
    TRIGGERS_RULE_COMMON_DAY, /* Jn: from 1, 29 February never counted */
} triggers_rule_kind;

typedef struct {
    triggers_rule_kind kind;
    unsigned month, week, weekday;
    unsigned day;
    int32_t time_s; /* local, of the day; from -167 to 167 hours */
} triggers_rule_day;

typedef struct {
    int32_t standard_s; /* east of UTC */
    int32_t saving_s;
    bool has_saving;
    triggers_rule_day start, end; /* of saving */
} triggers_zone_rule;

/* INPUT error when it is none. The text is without the newlines around it. */
CORE_MUST_CHECK bool triggers_zone_rule_read(core_slice text, triggers_zone_rule *rule,
                                             core_error *error);

/* A time of one offset: from `start_s` up to `end_s`; INT64_MIN and INT64_MAX have no such end. */
typedef struct {
    int64_t start_s, end_s;
    int32_t offset_s; /* east of UTC: local = UTC + offset */
} triggers_zone_span;

/* The one that a time (years 1 to 9999) is in. */
triggers_zone_span triggers_zone_rule_span(const triggers_zone_rule *rule, int64_t utc_s);

#endif
