/* See job_call.h. */
#include "triggers/job_call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLER_MAGIC UINT32_C(0x10bca11e)

enum {
    IN_FLIGHT_MAX = 256,
    IDLE_MAX = 64,
    WORK_MAX_BYTES = 1 << 20,
    AGAIN_MS = 200,
};

struct triggers_job_caller {
    uint32_t magic;
    triggers_job_caller_spec spec;
    net_guard *guard;
    net_http *http;
    triggers_endpoints *endpoints;
    size_t count, bytes; /* of calls that have not ended */
    core_buffer work;
    pthread_mutex_t lock;
    triggers_job_call *ended; /* under the lock */
};

static triggers_job_caller *caller_of(triggers_job_caller *caller) {
    CORE_MAGIC_CHECK(caller, CALLER_MAGIC);
    return caller;
}

static int64_t wall_ms(const triggers_job_caller *caller) {
    return core_clock_wall_us(caller->spec.clock) / CORE_US_PER_MS;
}

/* ---- A call's life ---- */

static void call_free(triggers_job_call *call) {
    triggers_job_caller *caller = call->caller;
    caller->count--;
    caller->bytes -= call->bytes;
    triggers_endpoint_texts_release(call->texts);
    core_buffer_fini(&call->body);
    core_buffer_fini(&call->answer);
    free(call);
}

/* Its place at the endpoint is free again. */
static void call_leave(const triggers_job_call *call) {
    const triggers_job_caller *caller = call->caller;
    triggers_endpoint *endpoint = triggers_endpoints_find(
        caller->endpoints, core_slice_text(call->project), core_slice_text(call->endpoint));
    if (endpoint != NULL)
        triggers_endpoint_release(endpoint, call->ticket, call->word,
                                  core_clock_ms(caller->spec.clock));
}

static triggers_job_call *call_make(triggers_job_caller *caller,
                                    const triggers_definition *definition) {
    triggers_job_call *call =
        caller->count < TRIGGERS_JOB_CALLS_MAX && caller->bytes < TRIGGERS_JOB_CALLS_BYTES
            ? calloc(1, sizeof *call)
            : NULL;
    if (call == NULL)
        return NULL;
    call->caller = caller;
    call->word = NET_BREAKER_SILENT;
    call->retry_after_ms = -1;
    core_buffer_init(&call->body, TRIGGERS_JOB_CALL_BODY_MAX);
    caller->count++;
    if (core_slice_to_text(definition->project, call->project, sizeof call->project) &&
        core_slice_to_text(definition->name, call->endpoint, sizeof call->endpoint))
        return call;
    call_free(call);
    return NULL;
}

triggers_job_call *triggers_job_call_new(triggers_job_caller *caller,
                                         const triggers_definition *definition, int64_t *again_ms) {
    const core_clock *clock = caller_of(caller)->spec.clock;
    const char *held_by; /* nobody is told: the job is ready */
    int64_t now_ms = wall_ms(caller), until_ms = 0;
    triggers_job_call *call = call_make(caller, definition);
    *again_ms = core_clock_ms(clock) + AGAIN_MS;
    if (call == NULL)
        return NULL;
    triggers_endpoint *endpoint = triggers_endpoints_get(caller->endpoints, definition, now_ms);
    if (endpoint != NULL)
        until_ms = triggers_endpoint_admit(endpoint, now_ms, clock->monotonic_ns(clock), &held_by);
    if (endpoint != NULL && until_ms == 0) {
        call->ticket = endpoint->ticket;
        if (endpoint->texts != NULL)
            call->texts = triggers_endpoint_texts_hold(endpoint->texts);
        else
            (void)snprintf(call->reason, sizeof call->reason, "%s", endpoint->error.text);
        return call;
    }
    if (until_ms > now_ms)
        *again_ms = core_clock_ms(clock) + until_ms - now_ms;
    call_free(call);
    return NULL;
}

void triggers_job_call_give_back(triggers_job_call *call) {
    call_leave(call);
    call_free(call);
}

/* ---- Sending ---- */

/* Any thread. */
static void call_end(triggers_job_call *call) {
    triggers_job_caller *caller = call->caller;
    (void)pthread_mutex_lock(&caller->lock);
    call->next = caller->ended;
    caller->ended = call;
    (void)pthread_mutex_unlock(&caller->lock);
    core_wake_set(caller->spec.wake_fd);
}

/* On the client's thread. */
static void on_completed(net_http_request *request, const net_http_result *result) {
    triggers_job_call *call = request->context;
    bool is_good = result->outcome == NET_HTTP_ANSWERED && result->status / 100 == 2;
    call->word = net_breaker_word_of(result);
    call->outcome = result->outcome;
    call->status = result->status;
    call->retry_after_ms = result->retry_after_ms;
    call->answer_is_cut = result->body_is_cut;
    core_buffer_slice_append(&call->answer, result->body);
    if (result->outcome != NET_HTTP_ANSWERED)
        (void)snprintf(call->reason, sizeof call->reason, "%s: %s",
                       net_http_outcome_name(result->outcome), result->reason);
    else if (!is_good)
        (void)snprintf(call->reason, sizeof call->reason, "the endpoint answered %u",
                       result->status);
    call_end(call);
}

