/* From a message of the change stream to tasks; see matcher.h.
 *
 * Each change is looked up in its table's index; each rule that it makes true gives a task, in the
 * order of the rules' names. A task carries the change's place, so the stream's last task says
 * where the next matcher goes on: at that change, behind that rule. What could not be decided is
 * told. */
#include "triggers/arguments.h"
#include "triggers/body.h"
#include "triggers/matcher_private.h"

#include <stdio.h>

enum { TASK_HEAD_MAX = 2048 }; /* what the publisher and a parked copy add, at most */

typedef struct {
    triggers_matcher *matcher;
    const core_change *change;
    const triggers_images *images;
    char offset[CORE_OFFSET_TEXT_SIZE];
} change_at_hand;

/* ---- what is passed over ---- */

/* Whether the change was done before this matcher. */
static bool is_done_before(triggers_matcher *matcher, const core_offset *at,
                           const core_change *change, bool *is_partly) {
    const triggers_place *place = &matcher->position.places[TRIGGERS_INPUT_CHANGES];
    *is_partly = false;
    if (place->at.epoch[0] == '\0')
        return false;
    bool same_epoch = strcmp(place->at.epoch, at->epoch) == 0;
    int order;
    if (same_epoch)
        order = at->sequence != place->at.sequence
                    ? (at->sequence > place->at.sequence ? 1 : -1)
                    : (at->index > place->at.index) - (at->index < place->at.index);
    else /* the stream was made anew: the same changes may be in it, at other places */
        order = change->transaction.commit_lsn != place->lsn
                    ? (change->transaction.commit_lsn > place->lsn ? 1 : -1)
                    : (change->index > place->index) - (change->index < place->index);
    *is_partly = order == 0 && !matcher->is_done;
    return order < 0 || (order == 0 && matcher->is_done);
}

/* Of the change that was done partly: tasks up to this rule are stored. */
static bool is_stored(const triggers_matcher *matcher, const triggers_definition *definition) {
    int order = core_slice_compare(definition->project, core_slice_text(matcher->last_project));
    return order < 0 ||
           (order == 0 &&
            core_slice_compare(definition->name, core_slice_text(matcher->last_trigger)) <= 0);
}

/* A definition sees what stands behind its beginning. */
static bool is_since(const triggers_definition *definition, const core_offset *at) {
    core_offset since;
    if (definition->since.length == 0 || !core_offset_parse(definition->since, &since) ||
        strcmp(since.epoch, at->epoch) != 0)
        return true;
    return at->sequence > since.sequence ||
           (at->sequence == since.sequence && at->index > since.index);
}

/* ---- a task ---- */

static void tell(const change_at_hand *at, const triggers_definition *definition,
                 const char *verdict, const char *reason) {
    char text[TRIGGERS_REASON_MAX];
    (void)snprintf(text, sizeof text, "%s: %s", verdict, reason);
    triggers_entry entry = {.kind = TRIGGERS_ENTRY_UNDECIDED,
                            .project = definition->project,
                            .trigger = definition->name,
                            .event_id = core_slice_text(at->offset),
                            .reason = core_slice_text(text)};
    triggers_matcher_tell(at->matcher, &entry);
}

