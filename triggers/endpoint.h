/* A trigger's endpoint, whatever it does: what its definition's texts mean now, and how much it may
 * be asked. */
#ifndef WALCAST_TRIGGERS_ENDPOINT_H
#define WALCAST_TRIGGERS_ENDPOINT_H

#include "net/net.h"
#include "triggers/spread.h"

/* The texts of a webhook with their secrets put in. Counted, since requests under way use them;
 * immutable. */
typedef struct {
    atomic_uint references;
    char *url;
    net_http_header headers[TRIGGERS_HEADERS_MAX];
    char *texts[2 * TRIGGERS_HEADERS_MAX]; /* that the headers point to */
    size_t header_count;
    net_signing_key keys[TRIGGERS_SECRETS_MAX];
    size_t key_count;
} triggers_endpoint_texts;

typedef struct triggers_endpoint triggers_endpoint;
struct triggers_endpoint {
    triggers_endpoint *next;
    core_slice project, name; /* its own memory, behind it */
    uint64_t revision;
    int64_t texts_ms;               /* when they were made */
    triggers_endpoint_texts *texts; /* NULL: they could not be made, for: */
    core_error error;
    net_throttle_spec whole; /* of all processes; this one's share is the throttle's */
    triggers_spread spread;
    bool is_shared; /* else each process has the whole */
    uint32_t held;  /* partitions, which its share follows from */
    net_throttle throttle;
    uint32_t webhooks; /* of what is under way, as its owner counts them */
    net_breaker breaker;
    uint32_t ticket;  /* of the breaker, for what was admitted last */
    bool was_refused; /* somebody, until another's attempt ends: for want of a place, or since its
                         word is awaited */
};

/* Puts a project's secrets into a text; appended. */
typedef bool (*triggers_secret_expander)(void *context, core_slice project, core_slice text,
                                         core_buffer *out, core_error *error);

/* For who holds all partitions. NULL: memory is out. */
CORE_MUST_CHECK triggers_endpoint *triggers_endpoint_new(const triggers_definition *definition,
                                                         int64_t now_ms, int64_t now_ns);
void triggers_endpoint_free(triggers_endpoint *endpoint);
/* The definition may have changed: rate and places are its present ones, and so are the texts,
 * which are made anew after half a minute too. */
void triggers_endpoint_renew(triggers_endpoint *endpoint, const triggers_definition *definition,
                             triggers_secret_expander expand, void *context, int64_t now_ms);
/* Which partitions are held, as bits: rate and places are their share from now on. */
void triggers_endpoint_share(triggers_endpoint *endpoint, uint32_t held);
/* Whether no more is under way than may be for who holds these. */
bool triggers_endpoint_fits(const triggers_endpoint *endpoint, uint32_t held);
triggers_endpoint_texts *triggers_endpoint_texts_hold(triggers_endpoint_texts *texts);
void triggers_endpoint_texts_release(triggers_endpoint_texts *texts);
/* 0: one may go and holds a place; else not before that time, for `*reason`, which is static. */
int64_t triggers_endpoint_admit(triggers_endpoint *endpoint, int64_t now_ms, int64_t now_ns,
                                const char **reason);
/* The place that it held is free, and the breaker hears `word` by the ticket that was given. */
void triggers_endpoint_release(triggers_endpoint *endpoint, uint32_t ticket, net_breaker_word word,
                               int64_t now_ms);

#endif
