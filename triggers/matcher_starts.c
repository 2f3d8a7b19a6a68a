/* Triggers that begin in the past; see matcher.h.
 *
 * Who begins before what the live input has taken is not heard by it. All such wait for a round of
 * a history: its record names them, then the history is read from the first one's beginning, each
 * task of it stored as any other. When the history has taken what the live input has, the round
 * ends between two messages: all tasks are stored, the position with both places is kept, then the
 * members are written into the ledger of those that are heard live, then the record is emptied.
 * Whoever is killed between any two of these goes on from places where no member has missed
 * anything, and none had it twice.
 *
 * There are two histories of each stream, so that who begins a moment ago (made while messages
 * came) does not wait for one that is read from the first message on. */
#include "triggers/matcher_private.h"

#include <stdlib.h>

enum {
    NEAR_MESSAGES = 1000, /* behind the live place */
    AHEAD_TASKS = 2000,   /* of histories', that no partition has done yet */
};
#define FUTURE_US ((int64_t)60 * 60 * CORE_US_PER_S) /* clocks that differ by less */

/* ---- who is heard by which input ---- */

static triggers_input live_of(const triggers_definition *definition) {
    return definition->on == TRIGGERS_ON_TABLE ? TRIGGERS_INPUT_CHANGES : TRIGGERS_INPUT_EVENTS;
}

static triggers_input history_of(triggers_input live, bool is_near) {
    return (triggers_input)(live + (is_near ? 1u : 2u) * (unsigned)TRIGGERS_STREAMS);
}

static uint8_t heard_by(const triggers_matcher *matcher, const triggers_definition *definition,
                        uint64_t id) {
    triggers_input live = live_of(definition);
    size_t place;
    if (triggers_ledger_has(&matcher->ledger, id))
        return (uint8_t)live;
    for (unsigned i = 0; i < 2; i++) {
        triggers_input history = history_of(live, i == 0);
        const triggers_round *round = &matcher->rounds[history];
        if (triggers_ids_find(round->members, round->count, id, &place))
            return (uint8_t)history;
    }
    return TRIGGERS_INPUTS;
}

static void heards_find(triggers_matcher *matcher) {
    const triggers_set *set = matcher->set;
    matcher->starting = 0;
    for (size_t i = 0; i < set->count; i++) {
        matcher->heards[i] = heard_by(matcher, set->definitions[i], matcher->ids[i]);
        matcher->starting += !triggers_input_is_live(matcher->heards[i]);
    }
    core_metrics_set(matcher->spec.metrics, CORE_METRIC_TRIGGERS_STARTING,
                     (int64_t)matcher->starting);
}

bool triggers_matcher_starts_renew(triggers_matcher *matcher) {
    const triggers_set *set = matcher->set;
    free(matcher->ids);
    free(matcher->heards);
    matcher->ids = calloc(set->count + 1, sizeof *matcher->ids);
    matcher->heards = calloc(set->count + 1, sizeof *matcher->heards);
    if (matcher->ids == NULL || matcher->heards == NULL) {
        free(matcher->heards);
        matcher->heards = NULL; /* tried again */
        return false;
    }
    for (size_t i = 0; i < set->count; i++)
        matcher->ids[i] = triggers_ledger_id(set->definitions[i]);
    heards_find(matcher);
    matcher->starts_are_due = true;
    return true;
}

bool triggers_matcher_hears(const triggers_matcher *matcher, triggers_input input,
                            const triggers_definition *definition) {
    if (matcher->starting == 0)
        return triggers_input_is_live(input);
    size_t place = triggers_set_place(matcher->set, definition->project, definition->name);
    return place < matcher->set->count && matcher->heards[place] == input;
}

/* ---- who begins, and where ---- */

/* Whether the input is past what it took before it was opened. */
static bool is_settled(const triggers_matcher *matcher, triggers_input input) {
    return matcher->feeds[input].is_open &&
           matcher->feeds[input].taken >= matcher->position.places[input].at.sequence;
}

