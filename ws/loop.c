/* See loop.h. One iteration: sockets are served, new ones accepted (a bounded number), what the hub
 * sent is spread (a bounded number), what that made writable is flushed; then it sleeps.
 *
 * The hub's ring is looked at once an iteration, between the sockets, so that neither can starve
 * the other: `prepare` asks whether the thread may sleep, `check` takes what came. */
#include "ws/loop.h"

#include "ws/drain.h"
#include "ws/link_lws.h"
#include "ws/post.h"
#include "ws/server.h"
#include "ws/session_table.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOP_MAGIC 0x100b0001u

struct ws_loop {
    uint32_t magic;
    ws_service *service;
    struct ev_loop *ev;
    struct lws_context *context;
    int listen_socket;
    ev_io accept;
    ev_timer accept_pause;
    ev_timer tick;
    ev_io rings[WS_SOURCES_MAX];
    ev_prepare prepare;
    ev_check check;
    ev_idle busy; /* runs while the ring has items: the loop must not sleep */
    ev_async wake;
    ev_async post;
    atomic_bool stop;
    atomic_bool running;
    atomic_uint wakes; /* iterations that ran `wake` */
    bool started;
    pthread_t thread;
};

static ws_loop *loop_of(void *data) {
    ws_loop *loop = data;
    CORE_MAGIC_CHECK(loop, LOOP_MAGIC);
    return loop;
}

/* ---- Accepting ---- */

