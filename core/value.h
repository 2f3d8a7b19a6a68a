/* PostgreSQL's values as JSON, exact: no number loses a digit, unchanged is never null.
 *
 * Works from the text form that pgoutput sends, with DateStyle ISO. int2 to int8, floats and
 * numerics stay their digits (NaN and infinities become strings), booleans become true and false,
 * json and jsonb go as they are (line ends between tokens become spaces: one value stays one line),
 * arrays become JSON arrays of their element type, timestamps get ISO 8601's "T" and a whole zone
 * ("+00:00"), int2vector and oidvector become arrays, bytea is hex without "\x" (as the realtime
 * protocol wants it), everything else is a string: but for bytea the choice of to_json for every
 * built-in type. The binary form is a string of hex.
 *
 * The output is always valid JSON: text that is not what its type promises becomes a string, and
 * bytes that are not UTF-8 become U+FFFD. json nested deeper than CORE_JSON_MAX_DEPTH becomes a
 * string too. */
#ifndef WALCAST_CORE_VALUE_H
#define WALCAST_CORE_VALUE_H

#include "core/event.h"
#include "core/json.h"

/* typname of a built-in type; NULL when the OID is not one. Static. */
const char *core_type_name(uint32_t type_oid);
/* The element's OID of a built-in array type; 0 for all others. */
uint32_t core_type_element(uint32_t type_oid);
/* The column's type name: what the relation carries, else the built-in's, else "text". */
core_slice core_column_type_name(const core_column *column);

/* One value. UNCHANGED must not be passed: the caller leaves the member out. */
void core_value_json(core_json_writer *writer, uint32_t type_oid, const core_value *value);
/* One value of a column: goes by what the relation tells of types that are not built in (domains as
 * what they are over, arrays by their elements), or by an array type's name ("_mood"), whose
 * elements are then strings. */
void core_column_value_json(core_json_writer *writer, const core_column *column,
                            const core_value *value);

/* {"col": value, ...} of a tuple; unchanged columns are left out. `key_only`: only key columns. */
void core_tuple_json(core_json_writer *writer, const core_relation *relation,
                     const core_tuple *tuple, bool key_only);
/* Members of the object at hand: "unchanged":["col", ...], the names of the tuple's columns that
 * are left out for that, and "read_later":[...] of those that may be newer than the change. Each
 * only where there are such columns. */
void core_tuple_marks_json(core_json_writer *writer, const core_relation *relation,
                           const core_tuple *tuple);

#endif
