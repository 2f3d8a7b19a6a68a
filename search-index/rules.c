/* See rules.h. */
#include "search-index/rules.h"

#include "auth/auth.h"

#define RULES_CLAIM "searchRules"

/* The claim's value; false: there is none. What cannot be read is a claim that is malformed. */
static bool claim_find(core_slice claims, const char *name, core_slice *whole) {
    core_json_reader reader = core_json_reader_make(claims);
    core_json_token token = core_json_next(&reader);
    bool found = false;
    *whole = core_slice_make(NULL, 0);
    if (claims.length == 0)
        return false;
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return true;
    while (core_json_member_next(&reader, &token)) {
        bool is_it = core_json_raw_is(token.key, name);
        core_slice value;
        if (!core_json_skip(&reader, token, &value)) {
            *whole = core_slice_make(NULL, 0);
            return true;
        }
        if (is_it && found) { /* which of two is meant, nobody knows */
            *whole = core_slice_make(NULL, 0);
            return true;
        }
        if (is_it) {
            found = true;
            *whole = value;
        }
    }
    if (reader.failed)
        *whole = core_slice_make(NULL, 0);
    return found || reader.failed;
}

bool search_rules_bind(core_slice claims) {
    core_slice whole;
    return claim_find(claims, RULES_CLAIM, &whole);
}

/* How well an entry fits: 0 not at all; the whole name best. An escaped name fits nothing. */
static size_t entry_fit(core_slice entry, core_slice index) {
    if (core_slice_equal(entry, index))
        return SIZE_MAX;
    if (entry.length == 0 || entry.data[entry.length - 1] != '*')
        return 0;
    core_slice beginning = core_slice_make(entry.data, entry.length - 1);
    return core_slice_begins(index, beginning) ? entry.length : 0;
}

/* The rule's `filter`. False: the rule is malformed. */
static bool rule_read(core_slice rule, core_slice *filter) {
    core_json_reader reader = core_json_reader_make(rule);
    core_json_token token = core_json_next(&reader);
    *filter = core_slice_make(NULL, 0);
    if (token.kind == CORE_JSON_NULL)
        return true;
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&reader, &token)) {
        core_slice value;
        core_json_kind kind = token.kind;
        /* What is not known here may be a limit that would be passed over. */
        if (!core_json_raw_is(token.key, "filter") || filter->length > 0 ||
            !core_json_skip(&reader, token, &value))
            return false;
        if (kind != CORE_JSON_STRING && kind != CORE_JSON_ARRAY_OPEN && kind != CORE_JSON_NULL)
            return false;
        if (kind != CORE_JSON_NULL)
            *filter = value;
    }
    return !reader.failed;
}

static search_rules_verdict object_look(core_json_reader *reader, core_slice index,
                                        core_slice *filter) {
    core_json_token token;
    core_slice rule = core_slice_make(NULL, 0), value;
    size_t best = 0;
    while (core_json_member_next(reader, &token)) {
        size_t fit = entry_fit(token.key, index);
        if (!core_json_skip(reader, token, &value))
            return SEARCH_RULES_DENIED;
        if (fit > best) {
            best = fit;
            rule = value;
        }
    }
    return best > 0 && !reader->failed && rule_read(rule, filter) ? SEARCH_RULES_BOUND
                                                                  : SEARCH_RULES_DENIED;
}

static search_rules_verdict list_look(core_json_reader *reader, core_slice index) {
    bool fits = false;
    core_json_token token = core_json_next(reader);
    for (; token.kind == CORE_JSON_STRING; token = core_json_next(reader))
        fits |= entry_fit(token.raw, index) > 0;
    return fits && token.kind == CORE_JSON_ARRAY_CLOSE ? SEARCH_RULES_BOUND : SEARCH_RULES_DENIED;
}

bool search_rules_limited(core_slice claims) {
    core_slice whole;
    return claim_find(claims, AUTH_KEY_INDEXES_CLAIM, &whole);
}

bool search_rules_has(core_slice claims, core_slice index) {
    core_slice whole;
    if (!claim_find(claims, AUTH_KEY_INDEXES_CLAIM, &whole))
        return true;
    core_json_reader reader = core_json_reader_make(whole);
    return core_json_next(&reader).kind == CORE_JSON_ARRAY_OPEN &&
           list_look(&reader, index) == SEARCH_RULES_BOUND;
}

search_rules_verdict search_rules_look(core_slice claims, core_slice index, core_slice *filter) {
    core_slice whole;
    *filter = core_slice_make(NULL, 0);
    if (!search_rules_has(claims, index))
        return SEARCH_RULES_DENIED;
    if (!claim_find(claims, RULES_CLAIM, &whole))
        return SEARCH_RULES_FREE;
    core_json_reader reader = core_json_reader_make(whole);
    core_json_token token = core_json_next(&reader);
    search_rules_verdict verdict = SEARCH_RULES_DENIED;
    if (token.kind == CORE_JSON_OBJECT_OPEN)
        verdict = object_look(&reader, index, filter);
    else if (token.kind == CORE_JSON_ARRAY_OPEN)
        verdict = list_look(&reader, index);
    if (verdict == SEARCH_RULES_DENIED)
        *filter = core_slice_make(NULL, 0);
    return verdict;
}
