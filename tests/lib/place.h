/* Whether a row is at one of a condition's places, as an index would find out; see expr.h. */
#ifndef WALCAST_TESTS_LIB_PLACE_H
#define WALCAST_TESTS_LIB_PLACE_H

#include "expr/expr.h"

/* AWAY: at none, so the condition is false. NULL: at none, but a value is null. AT: look at it. */
typedef enum { PLACE_AWAY = 0, PLACE_NULL, PLACE_AT } place_found;

static inline bool place_value_is_at(const expr_place *place, const expr_probe *probe) {
    if (place->kind == EXPR_PLACE_NOT_NULL)
        return true;
    if (place->kind == EXPR_PLACE_RANGE)
        return probe->rank >= place->low && probe->rank <= place->high;
    if (place->kind == EXPR_PLACE_PREFIX)
        return probe->text.length >= place->prefix_length &&
               memcmp(probe->text.data, place->prefix, place->prefix_length) == 0;
    for (size_t i = 0; place->kind == EXPR_PLACE_EQUAL && i < place->count; i++)
        if (place->hashes[i] == probe->hash)
            return true;
    return false;
}

static inline place_found place_find(const expr_place *place, const core_relation *relation,
                                     const core_tuple *new_tuple, const core_tuple *old_tuple) {
    if (place->kind == EXPR_PLACE_CHANGED)
        return expr_row_changed(place->column, new_tuple, old_tuple) ? PLACE_AT : PLACE_AWAY;
    bool is_test = place->kind == EXPR_PLACE_NULL || place->kind == EXPR_PLACE_NOT_NULL;
    unsigned wants = place->kind == EXPR_PLACE_EQUAL   ? EXPR_PROBE_HASH
                     : place->kind == EXPR_PLACE_RANGE ? EXPR_PROBE_RANK
                                                       : 0;
    expr_probe probe = expr_row_probe(expr_column_kind(&relation->columns[place->column]), wants,
                                      place->column, place->is_old ? old_tuple : new_tuple);
    if (probe.state == EXPR_PROBE_OPEN)
        return PLACE_AT;
    if (probe.state == EXPR_PROBE_NULL && is_test)
        return place->kind == EXPR_PLACE_NULL ? PLACE_AT : PLACE_AWAY;
    if (probe.state == EXPR_PROBE_NULL)
        return PLACE_NULL;
    return place_value_is_at(place, &probe) ? PLACE_AT : PLACE_AWAY;
}

/* Of a whole set. */
static inline place_found places_find(const expr_place *places, size_t count,
                                      const core_relation *relation, const core_tuple *new_tuple,
                                      const core_tuple *old_tuple) {
    place_found found = PLACE_AWAY;
    for (size_t i = 0; i < count; i++) {
        place_found one = place_find(&places[i], relation, new_tuple, old_tuple);
        found = one > found ? one : found;
    }
    return found;
}

/* What expr.h promises of every set of places, for a row with this verdict. */
static inline bool places_hold(const expr_condition *condition, const core_relation *relation,
                               const core_tuple *new_tuple, const core_tuple *old_tuple,
                               expr_verdict verdict) {
    expr_place places[EXPR_PLACES_MAX];
    size_t count = 0;
    for (size_t i = 0; (count = expr_condition_places(condition, i, places)) > 0; i++) {
        place_found found = places_find(places, count, relation, new_tuple, old_tuple);
        if (verdict == EXPR_VERDICT_TRUE && found != PLACE_AT)
            return false;
        if (verdict == EXPR_VERDICT_ERROR && found == PLACE_AWAY)
            return false;
        if (verdict == EXPR_VERDICT_ERROR && !expr_condition_raises(condition))
            return false;
    }
    return true;
}

#endif
