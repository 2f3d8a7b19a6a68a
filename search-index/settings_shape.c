/* The forms that values of settings have; see settings_private.h. Each is written as it was given,
 * but sets, which are sorted and have each text once, so that the same set is the same text. */
#include "search-index/settings_private.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Refusals ---- */

static const char *kind_text(core_json_token token) {
    static const char *const texts[] = {
        [CORE_JSON_NULL] = "null",
        [CORE_JSON_TRUE] = "a boolean",
        [CORE_JSON_FALSE] = "a boolean",
        [CORE_JSON_STRING] = "a string",
        [CORE_JSON_OBJECT_OPEN] = "an object",
        [CORE_JSON_ARRAY_OPEN] = "an array",
    };
    if (token.kind == CORE_JSON_NUMBER) {
        bool is_whole = memchr(token.raw.data, '.', token.raw.length) == NULL &&
                        memchr(token.raw.data, 'e', token.raw.length) == NULL;
        return !is_whole                  ? "a number"
               : token.raw.data[0] == '-' ? "a negative integer"
                                          : "a positive integer";
    }
    return token.kind < CORE_COUNT_OF(texts) && texts[token.kind] != NULL ? texts[token.kind]
                                                                          : "nothing";
}

bool search_shape_refuse(const search_setting_row *row, core_json_reader *reader,
                         core_json_token token, const char *place, const char *wanted,
                         search_refusal *refusal) {
    core_slice whole;
    if (token.kind == CORE_JSON_INVALID || !core_json_skip(reader, token, &whole))
        return search_refuse(refusal, SEARCH_CODE_MALFORMED_PAYLOAD,
                             "The json payload provided is malformed.");
    int shown = whole.length < 200 ? (int)whole.length : 200;
    return search_refuse(refusal, row->code,
                         "Invalid value type%s%s%s: expected %s, but found %s: `%.*s`",
                         place[0] != '\0' ? " at `" : "", place, place[0] != '\0' ? "`" : "",
                         wanted, kind_text(token), shown, (const char *)whole.data);
}

static bool value_refuse(const search_setting_row *row, const char *place, search_refusal *refusal,
                         const char *what) {
    return search_refuse(refusal, row->code, "Invalid value%s%s%s: %s",
                         place[0] != '\0' ? " at `" : "", place, place[0] != '\0' ? "`" : "", what);
}

static bool count_refuse(const search_setting_row *row, const char *place,
                         search_refusal *refusal) {
    char what[80];
    (void)snprintf(what, sizeof what, "at most %llu are taken", (unsigned long long)row->high);
    return value_refuse(row, place, refusal, what);
}

/* ---- Lists of texts ---- */

static void comma(core_buffer *out, size_t count) {
    if (count > 0)
        core_buffer_u8(out, ',');
}

/* A string, as it is written in JSON. */
static void string_copy(core_slice raw, core_buffer *out) {
    core_buffer_u8(out, '"');
    core_buffer_slice_append(out, raw);
    core_buffer_u8(out, '"');
}

