/* Rows that only PostgreSQL can hold against their policies: those of the change at hand of one
 * audience and of those behind it in its run, for all claims that want it, in as few questions as
 * may be.
 *
 * Happy path: while the classes that a change matched are sifted, each that needs it adds its
 * claims; the questions go to the pool, the audience is held, and is tried again when they are
 * answered. The time limit is a change's: a question about several that takes longer is not taken
 * for an answer, and each is asked about by itself. Only the slow audience (hub_slow.c) and lanes
 * are held so, never the live classes. A question ends by its own time limits; what it could not
 * learn is hidden, with the reason; where the database is away it is asked again for half a minute,
 * and then its members must join again. */
#include "ws/hub_private.h"

#include <stdlib.h>

#define ASK_MAGIC      0x40ba5c01u
#define ASK_ROWS_BYTES ((size_t)1 << 20) /* of a question, beyond which no further row is added */

enum {
    ASK_AGAIN_MS = 500, /* before the first of them; each waits twice as long as the one before */
    ASKS_AGAIN_MAX = 6,
};

struct hub_ask {
    pg_job job; /* first: the job is the question */
    uint32_t magic;
    ws_hub *hub;
    hub_classes *home; /* NULL: nobody waits for it any more */
    hub_ask *next;     /* of the home's, for one change */
    hub_ask *all_next; /* of the hub's */
    uint64_t serial;   /* of the hub_policy */
    ws_place place;    /* of its first change; the others follow in the run */
    size_t change_count;
    int8_t new_row[AUTH_ROWS_MAX], old_row[AUTH_ROWS_MAX]; /* of each change; -1: not asked about */
    core_buffer question;
    size_t row_count;
    bool refused; /* a row is too large, or none has come whole */
    bool submitted;
    atomic_bool answered;
    unsigned again;   /* times that the database could not be asked */
    int64_t again_ms; /* when it is asked again; 0: not yet known */
    int64_t timeout_ms, submitted_ms;
    int64_t took_ms;  /* until it was answered, its wait for a connection with it */
    bool late;        /* for some claims; with several changes it is no answer */
    core_arena arena; /* the claims */
    hub_map_node nodes[AUTH_ROW_CLAIMS_MAX]; /* of the claims, while there is a home */
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
    bool ok = auth_row_query(connection, &asked, ask->timeout_ms, error);
    for (size_t i = 0; i < ask->count; i++)
        ask->late |= ask->answers[i].late;
    return ok;
}

static void answer_fill(auth_row_answer *answer, auth_row_verdict verdict, const char *reason) {
    for (size_t row = 0; row < AUTH_ROWS_MAX; row++)
        answer->verdicts[row] = verdict;
    (void)snprintf(answer->reason, sizeof answer->reason, "%s", reason);
}

static void ask_unknown(hub_ask *ask, const char *reason) {
    for (size_t i = 0; i < ask->count; i++)
        answer_fill(&ask->answers[i], AUTH_ROW_UNKNOWN, reason);
}

static void ask_done(pg_job *job, bool ok, const core_error *error) {
    hub_ask *ask = (hub_ask *)(void *)job;
    CORE_MAGIC_CHECK(ask, ASK_MAGIC);
    ws_hub *hub = ask->hub;
    ask->took_ms = core_clock_ms(core_clock_system()) - ask->submitted_ms;
    if (!ok) {
        ask->late = true; /* it may have waited for others about as many: by itself it would not */
        ask_unknown(ask, error->text);
    }
    atomic_store(&ask->answered, true); /* the hub may free it from here on */
    core_ring_wake(hub->messages);
}

/* ---- Making ---- */

static ws_place ask_place(const ws_hub *hub) {
    return (ws_place){hub->offset.sequence, hub->offset.index};
}

static bool ask_covers(const hub_ask *ask, ws_place place) {
    return ask->place.sequence == place.sequence && place.index >= ask->place.index &&
           place.index - ask->place.index < ask->change_count;
}

static bool ask_failed_together(const hub_ask *ask) {
    return atomic_load(&ask->answered) && ask->late && ask->change_count > 1;
}

static int8_t ask_add_row(hub_ask *ask, const hub_policy *policy, const core_tuple *row,
                          bool only_key) {
    if (!hub_policy_covers(policy, row, only_key))
        return -1;
    auth_row_question_add(&ask->question, row, policy->reads);
    return (int8_t)ask->row_count++;
}

