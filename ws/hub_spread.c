/* From a message of the stream to frames; see hub.h.
 *
 * A change's `data` is encoded once for each selection of columns that somebody wants, and a frame
 * is put together once for each class that matched; both only when there is somebody. */
#include "ws/hub_private.h"

#include "ws/change_json.h"
#include "ws/frame.h"
#include "ws/hub_row.h"
#include "ws/sse_event.h"

#include <stdio.h>
#include <stdlib.h>

#define ACCESS_TEXT_MAX (AUTH_REASON_MAX + 64)

void hub_encodings_init(ws_hub *hub) {
    for (size_t i = 0; i < HUB_ENCODINGS; i++)
        core_buffer_init(&hub->encodings[i].data, WS_CHANGE_JSON_MAX);
    core_buffer_init(&hub->row_key, HUB_ROW_KEY_MAX);
    core_buffer_init(&hub->made.head, WS_CHANGE_JSON_MAX);
}

void hub_encodings_fini(ws_hub *hub) {
    for (size_t i = 0; i < HUB_ENCODINGS; i++)
        core_buffer_fini(&hub->encodings[i].data);
    core_buffer_fini(&hub->row_key);
    core_buffer_fini(&hub->made.head);
}

/* ---- Matching ---- */

static void spread_touch(ws_hub *hub, hub_class *class, hub_hit hit) {
    if (class->stamp != hub->stamp) {
        class->stamp = hub->stamp;
        class->matched_count = 0;
        class->hides_old = false;
        class->touched_next = hub->touched;
        hub->touched = class;
    }
    class->matched[class->matched_count++] = hit;
}

static void spread_matched(void *context, const hub_rule *rule) {
    ws_hub *hub = context;
    for (uint32_t i = 0; i < rule->user_count; i++)
        if (rule->users[i].operations & 1u << hub->change->op)
            spread_touch(hub, rule->users[i].class, (hub_hit){rule->users[i].binding, false});
}

static void spread_left(void *context, const hub_rule *rule) {
    ws_hub *hub = context;
    for (uint32_t i = 0; i < rule->user_count; i++)
        if (rule->users[i].leaves)
            spread_touch(hub, rule->users[i].class, (hub_hit){rule->users[i].binding, true});
}

/* `change`: whose frame it is; NULL: of none. `row`: that it may take the place of. */
static void spread_block(ws_hub *hub, const hub_class *class, core_block *block, ws_row *row,
                         const core_change *change) {
    for (size_t thread = 0; thread < hub->threads; thread++) {
        if (class->members[thread] == 0)
            continue;
        ws_delivery delivery = {.kind = WS_DELIVERY_FRAME,
                                .live = hub->audience == &hub->classes,
                                .class_id = class->id,
                                .block = core_block_retain(block),
                                .row = ws_row_retain(row)};
        if (change != NULL) {
            delivery.commit_time_us = change->transaction.commit_time_us;
            delivery.commit_lsn = change->transaction.commit_lsn;
            delivery.xid = change->transaction.xid;
            delivery.place = (ws_place){hub->offset.sequence, hub->offset.index};
            delivery.partial = class->matched_count > 0;
        }
        if (!delivery.live) {
            delivery.sends = class->members[thread];
            atomic_fetch_add(
                ws_session_history(ws_server_service(hub->server, thread), hub->source),
                delivery.sends);
        }
        hub_deliver(hub, thread, &delivery);
    }
}

core_block *hub_problem_frame(const ws_subscription *subscription, unsigned status,
                              const char *text) {
    if (subscription->protocol == WS_PROTOCOL_SSE)
        return ws_sse_problem_block(WS_SSE_PROBLEM, status, text, 0);
    return ws_protocol_system(subscription->protocol, ws_protocol_null,
                              ws_topic_plain(subscription->topic), "postgres_changes", false, text);
}

/* Takes over a frame that says why something is not delivered. */
static void spread_word(ws_hub *hub, const hub_class *class, core_block *frame) {
    if (frame != NULL)
        spread_block(hub, class, frame, NULL, NULL);
    else
        hub->unsaid = true;
    core_block_release(frame);
}

