/* What was asked for again (redeliver.h); see matcher.h. The wish is an event as any other, so its
 * one task is stored once. What cannot be had again is told as an outcome of the trigger. */
#include "triggers/dead_letters.h"
#include "triggers/event_row.h"
#include "triggers/event_view.h"
#include "triggers/matcher_private.h"
#include "triggers/redeliver.h"
#include "triggers/spread.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- told ---- */

static bool refuse(const triggers_case *it, const triggers_redelivery *wish, core_slice project,
                   const char *reason, core_error *error) {
    char text[TRIGGERS_REASON_MAX], letter[TRIGGERS_EVENT_ID_SIZE];
    (void)snprintf(letter, sizeof letter, "dead letter %" PRIu64, wish->dead);
    (void)snprintf(text, sizeof text, "redelivery: %s", reason);
    triggers_entry entry = {.kind = TRIGGERS_ENTRY_UNDECIDED,
                            .project = project,
                            .trigger = wish->trigger,
                            .event_id = wish->dead != 0 ? core_slice_text(letter) : wish->event_id,
                            .reason = core_slice_text(text)};
    core_metrics_add(it->matcher->spec.metrics, CORE_METRIC_TRIGGERS_UNDECIDED, 1);
    it->matcher->is_done = true;
    return triggers_matcher_tell(it->matcher, &entry, error);
}

/* ---- a dead letter ---- */

static bool letter_task_send(const triggers_case *it, const triggers_definition *definition,
                             const triggers_task *old, core_error *error) {
    triggers_matcher *matcher = it->matcher;
    triggers_task task = *old;
    const triggers_spread spread = triggers_spread_of(definition);
    task.key_hash = triggers_spread_hash(&spread, old->key_hash); /* it was made anew, perhaps */
    task.revision = definition->revision;
    task.position = matcher->position;
    core_buffer_reset(&matcher->task);
    triggers_task_write(&task, &matcher->task);
    if (!core_buffer_ok(&matcher->task))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a dead letter's task");
    return triggers_matcher_send(matcher, task.key_hash, core_buffer_slice(&matcher->task), error);
}

/* The letter goes once the task is stored: whoever is killed in between removes it then. */
static bool letter_take(triggers_case *it, const triggers_redelivery *wish,
                        const triggers_definition *definition, core_error *error) {
    triggers_matcher *matcher = it->matcher;
    const triggers_dead_scope scope = {.connection = matcher->connection,
                                       .config = matcher->spec.config,
                                       .project = definition->project};
    triggers_dead_letter letter;
    bool found;
    if (!triggers_dead_get(&scope, wish->dead, &matcher->recalled, &letter, &found, error))
        return false;
    if (it->is_partly) /* its task is stored */
        matcher->is_done = true;
    if (!found || !letter.is_whole || !core_slice_equal(letter.task.trigger, wish->trigger))
        return it->is_partly || refuse(it, wish, definition->project,
                                       "the dead letter is not there any more", error);
    if (!it->is_partly && !letter_task_send(it, definition, &letter.task, error))
        return false;
    return triggers_matcher_flush(matcher, error) &&
           triggers_dead_remove(&scope, wish->dead, &found, error) && (matcher->is_done = true);
}

/* ---- what is recalled ---- */

typedef struct {
    triggers_case *it;
    core_slice id;
    core_run run; /* of a change */
    core_run_reader reader;
    core_change change; /* of an event */
    triggers_rule_index *index;
} recalled;

/* ---- a change ---- */

/* The row's whole message; its memory NULL: it is not held, or not all of it. */
static bool whole_read(triggers_matcher *matcher, uint64_t sequence, core_slice *whole,
                       core_error *error) {
    const char *stream = matcher->streams[TRIGGERS_STREAM_CHANGES].name;
    core_assembly *assembly = &matcher->assemblies[TRIGGERS_INPUTS];
    core_assembly_result result = CORE_ASSEMBLY_MORE;
    bool ends;
    *whole = core_slice_make(NULL, 0);
    core_assembly_reset(assembly);
    if (!fanout_stream_message(matcher->connection, stream, sequence, &matcher->recalled, error))
        return error->code == CORE_ERROR_INPUT;
    uint64_t at = core_assembly_first(core_buffer_slice(&matcher->recalled), sequence, &ends);
    for (; at <= sequence && result != CORE_ASSEMBLY_REFUSED; at++) {
        if (!fanout_stream_message(matcher->connection, stream, at, &matcher->recalled, error))
            return error->code == CORE_ERROR_INPUT;
        result =
            core_assembly_feed(assembly, core_buffer_slice(&matcher->recalled), at, whole, error);
    }
    if (result != CORE_ASSEMBLY_WHOLE)
        *whole = core_slice_make(NULL, 0);
    return true;
}

