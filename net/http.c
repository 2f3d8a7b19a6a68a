/* See http.h. Happy path: senders put requests into one list under a mutex and wake the thread if
 * it was empty; the thread takes the whole list, starts what it has places for, lets libcurl work
 * and tells who is done. Failure modes: a full queue refuses; a stop and a loop
 * that can no longer go on all end requests by the same completion. */
#include "net/http.h"

#include "net/http_call.h"
#include "net/http_loop.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#define HTTP_MAGIC UINT32_C(0x6e657470)

enum {
    IN_FLIGHT_MAX = 1024,
    QUEUE_MAX = 4096,
    IDLE_MAX = 256,
    BROKEN_WAIT_MS = 100,
};

typedef struct {
    net_http_request *first, *last;
} request_list;

struct net_http {
    uint32_t magic;
    net_http_spec spec;
    bool library, has_mutex, started;
    pthread_t thread;
    net_http_loop loop;
    pthread_mutex_t mutex;
    request_list sent; /* under the mutex: what the thread has not taken yet */
    bool stopping;     /* under the mutex */
    atomic_size_t waiting;
    /* The thread's. */
    request_list queue;
    net_http_call *calls; /* in_flight_max */
    unsigned *free_calls; /* a stack of their numbers: the last used is used again */
    unsigned free_count;
    unsigned made; /* of the calls: those behind were never used, and take no memory yet */
};

static int64_t now_ns(void) {
    const core_clock *clock = core_clock_system();
    return clock->monotonic_ns(clock);
}

/* ---- Lists ---- */

static void list_put(request_list *list, net_http_request *request) {
    request->own.next = NULL;
    if (list->first == NULL)
        list->first = request;
    else
        list->last->own.next = request;
    list->last = request;
}

static void list_join(request_list *list, request_list *more) {
    if (more->first == NULL)
        return;
    if (list->first == NULL)
        list->first = more->first;
    else
        list->last->own.next = more->first;
    list->last = more->last;
    *more = (request_list){.first = NULL};
}

static net_http_request *list_take(request_list *list) {
    net_http_request *request = list->first;
    if (request != NULL)
        list->first = request->own.next;
    return request;
}

/* ---- Any thread ---- */

bool net_http_send(net_http *http, net_http_request *request, core_error *error) {
    CORE_MAGIC_CHECK(http, HTTP_MAGIC);
    request->own.sent_ns = now_ns();
    (void)pthread_mutex_lock(&http->mutex);
    bool stopping = http->stopping;
    bool full = atomic_load(&http->waiting) >= http->spec.queue_max;
    bool first = http->sent.first == NULL;
    if (!stopping && !full) {
        list_put(&http->sent, request);
        atomic_fetch_add(&http->waiting, 1);
    }
    (void)pthread_mutex_unlock(&http->mutex);
    if (stopping)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the HTTP client is stopped");
    if (full)
        return core_error_set(error, CORE_ERROR_FULL, "%u HTTP requests wait already",
                              http->spec.queue_max);
    if (first) /* else whoever put it there wakes the thread */
        net_http_loop_wake(&http->loop);
    return true;
}

/* ---- The thread: ends ---- */

static void unsent_end(net_http *http, net_http_request *request, net_http_outcome outcome,
                       const char *reason) {
    net_http_result result = net_http_call_no_result(outcome, reason);
    result.queue_us = (now_ns() - request->own.sent_ns) / 1000;
    atomic_fetch_sub(&http->waiting, 1);
    request->completed(request, &result);
}

static void call_end(net_http *http, net_http_call *call, net_http_result *result) {
    net_http_call_end(call, result);
    http->free_calls[http->free_count++] = (unsigned)(call - http->calls);
}

/* Takes it from libcurl, whatever state it is in. */
static void call_abort(net_http *http, net_http_call *call, net_http_outcome outcome,
                       const char *reason) {
    net_http_result result = net_http_call_no_result(outcome, reason);
    (void)curl_multi_remove_handle(http->loop.multi, call->easy);
    result.queue_us = (call->began_ns - call->request->own.sent_ns) / 1000;
    call_end(http, call, &result);
}

static void calls_reap(net_http *http) {
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(http->loop.multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        char *context = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &context);
        net_http_call *call = (net_http_call *)(void *)context;
        net_http_result result;
        (void)curl_multi_remove_handle(http->loop.multi, easy); /* the message is gone with it */
        net_http_call_result(call, code, &result);
        call_end(http, call, &result);
    }
}

/* ---- The thread: starts ---- */