/* Tells everybody who asked for the rule that its filter cannot be evaluated. */
static void spread_problem(void *context, const hub_rule *rule, const char *text) {
    ws_hub *hub = context;
    for (uint32_t i = 0; i < rule->user_count; i++) {
        const hub_class *class = rule->users[i].class;
        spread_word(hub, class, hub_problem_frame(class->subscription, 422, text));
    }
}

/* ---- Access ---- */

void hub_access_tell(ws_hub *hub, hub_class *class, hub_told kind, const char *reason) {
    const core_relation *relation = hub->change->relation;
    uint64_t hash = core_slice_hash(relation->schema) * 31 ^ core_slice_hash(relation->table);
    hash += kind;
    uint64_t generation = hub_role_sight(class->role, relation)->generation;
    if (class->told_access != generation)
        class->told_count = 0; /* grants have changed since: what was told may be another thing */
    class->told_access = generation;
    for (uint32_t i = 0; i < class->told_count; i++)
        if (class->told[i] == hash)
            return;
    if (class->told == NULL)
        class->told = malloc(HUB_TOLD_MAX * sizeof *class->told);
    if (class->told == NULL)
        hub->unsaid = true;
    if (class->told == NULL || class->told_count == HUB_TOLD_MAX)
        return;
    class->told[class->told_count++] = hash;
    char text[ACCESS_TEXT_MAX];
    (void)snprintf(text, sizeof text, "Unauthorized: %s", reason);
    spread_word(hub, class, hub_problem_frame(class->subscription, 403, text));
}

void hub_access_cut(ws_hub *hub, const hub_class *class, const char *reason) {
    core_block *text = core_block_copy(core_slice_text(reason));
    if (text == NULL)
        hub->unsaid = true;
    for (size_t thread = 0; text != NULL && thread < hub->threads; thread++) {
        if (class->members[thread] == 0)
            continue;
        ws_delivery delivery = {
            .kind = WS_DELIVERY_CUT, .class_id = class->id, .block = core_block_retain(text)};
        hub_deliver(hub, thread, &delivery);
    }
    core_block_release(text);
}

/* Joins see to it that filters read what the role may; a REVOKE may have come since. False: nothing
 * is left. */
static bool access_sift_hits(ws_hub *hub, hub_class *class, const auth_table *table) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < class->matched_count; i++) {
        char reason[ACCESS_TEXT_MAX];
        const hub_hit hit = class->matched[i];
        core_slice hidden =
            hub_filter_hidden(class->subscription->bindings[hit.binding].parsed, table);
        if (hidden.length == 0) {
            class->matched[left++] = hit;
            continue;
        }
        (void)snprintf(reason, sizeof reason, "column %.*s, which a filter reads, may not be read",
                       CORE_SLICE_ARGS(hidden));
        hub_access_tell(hub, class, HUB_TOLD_ACCESS, reason);
    }
    class->matched_count = left;
    return left > 0;
}

static bool access_columns(ws_hub *hub, hub_class *class, const auth_table_decision *sight) {
    return auth_table_all_columns(sight->table) || access_sift_hits(hub, class, sight->table);
}

/* Whether the class is to get the change. */
static bool access_allows(ws_hub *hub, hub_class *class, const auth_table_decision *sight) {
    switch (sight->verdict) {
    case AUTH_ACCESS_ALLOWED:
        return access_columns(hub, class, sight);
    case AUTH_ACCESS_FILTERED:
        hub_access_cut(hub, class, "DatabaseUnavailable: its policies have changed; join again");
        return false;
    case AUTH_ACCESS_PENDING:
        hub_access_cut(hub, class,
                       "DatabaseUnavailable: the database does not answer what this role "
                       "may see; join again");
        return false;
    case AUTH_ACCESS_UNAVAILABLE:
        hub_access_cut(hub, class,
                       "DatabaseUnavailable: what this role may see cannot be asked of the "
                       "database now; join again");
        return false;
    default:
        hub_access_tell(hub, class, HUB_TOLD_ACCESS, sight->reason);
        return false;
    }
}

