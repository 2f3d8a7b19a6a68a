/* See tls_context.h. Source: OpenSSL 3.0's manual pages, and Mozilla's "intermediate" profile of
 * 2024 for what is modern, without the finite-field ciphers that nobody needs any more.
 *
 * Files are read here, not by OpenSSL, so that a message says which and why, and so that a pair is
 * never half of one replacement and half of another's unless that is what the disk holds. */
#include "ws/tls_context.h"

#include "ws/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define TLS_FILE_MAX    ((size_t)1 << 20)
#define TLS_CHAIN_MAX   16
#define TLS_SUBJECT_MAX 256
#define TLS_CIPHERS     "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

struct ws_tls_context {
    atomic_uint references;
    SSL_CTX *ssl;
    BIO_METHOD *bio;
    int64_t starts_s, expires_s;
    char subject[TLS_SUBJECT_MAX];
};

void *ws_tls_context_ssl(const ws_tls_context *context) {
    return context->ssl;
}

void *ws_tls_context_bio(const ws_tls_context *context) {
    return context->bio;
}

int64_t ws_tls_context_expires_s(const ws_tls_context *context) {
    return context->expires_s;
}

const char *ws_tls_context_subject(const ws_tls_context *context) {
    return context->subject;
}

bool ws_tls_context_valid(const ws_tls_context *context, int64_t now_s, core_error *error) {
    bool early = now_s < context->starts_s;
    if (!early && now_s < context->expires_s)
        return true;
    char text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format((early ? context->starts_s : context->expires_s) * CORE_US_PER_S, text);
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "http.tls_cert: the certificate of %s %s %s; put a valid one there",
                          context->subject, early ? "is not valid before" : "expired at", text);
}

/* ---- Files ---- */

/* What OpenSSL has to say of the last failure, which is forgotten. */
static const char *tls_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason != NULL ? reason : "not valid";
}

static bool tls_read_file(const char *key, const char *path, core_buffer *bytes,
                          core_error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return core_error_set(error, CORE_ERROR_CONFIG, "%s: cannot read \"%s\": %s", key, path,
                              strerror(errno));
    uint8_t *room = core_buffer_reserve(bytes, TLS_FILE_MAX);
    size_t length = room != NULL ? fread(room, 1, TLS_FILE_MAX, file) : 0;
    bool ok = room != NULL && ferror(file) == 0;
    bool whole = ok && length < TLS_FILE_MAX;
    if (ok)
        core_buffer_commit(bytes, length);
    int reason = errno;
    (void)fclose(file);
    if (!ok)
        return core_error_set(error, CORE_ERROR_CONFIG, "%s: cannot read \"%s\": %s", key, path,
                              strerror(reason));
    return whole || core_error_set(error, CORE_ERROR_CONFIG,
                                   "%s: \"%s\" is larger than %zu bytes; is it the right file?",
                                   key, path, TLS_FILE_MAX);
}

/* Nobody is there to type one: without this OpenSSL would ask the terminal. */
static int tls_no_passphrase(char *text, int size, int writing, void *context) {
    (void)text;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

/* ---- The certificate and its chain ---- */

static int64_t tls_seconds(const ASN1_TIME *time) {
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

/* The chain is valid while all of it is. */
static void tls_note_validity(ws_tls_context *context, const X509 *certificate) {
    int64_t starts_s = tls_seconds(X509_get0_notBefore(certificate));
    int64_t expires_s = tls_seconds(X509_get0_notAfter(certificate));
    if (starts_s > context->starts_s)
        context->starts_s = starts_s;
    if (context->expires_s == 0 || expires_s < context->expires_s)
        context->expires_s = expires_s;
}

static bool tls_use_own(ws_tls_context *context, X509 *own, const char *path, core_error *error) {
    (void)X509_NAME_oneline(X509_get_subject_name(own), context->subject, sizeof context->subject);
    return SSL_CTX_use_certificate(context->ssl, own) == 1 ||
           core_error_set(error, CORE_ERROR_CONFIG, "http.tls_cert: \"%s\" cannot be used: %s",
                          path, tls_reason());
}

/* Behind the server's own, as many as there are. */
static bool tls_use_chain(ws_tls_context *context, BIO *source, const char *path,
                          core_error *error) {
    for (int i = 0;; i++) {
        X509 *next = PEM_read_bio_X509(source, NULL, tls_no_passphrase, NULL);
        if (next == NULL)
            break;
        tls_note_validity(context, next);
        bool ok = i < TLS_CHAIN_MAX && SSL_CTX_add1_chain_cert(context->ssl, next) == 1;
        X509_free(next);
        if (!ok)
            return core_error_set(error, CORE_ERROR_CONFIG,
                                  "http.tls_cert: \"%s\": a chain of at most %d certificates can "
                                  "be used, without what does not belong to it",
                                  path, TLS_CHAIN_MAX);
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) { /* the end */
        ERR_clear_error();
        return true;
    }
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "http.tls_cert: \"%s\": a certificate of the chain is broken: %s", path,
                          tls_reason());
}

static X509 *tls_use_certificates(ws_tls_context *context, core_slice text, const char *path,
                                  core_error *error) {
    BIO *source = BIO_new_mem_buf(text.data, (int)text.length);
    X509 *own = source ? PEM_read_bio_X509_AUX(source, NULL, tls_no_passphrase, NULL) : NULL;
    bool ok = false;
    if (own == NULL) {
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "http.tls_cert: \"%s\" holds no certificate in PEM: %s", path,
                             tls_reason());
    } else {
        tls_note_validity(context, own);
        ok = tls_use_own(context, own, path, error) && tls_use_chain(context, source, path, error);
    }
    BIO_free(source);
    if (ok)
        return own;
    X509_free(own);
    return NULL;
}

