/* See identity.h. */
#include "ws/identity.h"

#include <stdlib.h>

ws_identity *ws_identity_new(const auth_claims *claims, core_slice json) {
    ws_identity *identity = malloc(sizeof *identity + json.length);
    if (identity == NULL)
        return NULL;
    uint8_t *copy = (uint8_t *)(identity + 1);
    if (json.length > 0)
        memcpy(copy, json.data, json.length);
    *identity = (ws_identity){
        .references = 1, .claims = *claims, .claims_json = core_slice_make(copy, json.length)};
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
