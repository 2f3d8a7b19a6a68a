/* See senders.h. */
#include "triggers/senders.h"

#include "triggers/endpoints.h"
#include "triggers/sender_broadcast.h"
#include "triggers/sender_job.h"
#include "triggers/sender_nats.h"
#include "triggers/sender_sql.h"
#include "triggers/sender_webhook.h"
#include "triggers/sender_workflow.h"

#include <stdlib.h>

#define SENDERS_MAGIC UINT32_C(0x74736e64)

/* By action. */
static const triggers_sender_maker maker_rows[TRIGGERS_DO_COUNT] = {
    [TRIGGERS_DO_WEBHOOK] = triggers_webhooks_sender,
    [TRIGGERS_DO_NATS] = triggers_nats_sender,
    [TRIGGERS_DO_SQL] = triggers_sql_sender,
    [TRIGGERS_DO_BROADCAST] = triggers_broadcast_sender,
    [TRIGGERS_DO_JOB] = triggers_job_sender,
    [TRIGGERS_DO_WORKFLOW] = triggers_workflow_sender,
};

static const char too_deep[] =
    "not attempted: it stands deeper in a chain of triggers than 16, so it is taken for a loop; "
    "end that (a condition that is not true for what the action changes) and replay";

struct triggers_senders {
    uint32_t magic;
    uint32_t webhooks; /* under way */
    triggers_sender_spec spec;
    triggers_sender rows[TRIGGERS_DO_COUNT];
    triggers_endpoints *endpoints;
};

static int64_t now_ns(const triggers_senders *senders) {
    return senders->spec.clock->monotonic_ns(senders->spec.clock);
}

static void endpoint_release(triggers_senders *senders, triggers_endpoint *endpoint,
                             uint32_t ticket, net_breaker_word word) {
    if (endpoint->webhooks > 0) { /* else its action was another one */
        endpoint->webhooks--;
        senders->webhooks--;
    }
    triggers_endpoint_release(endpoint, ticket, word, core_clock_ms(senders->spec.clock));
}

/* ---- attempts ---- */

/* All webhooks share the HTTP client's places: an endpoint has no more of them than it leaves free,
 * so that those that hang never have all. */
static bool has_share(const triggers_senders *senders, const triggers_endpoint *endpoint) {
    return endpoint->webhooks < TRIGGERS_WEBHOOKS_MAX - senders->webhooks;
}

static int64_t endpoint_admit(triggers_senders *senders, triggers_endpoint *endpoint,
                              bool is_webhook, int64_t now_ms, const char **reason) {
    enum { SHARE_AGAIN_MS = 50 };
    if (is_webhook && !has_share(senders, endpoint)) {
        endpoint->was_refused = true;
        *reason = "the trigger has its share of the webhooks that may be under way at once";
        return now_ms + SHARE_AGAIN_MS;
    }
    int64_t wait_ms = triggers_endpoint_admit(endpoint, now_ms, now_ns(senders), reason);
    if (wait_ms == 0 && is_webhook) {
        endpoint->webhooks++;
        senders->webhooks++;
    }
    return wait_ms;
}

int64_t triggers_senders_admit(triggers_senders *senders, const triggers_definition *definition,
                               int64_t now_ms, const char **reason) {
    enum { AGAIN_MS = 1000, AWAY_MS = 200 };
    const triggers_sender *sender = &senders->rows[definition->action];
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    if (sender->is_away != NULL && sender->is_away(sender->context)) {
        *reason = "the connection to NATS is lost";
        return now_ms + AWAY_MS;
    }
    triggers_endpoint *endpoint = triggers_endpoints_get(senders->endpoints, definition, now_ms);
    bool is_webhook = definition->action == TRIGGERS_DO_WEBHOOK;
    return endpoint != NULL ? endpoint_admit(senders, endpoint, is_webhook, now_ms, reason)
                            : now_ms + AGAIN_MS;
}

void triggers_senders_share(triggers_senders *senders, uint32_t held) {
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    triggers_endpoints_share(senders->endpoints, held);
}

bool triggers_senders_fit(const triggers_senders *senders, uint32_t held) {
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    return triggers_endpoints_fit(senders->endpoints, held);
}

void triggers_senders_unadmit(triggers_senders *senders, core_slice project, core_slice trigger) {
    triggers_endpoint *endpoint = triggers_endpoints_find(senders->endpoints, project, trigger);
    if (endpoint != NULL)
        endpoint_release(senders, endpoint, endpoint->ticket, NET_BREAKER_SILENT);
}

void triggers_senders_send(triggers_senders *senders, triggers_delivery *delivery) {
    const triggers_definition *definition = delivery->definition;
    const triggers_sender *sender = &senders->rows[definition->action];
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    triggers_endpoint *endpoint = triggers_endpoints_get(
        senders->endpoints, definition, core_clock_wall_us(senders->spec.clock) / CORE_US_PER_MS);
    delivery->breaker_ticket = endpoint != NULL ? endpoint->ticket : 0;
    delivery->word = NET_BREAKER_SILENT;
    delivery->end.was_not_made = delivery->task.depth > TRIGGERS_DEPTH_MAX;
    if (delivery->end.was_not_made)
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED, too_deep);
    else if (endpoint == NULL)
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
    triggers_endpoint *endpoint =
        triggers_endpoints_find(senders->endpoints, definition->project, definition->name);
    bool was_refused = endpoint != NULL && endpoint->was_refused;
    if (endpoint != NULL) {
        endpoint_release(senders, endpoint, delivery->breaker_ticket, delivery->word);
        endpoint->was_refused = false;
    }
    if (delivery->made != NULL)
        sender->done(sender->context, delivery);
    return was_refused;
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
    const triggers_endpoints_spec endpoints = {.config = spec->config,
                                               .log = spec->log,
                                               .metrics = spec->metrics,
                                               .clock = spec->clock,
                                               .connection = "walcast webhook secrets"};
    senders->endpoints = triggers_endpoints_new(&endpoints, error);
    if (senders->endpoints != NULL)
        triggers_endpoints_share(senders->endpoints, 0);
    if (senders->endpoints != NULL)
        senders->spec.messenger =
            fanout_messenger_new(spec->config, "walcast actions", spec->log, spec->clock, error);
    bool ok = senders->spec.messenger != NULL;
    for (size_t i = 0; i < CORE_COUNT_OF(maker_rows) && ok; i++)
        ok = maker_rows[i] == NULL || maker_rows[i](&senders->spec, &senders->rows[i], error);
    if (ok)
        return senders;
    triggers_senders_free(senders);
    return NULL;
}

void triggers_senders_stop(triggers_senders *senders) {
    if (senders == NULL)
        return;
    fanout_messenger_stop(senders->spec.messenger);
    for (size_t i = 0; i < CORE_COUNT_OF(senders->rows); i++)
        if (senders->rows[i].stop != NULL)
            senders->rows[i].stop(senders->rows[i].context);
}

void triggers_senders_free(triggers_senders *senders) {
    if (senders == NULL)
        return;
    CORE_MAGIC_CHECK(senders, SENDERS_MAGIC);
    triggers_senders_stop(senders);
    for (size_t i = 0; i < CORE_COUNT_OF(senders->rows); i++)
        if (senders->rows[i].free != NULL)
            senders->rows[i].free(senders->rows[i].context);
    fanout_messenger_free(senders->spec.messenger);
    triggers_endpoints_free(senders->endpoints);
    senders->magic = 0;
    free(senders);
}