/* False: there is no room for it. */
static bool ask_add_change(hub_ask *ask, const hub_policy *policy, const core_change *change) {
    size_t number = ask->change_count;
    bool has_new = change->op == CORE_OP_INSERT || change->op == CORE_OP_UPDATE;
    if (ask->row_count + 2 > AUTH_ROWS_MAX || ask->question.length > ASK_ROWS_BYTES)
        return false;
    ask->new_row[number] = has_new ? ask_add_row(ask, policy, &change->new_tuple, false) : -1;
    ask->old_row[number] =
        change->old_kind != CORE_OLD_NONE
            ? ask_add_row(ask, policy, &change->old_tuple, change->old_kind == CORE_OLD_KEY)
            : -1;
    ask->change_count++;
    return true;
}

/* The change at hand, and as many of those behind it as there is room for. */
static void ask_add_changes(ws_hub *hub, hub_ask *ask, const hub_policy *policy) {
    size_t most = ask->home->ask_changes > 0 ? ask->home->ask_changes : AUTH_ROWS_MAX;
    core_run_reader reader;
    core_error error;
    const core_change *change;
    if (!core_run_reader_init(&reader, hub->run, &ask->arena, &error))
        return;
    for (uint32_t index = 0; (change = core_run_next(&reader)) != NULL; index++)
        if (index >= ask->place.index &&
            (ask->change_count == most || !ask_add_change(ask, policy, change)))
            return;
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
    ask->job = (pg_job){.run = ask_run, .done = ask_done, .kind = PG_JOB_ROWS};
    ask->magic = ASK_MAGIC;
    ask->hub = hub;
    ask->home = class->home;
    ask->serial = policy->serial;
    ask->place = ask_place(hub);
    ask->timeout_ms = hub->policy_timeout_ms;
    core_buffer_init(&ask->question, AUTH_ROW_QUESTION_MAX);
    core_arena_init(&ask->arena, 4096, AUTH_ROW_QUESTION_MAX);
    auth_row_question_open(&ask->question, auth_role_name(class->role->role), condition,
                           hub->change->relation, policy->reads);
    ask_add_changes(hub, ask, policy);
    ask->change_count += ask->change_count == 0; /* it is about the change at hand, whatever */
    if (!auth_row_question_close(&ask->question) || ask->row_count == 0) {
        ask->refused = ask->submitted = true;
        atomic_store(&ask->answered, true);
    }
    ask->next = class->home->asks;
    class->home->asks = ask;
    ask->all_next = hub->asks;
    hub->asks = ask;
    return ask;
}

/* ---- Asking ---- */

static uint64_t ask_hash(uint64_t serial, const ws_subscription *subscription) {
    return subscription->claims_hash ^ serial;
}

/* Among all that were asked about; NULL: not these claims about the change at hand. */
static hub_ask *ask_find(const hub_classes *home, uint64_t serial,
                         const ws_subscription *subscription, ws_place place,
                         const auth_row_answer **answer) {
    hub_map_node *node = hub_map_first(&home->asked, ask_hash(serial, subscription));
    for (; node != NULL; node = hub_map_next(node)) {
        hub_ask *ask = node->owner;
        size_t at = (size_t)(node - ask->nodes);
        *answer = &ask->answers[at];
        if (ask->serial == serial && ask_covers(ask, place) &&
            core_slice_equal(ask->claims[at], subscription->claims_json))
            return ask;
    }
    return NULL;
}

/* One that takes more claims; those that were not submitted stand first. */
static hub_ask *ask_draft(const hub_classes *home, uint64_t serial) {
    hub_ask *ask = home->asks;
    for (; ask != NULL && (!ask->submitted || ask->refused); ask = ask->next)
        if (ask->serial == serial && ask->count < AUTH_ROW_CLAIMS_MAX)
            return ask;
    return NULL;
}

static bool ask_add(hub_ask *ask, const ws_subscription *subscription) {
    core_slice claims = subscription->claims_json;
    core_slice kept = core_arena_copy(&ask->arena, claims);
    if ((claims.length > 0 && kept.data == NULL) ||
        !hub_map_add(&ask->home->asked, &ask->nodes[ask->count],
                     ask_hash(ask->serial, subscription), ask))
        return false;
    if (ask->refused)
        answer_fill(&ask->answers[ask->count], AUTH_ROW_FAILED,
                    "the row is too large to be asked about");
    ask->claims[ask->count++] = kept;
    return true;
}

/* The database could not be asked: that hides nothing yet, its audience can wait. False: it has
 * waited long enough. */
static bool ask_again(const ws_hub *hub, hub_ask *ask) {
    int64_t now_ms = core_clock_ms(hub->clock);
    if (ask->again == ASKS_AGAIN_MAX)
        return false;
    if (ask->again_ms == 0)
        ask->again_ms = now_ms + (ASK_AGAIN_MS << ask->again);
    if (now_ms < ask->again_ms)
        return true;
    ask->again_ms = 0;
    ask->again++;
    ask->late = false;
    atomic_store(&ask->answered, false);
    ask->submitted = false;
    return true;
}

