/* See certificate.h. The thread may block: it reads files. Service threads get a new context by a
 * post, each with a reference of its own, so that accepting takes no lock. */
#include "ws/certificate.h"

#include "ws/post.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CERTIFICATE_MAGIC 0xce471f1cu

/* What tells that a file is another one. */
typedef struct {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
} file_look;

typedef struct {
    file_look certificate, key;
} pair_look;

struct ws_certificate {
    uint32_t magic;
    ws_server *server;
    const ws_server_spec *spec;
    const char *certificate_path, *key_path;
    int64_t warn_s;
    ws_tls_context *context; /* the thread's, before it runs the maker's */
    pair_look used;          /* what was read last, whatever became of it */
    pair_look seen;
    int64_t read_ms;
    atomic_int_fast64_t expires_s;
    atomic_bool refused; /* what the files hold */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool asked, stop; /* under the lock */
    bool started;
    pthread_t thread;
};

/* A context on its way to a service thread. */
typedef struct {
    ws_post post;
    ws_tls_context *context;
} context_post;

static file_look look_at(const char *path) {
    struct stat found;
    if (stat(path, &found) != 0)
        return (file_look){0};
    return (file_look){.device = found.st_dev,
                       .inode = found.st_ino,
                       .size = found.st_size,
                       .changed = found.st_mtim};
}

