/* See sender_webhook.h.
 *
 * Happy path: admitted by its endpoint, the request is put together (three headers of the standard,
 * those of the definition, the body as it is in the task), signed and sent; its answer becomes the
 * attempt's end on the client's thread, and back on the worker's the endpoint hears of it. */
#include "triggers/sender_webhook.h"

#include "auth/auth.h"
#include "triggers/endpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WEBHOOKS_MAGIC UINT32_C(0x74776562)

enum {
    OWN_HEADERS = 4,
    SIGNATURES_MAX = NET_SIGNING_KEYS_MAX * 48 + 1,
    WORK_MAX_BYTES = 64 * 1024 * 1024,
    WORK_KEPT_BYTES = 256 * 1024, /* between deliveries */
    IN_FLIGHT_MAX = 1024,
    /* Of all partitions' attempts at once: nothing that was admitted is refused. */
    QUEUE_MAX = TRIGGERS_PARTITIONS * TRIGGERS_ATTEMPTS_MAX,
};

struct triggers_webhooks {
    uint32_t magic;
    triggers_webhooks_spec spec;
    net_guard *guard;
    net_http *http;
    fanout_connection *connection; /* for secrets; made when one is needed */
    auth_secrets *secrets;
    triggers_endpoint *endpoints;
    core_buffer work; /* what is signed */
};

/* One request. */
typedef struct {
    net_http_request request;
    triggers_delivery *delivery;
    triggers_endpoint_texts *texts;
    net_http_header headers[NET_HTTP_HEADERS_MAX];
    char timestamp[24];
    char signature[SIGNATURES_MAX];
    uint32_t ticket;
    net_breaker_word word;
} webhook_call;

/* ---- endpoints ---- */

static triggers_endpoint *endpoint_find(const triggers_webhooks *webhooks, core_slice project,
                                        core_slice name) {
    triggers_endpoint *endpoint = webhooks->endpoints;
    while (endpoint != NULL && !(core_slice_equal(endpoint->name, name) &&
                                 core_slice_equal(endpoint->project, project)))
        endpoint = endpoint->next;
    return endpoint;
}

static bool secrets_open(triggers_webhooks *webhooks, core_error *error) {
    const triggers_webhooks_spec *spec = &webhooks->spec;
    if (webhooks->connection == NULL)
        webhooks->connection = fanout_connection_new(spec->config, "walcast webhook secrets",
                                                     spec->log, spec->metrics, error);
    if (webhooks->connection != NULL && webhooks->secrets == NULL)
        webhooks->secrets = auth_secrets_new(webhooks->connection, spec->config, error);
    return webhooks->secrets != NULL;
}

static bool expand(void *context, core_slice project, core_slice text, core_buffer *out,
                   core_error *error) {
    triggers_webhooks *webhooks = context;
    char name[TRIGGERS_NAME_MAX + 1];
    if (memmem(text.data, text.length, "${secret:", 9) == NULL) {
        core_buffer_slice_append(out, text);
        return core_buffer_ok(out) || core_error_set(error, CORE_ERROR_LIMIT, "a text is too long");
    }
    if (!core_slice_to_text(project, name, sizeof name))
        return core_error_set(error, CORE_ERROR_INPUT, "the project's name is too long");
    return secrets_open(webhooks, error) &&
           auth_secrets_expand(webhooks->secrets, name, text, out, error);
}

/* Those of triggers that are gone, say; what they keep of secrets goes with them. */
static void endpoints_forget(triggers_webhooks *webhooks, int64_t now_ms) {
    enum { UNUSED_MS = 3600 * 1000 }; /* longer than a breaker stays open */
    triggers_endpoint **at = &webhooks->endpoints;
    while (*at != NULL) {
        triggers_endpoint *endpoint = *at;
        bool is_used = endpoint->throttle.under_way > 0 || now_ms - endpoint->texts_ms < UNUSED_MS;
        if (is_used) {
            at = &endpoint->next;
            continue;
        }
        *at = endpoint->next;
        triggers_endpoint_free(endpoint);
    }
}

static triggers_endpoint *endpoint_get(triggers_webhooks *webhooks,
                                       const triggers_definition *definition, int64_t now_ms) {
    int64_t now_ns = webhooks->spec.clock->monotonic_ns(webhooks->spec.clock);
    triggers_endpoint *endpoint = endpoint_find(webhooks, definition->project, definition->name);
    if (endpoint == NULL) {
        endpoint = triggers_endpoint_new(definition, now_ms, now_ns);
        if (endpoint == NULL)
            return NULL;
        endpoints_forget(webhooks, now_ms);
        endpoint->next = webhooks->endpoints;
        webhooks->endpoints = endpoint;
    }
    triggers_endpoint_renew(endpoint, definition, expand, webhooks, now_ms);
    return endpoint;
}

