/* Joins, from what a service thread asks to a place in a class and a room.
 *
 * A join waits for the stream to be live, for the role's grants, and, in a private channel, for
 * what the policies say; then it enters, at the tail, with what it missed (hub_resume.c) or with
 * the present rows (hub_snapshot.c). None of these waits holds up the hub: who waits is tried again
 * when something that it may wait for has changed, and its own time limit, on its service thread,
 * ends it. Nothing is open before it was decided. */
#include "ws/hub_private.h"

#include "ws/access.h"

#include <stdio.h>
#include <stdlib.h>

#define JOIN_REASON_MAX 1024

typedef enum { JOIN_WAITS, JOIN_GOES_ON, JOIN_ENDS } join_step;

static void join_free(hub_joining *join) {
    ws_subscription_free(join->command.subscription);
    hub_role_release(join->role);
    free(join);
}

static join_step join_refuse(const hub_joining *join, const char *code, const char *text) {
    char reason[JOIN_REASON_MAX];
    (void)snprintf(reason, sizeof reason, "%s: %s", code, text);
    hub_refuse(join->hub, join->thread, join->command.member, join->command.attempt, reason);
    return JOIN_ENDS;
}

/* ---- The role ---- */

static join_step join_verdict(const hub_joining *join, const auth_table_decision *decision) {
    switch (decision->verdict) {
    case AUTH_ACCESS_PENDING:
        return JOIN_WAITS;
    case AUTH_ACCESS_ALLOWED:
    case AUTH_ACCESS_FILTERED: /* each change is held against its policies */
        return JOIN_GOES_ON;
    case AUTH_ACCESS_UNAVAILABLE:
        return join_refuse(join, "DatabaseUnavailable", decision->reason);
    default:
        return join_refuse(join, "Unauthorized", decision->reason);
    }
}

static join_step join_role(hub_joining *join) {
    const ws_subscription *subscription = join->command.subscription;
    if (subscription->count == 0 && !subscription->private_channel)
        return JOIN_GOES_ON; /* it asks for nothing that is the database's to allow */
    core_error error = {.text = ""};
    if (join->role == NULL)
        join->role = hub_access_role(&join->hub->access, subscription->access_class, &error);
    if (join->role == NULL)
        return join_refuse(join, "Unauthorized", error.text);
    auth_table_decision decision = {.verdict = AUTH_ACCESS_PENDING};
    auth_role_decision(join->role->role, &decision);
    join_step step = join_verdict(join, &decision);
    auth_table_decision_fini(&decision);
    return step;
}

/* ---- Its tables ---- */

/* What is selected, and what the filter reads, which would tell it as well. */
static join_step join_columns(const hub_joining *join, const ws_binding *binding,
                              const auth_table *table) {
    char reason[JOIN_REASON_MAX];
    core_slice hidden = auth_table_hidden(table, binding->columns, binding->column_count);
    if (hidden.length == 0)
        hidden = hub_filter_hidden(binding->parsed, table);
    if (hidden.length == 0)
        return JOIN_GOES_ON;
    (void)snprintf(reason, sizeof reason, "column %.*s of %.*s.%.*s may not be read by role %s",
                   CORE_SLICE_ARGS(hidden), CORE_SLICE_ARGS(binding->schema),
                   CORE_SLICE_ARGS(binding->table), auth_role_name(join->role->role));
    return join_refuse(join, "Unauthorized", reason);
}

static join_step join_binding(const hub_joining *join, const ws_binding *binding) {
    auth_table_decision decision = {.verdict = AUTH_ACCESS_PENDING};
    auth_role_table(join->role->role, binding->schema, binding->table, 0, &decision);
    join_step step = join_verdict(join, &decision);
    if (step == JOIN_GOES_ON)
        step = join_columns(join, binding, decision.table);
    auth_table_decision_fini(&decision);
    return step;
}

/* A wildcard's tables are looked at as their changes come. */
static join_step join_bindings(const hub_joining *join) {
    const ws_subscription *subscription = join->command.subscription;
    join_step step = JOIN_GOES_ON;
    for (size_t i = 0; i < subscription->count && step == JOIN_GOES_ON; i++)
        if (subscription->bindings[i].schema.length > 0 &&
            subscription->bindings[i].table.length > 0)
            step = join_binding(join, &subscription->bindings[i]);
    return step;
}