/* Whether the class gets the change; LATER: it is not known yet. */
static hub_secured access_decide(ws_hub *hub, hub_class *class) {
    const auth_table_decision *sight = hub_role_sight(class->role, hub->change->relation);
    bool impatient = hub->impatient && hub->audience == &hub->classes;
    if (sight->verdict == AUTH_ACCESS_FILTERED) {
        hub_secured secured = hub_secure(hub, class, sight);
        if (secured == HUB_SECURED_YES && !access_columns(hub, class, sight))
            return HUB_SECURED_NO;
        if (secured != HUB_SECURED_LATER || !impatient)
            return secured;
    }
    if (sight->verdict == AUTH_ACCESS_PENDING && !impatient)
        return HUB_SECURED_LATER;
    return access_allows(hub, class, sight) ? HUB_SECURED_YES : HUB_SECURED_NO;
}

/* Takes those out of the touched that may not see the table. False: it is not known yet of one. */
static bool access_sift(ws_hub *hub) {
    hub_class **at = &hub->touched;
    bool known = true;
    while (*at != NULL) {
        hub_class *class = *at;
        hub_secured decision = access_decide(hub, class);
        known &= decision != HUB_SECURED_LATER;
        if (decision == HUB_SECURED_YES)
            at = &class->touched_next;
        else
            *at = class->touched_next;
    }
    hub_asks_submit(hub, hub->audience);
    return known;
}

static const auth_table *access_visible(ws_hub *hub, const hub_class *class) {
    const auth_table *table = hub_role_sight(class->role, hub->change->relation)->table;
    return table == NULL || auth_table_all_columns(table) ? NULL : table;
}

/* ---- Encoding ---- */

static void made_forget(ws_hub *hub) {
    core_block_release(hub->made.frame);
    hub->made.frame = NULL;
}

/* One reference, or NULL. */
static core_block *made_find(const ws_hub *hub, const ws_subscription *subscription,
                             const core_buffer *data) {
    const hub_made *made = &hub->made;
    if (made->frame == NULL || made->data != data || made->protocol != subscription->protocol ||
        !core_slice_equal(core_buffer_slice(&made->head), core_buffer_slice(&hub->head)))
        return NULL;
    return core_block_retain(made->frame);
}

static void made_keep(ws_hub *hub, const ws_subscription *subscription, const core_buffer *data,
                      core_block *frame) {
    hub_made *made = &hub->made;
    made_forget(hub);
    core_buffer_reset(&made->head);
    core_buffer_slice_append(&made->head, core_buffer_slice(&hub->head));
    if (frame == NULL || !core_buffer_ok(&made->head))
        return;
    made->data = data;
    made->protocol = subscription->protocol;
    made->frame = core_block_retain(frame);
}

static const core_buffer *spread_data(ws_hub *hub, const ws_change_select *select,
                                      core_slice columns) {
    for (size_t i = 0; i < hub->encoding_count; i++)
        if (core_slice_equal(hub->encodings[i].columns, columns) &&
            hub->encodings[i].visible == select->visible &&
            hub->encodings[i].left == select->left &&
            hub->encodings[i].hides_old == select->hides_old)
            return &hub->encodings[i].data;
    size_t at = hub->encoding_count < HUB_ENCODINGS ? hub->encoding_count++ : HUB_ENCODINGS - 1;
    hub_encoding *encoding = &hub->encodings[at];
    made_forget(hub); /* it may be of what stood here */
    encoding->columns = columns;
    encoding->visible = select->visible;
    encoding->left = select->left;
    encoding->hides_old = select->hides_old;
    core_buffer_reset(&encoding->data);
    ws_change_json(&encoding->data, hub->change, &hub->offset, select);
    if (core_buffer_ok(&encoding->data))
        return &encoding->data;
    ws_change_select brief = *select; /* too large for any client: what is small is told */
    brief.brief = true;
    core_buffer_reset(&encoding->data);
    ws_change_json(&encoding->data, hub->change, &hub->offset, &brief);
    return &encoding->data;
}

