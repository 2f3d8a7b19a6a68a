/* Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over "ID.TIMESTAMP.BODY", of each secret one,
 * so that a receiver may go from an old secret to a new one.
 *
 * The MAC is the caller's (auth_mac), since this room knows no cryptography. Nothing is kept; safe
 * from every thread. Keys are secrets: wipe them with net_signing_key_wipe. */
#ifndef WALCAST_NET_SIGNATURE_H
#define WALCAST_NET_SIGNATURE_H

#include "core/core.h"

#define NET_SIGNING_KEY_MIN_BYTES 24
#define NET_SIGNING_KEY_MAX_BYTES 64
#define NET_SIGNING_RAW_MAX_BYTES 256
#define NET_SIGNING_KEYS_MAX      8
#define NET_SIGNATURE_MAC_BYTES   32
#define NET_WEBHOOK_ID_MAX_BYTES  256

/* HMAC-SHA256. False: refuse. */
typedef bool (*net_mac)(core_slice key, core_slice data, uint8_t code[NET_SIGNATURE_MAC_BYTES]);

typedef struct {
    uint8_t bytes[NET_SIGNING_RAW_MAX_BYTES];
    size_t length;
} net_signing_key;

/* "whsec_" and base64 of 24 to 64 bytes; "raw:" and a text, whose bytes are the key. Without either
 * prefix it is what the reference libraries take it for: base64 if it is that, of as many bytes,
 * else a raw text. INPUT, with an error that holds nothing of the secret. */
CORE_MUST_CHECK bool net_signing_key_read(core_slice secret, net_signing_key *key,
                                          core_error *error);
void net_signing_key_wipe(net_signing_key *key);

/* Appends the webhook-signature header's value, "v1,BASE64 v1,BASE64". `id` is visible ASCII
 * without a dot. `work` is emptied and holds the signed text for as long as this runs: at least
 * id and body and 24 bytes. False: a bad id, no key, a buffer's maximum, or the MAC failed. */
CORE_MUST_CHECK bool net_signature_write(net_mac mac, const net_signing_key *keys, size_t count,
                                         core_slice id, int64_t timestamp_s, core_slice body,
                                         core_buffer *work, core_buffer *out, core_error *error);

#endif
