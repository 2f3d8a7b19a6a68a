/* The names of scopes; see scope.h. */
#include "core/scope.h"

static const char *const scope_names[CORE_SCOPE_COUNT] = {
    "subscribe", "broadcast", "search", "events", "jobs", "triggers", "workflows", "admin",
};

unsigned core_scope_parse(core_slice name) {
    for (unsigned i = 0; i < CORE_SCOPE_COUNT; i++)
        if (core_slice_is(name, scope_names[i]))
            return 1u << i;
    return 0;
}

const char *core_scope_name(unsigned index) {
    return scope_names[index];
}

void core_scopes_write(core_json_writer *json, unsigned scopes) {
    core_json_array_open(json);
    for (unsigned i = 0; i < CORE_SCOPE_COUNT; i++)
        if ((scopes & 1u << i) != 0)
            core_json_text(json, scope_names[i]);
    core_json_array_close(json);
}