/* ---- A private channel ---- */

static void join_answered(void *context, const auth_channel_rights *rights) {
    hub_joining *join = context;
    ws_hub *hub = join->hub;
    join->rights = *rights;
    (void)pthread_mutex_lock(&hub->answers_lock);
    join->next = hub->answers;
    hub->answers = join;
    (void)pthread_mutex_unlock(&hub->answers_lock);
    core_ring_wake(hub->messages);
}

static join_step join_rights(const hub_joining *join) {
    const auth_channel_rights *rights = &join->rights;
    if (rights->unavailable)
        return join_refuse(join, "DatabaseUnavailable", rights->reasons[AUTH_BROADCAST_READ]);
    if (rights->allowed[AUTH_BROADCAST_READ] || rights->allowed[AUTH_PRESENCE_READ])
        return JOIN_GOES_ON;
    char reason[JOIN_REASON_MAX];
    core_slice topic = ws_protocol_topic(join->command.subscription->topic);
    (void)snprintf(reason, sizeof reason,
                   "You do not have permissions to read from this Channel topic: %.*s (%s)",
                   CORE_SLICE_ARGS(topic), rights->reasons[AUTH_BROADCAST_READ]);
    return join_refuse(join, "Unauthorized", reason);
}

/* WAITS: the join is with the question, and comes back as an answer. */
static join_step join_private(hub_joining *join) {
    const ws_subscription *subscription = join->command.subscription;
    if (!subscription->private_channel)
        return JOIN_GOES_ON;
    if (!join->asked) {
        auth_channel_question question = {
            .role = auth_role_name(join->role->role),
            .subject = subscription->subject,
            .claims_json = subscription->claims_json,
            .claims_hash = subscription->claims_hash,
            .topic = ws_protocol_topic(subscription->topic),
        };
        join->asked = true;
        if (!auth_channel_check(join->hub->access.source, &question, &join->rights, join_answered,
                                join))
            return JOIN_WAITS;
    }
    return join_rights(join);
}

static unsigned join_right_bits(const hub_joining *join) {
    unsigned bits = 0;
    if (!join->command.subscription->private_channel)
        return WS_RIGHTS_ALL;
    for (unsigned right = 0; right < AUTH_CHANNEL_RIGHTS; right++)
        if (join->rights.allowed[right])
            bits |= WS_RIGHT(right);
    return bits;
}

/* ---- In ---- */

static void join_live(hub_joining *join) {
    ws_hub *hub = join->hub;
    core_error error = {.text = ""};
    hub_seat seat = {.thread = join->thread,
                     .member = join->command.member,
                     .attempt = join->command.attempt,
                     .rights = join_right_bits(join)};
    if (!hub_enter(hub, &hub->classes, ws_subscription_retain(join->command.subscription), &seat,
                   &error)) {
        (void)join_refuse(join, "InvalidJoinPayload", error.text);
        return;
    }
    hub_joined(hub, &seat, true, hub->last);
    hub_replay_begin(hub, &seat, join->command.subscription);
}

static void join_enter(hub_joining *join) {
    if (join->command.since.epoch[0] == '\0' && !join->command.snapshot) {
        join_live(join);
        return;
    }
    hub_passenger passenger = {.thread = join->thread,
                               .member = join->command.member,
                               .attempt = join->command.attempt,
                               .rights = join_right_bits(join),
                               .subscription = ws_subscription_retain(join->command.subscription)};
    if (join->command.since.epoch[0] == '\0')
        hub_snapshot_join(join->hub, &passenger, join->role);
    else
        hub_resume(join->hub, &passenger, &join->command.since);
}

/* Of a table that is not published nothing would ever come, and nobody would know why. */
static void join_tell_unpublished(const hub_joining *join, const ws_binding *binding) {
    char text[JOIN_REASON_MAX];
    const ws_subscription *subscription = join->command.subscription;
    const char *publication = join->hub->publication;
    (void)snprintf(text, sizeof text,
                   "table %.*s.%.*s is not in publication %s: its changes do not come until it is "
                   "(postgres.tables, or ALTER PUBLICATION %s ADD TABLE)",
                   CORE_SLICE_ARGS(binding->schema), CORE_SLICE_ARGS(binding->table), publication,
                   publication);
    core_block *frame = hub_problem_frame(subscription, 422, text);
    if (frame == NULL)
        return;
    ws_delivery delivery = {
        .kind = WS_DELIVERY_DIRECT, .member = join->command.member, .block = frame};
    hub_deliver(join->hub, join->thread, &delivery);
}

