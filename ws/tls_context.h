/* A certificate with its key, ready to serve: what TLS sessions are made from.
 *
 * Made from two PEM files, counted, never changed: a reload makes another one, and the sessions of
 * the old one keep it. TLS 1.2 and later, ciphers with forward secrecy, no compression, no
 * renegotiation, HTTP/1.1 by ALPN. The keys of session tickets live in it, so all threads share
 * them, and another context has others. Any thread. */
#ifndef WALCAST_WS_TLS_CONTEXT_H
#define WALCAST_WS_TLS_CONTEXT_H

#include "core/core.h"

typedef struct ws_tls_context ws_tls_context;

/* Blocks: reads files. `certificate` may hold a chain, the server's own first. Refused, with a
 * CONFIG error that names the file and what is wrong with it: what cannot be read, is no PEM, needs
 * a passphrase, or does not belong together. A pair that has expired, or is not valid yet, is not
 * refused: see below. */
CORE_MUST_CHECK ws_tls_context *ws_tls_context_new(const char *certificate, const char *key,
                                                   core_error *error);
ws_tls_context *ws_tls_context_retain(ws_tls_context *context);
void ws_tls_context_release(ws_tls_context *context); /* NULL: nothing */

/* When the first of the chain to expire does, in seconds since 1970. */
int64_t ws_tls_context_expires_s(const ws_tls_context *context);
/* Whether it counts at that moment. False: `error` says since when, or until when, it does not. */
CORE_MUST_CHECK bool ws_tls_context_valid(const ws_tls_context *context, int64_t now_s,
                                          core_error *error);
/* Whom it is for, for messages: its subject in one line. */
const char *ws_tls_context_subject(const ws_tls_context *context);

/* For tls.c: OpenSSL's SSL_CTX and BIO_METHOD. */
void *ws_tls_context_ssl(const ws_tls_context *context);
void *ws_tls_context_bio(const ws_tls_context *context);

#endif
