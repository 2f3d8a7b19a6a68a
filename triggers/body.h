/* What a rule makes of a change: the body that is delivered, and the key that orders deliveries.
 * Pure; the same bytes for the same change. */
#ifndef WALCAST_TRIGGERS_BODY_H
#define WALCAST_TRIGGERS_BODY_H

#include "triggers/rule.h"

/* Of the body, beside what the images hold. */
typedef struct {
    core_slice type;   /* empty: SCHEMA.TABLE.OP, "public.orders.update" */
    int64_t time_us;   /* since 1970: the commit's */
    core_slice offset; /* the event's id */
} triggers_body_facts;

/* Appends {"type", "timestamp", "data", "offset"}, and "unchanged" where columns are left out of
 * `data` because the change does not carry them: they are never null. False when `out` is full, or
 * (`*missing`) when the template stands for such a value: then nothing can be delivered, and that
 * is the outcome. `relation` is the change's. */
CORE_MUST_CHECK bool triggers_body_write(const triggers_rule *rule, const core_change *change,
                                         const triggers_images *images,
                                         const triggers_body_facts *facts, core_buffer *out,
                                         bool *missing);
/* Appends the key's text: the one value as JSON, several as a JSON array, nothing where the whole
 * table is one key. Of a DELETE all are the old row's. False when `out` is full, or (`*missing`)
 * when the change does not carry a value of it: then the order is not known, and that is the
 * outcome. */
CORE_MUST_CHECK bool triggers_key_write(const triggers_rule *rule, const core_change *change,
                                        const triggers_images *images, core_buffer *out,
                                        bool *missing);
/* A key's column, which of a DELETE is the old row's; NULL: the change does not carry it. */
const core_value *triggers_keyed_value(const triggers_rule_value *which, const core_change *change,
                                       const triggers_images *images);

#endif
