/* Rows that only PostgreSQL can hold against their policies: those of the change at hand of one
 * audience, for all claims that want it, in as few questions as may be.
 *
 * Happy path: while the classes that a change matched are sifted, each that needs it adds its
 * claims; the questions go to the pool, the audience is held, and is tried again when they are
 * answered. Only the slow audience (hub_slow.c) and lanes are held so, never the live classes. A
 * question ends by its own time limits; what it could not learn is hidden, with the reason. */
#include "ws/hub_private.h"

#include <stdlib.h>

#define ASK_MAGIC 0x40ba5c01u

struct hub_ask {
    pg_job job; /* first: the job is the question */
    uint32_t magic;
    ws_hub *hub;
    hub_classes *home; /* NULL: nobody waits for it any more */
    hub_ask *next;     /* of the home's, for one change */
    hub_ask *all_next; /* of the hub's */
    uint64_t serial;   /* of the hub_policy */
    ws_place place;
    core_buffer question;
    size_t row_count;
    bool submitted;
    atomic_bool answered;
    int64_t timeout_ms;
    core_arena arena; /* the claims */
    uint64_t hashes[AUTH_ROW_CLAIMS_MAX];
    core_slice claims[AUTH_ROW_CLAIMS_MAX];
    size_t count;
    auth_row_answer answers[AUTH_ROW_CLAIMS_MAX];
};

/* ---- On the pool's threads ---- */

static bool ask_run(pg_job *job, pg_connection *connection, core_error *error) {
    hub_ask *ask = (hub_ask *)(void *)job;
    CORE_MAGIC_CHECK(ask, ASK_MAGIC);
    const auth_row_asked asked = {.question = core_buffer_slice(&ask->question),
                                  .row_count = ask->row_count,
                                  .claims = ask->claims,
                                  .claims_count = ask->count,
                                  .answers = ask->answers};
    return auth_row_query(connection, &asked, ask->timeout_ms, error);
}

static void ask_unknown(hub_ask *ask, const char *reason) {
    for (size_t i = 0; i < ask->count; i++) {
        for (size_t row = 0; row < AUTH_ROWS_MAX; row++)
            ask->answers[i].verdicts[row] = AUTH_ROW_UNKNOWN;
        (void)snprintf(ask->answers[i].reason, sizeof ask->answers[i].reason, "%s", reason);
    }
}

static void ask_done(pg_job *job, bool ok, const core_error *error) {
    hub_ask *ask = (hub_ask *)(void *)job;
    CORE_MAGIC_CHECK(ask, ASK_MAGIC);
    ws_hub *hub = ask->hub;
    if (!ok)
        ask_unknown(ask, error->text);
    atomic_store(&ask->answered, true); /* the hub may free it from here on */
    core_ring_wake(hub->messages);
}

/* ---- Making ---- */

hub_ask_images hub_ask_rows(const core_change *change) {
    hub_ask_images images = {.new_row = -1, .old_row = -1};
    bool has_new = change->op == CORE_OP_INSERT || change->op == CORE_OP_UPDATE;
    if (has_new) {
        images.new_row = (int)images.count;
        images.rows[images.count++] = &change->new_tuple;
    }
    if (change->old_kind == CORE_OLD_FULL) {
        images.old_row = (int)images.count;
        images.rows[images.count++] = &change->old_tuple;
    }
    return images;
}

static ws_place ask_place(const ws_hub *hub) {
    return (ws_place){hub->offset.sequence, hub->offset.index};
}

static bool ask_is_of(const hub_ask *ask, ws_place place) {
    return ask->place.sequence == place.sequence && ask->place.index == place.index;
}

static void ask_free(hub_ask *ask) {
    core_buffer_fini(&ask->question);
    core_arena_fini(&ask->arena);
    ask->magic = 0;
    free(ask);
}

