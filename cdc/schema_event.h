/* SCHEMA events: a table's shape, published before the first row of it.
 *
 * A shape's version is a fingerprint of it, so equal shapes have equal versions, whoever computes
 * them and after whatever restart. Whether a shape was told already, the stream itself says: the
 * last message on the table's SCHEMA subject. A SCHEMA takes no index of its own. It stands at the
 * index of the row behind it and does not hold that row, so a writer killed between the two sends
 * the row and, since the stream has it, not the SCHEMA again. */
#ifndef WALCAST_CDC_SCHEMA_EVENT_H
#define WALCAST_CDC_SCHEMA_EVENT_H

#include "core/core.h"

/* What the stream was told of shapes: an interface, so that tests can be the stream. */
typedef struct cdc_shape_log cdc_shape_log;
struct cdc_shape_log {
    /* `payload` is reset and gets the last message on `subject`; empty when there is none. Blocks
     * up to the broker's time limits. TRANSIENT when it is away. */
    bool (*last)(cdc_shape_log *log, const char *subject, core_buffer *payload, core_error *error);
};

/* Not 0. All but the relation's own version counts. */
uint32_t cdc_shape_version(const core_relation *relation);
/* The version of the shape that the stream was told last for the table's name; 0: none. */
CORE_MUST_CHECK bool cdc_shape_told(cdc_shape_log *log, const core_subject_scope *scope,
                                    const core_relation *relation, uint32_t *version,
                                    core_error *error);
/* The event's message content: {"version":n,"previous_version":n or null,"replica_identity":"d",
 * "columns":[{"name","type","type_oid","typmod","key"}, ...]}, appended. */
void cdc_shape_json(core_buffer *out, const core_relation *relation, uint32_t previous);

#endif
