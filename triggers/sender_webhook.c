/* See sender_webhook.h.
 *
 * Happy path: the request is signed (signed.h) and sent, with the body as it is in the task; its
 * answer becomes the attempt's end on the client's thread. */
#include "triggers/sender_webhook.h"

#include "triggers/signed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEBHOOKS_MAGIC UINT32_C(0x74776562)

enum {
    WORK_MAX_BYTES = 64 * 1024 * 1024,
    /* Of all partitions' attempts at once: nothing that was admitted is refused. */
    QUEUE_MAX = TRIGGERS_PARTITIONS * TRIGGERS_ATTEMPTS_MAX,
};

typedef struct {
    uint32_t magic;
    const core_clock *clock;
    net_guard *guard;
    net_http *http;
    core_buffer work; /* what is signed */
} triggers_webhooks;

/* One request. */
typedef struct {
    net_http_request request;
    triggers_delivery *delivery;
    triggers_endpoint_texts *texts;
    core_block *list; /* the body, of one event that goes as a list; NULL: it is the task's */
    triggers_signed made;
} webhook_call;

/* ---- a request ---- */

static triggers_end_kind kind_of(const net_http_result *result) {
    if (result->outcome == NET_HTTP_WITHDRAWN)
        return TRIGGERS_END_WITHDRAWN;
    if (result->outcome == NET_HTTP_REFUSED)
        return TRIGGERS_END_REFUSED; /* nobody may be reached there, however often it is tried */
    if (result->outcome != NET_HTTP_ANSWERED)
        return TRIGGERS_END_FAILED;
    if (result->status >= 200 && result->status < 300)
        return TRIGGERS_END_DELIVERED;
    return result->status == 410 ? TRIGGERS_END_GONE : TRIGGERS_END_FAILED;
}

/* On the client's thread. */
static bool on_ready(const net_http_request *request) {
    const webhook_call *call = request->context;
    return triggers_delivery_may_begin(call->delivery);
}

static void on_completed(net_http_request *request, const net_http_result *result) {
    webhook_call *call = request->context;
    triggers_delivery *delivery = call->delivery;
    char reason[TRIGGERS_REASON_MAX] = "";
    triggers_end_kind kind = kind_of(result);
    delivery->word = net_breaker_word_of(result);
    delivery->end.status = (uint16_t)result->status;
    delivery->end.took_ms =
        result->total_us > 0 ? (uint32_t)(result->total_us / CORE_US_PER_MS) : 0;
    if (result->retry_after_ms > 0)
        delivery->end.retry_after_ms = result->retry_after_ms;
    if (result->outcome != NET_HTTP_ANSWERED)
        (void)snprintf(reason, sizeof reason, "%s: %s", net_http_outcome_name(result->outcome),
                       result->reason);
    else if (kind != TRIGGERS_END_DELIVERED)
        (void)snprintf(reason, sizeof reason, "the endpoint answered %u", result->status);
    triggers_delivery_end(delivery, kind, reason);
}

static webhook_call *call_new(triggers_delivery *delivery, triggers_endpoint *endpoint) {
    webhook_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort(); /* the log makes a new start whole */
    call->delivery = delivery;
    call->texts = triggers_endpoint_texts_hold(endpoint->texts);
    delivery->made = call;
    return call;
}

/* Where events come in lists, one that goes alone is a list of one. */
static void call_body(webhook_call *call) {
    const triggers_delivery *delivery = call->delivery;
    core_slice body = delivery->task.body;
    call->request.body = body;
    if (delivery->definition->webhook.batch_size <= 1 || delivery->task.batch.length > 0)
        return;
    call->list = core_block_new(body.length + 2);
    if (call->list == NULL)
        abort(); /* as call_new */
    call->list->bytes[0] = '[';
    memcpy(call->list->bytes + 1, body.data, body.length);
    call->list->bytes[body.length + 1] = ']';
    call->request.body = core_block_slice(call->list);
}

static void webhooks_send(void *context, triggers_delivery *delivery, triggers_endpoint *endpoint) {
    triggers_webhooks *webhooks = context;
    core_error error = {0};
    CORE_MAGIC_CHECK(webhooks, WEBHOOKS_MAGIC);
    if (endpoint->texts == NULL) {
        triggers_delivery_end(delivery, TRIGGERS_END_FAILED, endpoint->error.text);
        return;
    }
    webhook_call *call = call_new(delivery, endpoint);
    call_body(call);
    bool ok = triggers_signed_make(
        &call->made, call->texts, delivery->id, (uint16_t)(delivery->task.depth + 1u),
        core_clock_wall_us(webhooks->clock), call->request.body, &webhooks->work, &error);
    call->request.headers = call->made.headers;
    call->request.header_count = call->made.count;
    call->request.url = call->texts->url;
    call->request.timeout_ms = delivery->definition->webhook.timeout_ms;
    call->request.allow = net_guard_project_allow(webhooks->guard, delivery->definition->project);
    call->request.may_begin = on_ready;
    call->request.completed = on_completed;
    call->request.context = call;
    if (!ok || !net_http_send(webhooks->http, &call->request, &error))
        triggers_delivery_end(delivery, TRIGGERS_END_FAILED, error.text);
}

static void webhooks_done(void *context, triggers_delivery *delivery) {
    webhook_call *call = delivery->made;
    (void)context;
    triggers_endpoint_texts_release(call->texts);
    core_block_release(call->list);
    free(call);
    delivery->made = NULL;
}

/* ---- life ---- */

static void webhooks_stop(void *context) {
    triggers_webhooks *webhooks = context;
    CORE_MAGIC_CHECK(webhooks, WEBHOOKS_MAGIC);
    net_http_free(webhooks->http);
    webhooks->http = NULL;
}

static void webhooks_free(void *context) {
    triggers_webhooks *webhooks = context;
    CORE_MAGIC_CHECK(webhooks, WEBHOOKS_MAGIC);
    net_guard_free(webhooks->guard);
    core_buffer_fini(&webhooks->work);
    webhooks->magic = 0;
    free(webhooks);
}

bool triggers_webhooks_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                              core_error *error) {
    triggers_webhooks *webhooks = calloc(1, sizeof *webhooks);
    if (webhooks == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for webhooks");
    webhooks->magic = WEBHOOKS_MAGIC;
    webhooks->clock = spec->clock;
    core_buffer_init(&webhooks->work, WORK_MAX_BYTES);
    webhooks->guard = net_guard_for_config(spec->config, error);
    const net_http_spec http = {.guard = webhooks->guard,
                                .ca_file = core_config_text(spec->config, "triggers.ca"),
                                .in_flight_max = TRIGGERS_WEBHOOKS_MAX,
                                .queue_max = QUEUE_MAX};
    if (webhooks->guard != NULL)
        webhooks->http = net_http_new(&http, error);
    *sender = (triggers_sender){.context = webhooks,
                                .send = webhooks_send,
                                .done = webhooks_done,
                                .stop = webhooks_stop,
                                .free = webhooks_free};
    if (webhooks->http != NULL)
        return true;
    webhooks_free(webhooks);
    *sender = (triggers_sender){0};
    return false;
}
