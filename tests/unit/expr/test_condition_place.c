/* Where an index may put conditions, and that a row leads to each that is true. */
#include "tests/lib/place.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 23, .key = true},
    {.name = {(const uint8_t *)"total", 5}, .type_oid = 1700},
    {.name = {(const uint8_t *)"name", 4}, .type_oid = 25},
    {.name = {(const uint8_t *)"weight", 6}, .type_oid = 701},
    {.name = {(const uint8_t *)"at", 2}, .type_oid = 1114},
    {.name = {(const uint8_t *)"code", 4}, .type_oid = 1042},
    {.name = {(const uint8_t *)"doc", 3}, .type_oid = 3802},
};
static const core_relation relation = {.schema = {(const uint8_t *)"public", 6},
                                       .table = {(const uint8_t *)"orders", 6},
                                       .column_count = CORE_COUNT_OF(columns),
                                       .columns = columns};

static expr_condition *compile(const char *text) {
    expr_refusal refusal;
    expr_condition_spec spec = {
        .text = core_slice_text(text), .relation = &relation, .has_images = true};
    expr_condition *condition = expr_condition_new(&spec, &refusal);
    if (condition == NULL)
        fail_msg("%s: %s", text, refusal.error.text);
    return condition;
}

static void place_write(core_buffer *out, const expr_place *place) {
    static const char *const names[] = {"equal", "range", "prefix", "changed", "null", "not null"};
    core_buffer_format(out, "%s%s %s", out->length > 0 ? " | " : "", place->is_old ? "old" : "new",
                       names[place->kind]);
    core_buffer_format(out, " %.*s", CORE_SLICE_ARGS(columns[place->column].name));
    if (place->kind == EXPR_PLACE_EQUAL)
        core_buffer_format(out, " %u", place->count);
    if (place->kind == EXPR_PLACE_PREFIX)
        core_buffer_format(out, " %.*s", (int)place->prefix_length, (const char *)place->prefix);
    if (place->kind == EXPR_PLACE_RANGE && place->low > place->high)
        core_buffer_text(out, " empty");
    else if (place->kind == EXPR_PLACE_RANGE && place->column == 0)
        core_buffer_format(out, " %" PRId64 "..%" PRId64, place->low, place->high);
}

#define LOWEST  "-9223372036854775808"
#define HIGHEST "9223372036854775807"

static const struct {
    const char *text;
    const char *sets; /* of all numbers, with "; " between */
} cases[] = {
    {"new.id = 7", "new equal id 1"},
    {"old.id in (7, 8) and new.name = 'x'", "old equal id 2; new equal name 1"},
    {"new.id > 7", "new range id 8.." HIGHEST},
    {"7 > new.id", "new range id " LOWEST "..6"},
    {"new.id between 7 and 9", "new range id 7..9"},
    {"new.id >= 7 and new.name = 'x' and new.id < 9", "new range id 7..8; new equal name 1"},
    {"new.id > 9 and new.id < 5", "new range id empty"},
    {"new.id not between 7 and 9", "new range id " LOWEST "..6 | new range id 10.." HIGHEST},
    {"new.total > 1000", "new range total"},
    {"new.at >= '2024-02-29 12:00:00'", "new range at"},
    {"new.name like 'abc%'", "new prefix name abc"},
    {"new.name like 'a\\_c_d%'", "new prefix name a_c"},
    {"new.name like '%abc'", ""},
    {"new.name not like 'abc%'", ""},
    {"new.name ilike 'abc%'", ""},
    {"starts_with(new.name, 'ab') and old.name ^@ 'c'", "new prefix name ab; old prefix name c"},
    {"new.code like 'ab%'", "new prefix code ab"},
    {"new.id is distinct from old.id", "new changed id"},
    {"old.name <> new.name and new.id = 1", "new changed name; new equal id 1"},
    {"old.name <> new.name and 1 / new.id = 1", ""},
    {"new.name is distinct from old.code", ""},
    {"new.doc is not null and old.doc is null", "new not null doc; old null doc"},
    {"new.id is distinct from null", "new not null id"},
    {"new.id = 1 or new.total > 5 or old.name like 'x%'",
     "new equal id 1 | new range total | old prefix name x"},
    {"new.id = 1 or (new.total > 5 and new.id in (2, 3))", "new equal id 3"},
    {"new.id = 1 or new.doc = old.doc", ""},
    /* Nothing behind what may raise. */
    {"1 / new.id = 1 and new.name = 'x'", ""},
    {"new.name = 'x' and 1 / new.id = 1 and new.total > 1", "new equal name 1"},
    {"new.name = 'x' or (1 / new.id = 1 and new.total > 1)", ""},
    {"new.name = 'x' or (new.total > 1 and 1 / new.id = 1)", "new equal name 1 | new range total"},
    {"true", ""},
};