/* The ids of the matched bindings that want the same as the first of them; those are taken out of
 * the list. */
static void spread_ids(ws_hub *hub, hub_class *class) {
    core_json_writer json = core_json_writer_make(&hub->head);
    const ws_binding *bindings = class->subscription->bindings;
    const hub_hit first = class->matched[0];
    uint32_t left = 0, last_id = 0;
    core_json_array_open(&json);
    for (uint32_t i = 0; i < class->matched_count; i++) {
        const hub_hit hit = class->matched[i];
        const ws_binding *binding = &bindings[hit.binding];
        if (hit.left != first.left ||
            !core_slice_equal(binding->select, bindings[first.binding].select)) {
            class->matched[left++] = hit;
            continue;
        }
        if (binding->id != last_id)
            core_json_unsigned(&json, binding->id);
        last_id = binding->id;
    }
    core_json_array_close(&json);
    class->matched_count = left;
}

static core_block *spread_event(const ws_hub *hub, core_slice data) {
    char id[CORE_OFFSET_TEXT_SIZE];
    core_offset_format(&hub->offset, id);
    const ws_sse_event event = {.id = core_slice_text(id), .data = data};
    return ws_sse_event_block(&event);
}

static core_block *spread_frame(ws_hub *hub, hub_class *class) {
    const ws_subscription *subscription = class->subscription;
    const ws_binding *first = &subscription->bindings[class->matched[0].binding];
    ws_change_select select = {
        .columns = first->columns,
        .count = first->column_count,
        .visible = access_visible(hub, class),
        .left = class->matched[0].left,
        .hides_old = class->hides_old,
        .schema = core_tenants_shown(&hub->scope.tenants, hub->change->relation->schema)};
    const core_buffer *data = spread_data(hub, &select, first->select);
    core_buffer_reset(&hub->head);
    core_buffer_slice_append(&hub->head, core_buffer_slice(&class->head));
    spread_ids(hub, class);
    core_buffer_text(&hub->head, WS_PROTOCOL_CHANGE_MIDDLE);
    if (!core_buffer_ok(&hub->head) || !core_buffer_ok(data))
        return NULL;
    core_block *frame = made_find(hub, subscription, data);
    if (frame != NULL)
        return frame;
    core_metrics_add(hub->metrics, CORE_METRIC_WS_FRAMES_ENCODED, 1);
    if (subscription->protocol == WS_PROTOCOL_SSE)
        return spread_event(hub, core_buffer_slice(data));
    core_slice parts[] = {core_buffer_slice(&hub->head), core_buffer_slice(data),
                          core_slice_text(ws_protocol_change_tail(subscription->protocol))};
    frame = ws_frame_block(WS_FRAME_TEXT, parts, CORE_COUNT_OF(parts));
    made_keep(hub, subscription, data, frame);
    return frame;
}

/* Only who asked for it pays for it. */
static ws_row *spread_row(ws_hub *hub, const hub_class *class, bool left) {
    if (!class->subscription->conflate)
        return NULL;
    core_slice ids = core_buffer_slice(&hub->head); /* as the frame has them */
    ids.data += class->head.length;
    ids.length -= class->head.length;
    return hub_row_new(hub->change, ids, left, &hub->row_key);
}

/* One frame for each selection of columns among what matched. False when one could not be made. */
static bool spread_class(ws_hub *hub, hub_class *class) {
    while (class->matched_count > 0) {
        bool left = class->matched[0].left;
        core_block *frame = spread_frame(hub, class);
        if (frame == NULL)
            return false;
        ws_row *row = spread_row(hub, class, left);
        spread_block(hub, class, frame, row, hub->change);
        ws_row_release(row);
        core_block_release(frame);
    }
    return true;
}

/* A large row's memory is not kept. */
static void spread_encodings_trim(ws_hub *hub) {
    for (size_t i = 0; i < hub->encoding_count; i++)
        if (hub->encodings[i].data.capacity > WS_CHANGE_JSON_KEEP)
            core_buffer_fini(&hub->encodings[i].data);
}