/* False: told, there is no task. */
static bool task_make(const change_at_hand *at, const triggers_match *match, uint64_t *key_hash) {
    triggers_matcher *matcher = at->matcher;
    const triggers_definition *definition = match->definition;
    const triggers_body_facts facts = {.time_us = at->change->transaction.commit_time_us,
                                       .offset = core_slice_text(at->offset)};
    bool missing = false;
    core_buffer_reset(&matcher->body);
    core_buffer_reset(&matcher->key);
    core_buffer_reset(&matcher->arguments);
    core_buffer_reset(&matcher->task);
    bool ok = triggers_body_write(match->rule, at->change, at->images, &facts, &matcher->body,
                                  &missing) &&
              triggers_key_write(match->rule, at->change, at->images, &matcher->key, &missing) &&
              triggers_arguments_write(match->rule, at->change, at->images, &matcher->arguments,
                                       &missing);
    if (!ok) {
        tell(at, definition, missing ? "missing" : "too large",
             missing ? "the change does not carry a value of the body, the key or the action"
                     : "the body does not fit into memory");
        return false;
    }
    *key_hash =
        triggers_key_hash(definition->project, definition->name, core_buffer_slice(&matcher->key));
    const triggers_task task = {.project = definition->project,
                                .trigger = definition->name,
                                .revision = definition->revision,
                                .event_id = core_slice_text(at->offset),
                                .event_time_us = facts.time_us,
                                .key = core_buffer_slice(&matcher->key),
                                .key_hash = *key_hash,
                                .position = matcher->position,
                                .arguments = core_buffer_slice(&matcher->arguments),
                                .body = core_buffer_slice(&matcher->body)};
    triggers_task_write(&task, &matcher->task);
    if (core_buffer_ok(&matcher->task) &&
        (int64_t)matcher->task.length + TASK_HEAD_MAX <= matcher->max_payload)
        return true;
    tell(at, definition, "too large",
         "the body exceeds what nats-server takes in one message (max_payload): select fewer "
         "columns or raise it");
    return false;
}

static bool match_take(const change_at_hand *at, const triggers_match *match, core_error *error) {
    uint64_t key_hash;
    if (match->verdict != TRIGGERS_VERDICT_TRUE) {
        tell(at, match->definition, triggers_verdict_name(match->verdict),
             match->reason != NULL ? match->reason : "");
        return true;
    }
    return !task_make(at, match, &key_hash) ||
           triggers_matcher_send(at->matcher, key_hash, core_buffer_slice(&at->matcher->task),
                                 error);
}

/* ---- a change, a message ---- */

static bool change_take(change_at_hand *at, const core_offset *offset, core_error *error) {
    triggers_matcher *matcher = at->matcher;
    const triggers_match *matches = NULL;
    bool is_partly;
    if (triggers_op_of(at->change->op) == 0 || at->change->relation == NULL ||
        is_done_before(matcher, offset, at->change, &is_partly))
        return true;
    matcher->position.places[TRIGGERS_INPUT_CHANGES] = (triggers_place){
        .at = *offset, .lsn = at->change->transaction.commit_lsn, .index = at->change->index};
    triggers_rule_index *index = triggers_matcher_index(matcher, at->change->relation);
    size_t count =
        index != NULL ? triggers_rule_index_match(index, at->change, &matches, &at->images) : 0;
    if (count > 0)
        core_offset_format(offset, at->offset);
    for (size_t i = 0; i < count; i++)
        if (!(is_partly && is_stored(matcher, matches[i].definition)) &&
            is_since(matches[i].definition, offset) && !match_take(at, &matches[i], error))
            return false;
    matcher->is_done = true;
    return true;
}

static bool run_take(triggers_matcher *matcher, uint64_t sequence, core_slice whole,
                     core_error *error) {
    core_run run;
    core_run_reader reader;
    core_arena_reset(&matcher->arena);
    if (!core_run_decode(whole, &matcher->arena, &run, error))
        return false;
    if (run.rows == 0 || triggers_op_of(run.op) == 0)
        return true;
    if (!core_run_reader_init(&reader, &run, &matcher->arena, error))
        return false;
    change_at_hand at = {.matcher = matcher};
    core_offset offset = {.sequence = sequence};
    memcpy(offset.epoch, run.epoch, sizeof offset.epoch);
    while ((at.change = core_run_next(&reader)) != NULL) {
        offset.index = core_run_row(&reader);
        if (!change_take(&at, &offset, error))
            return false;
    }
    return true;
}

bool triggers_matcher_take(triggers_matcher *matcher, uint64_t sequence, core_slice message,
                           core_error *error) {
    core_slice whole;
    triggers_matcher_set_renew(matcher);
    matcher->position.turn++;
    switch (core_assembly_feed(&matcher->assembly, message, sequence, &whole, error)) {
    case CORE_ASSEMBLY_WHOLE:
        return run_take(matcher, sequence, whole, error) &&
               triggers_matcher_tell_all(matcher, error);
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        break;
    }
    return false;
}
