/* See hearing.h. */
#include "triggers/hearing.h"
#include "triggers/result.h"
#include "triggers/ticker.h"

/* Of an event of Walcast's own. */
static const struct {
    const char *type; /* its beginning; the trigger's name follows */
    triggers_on on;
} own_rows[] = {
    {TRIGGERS_TICK_TYPE, TRIGGERS_ON_CRON},
    {TRIGGERS_RUN_TYPE, TRIGGERS_ON_CRON},
    {TRIGGERS_RESULT_TYPE, TRIGGERS_ON_RESULT},
};

bool triggers_hearing_kind(core_slice type, triggers_on *on, core_slice *name) {
    *name = type;
    *on = TRIGGERS_ON_EVENT;
    if (!core_slice_begins(type, core_slice_text("walcast.")))
        return true;
    for (size_t i = 0; i < CORE_COUNT_OF(own_rows); i++) {
        core_slice beginning = core_slice_text(own_rows[i].type);
        if (!core_slice_begins(type, beginning))
            continue;
        *on = own_rows[i].on;
        *name = core_slice_make(type.data + beginning.length, type.length - beginning.length);
        return true;
    }
    return false;
}

/* `pattern` may end in '*'. */
static bool type_matches(core_slice pattern, core_slice type) {
    if (pattern.length == 0 || pattern.data[pattern.length - 1] != '*')
        return core_slice_equal(pattern, type);
    return core_slice_begins(type, core_slice_make(pattern.data, pattern.length - 1));
}

bool triggers_hearing_is_on(const triggers_definition *definition, triggers_on on,
                            core_slice name) {
    if (definition->on != on)
        return false;
    if (on == TRIGGERS_ON_EVENT)
        return type_matches(definition->event_type, name);
    return core_slice_equal(on == TRIGGERS_ON_CRON ? definition->name : definition->result_of,
                            name);
}

bool triggers_hearing_hears(const triggers_definition *definition, core_slice type) {
    triggers_on on;
    core_slice name;
    return triggers_hearing_kind(type, &on, &name) && triggers_hearing_is_on(definition, on, name);
}

unsigned triggers_hearing_result(const core_change *change) {
    for (uint16_t i = 0; i < change->relation->column_count; i++)
        if (core_slice_is(change->relation->columns[i].name, "status"))
            return core_slice_is(change->new_tuple.values[i].bytes, "dead")
                       ? TRIGGERS_RESULT_DEAD
                       : TRIGGERS_RESULT_DELIVERED;
    return 0;
}

bool triggers_hearing_counts(const triggers_definition *definition, const core_change *change) {
    return definition->on != TRIGGERS_ON_RESULT ||
           (definition->results & triggers_hearing_result(change)) != 0;
}
