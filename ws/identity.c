/* See identity.h. */
#include "ws/identity.h"

#include <stdlib.h>

ws_identity *ws_identity_new(const auth_claims *claims) {
    ws_identity *identity = malloc(sizeof *identity);
    if (identity != NULL)
        *identity = (ws_identity){.references = 1, .claims = *claims};
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
