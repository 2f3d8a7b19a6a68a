/* The HTTP server: its address, its service threads, its drain; see ws.h.
 *
 * The threads share nothing but what is read-only, the counters, and the pointer to the gateway. */
#include "ws/server.h"

#include "ws/certificate.h"
#include "ws/crowd.h"
#include "ws/deflate.h"
#include "ws/http_wait.h"
#include "ws/listener.h"
#include "ws/loop.h"
#include "ws/post.h"
#include "ws/recheck.h"
#include "ws/session_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define SERVER_MAGIC       0x5e7fe700u
#define SERVER_THREADS_MAX 64
#define SERVER_SPARE_FDS   512 /* for everything that is not a client */

struct ws_server {
    uint32_t magic;
    ws_server_spec spec;
    char address[WS_ADDRESS_SIZE];
    size_t service_count;
    ws_service *services[SERVER_THREADS_MAX];
    size_t max_sockets;
    atomic_size_t sockets;
    ws_crowd crowd;
    ws_shared shared;
    ws_proxies proxies;
    ws_origins origins;
    ws_certificate *certificate; /* NULL: the sockets are plain */
    atomic_bool draining;
    _Atomic(ws_gateway *) gateways[WS_SOURCES_MAX]; /* by source */
};

/* ---- What others ask ---- */

const char *ws_server_address(const ws_server *server) {
    return server->address;
}

const core_route_table *ws_server_routes(const ws_server *server) {
    return server->spec.routes;
}

const ws_server_spec *ws_server_spec_of(const ws_server *server) {
    return &server->spec;
}

bool ws_server_draining(const ws_server *server) {
    return atomic_load(&server->draining);
}

core_readiness ws_server_ready(const ws_server *server, char *reason, size_t reason_size) {
    if (ws_server_draining(server)) {
        (void)snprintf(reason, reason_size, "shutting down");
        return CORE_READY_NO;
    }
    core_readiness ready = server->spec.ready == NULL
                               ? CORE_READY_YES
                               : server->spec.ready(server->spec.context, reason, reason_size);
    size_t used = strlen(reason);
    if (server->certificate == NULL || ready == CORE_READY_NO)
        return ready;
    const char *between = used > 0 ? "; " : "";
    size_t behind = used + strlen(between);
    if (behind >= reason_size ||
        !ws_certificate_warns(server->certificate, reason + behind, reason_size - behind))
        return ready;
    memcpy(reason + used, between, strlen(between));
    return ready == CORE_READY_YES ? CORE_READY_WARNING : ready;
}

void ws_server_reload(ws_server *server) {
    CORE_MAGIC_CHECK(server, SERVER_MAGIC);
    if (server->certificate != NULL)
        ws_certificate_reload(server->certificate);
}

ws_gateway *ws_server_gateway(const ws_server *server, unsigned source) {
    assert(source < WS_SOURCES_MAX);
    return atomic_load_explicit(&server->gateways[source], memory_order_acquire);
}

bool ws_server_has_gateway(const ws_server *server) {
    for (unsigned i = 0; i < WS_SOURCES_MAX; i++)
        if (ws_server_gateway(server, i) != NULL)
            return true;
    return false;
}

const auth_verifier *ws_server_verifier(const ws_server *server) {
    return server->spec.verifier;
}

bool ws_server_hosts_gateway(const ws_server *server) {
    const core_config *config = server->spec.config;
    for (size_t i = 0; i < core_config_list_count(config, "roles"); i++)
        if (strcmp(core_config_list_item(config, "roles", i), "ws") == 0)
            return true;
    return false;
}

void ws_server_attach(ws_server *server, unsigned source, ws_gateway *gateway) {
    assert(source < WS_SOURCES_MAX);
    atomic_store_explicit(&server->gateways[source], gateway, memory_order_release);
}

void ws_server_detach(ws_server *server, unsigned source) {
    ws_server_attach(server, source, NULL);
    for (size_t i = 0; i < server->service_count; i++)
        ws_loop_sync(server->services[i]->loop);
}

size_t ws_server_service_count(const ws_server *server) {
    return server->service_count;
}

ws_service *ws_server_service(const ws_server *server, size_t index) {
    assert(index < server->service_count);
    return server->services[index];
}