static int64_t webhooks_admit(void *context, const triggers_definition *definition,
                              int64_t now_ms) {
    enum { AGAIN_MS = 1000 };
    triggers_webhooks *webhooks = context;
    CORE_MAGIC_CHECK(webhooks, WEBHOOKS_MAGIC);
    triggers_endpoint *endpoint = endpoint_get(webhooks, definition, now_ms);
    if (endpoint == NULL)
        return now_ms + AGAIN_MS;
    return triggers_endpoint_admit(endpoint, now_ms,
                                   webhooks->spec.clock->monotonic_ns(webhooks->spec.clock));
}

static void webhooks_unadmit(void *context, core_slice project, core_slice trigger) {
    triggers_webhooks *webhooks = context;
    triggers_endpoint *endpoint = endpoint_find(webhooks, project, trigger);
    if (endpoint == NULL)
        return;
    net_throttle_release(&endpoint->throttle);
    net_breaker_report(&endpoint->breaker, endpoint->ticket, NET_BREAKER_SILENT,
                       core_clock_ms(webhooks->spec.clock));
}

/* ---- a request ---- */

static void attempt_end(triggers_delivery *delivery, triggers_end_kind kind, const char *reason) {
    (void)snprintf(delivery->reason, sizeof delivery->reason, "%s", reason);
    delivery->end.kind = kind;
    delivery->end.reason = core_slice_text(delivery->reason);
    triggers_delivery_ended(delivery);
}

static triggers_end_kind kind_of(const net_http_result *result) {
    if (result->outcome != NET_HTTP_ANSWERED)
        return TRIGGERS_END_FAILED;
    if (result->status >= 200 && result->status < 300)
        return TRIGGERS_END_DELIVERED;
    return result->status == 410 ? TRIGGERS_END_GONE : TRIGGERS_END_FAILED;
}

/* On the client's thread. */
static void on_completed(net_http_request *request, const net_http_result *result) {
    webhook_call *call = request->context;
    triggers_delivery *delivery = call->delivery;
    char reason[TRIGGERS_REASON_MAX] = "";
    triggers_end_kind kind = kind_of(result);
    call->word = net_breaker_word_of(result);
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
    attempt_end(delivery, kind, reason);
}

static bool call_sign(triggers_webhooks *webhooks, webhook_call *call, core_error *error) {
    const triggers_delivery *delivery = call->delivery;
    core_buffer out = core_buffer_over(call->signature, sizeof call->signature - 1);
    int64_t now_s = core_clock_wall_us(webhooks->spec.clock) / CORE_US_PER_S;
    (void)snprintf(call->timestamp, sizeof call->timestamp, "%" PRId64, now_s);
    bool ok = net_signature_write(auth_mac, call->texts->keys, call->texts->key_count,
                                  core_slice_text(delivery->id), now_s, delivery->task.body,
                                  &webhooks->work, &out, error);
    if (webhooks->work.capacity > WORK_KEPT_BYTES)
        core_buffer_fini(&webhooks->work);
    call->signature[out.length] = '\0';
    return ok;
}

static void call_headers(webhook_call *call) {
    size_t count = 0;
    call->headers[count++] = (net_http_header){"Content-Type", "application/json"};
    call->headers[count++] = (net_http_header){"webhook-id", call->delivery->id};
    call->headers[count++] = (net_http_header){"webhook-timestamp", call->timestamp};
    if (call->texts->key_count > 0)
        call->headers[count++] = (net_http_header){"webhook-signature", call->signature};
    for (size_t i = 0; i < call->texts->header_count && count < NET_HTTP_HEADERS_MAX; i++)
        call->headers[count++] = call->texts->headers[i];
    call->request.headers = call->headers;
    call->request.header_count = count;
}

static webhook_call *call_new(triggers_endpoint *endpoint, triggers_delivery *delivery) {
    webhook_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort(); /* the log makes a new start whole */
    call->delivery = delivery;
    call->ticket = endpoint->ticket;
    call->word = NET_BREAKER_SILENT;
    delivery->made = call;
    return call;
}