static void call_start(net_http *http, net_http_request *request) {
    unsigned number = http->free_calls[--http->free_count];
    net_http_call *call = &http->calls[number];
    if (number == http->made) {
        net_http_call_init(call);
        http->made++;
    }
    net_http_result result;
    atomic_fetch_sub(&http->waiting, 1);
    if (!net_http_call_begin(call, request, http->spec.guard, http->spec.ca_file, &result)) {
        call_end(http, call, &result);
        return;
    }
    if (curl_multi_add_handle(http->loop.multi, call->easy) == CURLM_OK)
        return;
    result = net_http_call_no_result(NET_HTTP_FAILED, "libcurl takes no more requests");
    call_end(http, call, &result);
}

static void sent_take(net_http *http) {
    request_list sent;
    (void)pthread_mutex_lock(&http->mutex);
    sent = http->sent;
    http->sent = (request_list){.first = NULL};
    (void)pthread_mutex_unlock(&http->mutex);
    list_join(&http->queue, &sent);
}

static void calls_start(net_http *http) {
    while (http->free_count > 0 && http->queue.first != NULL)
        call_start(http, list_take(&http->queue));
}

/* ---- The thread: the end ---- */

static void all_end(net_http *http, net_http_outcome outcome, const char *reason) {
    net_http_request *request;
    for (unsigned i = 0; i < http->spec.in_flight_max; i++)
        if (http->calls[i].request != NULL)
            call_abort(http, &http->calls[i], outcome, reason);
    while ((request = list_take(&http->queue)) != NULL)
        unsent_end(http, request, outcome, reason);
}

static bool is_stopping(net_http *http) {
    (void)pthread_mutex_lock(&http->mutex);
    bool stopping = http->stopping;
    (void)pthread_mutex_unlock(&http->mutex);
    return stopping;
}

static void *http_thread(void *context) {
    net_http *http = context;
    core_error error;
    CORE_MAGIC_CHECK(http, HTTP_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-http");
    while (!is_stopping(http)) {
        sent_take(http);
        calls_start(http);
        if (!net_http_loop_turn(&http->loop, &error)) { /* what is under way would never end */
            all_end(http, NET_HTTP_FAILED, error.text);
            (void)poll(NULL, 0, BROKEN_WAIT_MS);
        }
        calls_reap(http);
    }
    sent_take(http); /* nothing comes any more */
    all_end(http, NET_HTTP_STOPPED, "the HTTP client is stopped");
    return NULL;
}

/* ---- Life ---- */

static unsigned or_else(unsigned given, unsigned otherwise) {
    return given > 0 ? given : otherwise;
}

static bool places_make(net_http *http) {
    unsigned count = http->spec.in_flight_max;
    http->calls = calloc(count, sizeof *http->calls);
    http->free_calls = calloc(count, sizeof *http->free_calls);
    if (http->calls == NULL || http->free_calls == NULL)
        return false;
    for (unsigned i = 0; i < count; i++)
        http->free_calls[i] = count - 1 - i;
    http->free_count = count;
    return true;
}

static bool thread_start(net_http *http) {
    http->started = pthread_create(&http->thread, NULL, http_thread, http) == 0;
    return http->started;
}

net_http *net_http_new(const net_http_spec *spec, core_error *error) {
    net_http *http = calloc(1, sizeof *http);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or no thread for an HTTP client");
    if (http == NULL)
        return NULL;
    http->magic = HTTP_MAGIC;
    http->spec = *spec;
    http->spec.in_flight_max = or_else(spec->in_flight_max, IN_FLIGHT_MAX);
    http->spec.queue_max = or_else(spec->queue_max, QUEUE_MAX);
    http->spec.idle_max = or_else(spec->idle_max, IDLE_MAX);
    http->has_mutex = pthread_mutex_init(&http->mutex, NULL) == 0;
    http->library = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; /* counted */
    bool looped =
        net_http_loop_init(&http->loop, http->spec.in_flight_max + http->spec.idle_max, error);
    if (http->has_mutex && http->library && looped && places_make(http) && thread_start(http))
        return http;
    net_http_free(http);
    return NULL;
}

void net_http_stop(net_http *http) {
    CORE_MAGIC_CHECK(http, HTTP_MAGIC);
    (void)pthread_mutex_lock(&http->mutex);
    http->stopping = true;
    (void)pthread_mutex_unlock(&http->mutex);
    net_http_loop_wake(&http->loop);
}

void net_http_free(net_http *http) {
    if (http == NULL)
        return;
    CORE_MAGIC_CHECK(http, HTTP_MAGIC);
    if (http->started) {
        net_http_stop(http);
        (void)pthread_join(http->thread, NULL);
    }
    for (unsigned i = 0; i < http->made; i++)
        net_http_call_fini(&http->calls[i]);
    free(http->calls);
    free(http->free_calls);
    net_http_loop_fini(&http->loop);
    if (http->library)
        curl_global_cleanup();
    if (http->has_mutex)
        (void)pthread_mutex_destroy(&http->mutex);
    http->magic = 0;
    free(http);
}
