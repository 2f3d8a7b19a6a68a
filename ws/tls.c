/* See tls.h.
 *
 * OpenSSL reads from a slice that is lent for one call and writes through the link below; what that
 * does not take is kept, and nothing is encrypted before it is gone. So SSL_write never has to be
 * repeated with the same bytes: conflation may have replaced them by then.
 *
 * States: the handshake; established; ended by a failure, after which OpenSSL may not be called. */
#include "ws/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#define TLS_MAGIC 0x71500001u

struct ws_tls {
    uint32_t magic;
    ws_service *service;
    ws_tls_context *context;
    SSL *ssl;
    const ws_link *link; /* below */
    void *socket;
    core_slice input; /* records that came and OpenSSL has not taken yet; during a call */
    uint8_t *unsent;  /* records that the socket did not take; NULL: none */
    size_t unsent_length, unsent_sent;
    bool established;
    bool failed;         /* OpenSSL may not be called any more */
    bool lost;           /* the socket is gone, or memory is out */
    bool owes;           /* a byte of the last record: see tls.h */
    bool waits;          /* a write must wait until something has been read */
    bool wants_writable; /* asked for meanwhile */
    bool ending;         /* half closes once all is sent */
};

static ws_tls *tls_of(void *socket) {
    ws_tls *tls = socket;
    CORE_MAGIC_CHECK(tls, TLS_MAGIC);
    return tls;
}

ws_tls *ws_tls_of(const ws_connection *connection) {
    return connection->link == &ws_tls_link ? tls_of(connection->socket) : NULL;
}

/* ---- What the socket does not take ---- */

static void tls_hold(ws_tls *tls, size_t more) {
    (void)atomic_fetch_add_explicit(&tls->service->shared->held_bytes, more, memory_order_relaxed);
}

static void tls_unsent_drop(ws_tls *tls) {
    (void)atomic_fetch_sub_explicit(&tls->service->shared->held_bytes, tls->unsent_length,
                                    memory_order_relaxed);
    free(tls->unsent);
    tls->unsent = NULL;
    tls->unsent_length = tls->unsent_sent = 0;
}

static bool tls_unsent_add(ws_tls *tls, const uint8_t *bytes, size_t length) {
    uint8_t *grown = length <= WS_TLS_UNSENT_MAX - tls->unsent_length
                         ? realloc(tls->unsent, tls->unsent_length + length)
                         : NULL;
    if (grown == NULL)
        return false;
    memcpy(grown + tls->unsent_length, bytes, length);
    tls->unsent = grown;
    tls->unsent_length += length;
    tls_hold(tls, length);
    return true;
}

/* Sends what waits. False: the peer is gone. */
static bool tls_flush(ws_tls *tls) {
    if (tls->lost)
        return false;
    while (tls->unsent != NULL) {
        size_t left = tls->unsent_length - tls->unsent_sent;
        size_t part = left < WS_SEND_BYTES ? left : WS_SEND_BYTES, taken = 0;
        if (!tls->link->write(tls->socket, tls->unsent + tls->unsent_sent, part, &taken)) {
            tls->lost = true;
            return false;
        }
        tls->unsent_sent += taken;
        if (tls->unsent_sent == tls->unsent_length)
            tls_unsent_drop(tls);
        else if (taken < part)
            return true;
    }
    return true;
}

/* ---- OpenSSL's side ---- */

static int tls_bio_write(BIO *bio, const char *bytes, int length) {
    ws_tls *tls = tls_of(BIO_get_data(bio));
    size_t all = (size_t)length, taken = 0;
    BIO_clear_retry_flags(bio);
    if (tls->lost)
        return -1;
    if (tls->unsent == NULL && all <= WS_SEND_BYTES)
        tls->lost = !tls->link->write(tls->socket, (const uint8_t *)bytes, all, &taken);
    if (!tls->lost && taken < all)
        tls->lost = !tls_unsent_add(tls, (const uint8_t *)bytes + taken, all - taken);
    return tls->lost ? -1 : length;
}

