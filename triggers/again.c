/* See again.h. */
#include "triggers/again.h"
#include "triggers/own_event.h"
#include "triggers/redeliver.h"

#include <inttypes.h>
#include <stdio.h>

enum { ID_MAX = 512 };

static bool again_publish(const triggers_dead_scope *scope, const triggers_redelivery *redelivery,
                          const char *id, core_error *error) {
    const core_subject_scope events = core_subject_scope_of(scope->config);
    char memory[TRIGGERS_REDELIVER_MAX];
    core_buffer body = core_buffer_over(memory, sizeof memory);
    triggers_own_event event;
    triggers_redelivery_write(redelivery, &body);
    if (!core_buffer_ok(&body) || redelivery->trigger.length > TRIGGERS_NAME_MAX ||
        !triggers_own_event_make(&events, scope->project, TRIGGERS_REDELIVER_TYPE,
                                 redelivery->trigger, &event))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "trigger %.*s: its name or the id is no such",
                              CORE_SLICE_ARGS(redelivery->trigger));
    return triggers_own_event_publish(scope->connection, &event, "redeliver",
                                      core_clock_wall_us(core_clock_system()), id,
                                      core_buffer_slice(&body), error);
}

bool triggers_again_event(const triggers_dead_scope *scope, core_slice trigger, core_slice event_id,
                          core_error *error) {
    char id[ID_MAX];
    const triggers_redelivery redelivery = {.trigger = trigger, .event_id = event_id};
    if (event_id.length == 0 || event_id.length > TRIGGERS_EVENT_ID_MAX)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "expected an event's id: a change's offset, or the id of an event");
    (void)snprintf(id, sizeof id, "again.%.*s.%016" PRIx64 ".%" PRId64, CORE_SLICE_ARGS(trigger),
                   core_slice_hash(event_id), core_clock_wall_us(core_clock_system()));
    return again_publish(scope, &redelivery, id, error);
}

/* The time is in the id so that a letter of a stream that was made anew is not taken for it. */
bool triggers_again_letter(const triggers_dead_scope *scope, const triggers_dead_letter *letter,
                           core_error *error) {
    char id[ID_MAX];
    const triggers_redelivery redelivery = {.trigger = letter->task.trigger, .dead = letter->id};
    if (!letter->is_whole)
        return core_error_set(error, CORE_ERROR_INPUT, "letter %" PRIu64 " cannot be read",
                              letter->id);
    (void)snprintf(id, sizeof id, "dead.%" PRIu64 ".%" PRId64, letter->id, letter->letter.dead_ms);
    return again_publish(scope, &redelivery, id, error);
}
