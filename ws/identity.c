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

ws_identity *ws_identity_retain(ws_identity *identity) {
    identity->references++;
    return identity;
}

void ws_identity_release(ws_identity *identity) {
    if (identity != NULL && --identity->references == 0)
        free(identity);
}