/* ---- The key ---- */

static bool tls_use_key(ws_tls_context *context, const X509 *own, core_slice text, const char *path,
                        core_error *error) {
    BIO *source = BIO_new_mem_buf(text.data, (int)text.length);
    EVP_PKEY *key = source ? PEM_read_bio_PrivateKey(source, NULL, tls_no_passphrase, NULL) : NULL;
    bool ok = false;
    if (key == NULL)
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "http.tls_key: \"%s\" holds no private key in PEM that can be read "
                             "without a passphrase: %s",
                             path, tls_reason());
    else if (X509_check_private_key(own, key) != 1)
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "http.tls_key: \"%s\" is not the key of the certificate of %s in "
                             "http.tls_cert; give the two that belong together",
                             path, context->subject);
    else
        ok = SSL_CTX_use_PrivateKey(context->ssl, key) == 1 ||
             core_error_set(error, CORE_ERROR_CONFIG, "http.tls_key: \"%s\" cannot be used: %s",
                            path, tls_reason());
    ERR_clear_error();
    EVP_PKEY_free(key);
    BIO_free(source);
    return ok;
}

static bool tls_load(ws_tls_context *context, const char *certificate, const char *key,
                     core_error *error) {
    core_buffer chain, secret;
    core_buffer_init(&chain, TLS_FILE_MAX);
    core_buffer_init(&secret, TLS_FILE_MAX);
    X509 *own = NULL;
    bool ok = tls_read_file("http.tls_cert", certificate, &chain, error) &&
              tls_read_file("http.tls_key", key, &secret, error);
    if (ok)
        own = tls_use_certificates(context, core_buffer_slice(&chain), certificate, error);
    ok = own != NULL && tls_use_key(context, own, core_buffer_slice(&secret), key, error);
    X509_free(own);
    if (secret.data != NULL)
        OPENSSL_cleanse(secret.data, secret.capacity);
    core_buffer_fini(&secret);
    core_buffer_fini(&chain);
    return ok;
}

/* ---- How it speaks ---- */

/* HTTP/1.1, when the client names what it speaks. One that names others only could not talk with
 * us, and is told so. */
static int tls_choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                               const unsigned char *offered, unsigned int offered_length,
                               void *context) {
    (void)ssl;
    (void)context;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;
    int result =
        SSL_select_next_proto(&found, length, ours, sizeof ours - 1, offered, offered_length);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool tls_configure(SSL_CTX *ssl) {
    static const unsigned char session[] = "walcast";
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets, and no memory */
    SSL_CTX_set_alpn_select_cb(ssl, tls_choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, TLS_CIPHERS) == 1 && SSL_CTX_set_num_tickets(ssl, 1) == 1 &&
           SSL_CTX_set_session_id_context(ssl, session, sizeof session - 1) == 1;
}

/* ---- Life ---- */

static void tls_context_free(ws_tls_context *context) {
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->bio);
    free(context);
}

ws_tls_context *ws_tls_context_new(const char *certificate, const char *key, core_error *error) {
    ERR_clear_error();
    ws_tls_context *context = calloc(1, sizeof *context);
    if (context != NULL) {
        atomic_init(&context->references, 1);
        context->ssl = SSL_CTX_new(TLS_server_method());
        context->bio = ws_tls_bio_new();
    }
    if (context == NULL || context->ssl == NULL || context->bio == NULL ||
        !tls_configure(context->ssl))
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "TLS cannot be set up: %s", tls_reason());
    else if (tls_load(context, certificate, key, error))
        return context;
    if (context != NULL)
        tls_context_free(context);
    return NULL;
}

ws_tls_context *ws_tls_context_retain(ws_tls_context *context) {
    (void)atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void ws_tls_context_release(ws_tls_context *context) {
    if (context != NULL &&
        atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) == 1)
        tls_context_free(context);
}
