/* See handshake_key.h; SHA-1 and base64 are libwebsockets'. */
#include "ws/handshake_key.h"

#include <libwebsockets.h>

bool ws_handshake_accept(core_slice key, char accept[WS_ACCEPT_SIZE]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char input[64 + sizeof guid], hash[20];
    if (key.length > 64)
        return false;
    memcpy(input, key.data, key.length);
    memcpy(input + key.length, guid, sizeof guid - 1);
    (void)lws_SHA1(input, key.length + sizeof guid - 1, hash);
    return lws_b64_encode_string((const char *)hash, sizeof hash, accept, WS_ACCEPT_SIZE) > 0;
}