static void test_places(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        uint8_t memory[1024];
        core_buffer out = core_buffer_over(memory, sizeof memory);
        expr_condition *condition = compile(cases[i].text);
        expr_place places[EXPR_PLACES_MAX];
        size_t count = 0;
        for (size_t set = 0; (count = expr_condition_places(condition, set, places)) > 0; set++) {
            uint8_t room[512];
            core_buffer one = core_buffer_over(room, sizeof room);
            for (size_t k = 0; k < count; k++)
                place_write(&one, &places[k]);
            core_buffer_text(&out, set > 0 ? "; " : "");
            core_buffer_slice_append(&out, core_buffer_slice(&one));
        }
        if (!core_slice_is(core_buffer_slice(&out), cases[i].sets))
            fail_msg("%s: %.*s", cases[i].text, CORE_SLICE_ARGS(core_buffer_slice(&out)));
        expr_condition_release(condition);
    }
}

static const char *const values[][CORE_COUNT_OF(columns)] = {
    {"1", "1000.0000000000001", "abc", "NaN", "2024-02-29 12:00:00", "ab    ", "{}"},
    {"7", "-0.00001", "a_cxd", "-1e300", "infinity", "x     ", "1"},
    {"8", "NaN", "ab", "0.1", "1999-01-01 00:00:00", "a     ", "null"},
    {"-2147483648", "123456789012345678901234567890", "", "-0", "-infinity", "      ", "[]"},
    {"0", "1e-300", "x", "1e-300", "2024-02-29 12:00:00.000001", "cc    ", NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
    {"2", "1000.0000000000002", "c", "Infinity", "2024-02-29 11:59:59", "d     ", "2"},
};
#define ROWS CORE_COUNT_OF(values)

static core_tuple tuple_of(size_t row, core_value *room) {
    for (size_t i = 0; i < CORE_COUNT_OF(columns); i++)
        room[i] = values[row][i] != NULL ? (core_value){.kind = CORE_VALUE_TEXT,
                                                        .bytes = core_slice_text(values[row][i])}
                                         : (core_value){.kind = CORE_VALUE_NULL};
    return (core_tuple){.count = CORE_COUNT_OF(columns), .values = room};
}

static void hold_check(const char *text) {
    expr_condition *condition = compile(text);
    for (size_t pair = 0; pair < ROWS * (ROWS + 1); pair++) {
        core_value room[2][CORE_COUNT_OF(columns)];
        core_tuple now = tuple_of(pair % ROWS, room[0]);
        core_tuple before = tuple_of(pair / ROWS % ROWS, room[1]);
        const core_tuple *old = pair / ROWS < ROWS ? &before : NULL;
        expr_verdict verdict = expr_condition_evaluate(condition, &now, old, NULL);
        if (!places_hold(condition, &relation, &now, old, verdict))
            fail_msg("%s: %s of row %zu is not at its places", text, expr_verdict_name(verdict),
                     pair);
    }
    expr_condition_release(condition);
}

static void test_hold(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        hold_check(cases[i].text);
}

/* Each value of each column against each, by each comparison. */
static void test_ranges_hold(void **state) {
    static const char *const operators[] = {"<", "<=", ">", ">=", "="};
    (void)state;
    for (size_t column = 0; column + 1 < CORE_COUNT_OF(columns); column++) {
        for (size_t row = 0; row < ROWS * CORE_COUNT_OF(operators); row++) {
            char text[200];
            const char *value = values[row % ROWS][column];
            bool is_text = columns[column].type_oid == 25 || columns[column].type_oid == 1042;
            if (value == NULL)
                continue;
            (void)snprintf(text, sizeof text, "new.%.*s %s '%s'%s",
                           CORE_SLICE_ARGS(columns[column].name), operators[row / ROWS], value,
                           is_text ? " collate \"C\"" : "");
            hold_check(text);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places), cmocka_unit_test(test_hold),
                                       cmocka_unit_test(test_ranges_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