static void webhooks_send(void *context, triggers_delivery *delivery) {
    triggers_webhooks *webhooks = context;
    const triggers_definition *definition = delivery->definition;
    int64_t now_ms = core_clock_wall_us(webhooks->spec.clock) / CORE_US_PER_MS;
    core_error error = {0};
    CORE_MAGIC_CHECK(webhooks, WEBHOOKS_MAGIC);
    if (definition->action != TRIGGERS_DO_WEBHOOK) {
        attempt_end(delivery, TRIGGERS_END_REFUSED,
                    "this version of walcast does not carry out that action");
        return;
    }
    triggers_endpoint *endpoint = endpoint_get(webhooks, definition, now_ms);
    if (endpoint == NULL || endpoint->texts == NULL) {
        attempt_end(delivery, TRIGGERS_END_FAILED,
                    endpoint != NULL ? endpoint->error.text : "no memory");
        return;
    }
    webhook_call *call = call_new(endpoint, delivery);
    call->texts = triggers_endpoint_texts_hold(endpoint->texts);
    bool ok = call->texts->key_count == 0 || call_sign(webhooks, call, &error);
    if (call->texts->key_count == 0)
        (void)snprintf(call->timestamp, sizeof call->timestamp, "%" PRId64, now_ms / 1000);
    call_headers(call);
    call->request.url = call->texts->url;
    call->request.body = delivery->task.body;
    call->request.timeout_ms = definition->webhook.timeout_ms;
    call->request.completed = on_completed;
    call->request.context = call;
    if (!ok || !net_http_send(webhooks->http, &call->request, &error))
        attempt_end(delivery, TRIGGERS_END_FAILED, error.text);
}

static bool webhooks_done(void *context, triggers_delivery *delivery) {
    triggers_webhooks *webhooks = context;
    webhook_call *call = delivery->made;
    const triggers_definition *definition = delivery->definition;
    if (definition == NULL)
        return false;
    triggers_endpoint *endpoint = endpoint_find(webhooks, definition->project, definition->name);
    bool was_full = false;
    if (endpoint != NULL) {
        net_throttle_release(&endpoint->throttle);
        net_breaker_report(&endpoint->breaker, call != NULL ? call->ticket : endpoint->ticket,
                           call != NULL ? call->word : NET_BREAKER_SILENT,
                           core_clock_ms(webhooks->spec.clock));
        was_full = endpoint->was_full;
        endpoint->was_full = false;
    }
    if (call != NULL)
        triggers_endpoint_texts_release(call->texts);
    free(call);
    delivery->made = NULL;
    return was_full;
}

triggers_sender triggers_webhooks_sender(triggers_webhooks *webhooks) {
    return (triggers_sender){.context = webhooks,
                             .admit = webhooks_admit,
                             .unadmit = webhooks_unadmit,
                             .send = webhooks_send,
                             .done = webhooks_done};
}

/* ---- life ---- */

triggers_webhooks *triggers_webhooks_new(const triggers_webhooks_spec *spec, core_error *error) {
    triggers_webhooks *webhooks = calloc(1, sizeof *webhooks);
    if (webhooks == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for webhooks");
        return NULL;
    }
    webhooks->magic = WEBHOOKS_MAGIC;
    webhooks->spec = *spec;
    core_buffer_init(&webhooks->work, WORK_MAX_BYTES);
    webhooks->guard = net_guard_for_config(spec->config, error);
    const net_http_spec http = {.guard = webhooks->guard,
                                .ca_file = core_config_text(spec->config, "triggers.ca"),
                                .in_flight_max = IN_FLIGHT_MAX,
                                .queue_max = QUEUE_MAX};
    if (webhooks->guard != NULL)
        webhooks->http = net_http_new(&http, error);
    if (webhooks->http != NULL)
        return webhooks;
    triggers_webhooks_free(webhooks);
    return NULL;
}

void triggers_webhooks_stop(triggers_webhooks *webhooks) {
    if (webhooks == NULL)
        return;
    net_http_free(webhooks->http);
    webhooks->http = NULL;
}

void triggers_webhooks_free(triggers_webhooks *webhooks) {
    if (webhooks == NULL)
        return;
    CORE_MAGIC_CHECK(webhooks, WEBHOOKS_MAGIC);
    triggers_webhooks_stop(webhooks);
    while (webhooks->endpoints != NULL) {
        triggers_endpoint *next = webhooks->endpoints->next;
        triggers_endpoint_free(webhooks->endpoints);
        webhooks->endpoints = next;
    }
    auth_secrets_free(webhooks->secrets);
    fanout_connection_free(webhooks->connection);
    net_guard_free(webhooks->guard);
    core_buffer_fini(&webhooks->work);
    webhooks->magic = 0;
    free(webhooks);
}
