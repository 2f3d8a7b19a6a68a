/* A member of a JSON object replaced in its text. Pure. */
#ifndef WALCAST_SEARCH_INDEX_JSON_MEMBER_H
#define WALCAST_SEARCH_INDEX_JSON_MEMBER_H

#include "core/core.h"

/* The object's member of that name is `value`, put behind the others where there is none. False:
 * it is no object, or the buffer is full. */
CORE_MUST_CHECK bool search_json_member_set(core_buffer *object, core_slice name, core_slice value);

#endif
