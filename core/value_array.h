/* PostgreSQL's array text as a JSON array. Private to the value files. */
#ifndef WALCAST_CORE_VALUE_ARRAY_H
#define WALCAST_CORE_VALUE_ARRAY_H

#include "core/value.h"

/* False, with nothing written, when the text is no array: `{1,NULL,"a b"}`, nested to PostgreSQL's
 * six dimensions, bounds in front (`[0:1]={1,2}`) left out. `element_oid` 0: elements are strings;
 * `delimiter` 0: a comma. Allocates only for a quoted element with a backslash. */
CORE_MUST_CHECK bool core_array_json(core_json_writer *writer, uint32_t element_oid, char delimiter,
                                     core_slice text);

#endif