static hub_outcome spread_change(ws_hub *hub, const core_change *change, core_error *error) {
    hub_listener listener = {
        .matched = spread_matched, .left = spread_left, .problem = spread_problem, .context = hub};
    hub->change = change;
    hub->touched = NULL;
    hub->encoding_count = 0;
    hub->unsaid = false;
    hub->stamp++;
    bool ok = hub_index_match(&hub->audience->index, change, &listener);
    if (!access_sift(hub) && !hub->unsaid) {
        hub_settle(hub);
        return HUB_HELD;
    }
    for (hub_class *class = hub->touched; class != NULL; class = class->touched_next)
        ok &= spread_class(hub, class);
    ok &= !hub->unsaid;
    made_forget(hub);
    hub_settle(hub);
    core_metrics_add(hub->metrics, CORE_METRIC_WS_EVENTS, 1);
    spread_encodings_trim(hub);
    if (ok)
        return HUB_SPREAD;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a change's frames");
    return HUB_RESET;
}

/* ---- Broadcasts ---- */

void hub_spread_part(ws_hub *hub, const hub_part *part, ws_delivery_kind kind, core_block *frame,
                     uint64_t but, size_t thread) {
    for (size_t i = 0; i < hub->threads; i++) {
        if (part->members[i] == 0)
            continue;
        ws_delivery delivery = {.kind = kind,
                                .room_id = part->id,
                                .presence_id = part->id,
                                .member = i == thread ? but : 0,
                                .block = core_block_retain(frame)};
        hub_deliver(hub, i, &delivery);
    }
}

static void spread_part(ws_hub *hub, const hub_part *part, const ws_broadcast *broadcast) {
    core_block *frame = ws_broadcast_frame(broadcast, part->protocol);
    if (frame != NULL)
        hub_spread_part(hub, part, WS_DELIVERY_BROADCAST, frame, broadcast->sender,
                        broadcast->sender_thread);
    else
        CORE_LOG(hub->log, ERROR, "ws", "out of memory for a broadcast");
    core_metrics_add(hub->metrics, CORE_METRIC_WS_FRAMES_ENCODED, 1);
    core_block_release(frame);
}

void hub_broadcast(ws_hub *hub, const ws_broadcast *broadcast) {
    hub_replay_note(hub, broadcast);
    const hub_room *room = hub_rooms_find(&hub->rooms, broadcast->topic,
                                          broadcast->private_channel ? HUB_ROOM_PRIVATE : 0);
    for (size_t i = 0; room != NULL && i < WS_PROTOCOLS; i++)
        if (room->parts[i] != NULL && ws_broadcast_reaches(broadcast, room->parts[i]->protocol))
            spread_part(hub, room->parts[i], broadcast);
    core_metrics_add(hub->metrics, CORE_METRIC_WS_BROADCASTS, 1);
}

/* ---- Messages ---- */

static bool spread_is_live_op(core_op op) {
    return op == CORE_OP_INSERT || op == CORE_OP_UPDATE || op == CORE_OP_DELETE ||
           op == CORE_OP_TRUNCATE;
}

/* The changes from `*next` on, which moves behind each that was spread. */
static hub_outcome spread_run(ws_hub *hub, const core_run *run, uint64_t sequence, uint32_t *next,
                              core_error *error) {
    core_run_reader reader;
    if (!core_run_reader_init(&reader, run, &hub->arena, error))
        return HUB_RESET;
    hub->run = run;
    memcpy(hub->offset.epoch, run->epoch, sizeof hub->offset.epoch);
    hub->offset.sequence = sequence;
    hub->offset.index = 0;
    hub_access_next(&hub->access);
    const core_change *change;
    while ((change = core_run_next(&reader)) != NULL) {
        if (hub->audience == &hub->classes)
            hub_recent_add(&hub->snapshots.recent, change->transaction.xid, sequence);
        if (hub->offset.index >= *next) {
            hub_outcome outcome = spread_change(hub, change, error);
            if (outcome != HUB_SPREAD)
                return outcome;
            (*next)++;
        }
        hub->offset.index++;
    }
    return HUB_SPREAD;
}

