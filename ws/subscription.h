/* What one channel wants to see: its postgres_changes bindings, in their order.
 *
 * Made by a service thread from the join's payload, then handed to the hub and not touched by the
 * service any more. `key` says what makes two subscriptions the same: topic, serializer, access
 * class and bindings; those share one class, and so one frame a change. */
#ifndef WALCAST_WS_SUBSCRIPTION_H
#define WALCAST_WS_SUBSCRIPTION_H

#include "expr/expr.h"
#include "ws/identity.h"
#include "ws/protocol.h"

typedef struct {
    unsigned operations; /* bit N: core_op N */
    bool leaves;         /* wants to hear of rows that stop matching the filter */
    bool snapshot;       /* wants the present rows first */
    core_slice schema;   /* empty: any */
    core_slice table;    /* empty: any of the schema */
    core_slice filter;   /* its text, empty: none */
    expr_filter *parsed; /* NULL: none. Owned by the subscription */
    core_slice select;   /* a JSON array of the column names; empty: all */
    const core_slice *columns;
    size_t column_count;
    uint32_t id; /* the same for the same binding, not 0, unique in its channel */
} ws_binding;

typedef struct {
    core_arena arena; /* holds all of it */
    unsigned references;
    ws_protocol protocol;
    ws_home home;     /* `tenant` in the arena */
    core_slice topic; /* in its tenant's scope (home.h); empty: in no room */
    bool private_channel;
    bool presence;           /* hears who is there */
    bool conflate;           /* newer changes of a row may replace those that wait */
    int64_t replay_since_us; /* wants to hear what was said since then */
    size_t replay_limit;     /* at most so many; 0: nothing */
    bool snapshot;           /* a binding wants the present rows: no part of the key */
    core_slice access_class; /* the role */
    core_slice claims_json;  /* what policies may ask for: the end of claims_key */
    const char *subject;
    uint64_t claims_hash;  /* of the claims, times and jti apart */
    core_slice key;        /* what makes two the same while the role alone decides what they see */
    core_slice claims_key; /* and where policies read the claims: all of them */
    ws_binding *bindings;
    size_t count;
} ws_subscription;

typedef struct {
    ws_protocol protocol;
    core_slice topic;
    bool private_channel;
    bool presence;
    bool conflate;
    int64_t replay_since_us;
    size_t replay_limit;
    const ws_identity *identity;
    core_slice postgres_changes; /* the JSON array, or empty */
    bool snapshot;               /* all bindings want the present rows first */
} ws_subscription_request;

/* Reads the bindings. `response` gets the join's answer, {"postgres_changes":[...]}: the same
 * bindings in the same order with their ids. NULL with an INPUT error that says what is wrong. */
CORE_MUST_CHECK ws_subscription *ws_subscription_new(const ws_subscription_request *request,
                                                     core_buffer *response, core_error *error);
/* Counted without atomics: it belongs to one thread at a time. */
ws_subscription *ws_subscription_retain(ws_subscription *subscription);
/* One reference less; NULL is allowed. */
void ws_subscription_free(ws_subscription *subscription);

#endif