static void loop_refuse(const ws_loop *loop, int socket) {
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                 "Retry-After: 1\r\nConnection: close\r\n\r\n";
    if (loop->service->tls.context == NULL) /* else it could not be read */
        (void)send(socket, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(socket);
}

static bool loop_full(const ws_loop *loop) {
    const ws_server *server = loop->service->server;
    size_t all = 0;
    for (size_t i = 0; i < ws_server_service_count(server); i++)
        all += atomic_load_explicit(&ws_server_service(server, i)->open, memory_order_relaxed);
    return all >= ws_server_sockets(server) + WS_HTTP_CONNECTIONS_MAX;
}

static void loop_accepted(ws_loop *loop, int socket, const struct sockaddr_storage *peer) {
    int one = 1;
    /* Frames are gathered here already; waiting for more would only delay them. */
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (loop_full(loop))
        loop_refuse(loop, socket);
    else
        ws_link_adopt(loop->context, loop->service, socket, core_address_of(peer));
}

static void loop_pause_accepting(ws_loop *loop) {
    CORE_LOG(loop->service->log, WARN, "ws", "cannot accept: out of file descriptors or memory",
             CORE_LOG_TEXT("error", strerror(errno)));
    ev_io_stop(loop->ev, &loop->accept);
    ev_timer_set(&loop->accept_pause, WS_ACCEPT_PAUSE_MS / 1000.0, 0);
    ev_timer_start(loop->ev, &loop->accept_pause);
}

static void loop_on_accept(struct ev_loop *ev, ev_io *watcher, int events) {
    (void)ev;
    (void)events;
    ws_loop *loop = loop_of(watcher->data);
    for (int i = 0; i < WS_ACCEPTS_A_WAKE; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t length = sizeof peer;
        int socket = accept4(loop->listen_socket, (struct sockaddr *)&peer, &length,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket >= 0) {
            loop_accepted(loop, socket, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            loop_pause_accepting(loop);
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void loop_on_accept_pause(struct ev_loop *ev, ev_timer *watcher, int events) {
    (void)events;
    ws_loop *loop = loop_of(watcher->data);
    ev_io_start(ev, &loop->accept);
}

/* ---- The iteration ---- */

static void loop_on_tick(struct ev_loop *ev, ev_timer *watcher, int events) {
    (void)ev;
    (void)events;
    ws_service *service = loop_of(watcher->data)->service;
    ws_service_tick(service);
    ws_drain_step(service);
}

static void loop_on_prepare(struct ev_loop *ev, ev_prepare *watcher, int events) {
    (void)events;
    ws_loop *loop = loop_of(watcher->data);
    ws_service_flush(loop->service);
    bool sleeps = true;
    for (unsigned i = 0; i < loop->service->table_count; i++)
        sleeps &= core_ring_sleep(ws_session_ring(loop->service, i));
    if (sleeps)
        ev_idle_stop(ev, &loop->busy);
    else
        ev_idle_start(ev, &loop->busy);
}

static void loop_on_check(struct ev_loop *ev, ev_check *watcher, int events) {
    (void)ev;
    (void)events;
    ws_loop *loop = loop_of(watcher->data);
    ws_service *service = loop->service;
    service->now_ms = core_clock_ms(service->clock);
    for (unsigned i = 0; i < service->table_count; i++)
        core_ring_wake_clear(ws_session_ring(service, i));
    ws_session_deliveries(service);
    ws_service_flush(service);
}

static void loop_on_ring(struct ev_loop *ev, ev_io *watcher, int events) {
    (void)ev; /* only wakes: `check` does the work */
    (void)watcher;
    (void)events;
}

static void loop_on_busy(struct ev_loop *ev, ev_idle *watcher, int events) {
    (void)ev; /* only keeps awake */
    (void)watcher;
    (void)events;
}

static void loop_on_wake(struct ev_loop *ev, ev_async *watcher, int events) {
    (void)events;
    ws_loop *loop = loop_of(watcher->data);
    atomic_fetch_add(&loop->wakes, 1);
    if (atomic_load(&loop->stop))
        ev_break(ev, EVBREAK_ALL);
    else
        ws_drain_begin(loop->service);
}

static void loop_on_post(struct ev_loop *ev, ev_async *watcher, int events) {
    (void)ev;
    (void)events;
    ws_posts_run(loop_of(watcher->data)->service);
}

/* ---- Life ---- */

static void loop_watch(ws_loop *loop) {
    ev_io_init(&loop->accept, loop_on_accept, loop->listen_socket, EV_READ);
    ev_timer_init(&loop->accept_pause, loop_on_accept_pause, 0, 0);
    ev_timer_init(&loop->tick, loop_on_tick, WS_WHEEL_STEP_MS / 1000.0, WS_WHEEL_STEP_MS / 1000.0);
    for (unsigned i = 0; i < loop->service->table_count; i++)
        ev_io_init(&loop->rings[i], loop_on_ring,
                   core_ring_wake_fd(ws_session_ring(loop->service, i)), EV_READ);
    ev_prepare_init(&loop->prepare, loop_on_prepare);
    ev_check_init(&loop->check, loop_on_check);
    ev_idle_init(&loop->busy, loop_on_busy);
    ev_async_init(&loop->wake, loop_on_wake);
    ev_async_init(&loop->post, loop_on_post);
    loop->accept.data = loop->accept_pause.data = loop->tick.data = loop;
    loop->prepare.data = loop->check.data = loop->busy.data = loop;
    loop->wake.data = loop->post.data = loop;
    ev_io_start(loop->ev, &loop->accept);
    ev_timer_start(loop->ev, &loop->tick);
    for (unsigned i = 0; i < loop->service->table_count; i++)
        ev_io_start(loop->ev, &loop->rings[i]);
    ev_prepare_start(loop->ev, &loop->prepare);
    ev_check_start(loop->ev, &loop->check);
    ev_async_start(loop->ev, &loop->wake);
    ev_async_start(loop->ev, &loop->post);
}

ws_loop *ws_loop_new(ws_service *service, int listen_socket, core_error *error) {
    ws_loop *loop = calloc(1, sizeof *loop);
    struct ev_loop *ev = loop ? ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL) : NULL;
    struct lws_context *context = ev ? ws_link_context_new(ev) : NULL;
    if (context == NULL) {
        if (ev != NULL)
            ev_loop_destroy(ev);
        free(loop);
        (void)close(listen_socket);
        (void)core_error_set(error, CORE_ERROR_INTERNAL,
                             "cannot make an event loop with libwebsockets; is the package "
                             "libwebsockets-evlib-ev installed?");
        return NULL;
    }
    loop->magic = LOOP_MAGIC;
    loop->service = service;
    loop->ev = ev;
    loop->context = context;
    loop->listen_socket = listen_socket;
    loop_watch(loop);
    return loop;
}

static void *loop_run(void *context) {
    ws_loop *loop = loop_of(context);
    (void)pthread_setname_np(pthread_self(), "walcast-ws");
    loop->service->now_ms = core_clock_ms(loop->service->clock);
    ev_run(loop->ev, 0);
    atomic_store(&loop->running, false);
    return NULL;
}

bool ws_loop_start(ws_loop *loop, core_error *error) {
    atomic_store(&loop->running, true);
    int failure = pthread_create(&loop->thread, NULL, loop_run, loop);
    if (failure != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "cannot start a service thread: %s",
                              strerror(failure));
    loop->started = true;
    return true;
}

void ws_loop_wake(ws_loop *loop) {
    ev_async_send(loop->ev, &loop->wake);
}

void ws_loop_post(ws_loop *loop) {
    ev_async_send(loop->ev, &loop->post);
}

void ws_loop_sync(ws_loop *loop) {
    unsigned before = atomic_load(&loop->wakes);
    ws_loop_wake(loop);
    while (atomic_load(&loop->running) && atomic_load(&loop->wakes) == before) {
        struct timespec pause = {.tv_nsec = CORE_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
}

void ws_loop_stop(ws_loop *loop) {
    if (!loop->started)
        return;
    atomic_store(&loop->stop, true);
    ws_loop_wake(loop);
    (void)pthread_join(loop->thread, NULL);
    loop->started = false;
}

void ws_loop_free(ws_loop *loop) {
    if (loop == NULL)
        return;
    assert(!loop->started);
    ws_link_context_free(loop->context); /* needs the loop: it takes its watchers out */
    ev_loop_destroy(loop->ev);
    (void)close(loop->listen_socket);
    loop->magic = 0;
    free(loop);
}