static int tls_bio_read(BIO *bio, char *room, int size) {
    ws_tls *tls = tls_of(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    size_t length = tls->input.length < (size_t)size ? tls->input.length : (size_t)size;
    if (length == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(room, tls->input.data, length);
    tls->input = core_slice_make(tls->input.data + length, tls->input.length - length);
    return (int)length;
}

static long tls_bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int tls_bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

void *ws_tls_bio_new(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "walcast link");
    if (method != NULL && BIO_meth_set_write(method, tls_bio_write) == 1 &&
        BIO_meth_set_read(method, tls_bio_read) == 1 &&
        BIO_meth_set_ctrl(method, tls_bio_control) == 1 &&
        BIO_meth_set_create(method, tls_bio_create) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- Life ---- */

static bool tls_begin(ws_tls *tls) {
    tls->ssl = SSL_new(ws_tls_context_ssl(tls->context));
    BIO *bio = tls->ssl != NULL ? BIO_new(ws_tls_context_bio(tls->context)) : NULL;
    if (bio == NULL) {
        SSL_free(tls->ssl);
        return false;
    }
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_accept_state(tls->ssl);
    return true;
}

ws_tls *ws_tls_new(ws_service *service, const ws_link *link, void *socket) {
    ERR_clear_error();
    ws_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    *tls = (ws_tls){.magic = TLS_MAGIC,
                    .service = service,
                    .context = ws_tls_context_retain(service->tls.context),
                    .link = link,
                    .socket = socket};
    if (!tls_begin(tls)) {
        ERR_clear_error();
        ws_tls_context_release(tls->context);
        free(tls);
        return NULL;
    }
    core_metrics_add(service->metrics, CORE_METRIC_WS_TLS_HANDSHAKING, 1);
    return tls;
}

void ws_tls_free(ws_tls *tls) {
    if (tls == NULL)
        return;
    CORE_MAGIC_CHECK(tls, TLS_MAGIC);
    if (!tls->established) {
        core_metrics_add(tls->service->metrics, CORE_METRIC_WS_TLS_HANDSHAKING, -1);
        core_metrics_add(tls->service->metrics, CORE_METRIC_WS_TLS_HANDSHAKES_FAILED, 1);
    }
    SSL_free(tls->ssl);
    tls_unsent_drop(tls);
    ws_tls_context_release(tls->context);
    tls->magic = 0;
    free(tls);
}

/* ---- Out ---- */

/* What a call of OpenSSL's that did not succeed means. False: the session has failed. */
static bool tls_may_go_on(ws_tls *tls, int result) {
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_ZERO_RETURN: /* the peer's end, told */
        tls->lost = true;
        return false;
    default:
        tls->failed = true;
        return false;
    }
}

static bool tls_write(void *socket, const uint8_t *bytes, size_t length, size_t *taken) {
    ws_tls *tls = tls_of(socket);
    *taken = 0;
    if (tls->failed || !tls_flush(tls))
        return false;
    if (tls->unsent != NULL || !tls->established || tls->waits || length == 0)
        return true;
    *taken = tls->owes ? 1 : 0;
    tls->owes = false;
    ERR_clear_error();
    while (*taken < length && tls->unsent == NULL) {
        size_t part = length - *taken, written = 0;
        part = part < SSL3_RT_MAX_PLAIN_LENGTH ? part : SSL3_RT_MAX_PLAIN_LENGTH;
        int result = SSL_write_ex(tls->ssl, bytes + *taken, part, &written);
        if (result != 1) {
            tls->waits = tls_may_go_on(tls, result);
            return tls->waits;
        }
        *taken += written;
        tls->owes = tls->unsent != NULL;
    }
    *taken -= tls->owes ? 1 : 0;
    return !tls->lost;
}

static void tls_want_writable(void *socket) {
    ws_tls *tls = tls_of(socket);
    if (tls->established && !tls->waits)
        tls->link->want_writable(tls->socket);
    else
        tls->wants_writable = true;
}

static void tls_read(void *socket, bool on) {
    ws_tls *tls = tls_of(socket);
    tls->link->read(tls->socket, on);
}

static void tls_kill(void *socket) {
    ws_tls *tls = tls_of(socket);
    tls->link->kill(tls->socket);
}

static void tls_half_close(void *socket) {
    ws_tls *tls = tls_of(socket);
    if (!tls->established) { /* nothing was said that could be taken yet */
        tls->link->kill(tls->socket);
        return;
    }
    ERR_clear_error();
    if (!tls->failed)
        (void)SSL_shutdown(tls->ssl);
    tls->ending = true;
    if (tls->unsent != NULL)
        tls->link->want_writable(tls->socket);
    else
        tls->link->half_close(tls->socket);
}

const ws_link ws_tls_link = {
    .write = tls_write,
    .want_writable = tls_want_writable,
    .read = tls_read,
    .half_close = tls_half_close,
    .kill = tls_kill,
};

void ws_tls_writable(ws_connection *connection) {
    ws_tls *tls = ws_tls_of(connection);
    if (!tls_flush(tls))
        ws_connection_kill(connection);
    else if (tls->unsent != NULL)
        tls->link->want_writable(tls->socket);
    else if (tls->ending)
        tls->link->half_close(tls->socket);
    else
        ws_connection_writable(connection);
}

/* ---- In ---- */

/* HTTP where TLS was expected: so that somebody who mistook the port can read why. */
static void tls_answer_plain(ws_tls *tls) {
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 46\r\nConnection: close\r\n\r\n"
                                 "this port speaks TLS: use https:// or wss://.\n";
    size_t taken;
    if (tls->link->write(tls->socket, (const uint8_t *)answer, sizeof answer - 1, &taken))
        tls->link->half_close(tls->socket);
}

static void tls_handshake_failed(ws_connection *connection, ws_tls *tls, const char *reason) {
    char peer[CORE_ADDRESS_TEXT_SIZE];
    core_address_text(&connection->peer, peer);
    CORE_LOG(tls->service->log, DEBUG, "ws", "a TLS handshake failed", CORE_LOG_TEXT("peer", peer),
             CORE_LOG_TEXT("reason", reason != NULL ? reason : "the peer went away"));
    tls->failed = true;
    ERR_clear_error();
    ws_connection_kill(connection);
}

/* A method's first letter, where a record begins with its kind, 22. */
static bool tls_is_plain(const ws_tls *tls) {
    return SSL_in_before(tls->ssl) && tls->input.length > 0 && tls->input.data[0] >= 'A' &&
           tls->input.data[0] <= 'Z';
}

static void tls_handshake(ws_connection *connection, ws_tls *tls) {
    if (tls_is_plain(tls)) {
        tls_answer_plain(tls);
        tls_handshake_failed(connection, tls, "it is plain HTTP");
        return;
    }
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->established = true;
        core_metrics_add(tls->service->metrics, CORE_METRIC_WS_TLS_HANDSHAKING, -1);
        core_metrics_add(tls->service->metrics, CORE_METRIC_WS_TLS_HANDSHAKES, 1);
        if (SSL_session_reused(tls->ssl))
            core_metrics_add(tls->service->metrics, CORE_METRIC_WS_TLS_RESUMED, 1);
    } else if (!tls_may_go_on(tls, result) || tls->lost) {
        tls_handshake_failed(connection, tls, ERR_reason_error_string(ERR_peek_error()));
    }
}

/* Record by record, until all that came is read. Whatever the connection becomes meanwhile, so that
 * the peer's end is seen. */
static void tls_take(ws_connection *connection, ws_tls *tls) {
    uint8_t *room = tls->service->tls.room;
    while (connection->state.current != WS_CONNECTION_DEAD) {
        size_t length = 0;
        ERR_clear_error();
        int result = SSL_read_ex(tls->ssl, room, WS_READ_BYTES, &length);
        if (result == 1) {
            ws_connection_bytes(connection, room, length);
        } else {
            if (!tls_may_go_on(tls, result) || tls->lost)
                ws_connection_kill(connection);
            return;
        }
    }
}

void ws_tls_bytes(ws_connection *connection, const uint8_t *bytes, size_t length) {
    ws_tls *tls = ws_tls_of(connection);
    if (tls->failed || tls->lost)
        return;
    ERR_clear_error();
    tls->input = core_slice_make(bytes, length);
    if (!tls->established)
        tls_handshake(connection, tls);
    if (tls->established)
        tls_take(connection, tls);
    tls->input = core_slice_make(NULL, 0);
    if (connection->state.current == WS_CONNECTION_DEAD)
        return;
    if (tls->unsent != NULL)
        tls->link->want_writable(tls->socket);
    if (tls->established && tls->wants_writable) {
        tls->wants_writable = tls->waits = false;
        ws_connection_writable(connection);
    }
}