/* Behind what; an offset that cannot be read is none. */
static core_offset since_of(const triggers_definition *definition) {
    core_offset since;
    if (!core_offset_parse(definition->since, &since))
        since = (core_offset){.epoch = CORE_OFFSET_BEGINNING_EPOCH};
    return since;
}

/* Of an event's place whose stream was made anew nothing is known. */
static core_offset beginning_of(const triggers_matcher *matcher,
                                const triggers_definition *definition) {
    core_offset since = since_of(definition);
    bool is_event = definition->on != TRIGGERS_ON_TABLE;
    if (is_event && strcmp(since.epoch, matcher->streams[TRIGGERS_STREAM_EVENTS].epoch) != 0)
        since = (core_offset){.epoch = CORE_OFFSET_BEGINNING_EPOCH};
    return since;
}

/* Nothing that counts for it stands before the live place. */
static bool begins_live(const triggers_matcher *matcher, const triggers_definition *definition) {
    const triggers_feed *live = &matcher->feeds[live_of(definition)];
    core_offset since = beginning_of(matcher, definition);
    if (definition->start == TRIGGERS_START_TIME &&
        definition->start_us > core_clock_wall_us(matcher->spec.clock) + FUTURE_US)
        return true;
    if (definition->disabled)
        return definition->start == TRIGGERS_START_NOW; /* what comes meanwhile is not for it */
    if (since.sequence > live->taken || live->taken == 0)
        return true;
    return since.sequence == live->taken && definition->start == TRIGGERS_START_NOW;
}

/* Those that begin live are entered, without a history. */
static bool live_begin(triggers_matcher *matcher, core_error *error) {
    const triggers_set *set = matcher->set;
    for (size_t i = 0; i < set->count; i++) {
        const triggers_definition *definition = set->definitions[i];
        if (matcher->heards[i] == TRIGGERS_INPUTS && is_settled(matcher, live_of(definition)) &&
            begins_live(matcher, definition) &&
            !triggers_ledger_add(&matcher->ledger, matcher->ids[i]))
            return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers' ledger");
    }
    return triggers_ledger_write(&matcher->ledger, matcher->state, error);
}

/* ---- a round begins ---- */

static bool is_member(const triggers_matcher *matcher, size_t number, triggers_input history) {
    const triggers_definition *definition = matcher->set->definitions[number];
    triggers_input live = triggers_input_live(history);
    if (matcher->heards[number] != TRIGGERS_INPUTS || definition->disabled ||
        live_of(definition) != live)
        return false;
    core_offset since = beginning_of(matcher, definition);
    bool is_near = since.sequence + NEAR_MESSAGES >= matcher->feeds[live].taken;
    return history_of(live, is_near) == history;
}

static bool members_find(const triggers_matcher *matcher, triggers_input history,
                         triggers_round *round) {
    const triggers_set *set = matcher->set;
    free(round->members);
    round->count = 0;
    round->members = calloc(TRIGGERS_ROUND_MEMBERS_MAX, sizeof *round->members);
    for (size_t i = 0; round->members != NULL && i < set->count; i++) {
        if (!is_member(matcher, i, history) || round->count == TRIGGERS_ROUND_MEMBERS_MAX)
            continue;
        core_offset since = beginning_of(matcher, set->definitions[i]);
        if (round->count == 0 || since.sequence < round->from.sequence)
            round->from = since;
        round->members[round->count++] = matcher->ids[i];
    }
    triggers_ids_sort(round->members, round->count);
    return round->members != NULL;
}

static bool round_begin(triggers_matcher *matcher, triggers_input history, core_error *error) {
    triggers_round *round = &matcher->rounds[history];
    if (round->count > 0 || matcher->starting == 0 ||
        !is_settled(matcher, triggers_input_live(history)))
        return true;
    if (!members_find(matcher, history, round))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a history");
    if (round->count == 0)
        return true;
    round->number++;
    matcher->position.places[history] = (triggers_place){.at = round->from, .round = round->number};
    if (!triggers_round_store(round, history, matcher->state, error) ||
        !triggers_matcher_input_open(matcher, history, error))
        return false;
    heards_find(matcher);
    CORE_LOG(matcher->spec.log, INFO, "triggers", "triggers begin in the past",
             CORE_LOG_NUMBER("triggers", round->count),
             CORE_LOG_NUMBER("behind", round->from.sequence));
    return true;
}

