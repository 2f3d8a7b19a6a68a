/* SCHEMA events: a table's shape, published before the first row of it.
 *
 * A shape's version is a fingerprint of it, so equal shapes have equal versions, whoever computes
 * them and after whatever restart. Whether a shape was told already, the stream itself says
 * (shape_log.h). A SCHEMA takes no index of its own. It stands at the
 * index of the row behind it and does not hold that row, so a writer killed between the two sends
 * the row and, since the stream has it, not the SCHEMA again. */
#ifndef WALCAST_CDC_SCHEMA_EVENT_H
#define WALCAST_CDC_SCHEMA_EVENT_H

#include "core/core.h"

/* Not 0. All that PostgreSQL says of the relation counts; what a type is made of does not, since it
 * follows from the type and is asked later, when the type may be gone. */
uint32_t cdc_shape_version(const core_relation *relation);
/* The event's message content: {"version":n,"previous_version":n or null,"replica_identity":"d",
 * "columns":[{"name","type","type_oid","typmod","key"}, ...]}, appended. */
void cdc_shape_json(core_buffer *out, const core_relation *relation, uint32_t previous);

#endif