/* Of an answered one. NULL: it is to be asked again. */
static const auth_row_answer *ask_take(const ws_hub *hub, hub_ask *ask,
                                       const auth_row_answer *answer) {
    return answer->verdicts[0] == AUTH_ROW_UNKNOWN && ask_again(hub, ask) ? NULL : answer;
}

/* The class's answer, in a question about the change at hand; NULL: it is not answered, and asked
 * for if it was not. */
static const auth_row_answer *ask_answer(ws_hub *hub, const hub_class *class,
                                         const hub_policy *policy, core_slice condition,
                                         const hub_ask **asked) {
    const ws_subscription *subscription = class->subscription;
    const auth_row_answer *answer = NULL;
    hub_ask *ask = ask_find(class->home, policy->serial, subscription, ask_place(hub), &answer);
    *asked = ask;
    if (ask != NULL)
        return atomic_load(&ask->answered) ? ask_take(hub, ask, answer) : NULL;
    hub_ask *draft = ask_draft(class->home, policy->serial);
    if (draft == NULL || !ask_add(draft, subscription)) {
        draft = ask_new(hub, class, policy, condition);
        if (draft != NULL)
            (void)ask_add(draft, subscription); /* of an empty one: there is room */
    }
    if (draft == NULL || !draft->refused)
        return NULL;
    *asked = draft;
    return draft->count > 0 ? &draft->answers[draft->count - 1] : NULL;
}

/* Nobody waits for it any more. */
static void ask_leave(hub_ask *ask) {
    for (size_t i = 0; i < ask->count; i++)
        hub_map_remove(&ask->home->asked, &ask->nodes[i]);
    ask->home = NULL;
}

/* One change at a time when several were too many, and more again while it goes fast. */
static void ask_pace(hub_classes *home, const hub_ask *ask) {
    if (ask_failed_together(ask))
        home->ask_changes = 1;
    else if (home->ask_changes > 0 && home->ask_changes < AUTH_ROWS_MAX &&
             atomic_load(&ask->answered) && ask->took_ms < ask->timeout_ms / 4)
        home->ask_changes *= 2;
}

/* Questions about changes that were spread are of no more use, nor those without an answer. */
static void asks_drop_old(ws_hub *hub, hub_classes *home) {
    const ws_place place = ask_place(hub);
    hub_ask **at = &home->asks;
    if (home->asks_stamp == hub->stamp)
        return;
    home->asks_stamp = hub->stamp;
    while (*at != NULL) {
        hub_ask *ask = *at;
        if (ask_covers(ask, place) && !ask_failed_together(ask)) {
            at = &ask->next;
            continue;
        }
        ask_pace(home, ask);
        *at = ask->next;
        ask_leave(ask);
    }
}

hub_ask_result hub_ask_row(ws_hub *hub, const hub_class *class, const hub_policy *policy,
                           core_slice condition, bool is_old, auth_row_verdict *verdict,
                           const char **reason) {
    const hub_ask *ask = NULL;
    asks_drop_old(hub, class->home);
    const auth_row_answer *answer = ask_answer(hub, class, policy, condition, &ask);
    if (answer == NULL)
        return HUB_ASK_LATER;
    size_t change = hub->offset.index - ask->place.index;
    int row = is_old ? ask->old_row[change] : ask->new_row[change];
    *verdict = row >= 0 ? answer->verdicts[row] : AUTH_ROW_UNKNOWN;
    *reason = answer->reason;
    return row >= 0 ? HUB_ASK_ANSWERED : HUB_ASK_MISSING;
}

void hub_asks_submit(ws_hub *hub, hub_classes *home) {
    for (hub_ask *ask = home->asks; ask != NULL; ask = ask->next) {
        core_error error = {.text = ""};
        if (ask->submitted)
            continue;
        ask->submitted = true;
        ask->submitted_ms = core_clock_ms(core_clock_system());
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
        ask_leave(ask);
        ask->next = NULL;
    }
    hub_asks_collect(hub);
}

bool hub_asks_wait(const ws_hub *hub, const hub_classes *home) {
    int64_t now_ms = core_clock_ms(hub->clock);
    for (const hub_ask *ask = home->asks; ask != NULL; ask = ask->next)
        if ((ask->submitted && !atomic_load(&ask->answered)) || ask->again_ms > now_ms)
            return true;
    return false;
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
