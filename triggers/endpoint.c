/* See endpoint.h. */
#include "triggers/endpoint.h"

#include "auth/auth.h"

#include <stdlib.h>

enum {
    TEXTS_FOR_MS = 30 * 1000,
    TEXTS_AGAIN_MS = 2 * 1000, /* after a failure */
    FULL_AGAIN_MS = 1000,      /* whoever holds a place wakes us before */
};

/* ---- texts ---- */

triggers_endpoint_texts *triggers_endpoint_texts_hold(triggers_endpoint_texts *texts) {
    (void)atomic_fetch_add(&texts->references, 1);
    return texts;
}

static void text_free(char *text) {
    if (text == NULL)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

void triggers_endpoint_texts_release(triggers_endpoint_texts *texts) {
    if (texts == NULL || atomic_fetch_sub(&texts->references, 1) != 1)
        return;
    text_free(texts->url);
    for (size_t i = 0; i < CORE_COUNT_OF(texts->texts); i++)
        text_free(texts->texts[i]);
    for (size_t i = 0; i < texts->key_count; i++)
        net_signing_key_wipe(&texts->keys[i]);
    free(texts);
}

typedef struct {
    triggers_secret_expander expand;
    void *context;
    core_slice project;
    core_error *error;
} texts_maker;

static char *text_make(const texts_maker *maker, core_slice text) {
    core_buffer out;
    char *made = NULL;
    core_buffer_init(&out, AUTH_SECRET_MAX);
    if (maker->expand(maker->context, maker->project, text, &out, maker->error)) {
        made = malloc(out.length + 1);
        if (made == NULL || !core_slice_to_text(core_buffer_slice(&out), made, out.length + 1)) {
            (void)core_error_set(maker->error, CORE_ERROR_INPUT,
                                 "no memory for a text of the definition, or a NUL in it");
            text_free(made);
            made = NULL;
        }
    }
    auth_secrets_wipe(&out);
    return made;
}

static bool header_make(const texts_maker *maker, triggers_endpoint_texts *texts,
                        const triggers_header *header) {
    size_t i = texts->header_count;
    char *name = malloc(header->name.length + 1);
    texts->texts[2 * i] = name;
    texts->texts[2 * i + 1] = text_make(maker, header->value);
    if (name == NULL || texts->texts[2 * i + 1] == NULL ||
        !core_slice_to_text(header->name, name, header->name.length + 1))
        return false;
    texts->headers[texts->header_count++] =
        (net_http_header){.name = name, .value = texts->texts[2 * i + 1]};
    return true;
}

static bool key_make(const texts_maker *maker, triggers_endpoint_texts *texts, core_slice secret) {
    char *text = text_make(maker, secret);
    bool ok = text != NULL && net_signing_key_read(core_slice_text(text),
                                                   &texts->keys[texts->key_count], maker->error);
    texts->key_count += ok;
    text_free(text);
    return ok;
}

/* Of other actions than webhooks there are none. */
static triggers_endpoint_texts *texts_new(const texts_maker *maker,
                                          const triggers_definition *definition) {
    const triggers_webhook *webhook = &definition->webhook;
    triggers_endpoint_texts *texts = calloc(1, sizeof *texts);
    if (texts == NULL) {
        (void)core_error_set(maker->error, CORE_ERROR_INTERNAL, "no memory for an endpoint");
        return NULL;
    }
    atomic_init(&texts->references, 1);
    if (definition->action != TRIGGERS_DO_WEBHOOK)
        return texts;
    texts->url = text_make(maker, webhook->url);
    bool ok = texts->url != NULL;
    for (size_t i = 0; ok && i < webhook->header_count; i++)
        ok = header_make(maker, texts, &webhook->headers[i]);
    for (size_t i = 0; ok && i < webhook->secret_count; i++)
        ok = key_make(maker, texts, webhook->secrets[i]);
    if (ok)
        return texts;
    triggers_endpoint_texts_release(texts);
    return NULL;
}

/* ---- the endpoint ---- */

/* Only a webhook names limits of its own; what else a trigger does at once is limited by the
 * partitions. */
static net_throttle_spec throttle_of(const triggers_definition *definition) {
    const triggers_webhook *webhook = &definition->webhook;
    enum { STATEMENTS = 3 }; /* of a database's connections: triggers.sql_connections */
    int64_t interval_ns = 0;
    if (definition->action == TRIGGERS_DO_SQL)
        return (net_throttle_spec){.concurrency = STATEMENTS};
    if (definition->action != TRIGGERS_DO_WEBHOOK)
        return (net_throttle_spec){.interval_ns = 0};
    if (webhook->rate_count > 0)
        interval_ns = (webhook->rate_ms * CORE_NS_PER_MS + webhook->rate_count - 1) /
                      webhook->rate_count; /* never faster */
    return (net_throttle_spec){.interval_ns = interval_ns, .concurrency = webhook->concurrency};
}

static net_throttle_spec share_of(const triggers_endpoint *endpoint, uint32_t held) {
    return endpoint->is_shared ? triggers_spread_share(&endpoint->spread, &endpoint->whole, held)
                               : endpoint->whole;
}

static void throttle_renew(triggers_endpoint *endpoint, const triggers_definition *definition) {
    endpoint->whole = throttle_of(definition);
    endpoint->spread = triggers_spread_of(definition);
    endpoint->is_shared = definition->action == TRIGGERS_DO_WEBHOOK;
    endpoint->throttle.spec = share_of(endpoint, endpoint->held);
}

void triggers_endpoint_share(triggers_endpoint *endpoint, uint32_t held) {
    endpoint->held = held;
    endpoint->throttle.spec = share_of(endpoint, held);
}

bool triggers_endpoint_fits(const triggers_endpoint *endpoint, uint32_t held) {
    uint32_t places = share_of(endpoint, held).concurrency;
    return places == 0 || endpoint->throttle.under_way <= places;
}

triggers_endpoint *triggers_endpoint_new(const triggers_definition *definition, int64_t now_ms,
                                         int64_t now_ns) {
    triggers_endpoint *endpoint =
        calloc(1, sizeof *endpoint + definition->project.length + definition->name.length);
    if (endpoint == NULL)
        return NULL;
    uint8_t *room = (uint8_t *)(endpoint + 1);
    endpoint->project = core_slice_keep(&room, definition->project);
    endpoint->name = core_slice_keep(&room, definition->name);
    endpoint->texts_ms = now_ms - TEXTS_FOR_MS;
    const net_throttle_spec throttle = {.interval_ns = 0};
    const net_breaker_spec breaker = net_breaker_spec_usual((uint64_t)now_ns);
    net_throttle_init(&endpoint->throttle, &throttle, now_ns);
    endpoint->held = TRIGGERS_PARTITIONS_ALL;
    throttle_renew(endpoint, definition);
    net_breaker_init(&endpoint->breaker, &breaker);
    return endpoint;
}

void triggers_endpoint_free(triggers_endpoint *endpoint) {
    triggers_endpoint_texts_release(endpoint->texts);
    free(endpoint);
}

void triggers_endpoint_renew(triggers_endpoint *endpoint, const triggers_definition *definition,
                             triggers_secret_expander expand, void *context, int64_t now_ms) {
    int64_t age_ms = now_ms - endpoint->texts_ms;
    bool is_changed = endpoint->revision != definition->revision;
    if (!is_changed && age_ms < (endpoint->texts != NULL ? TEXTS_FOR_MS : TEXTS_AGAIN_MS) &&
        age_ms >= 0)
        return;
    const texts_maker maker = {.expand = expand,
                               .context = context,
                               .project = definition->project,
                               .error = &endpoint->error};
    triggers_endpoint_texts *texts = texts_new(&maker, definition);
    endpoint->texts_ms = now_ms;
    /* NATS is away, say: what was known is used on. */
    if (texts == NULL && !is_changed && endpoint->error.code == CORE_ERROR_TRANSIENT)
        return;
    triggers_endpoint_texts_release(endpoint->texts);
    endpoint->texts = texts;
    endpoint->revision = definition->revision;
    throttle_renew(endpoint, definition);
}

int64_t triggers_endpoint_admit(triggers_endpoint *endpoint, int64_t now_ms, int64_t now_ns,
                                const char **reason) {
    static const char full[] = "as many attempts to the endpoint are under way as its concurrency "
                               "allows";
    static const char rate[] = "the endpoint's rate is used up for now";
    static const char breaker[] =
        "the endpoint fails: its breaker is open, and a probe comes first";
    int64_t wait_ns = net_throttle_admit(&endpoint->throttle, now_ns);
    if (wait_ns == NET_THROTTLE_FULL) {
        endpoint->was_refused = true;
        *reason = full;
        return now_ms + FULL_AGAIN_MS;
    }
    *reason = rate;
    if (wait_ns != 0)
        return now_ms + wait_ns / CORE_NS_PER_MS + 1;
    int64_t wait_ms =
        net_breaker_admit(&endpoint->breaker, now_ns / CORE_NS_PER_MS, &endpoint->ticket);
    if (wait_ms == 0)
        return 0;
    endpoint->was_refused = true;
    net_throttle_cancel(&endpoint->throttle);
    *reason = breaker;
    return now_ms + wait_ms;
}

void triggers_endpoint_release(triggers_endpoint *endpoint, uint32_t ticket, net_breaker_word word,
                               int64_t now_ms) {
    net_throttle_release(&endpoint->throttle);
    net_breaker_report(&endpoint->breaker, ticket, word, now_ms);
}