static bool server_takes_socket(ws_server *server, const core_address *client) {
    if (!ws_crowd_enter(&server->crowd, client))
        return false;
    size_t before = atomic_fetch_add_explicit(&server->sockets, 1, memory_order_relaxed);
    if (before >= server->max_sockets) {
        atomic_fetch_sub_explicit(&server->sockets, 1, memory_order_relaxed);
        ws_crowd_leave(&server->crowd, client);
        return false;
    }
    core_metrics_set(server->spec.metrics, CORE_METRIC_WS_CONNECTIONS, (int64_t)before + 1);
    return true;
}

bool ws_server_socket_enter(ws_server *server, const core_address *client) {
    if (server_takes_socket(server, client))
        return true;
    core_metrics_add(server->spec.metrics, CORE_METRIC_WS_CONNECTIONS_REFUSED, 1);
    return false;
}

void ws_server_socket_leave(ws_server *server, const core_address *client) {
    ws_crowd_leave(&server->crowd, client);
    size_t before = atomic_fetch_sub_explicit(&server->sockets, 1, memory_order_relaxed);
    core_metrics_set(server->spec.metrics, CORE_METRIC_WS_CONNECTIONS, (int64_t)before - 1);
}

size_t ws_server_sockets(const ws_server *server) {
    return atomic_load_explicit(&server->sockets, memory_order_relaxed);
}

/* ---- Making ---- */

/* Room for as many descriptors as the limits allow clients. libwebsockets sizes its tables by the
 * limit, so a needlessly high one is lowered too. */
static bool server_set_descriptors(const ws_server *server, core_error *error) {
    struct rlimit limit;
    rlim_t needed = server->max_sockets + WS_HTTP_CONNECTIONS_MAX + SERVER_SPARE_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "cannot read the limit on open files: %s",
                              strerror(errno));
    if (limit.rlim_max < needed) {
        CORE_LOG(server->spec.log, WARN, "ws",
                 "the limit on open files is below what "
                 "ws.max_connections needs: raise it (ulimit -Hn)",
                 CORE_LOG_NUMBER("limit", limit.rlim_max), CORE_LOG_NUMBER("needed", needed));
        needed = limit.rlim_max;
    }
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "cannot set the limit on open files: %s",
                              strerror(errno));
    return true;
}

static void service_free(ws_service *service) {
    if (service == NULL)
        return;
    ws_loop_free(service->loop);
    service->loop = NULL;
    ws_posts_run(service); /* answers that came too late: they find nobody, and are freed */
    ws_http_waits_free(service);
    assert(service->connections == NULL);
    ws_recheck_free(service);
    ws_session_tables_free(service);
    core_buffer_fini(&service->scratch);
    ws_deflate_free(service->deflate);
    ws_tls_context_release(service->tls.context);
    free(service->tls.room);
    free(service->gather);
    free(service);
}

static bool service_set_tls(ws_service *service) {
    ws_certificate *certificate = service->server->certificate;
    if (certificate == NULL)
        return true;
    service->tls = (ws_service_tls){.context = ws_certificate_context(certificate),
                                    .room = malloc(WS_READ_BYTES)};
    return service->tls.room != NULL;
}

/* Takes the listening socket over. */
static ws_service *service_new(ws_server *server, unsigned index, int listen_socket,
                               core_error *error) {
    const ws_server_spec *spec = &server->spec;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    ws_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        (void)close(listen_socket);
        return NULL;
    }
    *service = (ws_service){.server = server,
                            .shared = &server->shared,
                            .index = index,
                            .limits = ws_limits_make(spec->config),
                            .log = spec->log,
                            .metrics = spec->metrics,
                            .clock = spec->clock,
                            .audit = spec->audit,
                            .tiers = spec->limits,
                            .proxies = &server->proxies,
                            .origins = &server->origins,
                            .now_ms = core_clock_ms(spec->clock),
                            .gather = malloc(WS_SEND_BYTES)};
    core_buffer_init(&service->scratch, WS_PROTOCOL_SCRATCH);
    ws_wheel_init(&service->wheel, service->now_ms);
    ws_wheel_init(&service->pauses, service->now_ms);
    if (service->limits.compression)
        service->deflate = ws_deflate_new();
    bool ok = service_set_tls(service) && service->gather != NULL &&
              (service->deflate || !service->limits.compression) &&
              getrandom(&service->request_seed, sizeof service->request_seed, 0) ==
                  (ssize_t)sizeof service->request_seed &&
              ws_recheck_new(service);
    for (size_t i = 0; ok && i < core_config_source_count(spec->config); i++)
        ok = ws_session_table_new(service, error);
    if (ok)
        service->loop = ws_loop_new(service, listen_socket, error);
    else
        (void)close(listen_socket);
    if (service->loop != NULL)
        return service;
    service_free(service);
    return NULL;
}

