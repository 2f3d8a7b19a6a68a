/* See endpoints.h. */
#include "triggers/endpoints.h"

#include "auth/auth.h"

#include <stdlib.h>

#define ENDPOINTS_MAGIC UINT32_C(0x74656e64)

enum { CHAINS = 1024 }; /* by hash: one looks for them several times a delivery */

struct triggers_endpoints {
    uint32_t magic;
    triggers_endpoints_spec spec;
    fanout_connection *connection; /* NULL: none was needed yet */
    auth_secrets *secrets;
    triggers_endpoint *chains[CHAINS];
    int64_t forget_ms; /* not before */
    uint32_t held;     /* partitions */
};

/* ---- secrets ---- */

static bool secrets_open(triggers_endpoints *endpoints, core_error *error) {
    const triggers_endpoints_spec *spec = &endpoints->spec;
    if (endpoints->connection == NULL)
        endpoints->connection =
            fanout_connection_new(spec->config, spec->connection, spec->log, spec->metrics, error);
    if (endpoints->connection != NULL && endpoints->secrets == NULL)
        endpoints->secrets = auth_secrets_new(endpoints->connection, spec->config, error);
    return endpoints->secrets != NULL;
}

static bool expand(void *context, core_slice project, core_slice text, core_buffer *out,
                   core_error *error) {
    triggers_endpoints *endpoints = context;
    char name[TRIGGERS_NAME_MAX + 1];
    if (memmem(text.data, text.length, "${secret:", 9) == NULL) {
        core_buffer_slice_append(out, text);
        return core_buffer_ok(out) || core_error_set(error, CORE_ERROR_LIMIT, "a text is too long");
    }
    if (!core_slice_to_text(project, name, sizeof name))
        return core_error_set(error, CORE_ERROR_INPUT, "the project's name is too long");
    return secrets_open(endpoints, error) &&
           auth_secrets_expand(endpoints->secrets, name, text, out, error);
}

/* ---- endpoints ---- */

static size_t chain_of(core_slice project, core_slice name) {
    return core_slice_hash_more(core_slice_hash(project), name) % CHAINS;
}

triggers_endpoint *triggers_endpoints_find(const triggers_endpoints *endpoints, core_slice project,
                                           core_slice name) {
    triggers_endpoint *endpoint = endpoints->chains[chain_of(project, name)];
    while (endpoint != NULL && !(core_slice_equal(endpoint->name, name) &&
                                 core_slice_equal(endpoint->project, project)))
        endpoint = endpoint->next;
    return endpoint;
}

static void chain_forget(triggers_endpoint **at, int64_t now_ms) {
    enum { UNUSED_MS = 3600 * 1000 }; /* longer than a breaker stays open */
    while (*at != NULL) {
        triggers_endpoint *endpoint = *at;
        bool is_used = endpoint->throttle.under_way > 0 || now_ms - endpoint->texts_ms < UNUSED_MS;
        if (is_used) {
            at = &endpoint->next;
            continue;
        }
        *at = endpoint->next;
        triggers_endpoint_free(endpoint);
    }
}

/* Those of triggers that are gone, say; what they keep of secrets goes with them. */
static void endpoints_forget(triggers_endpoints *endpoints, int64_t now_ms) {
    enum { AGAIN_MS = 60 * 1000 };
    if (now_ms < endpoints->forget_ms)
        return;
    endpoints->forget_ms = now_ms + AGAIN_MS;
    for (size_t i = 0; i < CHAINS; i++)
        chain_forget(&endpoints->chains[i], now_ms);
}

triggers_endpoint *triggers_endpoints_get(triggers_endpoints *endpoints,
                                          const triggers_definition *definition, int64_t now_ms) {
    CORE_MAGIC_CHECK(endpoints, ENDPOINTS_MAGIC);
    int64_t now_ns = endpoints->spec.clock->monotonic_ns(endpoints->spec.clock);
    triggers_endpoint *endpoint =
        triggers_endpoints_find(endpoints, definition->project, definition->name);
    if (endpoint == NULL) {
        endpoint = triggers_endpoint_new(definition, now_ms, now_ns);
        if (endpoint == NULL)
            return NULL;
        triggers_endpoint **chain =
            &endpoints->chains[chain_of(definition->project, definition->name)];
        triggers_endpoint_share(endpoint, endpoints->held);
        endpoints_forget(endpoints, now_ms);
        endpoint->next = *chain;
        *chain = endpoint;
    }
    triggers_endpoint_renew(endpoint, definition, expand, endpoints, now_ms);
    return endpoint;
}

/* ---- shares ---- */

void triggers_endpoints_share(triggers_endpoints *endpoints, uint32_t held) {
    CORE_MAGIC_CHECK(endpoints, ENDPOINTS_MAGIC);
    endpoints->held = held;
    for (size_t i = 0; i < CHAINS; i++)
        for (triggers_endpoint *it = endpoints->chains[i]; it != NULL; it = it->next)
            triggers_endpoint_share(it, held);
}

bool triggers_endpoints_fit(const triggers_endpoints *endpoints, uint32_t held) {
    CORE_MAGIC_CHECK(endpoints, ENDPOINTS_MAGIC);
    for (size_t i = 0; i < CHAINS; i++)
        for (const triggers_endpoint *it = endpoints->chains[i]; it != NULL; it = it->next)
            if (!triggers_endpoint_fits(it, held))
                return false;
    return true;
}

/* ---- life ---- */

triggers_endpoints *triggers_endpoints_new(const triggers_endpoints_spec *spec, core_error *error) {
    triggers_endpoints *endpoints = calloc(1, sizeof *endpoints);
    if (endpoints == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for endpoints");
        return NULL;
    }
    endpoints->magic = ENDPOINTS_MAGIC;
    endpoints->spec = *spec;
    endpoints->held = TRIGGERS_PARTITIONS_ALL;
    return endpoints;
}

void triggers_endpoints_free(triggers_endpoints *endpoints) {
    if (endpoints == NULL)
        return;
    CORE_MAGIC_CHECK(endpoints, ENDPOINTS_MAGIC);
    for (size_t i = 0; i < CHAINS; i++)
        for (triggers_endpoint *endpoint = endpoints->chains[i], *next; endpoint != NULL;
             endpoint = next) {
            next = endpoint->next;
            triggers_endpoint_free(endpoint);
        }
    auth_secrets_free(endpoints->secrets);
    fanout_connection_free(endpoints->connection);
    endpoints->magic = 0;
    free(endpoints);
}