/* Behind the answer, since it hinders nothing: the table may be published later. */
static void join_look_for_unpublished(const hub_joining *join) {
    const ws_subscription *subscription = join->command.subscription;
    for (size_t i = 0; i < subscription->count; i++) {
        const ws_binding *binding = &subscription->bindings[i];
        auth_table_decision decision = {.verdict = AUTH_ACCESS_PENDING};
        if (binding->schema.length == 0 || binding->table.length == 0)
            continue;
        auth_role_table(join->role->role, binding->schema, binding->table, 0, &decision);
        if (decision.table != NULL && !auth_table_published(decision.table))
            join_tell_unpublished(join, binding);
        auth_table_decision_fini(&decision);
    }
}

/* ---- Waiting ---- */

static void join_wait(hub_joining *join) {
    ws_hub *hub = join->hub;
    if (hub->joins_waiting >= HUB_JOINS_MAX) {
        (void)join_refuse(join, "ClientJoinRateLimitReached",
                          "Too many joins are waiting, try again later");
        join_free(join);
        return;
    }
    join->next = hub->joins;
    hub->joins = join;
    hub->joins_waiting++;
}

static void join_try(hub_joining *join) {
    join_step step = hub_is_live(join->hub) ? JOIN_GOES_ON : JOIN_WAITS;
    if (step == JOIN_GOES_ON)
        step = join_role(join);
    if (step == JOIN_GOES_ON)
        step = join_bindings(join);
    bool asked = join->asked;
    if (step == JOIN_GOES_ON)
        step = join_private(join);
    if (step == JOIN_WAITS && join->asked && !asked)
        return; /* comes back as an answer */
    if (step == JOIN_WAITS) {
        join_wait(join);
        return;
    }
    if (step == JOIN_GOES_ON) {
        join_enter(join);
        join_look_for_unpublished(join);
    }
    join_free(join);
}

void hub_join(ws_hub *hub, size_t thread, const ws_command *command) {
    hub_joining *join = calloc(1, sizeof *join);
    if (join == NULL) {
        hub_refuse(hub, thread, command->member, command->attempt, "InternalError: out of memory");
        ws_subscription_free(command->subscription);
        return;
    }
    join->hub = hub;
    join->thread = thread;
    join->asked_ms = core_clock_ms(hub->clock);
    join->command = *command;
    join_try(join);
}

/* In the order in which they came, which the list has the wrong way round. */
static hub_joining *joins_reversed(hub_joining *list) {
    hub_joining *reversed = NULL;
    while (list != NULL) {
        hub_joining *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

static void joins_try(hub_joining *list) {
    list = joins_reversed(list);
    while (list != NULL) {
        hub_joining *next = list->next;
        join_try(list);
        list = next;
    }
}

void hub_joins_answered(ws_hub *hub) {
    (void)pthread_mutex_lock(&hub->answers_lock);
    hub_joining *answers = hub->answers;
    hub->answers = NULL;
    (void)pthread_mutex_unlock(&hub->answers_lock);
    joins_try(answers);
}

void hub_joins_again(ws_hub *hub) {
    hub_joining *waiting = hub->joins;
    hub->joins = NULL;
    hub->joins_waiting = 0;
    joins_try(waiting);
}

/* Whoever asked has given up by then: its service thread, or the client itself. */
void hub_joins_expire(ws_hub *hub, int64_t now_ms) {
    hub_joining **at = &hub->joins;
    while (*at != NULL) {
        hub_joining *join = *at;
        if (now_ms - join->asked_ms < HUB_JOIN_MS) {
            at = &join->next;
            continue;
        }
        *at = join->next;
        hub->joins_waiting--;
        (void)join_refuse(join, "RealtimeRestarting", "the join waited for too long");
        join_free(join);
    }
}

void hub_joins_fini(ws_hub *hub) {
    hub_joining *lists[] = {hub->joins, hub->answers};
    for (size_t i = 0; i < CORE_COUNT_OF(lists); i++) {
        while (lists[i] != NULL) {
            hub_joining *next = lists[i]->next;
            join_free(lists[i]);
            lists[i] = next;
        }
    }
    hub->joins = hub->answers = NULL;
}
