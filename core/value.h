/* PostgreSQL's values as JSON, exact: no number loses a digit, unchanged is never null.
 *
 * Works from the text form that pgoutput sends. Integers, floats and numerics stay their digits
 * (NaN and infinities become strings), booleans become true and false, json and jsonb go as they
 * are, arrays become JSON arrays of their element type, timestamps get ISO 8601's "T" and a whole
 * zone ("+00:00"), bytea is hex without "\x" (as the realtime protocol wants it), everything else
 * is a string. */
#ifndef WALCAST_CORE_VALUE_H
#define WALCAST_CORE_VALUE_H

#include "core/event.h"
#include "core/json.h"

/* typname of a built-in type; NULL when the OID is not one. Static. */
const char *core_type_name(uint32_t type_oid);
/* The column's type name: what the relation carries, else the built-in's, else "text". */
core_slice core_column_type_name(const core_column *column);

/* One value. UNCHANGED must not be passed: the caller leaves the member out. */
void core_value_json(core_json_writer *writer, uint32_t type_oid, const core_value *value);

/* {"col": value, ...} of a tuple; unchanged columns are left out. `key_only`: only key columns. */
void core_tuple_json(core_json_writer *writer, const core_relation *relation,
                     const core_tuple *tuple, bool key_only);
/* ["col", ...]: names of the tuple's unchanged columns. Returns how many. */
size_t core_tuple_unchanged_json(core_json_writer *writer, const core_relation *relation,
                                 const core_tuple *tuple);

#endif
