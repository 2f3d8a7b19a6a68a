/* What a credential allows besides what its role may see: the scopes of Walcast's surfaces.
 *
 * A set is an unsigned of bits. Names are those of `walcast keys create --scope` and of docs. */
#ifndef WALCAST_CORE_SCOPE_H
#define WALCAST_CORE_SCOPE_H

#include "core/json.h"

typedef enum {
    CORE_SCOPE_SUBSCRIBE = 1 << 0,
    CORE_SCOPE_BROADCAST = 1 << 1,
    CORE_SCOPE_SEARCH = 1 << 2,
    CORE_SCOPE_EVENTS = 1 << 3,
    CORE_SCOPE_JOBS = 1 << 4,
    CORE_SCOPE_TRIGGERS = 1 << 5,
    CORE_SCOPE_WORKFLOWS = 1 << 6,
    CORE_SCOPE_ADMIN = 1 << 7,
} core_scope;

#define CORE_SCOPE_COUNT 8
#define CORE_SCOPES_ALL  ((1u << CORE_SCOPE_COUNT) - 1)
/* What a token has that names no scopes, unless its role is service_role. */
#define CORE_SCOPES_CLIENT (CORE_SCOPE_SUBSCRIBE | CORE_SCOPE_BROADCAST | CORE_SCOPE_SEARCH)

/* The scope of a name; 0: there is none. */
unsigned core_scope_parse(core_slice name);
/* The name of the `index`th scope. */
const char *core_scope_name(unsigned index);
/* The names as an array. */
void core_scopes_write(core_json_writer *json, unsigned scopes);

#endif