static bool call_post(triggers_job_call *call, core_error *error) {
    triggers_job_caller *caller = call->caller;
    if (!core_buffer_ok(&call->body))
        return core_error_set(error, CORE_ERROR_LIMIT, "the request's body is too long");
    if (!triggers_signed_make(&call->headers, call->texts, call->id, call->depth,
                              core_clock_wall_us(caller->spec.clock),
                              core_buffer_slice(&call->body), &caller->work, error))
        return false;
    call->request = (net_http_request){
        .url = call->url[0] != '\0' ? call->url : call->texts->url,
        .headers = call->headers.headers,
        .header_count = call->headers.count,
        .body = core_buffer_slice(&call->body),
        .keep_bytes = call->keep_bytes,
        .timeout_ms = call->timeout_ms,
        .allow = net_guard_project_allow(caller->guard, core_slice_text(call->project)),
        .completed = on_completed,
        .context = call,
    };
    return net_http_send(caller->http, &call->request, error);
}

void triggers_job_call_send(triggers_job_call *call) {
    triggers_job_caller *caller = caller_of(call->caller);
    core_error error = {.text = ""};
    call->bytes = call->body.length + call->keep_bytes;
    caller->bytes += call->bytes;
    core_buffer_init(&call->answer, call->keep_bytes);
    call->outcome = NET_HTTP_FAILED;
    if (call->texts != NULL && call_post(call, &error))
        return;
    if (call->texts != NULL)
        (void)snprintf(call->reason, sizeof call->reason, "%s", error.text);
    call_end(call);
}

void triggers_job_caller_turn(triggers_job_caller *caller) {
    (void)pthread_mutex_lock(&caller_of(caller)->lock);
    triggers_job_call *call = caller->ended;
    caller->ended = NULL;
    (void)pthread_mutex_unlock(&caller->lock);
    for (triggers_job_call *next; call != NULL; call = next) {
        next = call->next;
        call_leave(call);
        call->ended(call->context, call);
        call_free(call);
    }
}

const char *triggers_job_caller_fault(triggers_job_caller *caller,
                                      const triggers_definition *definition) {
    const triggers_endpoint *endpoint =
        triggers_endpoints_get(caller_of(caller)->endpoints, definition, wall_ms(caller));
    if (endpoint == NULL)
        return "out of memory";
    return endpoint->texts == NULL ? endpoint->error.text : NULL;
}

bool triggers_job_caller_check(const triggers_job_caller *caller, core_slice project,
                               core_slice url, core_error *error) {
    char text[NET_URL_MAX_BYTES + 1];
    return (core_slice_to_text(url, text, sizeof text) ||
            core_error_set(error, CORE_ERROR_INPUT, "the URL is too long")) &&
           net_guard_url_check(caller->guard, net_guard_project_allow(caller->guard, project), text,
                               error) == NET_GUARD_PASS;
}

/* ---- Life ---- */

static bool caller_open(triggers_job_caller *caller, core_error *error) {
    const triggers_job_caller_spec *spec = &caller->spec;
    const triggers_endpoints_spec endpoints = {.config = spec->config,
                                               .log = spec->log,
                                               .metrics = spec->metrics,
                                               .clock = spec->clock,
                                               .connection = "walcast jobs' secrets"};
    caller->guard = net_guard_for_config(spec->config, error);
    caller->endpoints = triggers_endpoints_new(&endpoints, error);
    const net_http_spec http = {.guard = caller->guard,
                                .ca_file = core_config_text(spec->config, "triggers.ca"),
                                .in_flight_max = IN_FLIGHT_MAX,
                                .queue_max = TRIGGERS_JOB_CALLS_MAX,
                                .idle_max = IDLE_MAX};
    if (caller->guard != NULL && caller->endpoints != NULL)
        caller->http = net_http_new(&http, error);
    return caller->http != NULL;
}

triggers_job_caller *triggers_job_caller_new(const triggers_job_caller_spec *spec,
                                             core_error *error) {
    triggers_job_caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for jobs' requests");
        return NULL;
    }
    caller->magic = CALLER_MAGIC;
    caller->spec = *spec;
    core_buffer_init(&caller->work, WORK_MAX_BYTES);
    (void)pthread_mutex_init(&caller->lock, NULL);
    if (caller_open(caller, error))
        return caller;
    triggers_job_caller_free(caller);
    return NULL;
}

void triggers_job_caller_free(triggers_job_caller *caller) {
    if (caller == NULL)
        return;
    CORE_MAGIC_CHECK(caller, CALLER_MAGIC);
    net_http_free(caller->http);
    for (triggers_job_call *call = caller->ended, *next; call != NULL; call = next) {
        next = call->next;
        call_free(call);
    }
    assert(caller->count == 0);
    triggers_endpoints_free(caller->endpoints);
    net_guard_free(caller->guard);
    core_buffer_fini(&caller->work);
    (void)pthread_mutex_destroy(&caller->lock);
    caller->magic = 0;
    free(caller);
}