/* Logical messages, which go to rooms: those who catch up do not hear them again. But history may
 * come by DDL before the live stream does. */
static hub_outcome spread_messages(ws_hub *hub, const core_run *run, uint64_t sequence,
                                   core_error *error) {
    core_run_reader reader;
    bool is_live = hub->audience == &hub->classes;
    if (!is_live && sequence <= hub->position)
        return HUB_SPREAD;
    if (!core_run_reader_init(&reader, run, &hub->arena, error))
        return HUB_RESET;
    const core_change *change;
    while ((change = core_run_next(&reader)) != NULL)
        if (core_message_tells_ddl(&change->message))
            hub_order_note(hub, change);
        else if (is_live)
            hub_spread_message(hub, change);
    return HUB_SPREAD;
}

/* A broker that lost its last messages may hold others at their sequences before its consumer is
 * back: the GAP that told of it can stand where the consumer has been already. */
static bool spread_epoch_changed(ws_hub *hub, const core_run *run, uint64_t sequence) {
    bool changed = hub->epoch[0] != '\0' && strcmp(hub->epoch, run->epoch) != 0;
    if (changed)
        CORE_LOG(hub->log, WARN, "ws", "the stream goes on in another epoch",
                 CORE_LOG_TEXT("before", hub->epoch), CORE_LOG_TEXT("epoch", run->epoch),
                 CORE_LOG_NUMBER("sequence", sequence));
    return changed;
}

static hub_outcome spread_message(ws_hub *hub, core_slice payload, uint64_t sequence, core_run *run,
                                  uint32_t *next) {
    core_error error = {.text = ""};
    core_arena_reset(&hub->arena);
    bool ok = core_run_decode(payload, &hub->arena, run, &error);
    bool changed = ok && spread_epoch_changed(hub, run, sequence);
    hub_outcome outcome = ok ? HUB_SPREAD : HUB_RESET;
    if (ok && run->op == CORE_OP_GAP) {
        CORE_LOG(hub->log, WARN, "ws",
                 "a GAP event: history is missing or comes a second time (walcast tail shows it)",
                 CORE_LOG_NUMBER("sequence", sequence));
        return HUB_RESET;
    }
    /* Not spread: whoever saw an offset of it would come back behind what is missing. */
    if (changed)
        return HUB_RESET;
    if (ok && run->op == CORE_OP_MESSAGE)
        outcome = spread_messages(hub, run, sequence, &error);
    bool is_live_op = ok && spread_is_live_op(run->op) && run->has_relation;
    if (is_live_op && hub->audience == &hub->classes && hub_order_holds(hub))
        return HUB_HELD;
    if (is_live_op)
        outcome = spread_run(hub, run, sequence, next, &error);
    if (outcome == HUB_RESET)
        CORE_LOG(hub->log, ERROR, "ws", "a message of the stream cannot be delivered",
                 CORE_LOG_NUMBER("sequence", sequence), CORE_LOG_TEXT("error", error.text));
    return outcome;
}

hub_outcome hub_spread(ws_hub *hub, core_slice payload, uint64_t sequence, uint32_t *next) {
    core_run run = {.epoch = ""};
    hub->audience = &hub->classes;
    if (atomic_load(&hub->access_changed)) /* before anything is looked up by what was narrowed */
        hub_unsettle(hub);
    hub_outcome outcome = spread_message(hub, payload, sequence, &run, next);
    if (outcome == HUB_HELD)
        return outcome;
    if (run.epoch[0] != '\0')
        memcpy(hub->epoch, run.epoch, sizeof hub->epoch);
    hub->last = (ws_place){.sequence = sequence, .index = UINT32_MAX};
    hub_recent_pass(&hub->snapshots.recent, sequence, hub->epoch);
    return outcome;
}

hub_outcome hub_spread_history(ws_hub *hub, hub_classes *audience, core_slice payload,
                               uint64_t sequence, uint32_t *next) {
    core_run run = {.epoch = ""};
    if (hub_asks_wait(hub, audience))
        return HUB_HELD;
    hub->audience = audience;
    return spread_message(hub, payload, sequence, &run, next);
}