static bool server_make_services(ws_server *server, core_error *error) {
    int sockets[SERVER_THREADS_MAX];
    size_t count = (size_t)core_config_integer(server->spec.config, "http.threads");
    assert(count >= 1 && count <= SERVER_THREADS_MAX);
    if (!ws_listener_open(core_config_text(server->spec.config, "http.listen"), sockets, count,
                          server->address, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        server->services[i] = service_new(server, (unsigned)i, sockets[i], error);
        if (server->services[i] == NULL) {
            for (size_t rest = i + 1; rest < count; rest++)
                (void)close(sockets[rest]);
            return core_error_wrap(error, "service thread %zu", i);
        }
        server->service_count = i + 1;
    }
    return true;
}

static bool server_start(ws_server *server, core_error *error) {
    for (size_t i = 0; i < server->service_count; i++)
        if (!ws_loop_start(server->services[i]->loop, error))
            return false;
    return server->certificate == NULL || ws_certificate_start(server->certificate, error);
}

/* Also: whether it can be made. */
static bool server_read_certificate(ws_server *server, core_error *error) {
    if (core_config_text(server->spec.config, "http.tls_cert") == NULL)
        return true;
    server->certificate = ws_certificate_new(server, error);
    return server->certificate != NULL;
}

/* On a thread of the verifier's. */
static void server_recheck(void *context) {
    ws_server *server = context;
    CORE_MAGIC_CHECK(server, SERVER_MAGIC);
    for (size_t i = 0; i < server->service_count; i++)
        ws_recheck_ask(server->services[i]);
}

static bool server_crowd(ws_server *server, core_error *error) {
    uint64_t seed = 0;
    size_t limit =
        (size_t)core_config_integer(server->spec.config, "limits.connections_per_address");
    bool seeded = getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed;
    return (ws_crowd_init(&server->crowd, limit, server->max_sockets, seed) && seeded) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
}

ws_server *ws_server_new(const ws_server_spec *spec, core_error *error) {
    ws_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    server->magic = SERVER_MAGIC;
    server->spec = *spec;
    server->max_sockets = ws_limits_make(spec->config).max_connections;
    if (!server_crowd(server, error)) {
        ws_server_free(server);
        return NULL;
    }
    if (!ws_proxies_init(&server->proxies, spec->config, error) ||
        !ws_origins_init(&server->origins, spec->config, error) ||
        !server_read_certificate(server, error) || !server_set_descriptors(server, error) ||
        !server_make_services(server, error) || !server_start(server, error)) {
        ws_server_free(server);
        return NULL;
    }
    if (spec->verifier != NULL)
        auth_verifier_listen(spec->verifier, server_recheck, server);
    return server;
}

/* ---- Ending ---- */

void ws_server_drain(ws_server *server) {
    CORE_MAGIC_CHECK(server, SERVER_MAGIC);
    if (atomic_exchange(&server->draining, true))
        return;
    for (size_t i = 0; i < server->service_count; i++)
        ws_loop_wake(server->services[i]->loop);
}

/* Requests whose answer is under way. */
static size_t server_waiting(const ws_server *server) {
    size_t waiting = 0;
    for (size_t i = 0; i < server->service_count; i++)
        waiting += atomic_load(&server->services[i]->waiting);
    return waiting;
}

bool ws_server_drained(ws_server *server) {
    CORE_MAGIC_CHECK(server, SERVER_MAGIC);
    for (size_t i = 0; i < server->service_count; i++)
        if (!atomic_load(&server->services[i]->drain.idle))
            return false;
    return ws_server_sockets(server) == 0 && server_waiting(server) == 0;
}

void ws_server_free(ws_server *server) {
    if (server == NULL)
        return;
    CORE_MAGIC_CHECK(server, SERVER_MAGIC);
    if (server->spec.verifier != NULL)
        auth_verifier_listen(server->spec.verifier, NULL, NULL);
    ws_certificate_stop(server->certificate);          /* it posts to the services */
    for (size_t i = 0; i < server->service_count; i++) /* each looks at the others' counters */
        ws_loop_stop(server->services[i]->loop);
    for (size_t i = 0; i < server->service_count; i++)
        service_free(server->services[i]);
    ws_crowd_fini(&server->crowd);
    ws_proxies_fini(&server->proxies);
    ws_origins_fini(&server->origins);
    ws_certificate_free(server->certificate);
    server->magic = 0;
    free(server);
}
