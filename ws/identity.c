/* See identity.h. */
#include "ws/identity.h"

#include <stdlib.h>

/* The verifier lets none in whom no source hosts. */
static void identity_settle(ws_identity *identity, const core_config *config) {
    const auth_claims *claims = &identity->claims;
    if (!ws_home_find(config, claims->project, claims->environment, &identity->home))
        identity->home = (ws_home){.source = 0};
    identity->tenants = core_tenants_of(core_config_source(config, identity->home.source));
}

bool ws_identity_same_project(const ws_identity *a, const ws_identity *b) {
    return strcmp(a->claims.project, b->claims.project) == 0 &&
           strcmp(a->claims.environment, b->claims.environment) == 0;
}

ws_identity *ws_identity_new(const core_config *config, const auth_claims *claims,
                             core_slice json) {
    ws_identity *identity = malloc(sizeof *identity + json.length);
    if (identity == NULL)
        return NULL;
    uint8_t *copy = (uint8_t *)(identity + 1);
    if (json.length > 0)
        memcpy(copy, json.data, json.length);
    *identity = (ws_identity){
        .references = 1, .claims = *claims, .claims_json = core_slice_make(copy, json.length)};
    identity_settle(identity, config);
    return identity;
}

bool ws_identity_same(const ws_identity *a, const ws_identity *b) {
    const auth_claims *one = &a->claims, *other = &b->claims;
    return one->claims_hash == other->claims_hash && one->expires_s == other->expires_s &&
           one->key == other->key && one->scopes == other->scopes &&
           strcmp(one->id, other->id) == 0 && core_slice_equal(a->claims_json, b->claims_json);
}

const char *ws_identity_lacks(const ws_identity *identity, unsigned scope) {
    static const char *const reasons[CORE_SCOPE_COUNT] = {
        "This needs a token or API key with the scope subscribe",
        "This needs a token or API key with the scope broadcast",
        "This needs a token or API key with the scope search",
        "This needs a token or API key with the scope events",
        "This needs a token or API key with the scope jobs",
        "This needs a token or API key with the scope triggers",
        "This needs a token or API key with the scope workflows",
        "This needs a token or API key with the scope admin",
    };
    if ((identity->claims.scopes & scope) != 0)
        return NULL;
    for (unsigned i = 0; i < CORE_SCOPE_COUNT; i++)
        if (scope == 1u << i)
            return reasons[i];
    return "This needs a scope that no token or API key has";
}

ws_identity *ws_identity_retain(ws_identity *identity) {
    identity->references++;
    return identity;
}

void ws_identity_release(ws_identity *identity) {
    if (identity != NULL && --identity->references == 0)
        free(identity);
}
