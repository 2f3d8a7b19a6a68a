/* See http_loop.h. */
#include "net/http_loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOP_MAGIC UINT32_C(0x6e65746c)

enum {
    EVENTS_MAX = 256,
    WAIT_MAX_MS = 1000, /* nothing depends on it */
};

static int64_t now_ns(void) {
    const core_clock *clock = core_clock_system();
    return clock->monotonic_ns(clock);
}

/* ---- What libcurl asks for ---- */

static int socket_watch(CURL *easy, curl_socket_t fd, int what, void *context, void *known) {
    net_http_loop *loop = context;
    CORE_MAGIC_CHECK(loop, LOOP_MAGIC);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already */
        return 0;
    }
    struct epoll_event event = {.events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u) |
                                          ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u),
                                .data.fd = fd};
    int first = known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int other = known != NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(loop->epoll_fd, first, fd, &event) != 0 &&
        epoll_ctl(loop->epoll_fd, other, fd, &event) != 0)
        return -1;
    return curl_multi_assign(loop->multi, fd, loop) == CURLM_OK ? 0 : -1;
}

static int timer_set(CURLM *multi, long timeout_ms, void *context) {
    net_http_loop *loop = context;
    CORE_MAGIC_CHECK(loop, LOOP_MAGIC);
    (void)multi;
    loop->due_ns = timeout_ms < 0 ? INT64_MAX : now_ns() + timeout_ms * CORE_NS_PER_MS;
    return 0;
}

/* ---- Life ---- */

/* MAXCONNECTS counts those in use too, and past it libcurl looks through all of them at each
 * answer. */
static bool multi_set(net_http_loop *loop, unsigned connections_max) {
    CURLMcode code = CURLM_OK;
#define SET(option, value)                                                                         \
    code = code == CURLM_OK ? curl_multi_setopt(loop->multi, option, value) : code
    SET(CURLMOPT_SOCKETFUNCTION, socket_watch);
    SET(CURLMOPT_SOCKETDATA, loop);
    SET(CURLMOPT_TIMERFUNCTION, timer_set);
    SET(CURLMOPT_TIMERDATA, loop);
    SET(CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    SET(CURLMOPT_MAXCONNECTS, (long)connections_max);
    SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections_max);
#undef SET
    return code == CURLM_OK;
}

bool net_http_loop_init(net_http_loop *loop, unsigned connections_max, core_error *error) {
    *loop = (net_http_loop){.magic = LOOP_MAGIC, .due_ns = INT64_MAX};
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->multi = curl_multi_init();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = loop->wake_fd};
    if (loop->epoll_fd >= 0 && loop->wake_fd >= 0 && loop->multi != NULL &&
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) == 0 &&
        multi_set(loop, connections_max))
        return true;
    return core_error_set(error, CORE_ERROR_INTERNAL, "cannot make a loop for HTTP: %s",
                          strerror(errno));
}

void net_http_loop_fini(net_http_loop *loop) {
    CORE_MAGIC_CHECK(loop, LOOP_MAGIC);
    (void)curl_multi_cleanup(loop->multi);
    if (loop->epoll_fd >= 0)
        (void)close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        (void)close(loop->wake_fd);
    loop->magic = 0;
}

/* ---- A turn ---- */

static int wait_ms(const net_http_loop *loop) {
    if (loop->due_ns == INT64_MAX)
        return WAIT_MAX_MS;
    int64_t left_ms = (loop->due_ns - now_ns() + CORE_NS_PER_MS - 1) / CORE_NS_PER_MS;
    return left_ms <= 0 ? 0 : left_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left_ms;
}

static bool multi_act(net_http_loop *loop, curl_socket_t fd, int what, core_error *error) {
    int running;
    CURLMcode code = curl_multi_socket_action(loop->multi, fd, what, &running);
    return code == CURLM_OK ||
           core_error_set(error, CORE_ERROR_INTERNAL, "libcurl: %s", curl_multi_strerror(code));
}

static bool event_take(net_http_loop *loop, const struct epoll_event *event, core_error *error) {
    if (event->data.fd == loop->wake_fd) {
        core_wake_clear(loop->wake_fd);
        return true;
    }
    int what = ((event->events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
               ((event->events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
               ((event->events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    return multi_act(loop, event->data.fd, what, error);
}

bool net_http_loop_turn(net_http_loop *loop, core_error *error) {
    struct epoll_event events[EVENTS_MAX];
    CORE_MAGIC_CHECK(loop, LOOP_MAGIC);
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait_ms(loop));
    if (count < 0 && errno != EINTR)
        return core_error_set(error, CORE_ERROR_INTERNAL, "epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        if (!event_take(loop, &events[i], error))
            return false;
    if (loop->due_ns > now_ns())
        return true;
    loop->due_ns = INT64_MAX; /* libcurl sets it anew */
    return multi_act(loop, CURL_SOCKET_TIMEOUT, 0, error);
}

void net_http_loop_wake(net_http_loop *loop) {
    CORE_MAGIC_CHECK(loop, LOOP_MAGIC);
    core_wake_set(loop->wake_fd);
}