/* NULL: it is not held, or `error` says what else. */
static const core_change *change_find(recalled *past, const core_offset *at, core_error *error) {
    core_slice whole;
    const core_change *change;
    core_run *run = &past->run;
    core_arena *arena = &past->it->matcher->arena;
    if (!whole_read(past->it->matcher, at->sequence, &whole, error) || whole.data == NULL ||
        !core_run_decode(whole, arena, run, error) || strcmp(run->epoch, at->epoch) != 0 ||
        run->rows == 0 || triggers_op_of(run->op) == 0 ||
        !core_run_reader_init(&past->reader, run, arena, error))
        return NULL;
    while ((change = core_run_next(&past->reader)) != NULL)
        if (core_run_row(&past->reader) == at->index)
            return change;
    return NULL;
}

static bool change_recall(recalled *past, const core_offset *at, core_error *error) {
    triggers_case *it = past->it;
    core_error reason = {0};
    it->change = change_find(past, at, &reason);
    if (it->change == NULL && reason.code != CORE_ERROR_NONE && reason.code != CORE_ERROR_INPUT) {
        *error = reason;
        return false;
    }
    if (it->change == NULL)
        return true;
    it->facts = (triggers_body_facts){.time_us = it->change->transaction.commit_time_us};
    it->depth = 0;
    past->index = triggers_matcher_index(it->matcher, it->change->relation);
    return true;
}

static bool event_take(void *context, const fanout_message *message, core_error *error) {
    recalled *past = context;
    core_arena *arena = &past->it->matcher->arena;
    triggers_heard heard = triggers_heard_of(message);
    heard.subject = core_arena_copy(arena, heard.subject); /* longer than the message lives */
    heard.source = core_arena_copy(arena, heard.source);
    heard.payload = core_arena_copy(arena, heard.payload);
    if (heard.subject.data == NULL || heard.source.data == NULL || heard.payload.data == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for an event");
    return triggers_matcher_event_case(past->it, &heard, past->id, &past->change, &past->index,
                                       error);
}

static bool event_recall(recalled *past, core_slice id, core_error *error) {
    triggers_matcher *matcher = past->it->matcher;
    uint64_t sequence;
    core_error reason = {0};
    if (triggers_event_id_read(id, matcher->events_created_us, &sequence) !=
            TRIGGERS_EVENT_ID_OURS ||
        sequence == 0)
        return true;
    if (fanout_stream_read(matcher->connection, matcher->streams[TRIGGERS_STREAM_EVENTS].name,
                           sequence, event_take, past, &reason)) {
        past->it->change = &past->change;
        return true;
    }
    if (reason.code == CORE_ERROR_INPUT) /* there is none */
        return true;
    *error = reason;
    return false;
}

/* ---- the wish ---- */

/* The case becomes that of the change or event; its change NULL: that is not held. */
static bool past_recall(recalled *past, core_slice id, core_error *error) {
    core_offset at;
    past->it->change = NULL;
    return core_offset_parse(id, &at) ? change_recall(past, &at, error)
                                      : event_recall(past, id, error);
}

static bool past_take(triggers_case *it, const triggers_redelivery *wish,
                      const triggers_definition *definition, core_error *error) {
    recalled past = {.it = it, .id = wish->event_id};
    it->only = definition;
    if (!past_recall(&past, wish->event_id, error))
        return false;
    if (it->change == NULL)
        return refuse(it, wish, definition->project,
                      "its stream does not hold the change or event (any more)", error);
    it->facts.offset = wish->event_id;
    if (!triggers_matcher_match(it, past.index, error))
        return false;
    return it->matched > 0 || it->is_partly ||
           refuse(it, wish, definition->project,
                  definition->disabled ? "the trigger is disabled"
                                       : "the trigger as it is now does not match it",
                  error);
}

bool triggers_matcher_redeliver(triggers_case *it, core_slice project, core_slice payload,
                                core_error *error) {
    triggers_matcher *matcher = it->matcher;
    triggers_redelivery wish;
    core_error reason = {0};
    if (!triggers_input_is_live(it->input))
        return triggers_matcher_match(it, NULL, error);
    if (!triggers_redelivery_read(payload, &matcher->arena, &wish, &reason)) {
        CORE_LOG(matcher->spec.log, WARN, "triggers", "a redelivery cannot be read",
                 CORE_LOG_TEXT("reason", reason.text));
        return triggers_matcher_match(it, NULL, error);
    }
    const triggers_definition *definition = triggers_set_find(matcher->set, project, wish.trigger);
    if (definition == NULL)
        return refuse(it, &wish, project, "there is no such trigger", error);
    return wish.dead != 0 ? letter_take(it, &wish, definition, error)
                          : past_take(it, &wish, definition, error);
}