static hub_ask *ask_new(ws_hub *hub, const hub_class *class, const hub_policy *policy,
                        core_slice condition) {
    hub_ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL)
        return NULL;
    ask->job = (pg_job){.run = ask_run, .done = ask_done};
    ask->magic = ASK_MAGIC;
    ask->hub = hub;
    ask->home = class->home;
    ask->serial = policy->serial;
    ask->place = ask_place(hub);
    ask->timeout_ms = hub->policy_timeout_ms;
    core_buffer_init(&ask->question, AUTH_ROW_QUESTION_MAX);
    core_arena_init(&ask->arena, 4096, AUTH_ROW_QUESTION_MAX);
    hub_ask_images images = hub_ask_rows(hub->change);
    auth_row_question question = {.role = auth_role_name(class->role->role),
                                  .condition = condition,
                                  .relation = hub->change->relation,
                                  .row_count = images.count};
    memcpy(question.rows, images.rows, sizeof question.rows);
    ask->row_count = images.count;
    if (!auth_row_question_write(&question, &ask->question)) {
        ask_unknown(ask, "the row is too large to be asked about");
        atomic_store(&ask->answered, true);
        ask->submitted = true;
    }
    ask->next = class->home->asks;
    class->home->asks = ask;
    ask->all_next = hub->asks;
    hub->asks = ask;
    return ask;
}

/* ---- Asking ---- */

static const auth_row_answer *ask_find(const hub_ask *ask, uint64_t claims_hash) {
    for (size_t i = 0; i < ask->count; i++)
        if (ask->hashes[i] == claims_hash)
            return &ask->answers[i];
    return NULL;
}

static bool ask_add(hub_ask *ask, const ws_subscription *subscription) {
    core_slice claims = subscription->claims_json;
    if (ask->count == AUTH_ROW_CLAIMS_MAX)
        return false;
    core_slice kept = core_arena_copy(&ask->arena, claims);
    if (claims.length > 0 && kept.data == NULL)
        return false;
    ask->claims[ask->count] = kept;
    ask->hashes[ask->count++] = subscription->claims_hash;
    return true;
}

const auth_row_answer *hub_ask_answer(ws_hub *hub, const hub_class *class, const hub_policy *policy,
                                      core_slice condition) {
    const ws_subscription *subscription = class->subscription;
    hub_ask *draft = NULL;
    if (class->home->asks != NULL && !ask_is_of(class->home->asks, ask_place(hub)))
        hub_asks_end(hub, class->home);
    for (hub_ask *ask = class->home->asks; ask != NULL; ask = ask->next) {
        if (ask->serial != policy->serial)
            continue;
        const auth_row_answer *answer = ask_find(ask, subscription->claims_hash);
        if (answer != NULL)
            return atomic_load(&ask->answered) ? answer : NULL;
        if (!ask->submitted && ask->count < AUTH_ROW_CLAIMS_MAX)
            draft = ask;
    }
    if (draft == NULL || !ask_add(draft, subscription)) {
        draft = ask_new(hub, class, policy, condition);
        if (draft != NULL)
            (void)ask_add(draft, subscription); /* of an empty one: there is room */
    }
    return NULL;
}

void hub_asks_submit(ws_hub *hub, hub_classes *home) {
    for (hub_ask *ask = home->asks; ask != NULL; ask = ask->next) {
        core_error error = {.text = ""};
        if (ask->submitted)
            continue;
        ask->submitted = true;
        if (pg_pool_submit(hub->pool, &ask->job, &error))
            continue;
        ask_unknown(ask, error.text);
        atomic_store(&ask->answered, true);
        core_ring_wake(hub->messages);
    }
}

/* ---- Ends ---- */

void hub_asks_end(ws_hub *hub, hub_classes *home) {
    while (home->asks != NULL) {
        hub_ask *ask = home->asks;
        home->asks = ask->next;
        ask->home = NULL;
        ask->next = NULL;
    }
    hub_asks_collect(hub);
}

void hub_asks_collect(ws_hub *hub) {
    hub_ask **at = &hub->asks;
    while (*at != NULL) {
        hub_ask *ask = *at;
        bool under_way = ask->submitted && !atomic_load(&ask->answered);
        if (ask->home != NULL || under_way) {
            at = &ask->all_next;
            continue;
        }
        *at = ask->all_next;
        ask_free(ask);
    }
}

void hub_asks_fini(ws_hub *hub) {
    while (hub->asks != NULL) {
        hub_ask *next = hub->asks->all_next;
        ask_free(hub->asks);
        hub->asks = next;
    }
}
