/* From a change or event to tasks; see matcher.h.
 *
 * Each rule that it makes true gives a task, in the order of the rules' names. A task carries the
 * matcher's position, so the stream's last task says where the next matcher goes on: at that change
 * or event, behind that rule. What could not be decided is told. */
#include "triggers/arguments.h"
#include "triggers/matcher_private.h"
#include "triggers/spread.h"

#include <stdio.h>

enum { TASK_HEAD_MAX = 2048 }; /* what the publisher and a parked copy add, at most */

/* ---- who hears it ---- */

/* Of what was done partly: tasks up to this rule are stored. */
static bool is_stored(const triggers_matcher *matcher, const triggers_definition *definition) {
    int order = core_slice_compare(definition->project, core_slice_text(matcher->last_project));
    return order < 0 ||
           (order == 0 &&
            core_slice_compare(definition->name, core_slice_text(matcher->last_trigger)) <= 0);
}

/* A definition sees what stands behind its beginning. */
static bool is_since(const triggers_case *it, const triggers_definition *definition) {
    core_offset since;
    if (definition->start == TRIGGERS_START_TIME && it->facts.time_us < definition->start_us)
        return false;
    if (definition->since.length == 0 || !core_offset_parse(definition->since, &since) ||
        strcmp(since.epoch, it->at.epoch) != 0)
        return true;
    return it->at.sequence > since.sequence ||
           (it->at.sequence == since.sequence && it->at.index > since.index);
}

static bool is_heard(const triggers_case *it, const triggers_definition *definition) {
    if (it->only != NULL)
        return definition == it->only && !it->is_partly;
    if (!triggers_matcher_hears(it->matcher, it->input, definition))
        return false;
    if (it->is_partly && is_stored(it->matcher, definition))
        return false;
    if (definition->on == TRIGGERS_ON_RESULT && (definition->results & it->result) == 0)
        return false;
    return is_since(it, definition);
}

/* ---- a task ---- */

/* Each is told, however many one message has. */
static bool tell(const triggers_case *it, const triggers_definition *definition,
                 const char *verdict, const char *reason, core_error *error) {
    char text[TRIGGERS_REASON_MAX];
    (void)snprintf(text, sizeof text, "%s: %s", verdict, reason);
    triggers_entry entry = {.kind = TRIGGERS_ENTRY_UNDECIDED,
                            .project = definition->project,
                            .trigger = definition->name,
                            .event_id = it->facts.offset,
                            .reason = core_slice_text(text)};
    core_metrics_add(it->matcher->spec.metrics, CORE_METRIC_TRIGGERS_UNDECIDED, 1);
    return triggers_matcher_tell(it->matcher, &entry, error);
}

/* The body, the key's text, what the action needs. False: `*missing`, or memory is out. */
static bool texts_write(const triggers_case *it, const triggers_images *images,
                        const triggers_match *match, bool *missing) {
    triggers_matcher *matcher = it->matcher;
    *missing = false;
    core_buffer_reset(&matcher->body);
    core_buffer_reset(&matcher->key);
    core_buffer_reset(&matcher->arguments);
    return triggers_body_write(match->rule, it->change, images, &it->facts, &matcher->body,
                               missing) &&
           triggers_key_write(match->rule, it->change, images, &matcher->key, missing) &&
           triggers_arguments_write(match->rule, it->change, images, &matcher->arguments, missing);
}

/* Into the matcher's buffer. False: it is too large for a message. */
static bool task_write(const triggers_case *it, const triggers_definition *definition,
                       uint64_t key_hash) {
    triggers_matcher *matcher = it->matcher;
    const triggers_task task = {.project = definition->project,
                                .trigger = definition->name,
                                .revision = definition->revision,
                                .event_id = it->facts.offset,
                                .event_time_us = it->facts.time_us,
                                .key = core_buffer_slice(&matcher->key),
                                .key_hash = key_hash,
                                .depth = it->depth,
                                .position = matcher->position,
                                .arguments = core_buffer_slice(&matcher->arguments),
                                .body = core_buffer_slice(&matcher->body)};
    core_buffer_reset(&matcher->task);
    triggers_task_write(&task, &matcher->task);
    return core_buffer_ok(&matcher->task) &&
           (int64_t)matcher->task.length + TASK_HEAD_MAX <= matcher->max_payload;
}

static bool match_take(const triggers_case *it, const triggers_images *images,
                       const triggers_match *match, core_error *error) {
    triggers_matcher *matcher = it->matcher;
    const triggers_definition *definition = match->definition;
    bool missing;
    if (match->verdict != TRIGGERS_VERDICT_TRUE)
        return tell(it, definition, triggers_verdict_name(match->verdict),
                    match->reason != NULL ? match->reason : "", error);
    if (!texts_write(it, images, match, &missing))
        return tell(it, definition, missing ? "missing" : "too large",
                    missing ? "the change does not carry a value of the body, the key or the action"
                            : "the body does not fit into memory",
                    error);
    uint64_t key_hash = triggers_spread_key(definition, core_buffer_slice(&matcher->key));
    if (key_hash == 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no hash for a task's key");
    if (!task_write(it, definition, key_hash))
        return tell(it, definition, "too large",
                    "the body exceeds what nats-server takes in one message (max_payload): select "
                    "fewer columns or raise it",
                    error);
    return triggers_matcher_send(matcher, key_hash, core_buffer_slice(&matcher->task), error);
}

bool triggers_matcher_match(triggers_case *it, triggers_rule_index *index, core_error *error) {
    const triggers_match *matches = NULL;
    const triggers_images *images = NULL;
    size_t count =
        index != NULL ? triggers_rule_index_match(index, it->change, &matches, &images) : 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_heard(it, matches[i].definition))
            continue;
        if (!match_take(it, images, &matches[i], error))
            return false;
        it->matched++;
    }
    it->matcher->is_done = true;
    return true;
}