static bool look_same(const file_look *a, const file_look *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static pair_look pair_at(const ws_certificate *certificate) {
    return (pair_look){.certificate = look_at(certificate->certificate_path),
                       .key = look_at(certificate->key_path)};
}

static bool pair_same(const pair_look *a, const pair_look *b) {
    return look_same(&a->certificate, &b->certificate) && look_same(&a->key, &b->key);
}

static int64_t certificate_now_s(const ws_certificate *certificate) {
    return core_clock_wall_us(certificate->spec->clock) / CORE_US_PER_S;
}

/* ---- Reading ---- */

static void certificate_tell(const ws_certificate *certificate, const char *what) {
    char expires[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(ws_tls_context_expires_s(certificate->context) * CORE_US_PER_S, expires);
    CORE_LOG(certificate->spec->log, INFO, "ws", what,
             CORE_LOG_TEXT("subject", ws_tls_context_subject(certificate->context)),
             CORE_LOG_TEXT("expires", expires));
}

static void certificate_take(ws_certificate *certificate, ws_tls_context *context) {
    ws_tls_context_release(certificate->context);
    certificate->context = context;
    int64_t expires_s = ws_tls_context_expires_s(context);
    atomic_store(&certificate->expires_s, expires_s);
    core_metrics_set(certificate->spec->metrics, CORE_METRIC_WS_TLS_EXPIRES, expires_s);
}

static ws_tls_context *certificate_read(ws_certificate *certificate, core_error *error) {
    certificate->seen = certificate->used = pair_at(certificate);
    certificate->read_ms = core_clock_ms(certificate->spec->clock);
    return ws_tls_context_new(certificate->certificate_path, certificate->key_path, error);
}

static void context_post_run(ws_post *post, ws_service *service) {
    context_post *sent = (context_post *)(void *)((char *)post - offsetof(context_post, post));
    ws_tls_context_release(service->tls.context);
    service->tls.context = sent->context;
    free(sent);
}

/* False: memory is out, and that thread keeps the one it has until the next time. */
static bool certificate_send(ws_tls_context *context, ws_service *service) {
    context_post *sent = malloc(sizeof *sent);
    if (sent == NULL)
        return false;
    *sent = (context_post){.post = {.run = context_post_run},
                           .context = ws_tls_context_retain(context)};
    ws_post_send(service, &sent->post);
    return true;
}

static void certificate_spread(ws_certificate *certificate) {
    bool all = true;
    for (size_t i = 0; i < ws_server_service_count(certificate->server); i++)
        all = certificate_send(certificate->context, ws_server_service(certificate->server, i)) &&
              all;
    if (!all)
        CORE_LOG(certificate->spec->log, ERROR, "ws", "no memory to spread the new certificate");
}

static void certificate_audit(const ws_certificate *certificate) {
    const auth_act act = {.act = "certificate.replaced",
                          .object = certificate->certificate_path,
                          .detail = ws_tls_context_subject(certificate->context)};
    auth_audit_act(certificate->spec->audit, &act);
}

static void certificate_replace(ws_certificate *certificate) {
    const pair_look before = certificate->used;
    core_error error;
    ws_tls_context *context = certificate_read(certificate, &error);
    bool ok =
        context != NULL && ws_tls_context_valid(context, certificate_now_s(certificate), &error);
    atomic_store(&certificate->refused, !ok);
    if (ok) {
        certificate_take(certificate, context);
        certificate_spread(certificate);
        certificate_tell(certificate, "new connections get the certificate as it is now");
        if (!pair_same(&before, &certificate->used))
            certificate_audit(certificate);
        return;
    }
    ws_tls_context_release(context);
    core_metrics_add(certificate->spec->metrics, CORE_METRIC_WS_TLS_REFUSED, 1);
    CORE_LOG(certificate->spec->log, ERROR, "ws",
             "the certificate cannot be replaced; the old one goes on",
             CORE_LOG_TEXT("error", error.text));
}

/* ---- The thread ---- */

/* Waits for the next look. False: stop. */
static bool certificate_wait(ws_certificate *certificate, bool *asked) {
    (void)pthread_mutex_lock(&certificate->lock);
    if (!certificate->asked && !certificate->stop)
        (void)core_condition_wait(&certificate->wake, &certificate->lock, WS_TLS_LOOK_MS);
    *asked = certificate->asked;
    certificate->asked = false;
    bool stop = certificate->stop;
    (void)pthread_mutex_unlock(&certificate->lock);
    return !stop;
}

/* A pair is two files, which are not replaced at once: it is read when it has stood still for the
 * time between two looks. */
static bool certificate_changed(ws_certificate *certificate) {
    pair_look now = pair_at(certificate);
    bool still = pair_same(&now, &certificate->seen);
    certificate->seen = now;
    return still && !pair_same(&now, &certificate->used);
}

static bool certificate_is_old(const ws_certificate *certificate) {
    return core_clock_ms(certificate->spec->clock) - certificate->read_ms >= WS_TLS_TICKETS_MS;
}

static void *certificate_run(void *context) {
    ws_certificate *certificate = context;
    CORE_MAGIC_CHECK(certificate, CERTIFICATE_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-tls");
    bool asked;
    while (certificate_wait(certificate, &asked))
        if (certificate_changed(certificate) || asked || certificate_is_old(certificate))
            certificate_replace(certificate);
    return NULL;
}

bool ws_certificate_start(ws_certificate *certificate, core_error *error) {
    int failure = pthread_create(&certificate->thread, NULL, certificate_run, certificate);
    if (failure != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "cannot start the thread of the certificate: %s", strerror(failure));
    certificate->started = true;
    return true;
}

void ws_certificate_reload(ws_certificate *certificate) {
    (void)pthread_mutex_lock(&certificate->lock);
    certificate->asked = true;
    (void)pthread_cond_signal(&certificate->wake);
    (void)pthread_mutex_unlock(&certificate->lock);
}

void ws_certificate_stop(ws_certificate *certificate) {
    if (certificate == NULL || !certificate->started)
        return;
    (void)pthread_mutex_lock(&certificate->lock);
    certificate->stop = true;
    (void)pthread_cond_signal(&certificate->wake);
    (void)pthread_mutex_unlock(&certificate->lock);
    (void)pthread_join(certificate->thread, NULL);
    certificate->started = false;
}

/* ---- What others ask ---- */

ws_tls_context *ws_certificate_context(ws_certificate *certificate) {
    return ws_tls_context_retain(certificate->context);
}

bool ws_certificate_warns(const ws_certificate *certificate, char *reason, size_t reason_size) {
    int64_t expires_s = atomic_load(&certificate->expires_s);
    int64_t left_s = expires_s - certificate_now_s(certificate);
    char text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(expires_s * CORE_US_PER_S, text);
    if (left_s <= 0)
        (void)snprintf(reason, reason_size, "tls: the certificate expired at %s", text);
    else if (atomic_load(&certificate->refused))
        (void)snprintf(reason, reason_size,
                       "tls: what http.tls_cert and http.tls_key hold now was refused, the log "
                       "says why; the certificate in use expires at %s",
                       text);
    else if (left_s < certificate->warn_s)
        (void)snprintf(reason, reason_size, "tls: the certificate expires at %s", text);
    else
        return false;
    return true;
}

/* ---- Life ---- */

ws_certificate *ws_certificate_new(ws_server *server, core_error *error) {
    const ws_server_spec *spec = ws_server_spec_of(server);
    ws_certificate *certificate = calloc(1, sizeof *certificate);
    if (certificate == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    *certificate = (ws_certificate){
        .magic = CERTIFICATE_MAGIC,
        .server = server,
        .spec = spec,
        .certificate_path = core_config_text(spec->config, "http.tls_cert"),
        .key_path = core_config_text(spec->config, "http.tls_key"),
        .warn_s = core_config_integer(spec->config, "http.tls_warn") / CORE_MS_PER_S,
    };
    (void)pthread_mutex_init(&certificate->lock, NULL);
    core_condition_init(&certificate->wake);
    ws_tls_context *context = certificate_read(certificate, error);
    if (context == NULL) {
        ws_certificate_free(certificate);
        return NULL;
    }
    certificate_take(certificate, context);
    core_error invalid;
    if (ws_tls_context_valid(context, certificate_now_s(certificate), &invalid))
        certificate_tell(certificate, "serving with TLS");
    else
        CORE_LOG(spec->log, ERROR, "ws", "clients will not trust the certificate",
                 CORE_LOG_TEXT("error", invalid.text));
    return certificate;
}

void ws_certificate_free(ws_certificate *certificate) {
    if (certificate == NULL)
        return;
    CORE_MAGIC_CHECK(certificate, CERTIFICATE_MAGIC);
    ws_tls_context_release(certificate->context);
    (void)pthread_cond_destroy(&certificate->wake);
    (void)pthread_mutex_destroy(&certificate->lock);
    certificate->magic = 0;
    free(certificate);
}

bool ws_certificate_check(const core_config *config, FILE *report) {
    const char *path = core_config_text(config, "http.tls_cert");
    if (path == NULL)
        return true;
    core_error error;
    char expires[CORE_CLOCK_TEXT_SIZE];
    ws_tls_context *context =
        ws_tls_context_new(path, core_config_text(config, "http.tls_key"), &error);
    int64_t now_s = core_clock_wall_us(core_clock_system()) / CORE_US_PER_S;
    bool ok = context != NULL && ws_tls_context_valid(context, now_s, &error);
    if (ok) {
        core_clock_format(ws_tls_context_expires_s(context) * CORE_US_PER_S, expires);
        (void)fprintf(report, "the certificate of %s is valid until %s\n",
                      ws_tls_context_subject(context), expires);
    } else {
        (void)fprintf(report, "%s\n", error.text);
    }
    ws_tls_context_release(context);
    return ok;
}