static bool strings_read(const search_setting_row *row, core_json_reader *reader,
                         core_json_token token, const char *place, core_buffer *out,
                         search_refusal *refusal) {
    char below[SEARCH_PLACE_MAX];
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return search_shape_refuse(row, reader, token, place, "an array", refusal);
    core_buffer_u8(out, '[');
    size_t count = 0;
    for (token = core_json_next(reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(reader)) {
        (void)snprintf(below, sizeof below, "%s[%zu]", place, count);
        if (token.kind != CORE_JSON_STRING)
            return search_shape_refuse(row, reader, token, below, "a string", refusal);
        if (count == row->high)
            return count_refuse(row, place, refusal);
        comma(out, count++);
        string_copy(token.raw, out);
    }
    core_buffer_u8(out, ']');
    return true;
}

static int text_order(const void *a, const void *b) {
    return core_slice_compare(*(const core_slice *)a, *(const core_slice *)b);
}

static bool set_read(const search_setting_row *row, core_json_reader *reader, core_json_token token,
                     const char *place, core_buffer *out, search_refusal *refusal) {
    core_buffer list;
    core_arena arena;
    core_slice *texts;
    size_t count, written = 0;
    core_buffer_init(&list, SEARCH_SETTINGS_BYTES_MAX);
    core_arena_init(&arena, 4096, SEARCH_SETTINGS_BYTES_MAX);
    bool ok = strings_read(row, reader, token, place, &list, refusal);
    if (ok && !(ok = search_json_strings(core_buffer_slice(&list), &arena, &texts, &count)))
        (void)value_refuse(row, place, refusal, "its texts are too long, or no valid text");
    if (ok) {
        core_json_writer json = core_json_writer_make(out);
        if (count > 1)
            qsort(texts, count, sizeof *texts, text_order);
        core_json_array_open(&json);
        for (size_t i = 0; i < count; i++)
            if (written++ == 0 || !core_slice_equal(texts[i], texts[i - 1]))
                core_json_string(&json, texts[i]);
        core_json_array_close(&json);
    }
    core_arena_fini(&arena);
    core_buffer_fini(&list);
    return ok;
}

/* A name, or {"attributePatterns": [names], "features": {…}}, which is kept as it is. */
static bool filterable_read(const search_setting_row *row, core_json_reader *reader,
                            core_json_token token, const char *place, core_buffer *out,
                            search_refusal *refusal) {
    char below[SEARCH_PLACE_MAX];
    core_slice whole;
    size_t count = 0;
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return search_shape_refuse(row, reader, token, place, "an array", refusal);
    core_buffer_u8(out, '[');
    for (token = core_json_next(reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(reader)) {
        (void)snprintf(below, sizeof below, "%s[%zu]", place, count);
        if (count == row->high)
            return count_refuse(row, place, refusal);
        if (token.kind != CORE_JSON_STRING && token.kind != CORE_JSON_OBJECT_OPEN)
            return search_shape_refuse(row, reader, token, below, "a string or an object", refusal);
        bool is_object = token.kind == CORE_JSON_OBJECT_OPEN;
        if (!core_json_skip(reader, token, &whole))
            return search_shape_refuse(row, reader, (core_json_token){.kind = CORE_JSON_INVALID},
                                       below, "", refusal);
        if (is_object && memmem(whole.data, whole.length, "\"attributePatterns\"", 19) == NULL)
            return value_refuse(row, below, refusal, "missing field `attributePatterns`");
        comma(out, count++);
        core_buffer_slice_append(out, whole);
    }
    core_buffer_u8(out, ']');
    return true;
}

/* ---- Ranking rules ---- */

static bool rule_ok(core_slice raw, unsigned *attributes) {
    static const char *const names[] = {"words", "typo", "proximity", "sort", "exactness"};
    static const char *const ends[] = {":asc", ":desc"};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++)
        if (core_slice_is(raw, names[i]))
            return true;
    if (core_slice_is(raw, "attribute"))
        return *attributes |= 1, true;
    if (core_slice_is(raw, "attributeRank") || core_slice_is(raw, "wordPosition"))
        return *attributes |= 2, true;
    for (size_t i = 0; i < CORE_COUNT_OF(ends); i++) {
        size_t length = strlen(ends[i]);
        if (raw.length > length && memcmp(raw.data + raw.length - length, ends[i], length) == 0)
            return true;
    }
    return false;
}

static bool rules_read(const search_setting_row *row, core_json_reader *reader,
                       core_json_token token, const char *place, core_buffer *out,
                       search_refusal *refusal) {
    core_json_reader again = *reader;
    unsigned attributes = 0;
    if (!strings_read(row, reader, token, place, out, refusal))
        return false;
    size_t count = 0;
    for (token = core_json_next(&again); token.kind == CORE_JSON_STRING;
         token = core_json_next(&again), count++)
        if (!rule_ok(token.raw, &attributes))
            return search_refuse(
                refusal, row->code,
                "Invalid value at `%s[%zu]`: `%.*s` ranking rule is invalid. Valid "
                "ranking rules are words, typo, sort, proximity, attribute, "
                "attributeRank, wordPosition, exactness and custom ranking rules.",
                place, count, token.raw.length < 100 ? (int)token.raw.length : 100,
                (const char *)token.raw.data);
    return attributes != 3 ||
           search_refuse(refusal, row->code,
                         "Mixed usage of the attribute, attributeRank, and wordPosition ranking "
                         "rules. You must either use the attribute ranking rule alone or the "
                         "attributeRank and wordPosition ranking rules.");
}

/* ---- Objects ---- */

/* Each member by `member`, which writes its value. */
typedef bool member_reader(const search_setting_row *row, core_json_reader *reader,
                           core_json_token token, const char *place, core_buffer *out,
                           search_refusal *refusal);

static bool object_read(const search_setting_row *row, core_json_reader *reader,
                        core_json_token token, const char *place, core_buffer *out,
                        search_refusal *refusal, member_reader *member) {
    char below[SEARCH_PLACE_MAX];
    size_t count = 0;
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return search_shape_refuse(row, reader, token, place, "an object", refusal);
    core_buffer_u8(out, '{');
    while (core_json_member_next(reader, &token)) {
        int shown = token.key.length < 100 ? (int)token.key.length : 100;
        (void)snprintf(below, sizeof below, "%s.%.*s", place, shown, (const char *)token.key.data);
        if (count == row->high)
            return count_refuse(row, place, refusal);
        comma(out, count++);
        string_copy(token.key, out);
        core_buffer_u8(out, ':');
        if (!member(row, reader, token, below, out, refusal))
            return false;
    }
    core_buffer_u8(out, '}');
    return !reader->failed ||
           search_shape_refuse(row, reader, (core_json_token){.kind = CORE_JSON_INVALID}, place, "",
                               refusal);
}

static bool choice_read(const search_setting_row *row, core_json_reader *reader,
                        core_json_token token, const char *place, const char *one,
                        const char *other, core_buffer *out, search_refusal *refusal) {
    if (token.kind != CORE_JSON_STRING)
        return search_shape_refuse(row, reader, token, place, "a string", refusal);
    if (!core_slice_is(token.raw, one) && !core_slice_is(token.raw, other)) {
        return search_refuse(
            refusal, row->code, "Unknown value `%.*s`%s%s%s: expected one of `%s`, `%s`",
            token.raw.length < 100 ? (int)token.raw.length : 100, (const char *)token.raw.data,
            place[0] != '\0' ? " at `" : "", place, place[0] != '\0' ? "`" : "", one, other);
    }
    string_copy(token.raw, out);
    return true;
}

static bool facet_order_read(const search_setting_row *row, core_json_reader *reader,
                             core_json_token token, const char *place, core_buffer *out,
                             search_refusal *refusal) {
    return choice_read(row, reader, token, place, "alpha", "count", out, refusal);
}

/* Walcast calls no model: what finds neighbours is a column of the table. */
static bool embedder_read(const search_setting_row *row, core_json_reader *reader,
                          core_json_token token, const char *place, core_buffer *out,
                          search_refusal *refusal) {
    (void)reader;
    (void)out;
    (void)token;
    return value_refuse(row, place, refusal,
                        "embedders are not offered: nearest neighbours come from a pgvector column "
                        "of an index of tables (`vector` in its definition)");
}

/* ---- Languages ---- */

static bool localized_read(const search_setting_row *row, core_json_reader *reader,
                           core_json_token token, const char *place, core_buffer *out,
                           search_refusal *refusal) {
    core_slice whole;
    size_t count = 0;
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return search_shape_refuse(row, reader, token, place, "an array", refusal);
    core_buffer_u8(out, '[');
    for (token = core_json_next(reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(reader)) {
        if (token.kind != CORE_JSON_OBJECT_OPEN)
            return search_shape_refuse(row, reader, token, place, "an object", refusal);
        if (count == row->high)
            return count_refuse(row, place, refusal);
        if (!core_json_skip(reader, token, &whole))
            return search_shape_refuse(row, reader, (core_json_token){.kind = CORE_JSON_INVALID},
                                       place, "", refusal);
        if (memmem(whole.data, whole.length, "\"locales\"", 9) == NULL ||
            memmem(whole.data, whole.length, "\"attributePatterns\"", 19) == NULL)
            return value_refuse(row, place, refusal,
                                "missing field `locales` or `attributePatterns`");
        comma(out, count++);
        core_buffer_slice_append(out, whole);
    }
    core_buffer_u8(out, ']');
    return true;
}

/* ---- Single values ---- */

static bool number_read(const search_setting_row *row, core_json_reader *reader,
                        core_json_token token, const char *place, core_buffer *out,
                        search_refusal *refusal) {
    uint64_t number;
    char what[120];
    if (token.kind != CORE_JSON_NUMBER || !core_slice_to_u64(token.raw, &number))
        return search_shape_refuse(row, reader, token, place, "a positive integer", refusal);
    if (number == 0 && row->low > 0)
        return value_refuse(row, place, refusal,
                            "a non-zero integer value lower than `18446744073709551615` was "
                            "expected, but found a zero");
    if (number > row->high) {
        (void)snprintf(what, sizeof what,
                       "a number of at most `%llu` was expected, but found `%llu`",
                       (unsigned long long)row->high, (unsigned long long)number);
        return value_refuse(row, place, refusal, what);
    }
    core_buffer_slice_append(out, token.raw);
    return true;
}

static bool string_read(const search_setting_row *row, core_json_reader *reader,
                        core_json_token token, const char *place, core_buffer *out,
                        search_refusal *refusal) {
    if (token.kind != CORE_JSON_STRING)
        return search_shape_refuse(row, reader, token, place, "a string", refusal);
    if (token.raw.length > row->high)
        return value_refuse(row, place, refusal, "the text is too long");
    string_copy(token.raw, out);
    return true;
}

static bool bool_read(const search_setting_row *row, core_json_reader *reader,
                      core_json_token token, const char *place, core_buffer *out,
                      search_refusal *refusal) {
    if (token.kind != CORE_JSON_TRUE && token.kind != CORE_JSON_FALSE)
        return search_shape_refuse(row, reader, token, place, "a boolean", refusal);
    core_buffer_text(out, token.kind == CORE_JSON_TRUE ? "true" : "false");
    return true;
}

bool search_shape_read(const search_setting_row *row, core_json_reader *reader,
                       core_json_token token, const char *place, core_buffer *out,
                       search_refusal *refusal) {
    switch (row->shape) {
    case SEARCH_SHAPE_STRINGS:
        return strings_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_SET:
        return set_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_FILTERABLE:
        return filterable_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_RULES:
        return rules_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_SYNONYMS:
        return object_read(row, reader, token, place, out, refusal, strings_read);
    case SEARCH_SHAPE_FACET_SORT:
        return object_read(row, reader, token, place, out, refusal, facet_order_read);
    case SEARCH_SHAPE_EMBEDDERS:
        return object_read(row, reader, token, place, out, refusal, embedder_read);
    case SEARCH_SHAPE_STRING:
        return string_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_PROXIMITY:
        return choice_read(row, reader, token, place, "byWord", "byAttribute", out, refusal);
    case SEARCH_SHAPE_PREFIX:
        return choice_read(row, reader, token, place, "indexingTime", "disabled", out, refusal);
    case SEARCH_SHAPE_BOOL:
        return bool_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_NUMBER:
        return number_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_LOCALIZED:
        return localized_read(row, reader, token, place, out, refusal);
    case SEARCH_SHAPE_GROUP:
        break;
    }
    return false;
}