/* ---- a round ends ---- */

static bool members_enter(triggers_matcher *matcher, const triggers_round *round,
                          core_error *error) {
    for (size_t i = 0; i < round->count; i++)
        if (!triggers_ledger_add(&matcher->ledger, round->members[i]))
            return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers' ledger");
    return triggers_ledger_write(&matcher->ledger, matcher->state, error);
}

static bool round_end(triggers_matcher *matcher, triggers_input history, core_error *error) {
    triggers_round *round = &matcher->rounds[history];
    if (!triggers_matcher_flush(matcher, error) || !triggers_matcher_save(matcher, error) ||
        !members_enter(matcher, round, error))
        return false;
    CORE_LOG(matcher->spec.log, INFO, "triggers", "triggers that began in the past go on live",
             CORE_LOG_NUMBER("triggers", round->count));
    round->count = 0;
    if (!triggers_round_store(round, history, matcher->state, error))
        return false;
    triggers_feed_close(&matcher->feeds[history]);
    matcher->position.places[history] = (triggers_place){.round = 0};
    matcher->starts_are_due = true;
    heards_find(matcher);
    return true;
}

static bool has_members(const triggers_matcher *matcher, triggers_input history) {
    for (size_t i = 0; i < matcher->set->count; i++)
        if (matcher->heards[i] == history)
            return true;
    return false;
}

/* The history has what the live input has, or nobody asks for it any more. */
static bool is_over(const triggers_matcher *matcher, triggers_input history) {
    triggers_input live = triggers_input_live(history);
    if (!matcher->is_done || !matcher->feeds[history].is_open)
        return false;
    if (matcher->starts_are_due && !has_members(matcher, history))
        return true;
    return is_settled(matcher, live) && is_settled(matcher, history) &&
           matcher->feeds[history].taken >= matcher->feeds[live].taken;
}

/* ---- between two messages ---- */

bool triggers_matcher_starts_look(triggers_matcher *matcher, core_error *error) {
    if (matcher->starting == 0 && !matcher->starts_are_due)
        return true;
    for (triggers_input i = TRIGGERS_INPUT_CHANGES_NEAR; i < TRIGGERS_INPUTS; i++)
        if (is_over(matcher, i) && !round_end(matcher, i, error))
            return false;
    bool is_ready = matcher->is_done && is_settled(matcher, TRIGGERS_INPUT_CHANGES) &&
                    is_settled(matcher, TRIGGERS_INPUT_EVENTS);
    if (!matcher->starts_are_due || !is_ready)
        return true;
    matcher->starts_are_due = false;
    triggers_ledger_trim(&matcher->ledger, matcher->ids, matcher->set->count);
    if (!live_begin(matcher, error))
        return false;
    heards_find(matcher);
    for (triggers_input i = TRIGGERS_INPUT_CHANGES_NEAR; i < TRIGGERS_INPUTS; i++)
        if (!round_begin(matcher, i, error))
            return false;
    return true;
}

bool triggers_matcher_history_may(const triggers_matcher *matcher) {
    return matcher->sent - matcher->done_up_to < AHEAD_TASKS;
}

/* ---- as it is kept ---- */

bool triggers_matcher_starts_read(triggers_matcher *matcher, core_error *error) {
    if (!triggers_ledger_read(&matcher->ledger, matcher->state, error))
        return false;
    for (triggers_input i = TRIGGERS_INPUT_CHANGES_NEAR; i < TRIGGERS_INPUTS; i++) {
        triggers_round *round = &matcher->rounds[i];
        triggers_place *place = &matcher->position.places[i];
        if (!triggers_round_load(round, i, matcher->state, error))
            return false;
        if (round->count == 0)
            *place = (triggers_place){.round = 0};
        else if (place->round != round->number)
            *place = (triggers_place){.at = round->from, .round = round->number};
    }
    return triggers_matcher_starts_renew(matcher) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the set of triggers");
}
