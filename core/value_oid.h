/* The types that the value files know by name, and how a column is told to be an array. Private to
 * the value files. */
#ifndef WALCAST_CORE_VALUE_OID_H
#define WALCAST_CORE_VALUE_OID_H

#include "core/event.h"

/* pg_type.oid */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT2VECTOR = 22,
    TYPE_INT4 = 23,
    TYPE_OID = 26,
    TYPE_OIDVECTOR = 30,
    TYPE_JSON = 114,
    TYPE_BOX = 603,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_NUMERIC = 1700,
    TYPE_JSONB = 3802,
    TYPE_FIRST_OF_USERS = 16384, /* FirstNormalObjectId */
};

/* Of a type that is not built in. Without word from the catalog its name tells. */
static inline bool value_column_is_array(const core_column *column) {
    bool is_named_so = column->type_oid >= TYPE_FIRST_OF_USERS && column->type_name.length > 1 &&
                       column->type_name.data[0] == '_';
    return column->element_oid != 0 || (is_named_so && column->base_oid == 0);
}

#endif
