/* See senders.h. */
#include "triggers/senders.h"

#include "auth/auth.h"
#include "triggers/sender_webhook.h"

#include <stdlib.h>

#define SENDERS_MAGIC UINT32_C(0x74736e64)

/* By action. */
static const triggers_sender_maker maker_rows[TRIGGERS_DO_COUNT] = {
    [TRIGGERS_DO_WEBHOOK] = triggers_webhooks_sender,
};

struct triggers_senders {
    uint32_t magic;
    triggers_sender_spec spec;
    triggers_sender rows[TRIGGERS_DO_COUNT];
    fanout_connection *connection; /* for secrets; made when one is needed */
    auth_secrets *secrets;
    triggers_endpoint *endpoints;
};

/* ---- endpoints ---- */

static triggers_endpoint *endpoint_find(const triggers_senders *senders, core_slice project,
                                        core_slice name) {
    triggers_endpoint *endpoint = senders->endpoints;
    while (endpoint != NULL && !(core_slice_equal(endpoint->name, name) &&
                                 core_slice_equal(endpoint->project, project)))
        endpoint = endpoint->next;
    return endpoint;
}

static bool secrets_open(triggers_senders *senders, core_error *error) {
    const triggers_sender_spec *spec = &senders->spec;
    if (senders->connection == NULL)
        senders->connection = fanout_connection_new(spec->config, "walcast webhook secrets",
                                                    spec->log, spec->metrics, error);
    if (senders->connection != NULL && senders->secrets == NULL)
        senders->secrets = auth_secrets_new(senders->connection, spec->config, error);
    return senders->secrets != NULL;
}

static bool expand(void *context, core_slice project, core_slice text, core_buffer *out,
                   core_error *error) {
    triggers_senders *senders = context;
    char name[TRIGGERS_NAME_MAX + 1];
    if (memmem(text.data, text.length, "${secret:", 9) == NULL) {
        core_buffer_slice_append(out, text);
        return core_buffer_ok(out) || core_error_set(error, CORE_ERROR_LIMIT, "a text is too long");
    }
    if (!core_slice_to_text(project, name, sizeof name))
        return core_error_set(error, CORE_ERROR_INPUT, "the project's name is too long");
    return secrets_open(senders, error) &&
           auth_secrets_expand(senders->secrets, name, text, out, error);
}

/* Those of triggers that are gone, say; what they keep of secrets goes with them. */
static void endpoints_forget(triggers_senders *senders, int64_t now_ms) {
    enum { UNUSED_MS = 3600 * 1000 }; /* longer than a breaker stays open */
    triggers_endpoint **at = &senders->endpoints;
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

static int64_t now_ns(const triggers_senders *senders) {
    return senders->spec.clock->monotonic_ns(senders->spec.clock);
}

static triggers_endpoint *endpoint_get(triggers_senders *senders,
                                       const triggers_definition *definition, int64_t now_ms) {
    triggers_endpoint *endpoint = endpoint_find(senders, definition->project, definition->name);
    if (endpoint == NULL) {
        endpoint = triggers_endpoint_new(definition, now_ms, now_ns(senders));
        if (endpoint == NULL)
            return NULL;
        endpoints_forget(senders, now_ms);
        endpoint->next = senders->endpoints;
        senders->endpoints = endpoint;
    }
    triggers_endpoint_renew(endpoint, definition, expand, senders, now_ms);
    return endpoint;
}

/* The place that it held is free, and the breaker hears `word`. */
static void endpoint_release(const triggers_senders *senders, triggers_endpoint *endpoint,
                             uint32_t ticket, net_breaker_word word) {
    net_throttle_release(&endpoint->throttle);
    net_breaker_report(&endpoint->breaker, ticket, word, core_clock_ms(senders->spec.clock));
}

/* ---- attempts ---- */

int64_t triggers_senders_admit(triggers_senders *senders, const triggers_definition *definition,
                               int64_t now_ms) {
    enum { AGAIN_MS = 1000 };
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    triggers_endpoint *endpoint = endpoint_get(senders, definition, now_ms);
    return endpoint != NULL ? triggers_endpoint_admit(endpoint, now_ms, now_ns(senders))
                            : now_ms + AGAIN_MS;
}

void triggers_senders_unadmit(triggers_senders *senders, core_slice project, core_slice trigger) {
    triggers_endpoint *endpoint = endpoint_find(senders, project, trigger);
    if (endpoint != NULL)
        endpoint_release(senders, endpoint, endpoint->ticket, NET_BREAKER_SILENT);
}

void triggers_senders_send(triggers_senders *senders, triggers_delivery *delivery) {
    const triggers_definition *definition = delivery->definition;
    const triggers_sender *sender = &senders->rows[definition->action];
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    triggers_endpoint *endpoint =
        endpoint_get(senders, definition, core_clock_wall_us(senders->spec.clock) / CORE_US_PER_MS);
    delivery->breaker_ticket = endpoint != NULL ? endpoint->ticket : 0;
    delivery->word = NET_BREAKER_SILENT;
    if (endpoint == NULL)
        triggers_delivery_end(delivery, TRIGGERS_END_FAILED, "no memory");
    else if (sender->context == NULL)
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED,
                              "this version of walcast does not carry out that action");
    else
        sender->send(sender->context, delivery, endpoint);
}

bool triggers_senders_done(triggers_senders *senders, triggers_delivery *delivery) {
    const triggers_definition *definition = delivery->definition;
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    if (definition == NULL)
        return false; /* it was not sent */
    const triggers_sender *sender = &senders->rows[definition->action];
    triggers_endpoint *endpoint = endpoint_find(senders, definition->project, definition->name);
    bool was_full = endpoint != NULL && endpoint->was_full;
    if (endpoint != NULL) {
        endpoint_release(senders, endpoint, delivery->breaker_ticket, delivery->word);
        endpoint->was_full = false;
    }
    if (delivery->made != NULL)
        sender->done(sender->context, delivery);
    return was_full;
}

/* ---- life ---- */

triggers_senders *triggers_senders_new(const triggers_sender_spec *spec, core_error *error) {
    triggers_senders *senders = calloc(1, sizeof *senders);
    if (senders == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers' senders");
        return NULL;
    }
    senders->magic = SENDERS_MAGIC;
    senders->spec = *spec;
    for (size_t i = 0; i < CORE_COUNT_OF(maker_rows); i++)
        if (maker_rows[i] != NULL && !maker_rows[i](spec, &senders->rows[i], error)) {
            triggers_senders_free(senders);
            return NULL;
        }
    return senders;
}

void triggers_senders_stop(triggers_senders *senders) {
    if (senders == NULL)
        return;
    for (size_t i = 0; i < CORE_COUNT_OF(senders->rows); i++)
        if (senders->rows[i].context != NULL)
            senders->rows[i].stop(senders->rows[i].context);
}

void triggers_senders_free(triggers_senders *senders) {
    if (senders == NULL)
        return;
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    triggers_senders_stop(senders);
    for (size_t i = 0; i < CORE_COUNT_OF(senders->rows); i++)
        if (senders->rows[i].context != NULL)
            senders->rows[i].free(senders->rows[i].context);
    while (senders->endpoints != NULL) {
        triggers_endpoint *next = senders->endpoints->next;
        triggers_endpoint_free(senders->endpoints);
        senders->endpoints = next;
    }
    auth_secrets_free(senders->secrets);
    fanout_connection_free(senders->connection);
    senders->magic = 0;
    free(senders);
}
