/* SQL conditions by table: typing, nulls, errors, positions, folding, what is covered. That they
 * mean what PostgreSQL means, thousands of random ones show (integration/conditions.test.mjs). */
#include "expr/expr.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 23, .key = true},
    {.name = {(const uint8_t *)"owner", 5}, .type_oid = 2950},
    {.name = {(const uint8_t *)"title", 5}, .type_oid = 25},
    {.name = {(const uint8_t *)"price", 5}, .type_oid = 1700},
    {.name = {(const uint8_t *)"done", 4}, .type_oid = 16},
    {.name = {(const uint8_t *)"mood", 4},
     .type_oid = 20000,
     .type_name = {(const uint8_t *)"mood", 4}},
    {.name = {(const uint8_t *)"meta", 4}, .type_oid = 3802},
    {.name = {(const uint8_t *)"tags", 4}, .type_oid = 1009},
    {.name = {(const uint8_t *)"big", 3}, .type_oid = 20},
    {.name = {(const uint8_t *)"code", 4}, .type_oid = 1042},
};

static core_relation relation_make(void) {
    return (core_relation){.schema = core_slice_text("public"),
                           .table = core_slice_text("orders"),
                           .column_count = CORE_COUNT_OF(columns),
                           .columns = columns};
}

#define ADA   "00000000-0000-0000-0000-00000000000a"
#define UIDS  "SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'"
#define CLAIM "{\"sub\":\"" ADA "\",\"role\":\"authenticated\",\"team\":{\"ids\":[1,\"x\"]}}"

static const struct {
    const char *name;
    expr_function function;
} functions[] = {
    {"jwt",
     {.body = {(const uint8_t *)"SELECT current_setting('request.jwt.claims', true)::jsonb", 0},
      .result_oid = 3802}},
    {"uid", {.body = {(const uint8_t *)"SELECT (" UIDS ")::uuid", 0}, .result_oid = 2950}},
    {"same",
     {.body = {(const uint8_t *)"RETURN x = $2", 0},
      .result_oid = 16,
      .is_strict = true,
      .argument_count = 2,
      .argument_oids = {25, 25},
      .argument_names = {{(const uint8_t *)"x", 1}}}},
    {"loop", {.body = {(const uint8_t *)"SELECT loop()", 0}, .result_oid = 16}},
    {"table_reader", {.body = {(const uint8_t *)"SELECT true FROM t", 0}, .result_oid = 16}},
    {"doubled",
     {.body = {(const uint8_t *)"SELECT $1 || $1", 0},
      .result_oid = 25,
      .argument_count = 1,
      .argument_oids = {25}}},
};

static bool function_find(void *context, core_slice schema, core_slice name, size_t arguments,
                          expr_function *function) {
    (void)context;
    (void)schema;
    for (size_t i = 0; i < CORE_COUNT_OF(functions); i++) {
        if (!core_slice_is(name, functions[i].name) ||
            functions[i].function.argument_count != arguments)
            continue;
        *function = functions[i].function;
        function->body = core_slice_text((const char *)function->body.data);
        return true;
    }
    return false;
}

static expr_condition *compile(const char *text, bool has_images, expr_refusal *refusal) {
    core_relation relation = relation_make();
    expr_condition_spec spec = {.text = core_slice_text(text),
                                .relation = &relation,
                                .has_images = has_images,
                                .function = function_find};
    return expr_condition_new(&spec, refusal);
}

static expr_condition *compile_for(const char *text, const char *claims) {
    expr_refusal refusal;
    expr_settings settings = {.claims_json = core_slice_text(claims), .role = "authenticated"};
    expr_condition *condition = compile(text, false, &refusal);
    if (condition == NULL)
        fail_msg("%s: %s", text, refusal.error.text);
    expr_condition *folded = expr_condition_fold(condition, &settings, &refusal);
    if (folded == NULL)
        fail_msg("%s: %s", text, refusal.error.text);
    expr_condition_release(condition);
    return folded;
}

/* NULL is null, "?" an unchanged value. */
static void row_fill(core_value values[CORE_COUNT_OF(columns)], const char *const *texts) {
    for (size_t i = 0; i < CORE_COUNT_OF(columns); i++) {
        values[i] = (core_value){.kind = CORE_VALUE_NULL};
        if (texts[i] != NULL && strcmp(texts[i], "?") == 0)
            values[i].kind = CORE_VALUE_UNCHANGED;
        else if (texts[i] != NULL)
            values[i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(texts[i])};
    }
}

static const char *const whole_row[] = {"7",
                                        ADA,
                                        "Tea",
                                        "1.50",
                                        "t",
                                        "sad",
                                        "{\"a\": {\"b\": [1, \"two\"]}}",
                                        "{a,\"b c\"}",
                                        "9223372036854775807",
                                        "ab    "};
static const char *const null_row[CORE_COUNT_OF(columns)] = {NULL};
/* All but the keys is unchanged. */
static const char *const key_row[] = {"7", "?", "?", "?", "?", "?", "?", "?", "?", "?"};

static expr_verdict verdict_of(const char *text, const char *const *texts) {
    core_value values[CORE_COUNT_OF(columns)];
    row_fill(values, texts);
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    expr_condition *condition = compile_for(text, CLAIM);
    expr_verdict verdict = expr_condition_evaluate(condition, &tuple, NULL, NULL);
    expr_condition_release(condition);
    return verdict;
}

enum {
    T = EXPR_VERDICT_TRUE,
    F = EXPR_VERDICT_FALSE,
    U = EXPR_VERDICT_UNKNOWN,
    M = EXPR_VERDICT_MISSING,
    E = EXPR_VERDICT_ERROR,
    Q = EXPR_VERDICT_UNDECIDED
};

/* Of the whole row, the row of nulls, and the one with only its key. */
static const struct {
    const char *text;
    int verdicts[3];
} cases[] = {
    {"id = 7", {T, U, T}},
    {"public.orders.id = orders.id", {T, U, T}},
    {"id = '7' AND owner = auth.uid()", {T, U, M}},
    {"owner = auth.uid() AND id = 8", {F, U, F}},
    {"owner = auth.uid() OR id = 7", {T, U, T}},
    {"( SELECT auth.uid() AS uid) = owner", {T, U, M}},
    {"title IS NULL", {F, T, M}},
    {"title IS NOT NULL AND done IS NOT FALSE", {T, F, M}},
    {"(title = 'x') IS UNKNOWN", {F, T, M}},
    {"title IS DISTINCT FROM NULL", {T, F, M}},
    {"price = 1.5 AND price::text = '1.50'", {T, U, M}},
    {"big + 1 > 0", {E, U, M}},
    {"big + 1 > 0 OR id = 7", {E, U, M}},
    {"id = 7 OR big + 1 > 0", {T, U, T}},
    {"id / 0 = 1", {E, U, E}},
    {"id = 8 AND id / 0 = 1", {F, U, F}},
    {"CASE WHEN id = 7 THEN done ELSE title = 'x' END", {T, U, M}},
    {"coalesce(done, id = 7)", {T, U, M}},
    {"nullif(title, 'Tea') IS NULL", {T, T, M}},
    {"mood IN ('sad', 'ok')", {T, U, M}},
    {"mood = 'ok'::mood", {F, U, M}},
    {"id IN (1, 7, NULL)", {T, U, T}},
    {"id NOT IN (1, NULL)", {U, U, U}},
    {"id = ANY ('{7,8}')", {T, U, T}},
    {"id <> ALL (ARRAY[]::int[])", {T, T, T}},
    {"'b c' = ANY (tags)", {T, U, M}},
    {"title LIKE 'T%' AND title ~ '^T.a$'", {T, U, M}},
    {"title ILIKE 'tea' AND lower(title) = 'tea'", {T, U, M}},
    {"meta -> 'a' ->> 'c' IS NULL AND meta #>> '{a,b,-1}' = 'two'", {T, U, M}},
    {"code = 'ab' AND code::text || '!' = 'ab!' AND code LIKE 'ab  %'", {T, U, M}},
    {"same(title, 'Tea') AND public.same('x', 'x')", {T, U, M}},
    {"doubled(title) = 'TeaTea'", {T, U, M}},
    {"(current_setting('request.jwt.claims', true)::jsonb -> 'team' -> 'ids') ? 'x'", {T, T, T}},
    {"current_setting('request.jwt.claim.sub', true) IS NULL AND current_role = 'authenticated'",
     {T, T, T}},
    {"title::uuid = owner", {E, U, M}},
    {"title::timestamptz IS NULL", {Q, T, M}},
    {"price BETWEEN 1 AND 2 AND NOT price > 1.5", {T, U, M}},
    {"greatest(price, id) = 7 AND least(id, 3) = 3", {T, U, M}},
    {"title COLLATE \"C\" < 'U'", {T, U, M}},
    {"title IN (SELECT 'Tea')", {T, U, M}},
    {"'two' IN (SELECT jsonb_array_elements_text(meta #> '{a,b}'))", {T, F, M}},
    {"'x' = ANY (ARRAY(SELECT jsonb_array_elements_text(auth.jwt() #> '{team,ids}')))", {T, T, T}},
    {"title = ANY (string_to_array('a,Tea', ','))", {T, U, M}},
    {"tags @> ARRAY['a', title] OR tags && '{\"b c\"}'", {T, U, M}},
    {"meta @> '{\"a\": {\"b\": [\"two\"]}}' AND NOT meta <@ '{}'", {T, U, M}},
    {"right(title, 2) || substr(title, 2, 1) || replace(title, 'T', '') = 'eaeea'", {T, U, M}},
    {"split_part(title, 'e', 2) = 'a' AND length(code) = 2", {T, U, M}},
};

static void test_verdicts(void **state) {
    (void)state;
    const char *const *const rows[] = {whole_row, null_row, key_row};
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        for (size_t row = 0; row < 3; row++) {
            int verdict = (int)verdict_of(cases[i].text, rows[row]);
            if (verdict != cases[i].verdicts[row])
                fail_msg("%s, row %zu: %s", cases[i].text, row,
                         expr_verdict_name((expr_verdict)verdict));
        }
    }
}

static const struct {
    const char *text;
    expr_refusal_kind kind;
    size_t position;
    const char *shown;
} refusals[] = {
    {"", EXPR_REFUSED_WRONG, 1, "syntax error at end of input"},
    {"id = ", EXPR_REFUSED_WRONG, 6, "syntax error at end of input"},
    {"id = = 1", EXPR_REFUSED_WRONG, 6, "syntax error at or near \"=\""},
    {"true; DROP TABLE t", EXPR_REFUSED_WRONG, 5, "ends no condition"},
    {"true GROUP BY id", EXPR_REFUSED_WRONG, 0, "one expression"},
    {"true UNION SELECT", EXPR_REFUSED_WRONG, 0, "one expression"},
    {"id", EXPR_REFUSED_WRONG, 1, "must be type boolean, not type integer"},
    {"title = 'é' AND nope = 1", EXPR_REFUSED_WRONG, 17, "column \"nope\" does not exist"},
    {"id = owner", EXPR_REFUSED_WRONG, 4, "no comparison of integer with uuid"},
    {"other.id = 1", EXPR_REFUSED_WRONG, 1, "no table"},
    {"owner = 'x'", EXPR_REFUSED_WRONG, 9, "invalid input syntax for type uuid"},
    {"id = 1/0", EXPR_REFUSED_WRONG, 7, "division by zero"},
    {"$1 = 1", EXPR_REFUSED_WRONG, 1, "no parameter $1"},
    {"title < 'a'", EXPR_REFUSED_UNSUPPORTED, 7, "collation"},
    {"mood < 'ok'", EXPR_REFUSED_UNSUPPORTED, 6, "order of type mood"},
    {"id = (SELECT max(id) FROM orders)", EXPR_REFUSED_UNSUPPORTED, 6, "sub-query"},
    {"title IN (SELECT public.jsonb_array_elements_text(meta))", EXPR_REFUSED_UNSUPPORTED, 18,
     "function public.jsonb_array_elements_text"},
    {"title OPERATOR(public.=) 'x'", EXPR_REFUSED_UNSUPPORTED, 7, "another schema"},
    {"title OPERATOR(public.=) ANY (SELECT 'x')", EXPR_REFUSED_UNSUPPORTED, 7, "compared as"},
    {"public.lower(title) = 'x'", EXPR_REFUSED_UNSUPPORTED, 1, "function public.lower"},
    {"nullif(NULL, title) IS NULL", EXPR_REFUSED_UNSUPPORTED, 1, "NULLIF"},
    {"nullif('x', 'x') = title", EXPR_REFUSED_UNSUPPORTED, 1, "NULLIF"},
    {"title IN (SELECT title FROM orders)", EXPR_REFUSED_UNSUPPORTED, 7, "sub-query"},
    {"EXISTS (SELECT 1)", EXPR_REFUSED_UNSUPPORTED, 1, "sub-query"},
    {"now() > '2024-01-01'", EXPR_REFUSED_UNSUPPORTED, 1, "hangs on the time"},
    {"current_date > '2024-01-01'", EXPR_REFUSED_UNSUPPORTED, 1, "hangs on the time"},
    {"random() < 0.5", EXPR_REFUSED_UNSUPPORTED, 1, "another each time"},
    {"session_user = 'x'", EXPR_REFUSED_UNSUPPORTED, 1, "session"},
    {"price / 3 > 1", EXPR_REFUSED_UNSUPPORTED, 7, "not computed"},
    {"title::varchar(3) = 'x'", EXPR_REFUSED_UNSUPPORTED, 6, "length or precision"},
    {"title ~ '(?i)x'", EXPR_REFUSED_UNSUPPORTED, 7, "regular expression"},
    {"nothing_such(id)", EXPR_REFUSED_UNSUPPORTED, 1, "function nothing_such"},
    {"table_reader()", EXPR_REFUSED_UNSUPPORTED, 1, "SELECT and one expression"},
    {"loop()", EXPR_REFUSED_UNSUPPORTED, 1, "too deeply"},
    {"current_setting('app.x', true) = 'y'", EXPR_REFUSED_UNSUPPORTED, 1, "setting \"app.x\""},
    {"ctid IS NULL", EXPR_REFUSED_UNSUPPORTED, 1, "does not tell"},
    {"orders IS NULL", EXPR_REFUSED_UNSUPPORTED, 1, "whole row"},
    {"(id, title) = (1, 'x')", EXPR_REFUSED_UNSUPPORTED, 0, "does not know"},
};

static void test_refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(refusals); i++) {
        expr_refusal refusal;
        expr_condition *condition = compile(refusals[i].text, false, &refusal);
        if (condition != NULL)
            fail_msg("%s is taken", refusals[i].text);
        if (refusal.kind != refusals[i].kind || refusal.position != refusals[i].position ||
            strstr(refusal.error.text, refusals[i].shown) == NULL)
            fail_msg("%s: kind %d, position %zu: %s", refusals[i].text, (int)refusal.kind,
                     refusal.position, refusal.error.text);
    }
}

/* `part` again and again between two ends. */
static char *repeated(const char *start, const char *part, size_t count, const char *end) {
    size_t size = strlen(start) + count * strlen(part) + strlen(end) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    char *at = text + snprintf(text, size, "%s", start);
    for (size_t i = 0; i < count; i++)
        at += snprintf(at, size - (size_t)(at - text), "%s", part);
    (void)snprintf(at, size - (size_t)(at - text), "%s", end);
    return text;
}

static void test_limits(void **state) {
    (void)state;
    const struct {
        const char *start, *part;
        size_t count;
        const char *end;
        bool taken;
    } texts[] = {
        {"id IN (0", ",1", 4000, ")", true},
        {"id IN (0", ",1", 4100, ")", false},
        {"true", " AND id = 1", 1300, "", true},
        {"true", " AND id = 1", 1400, "", false},
        {"", "NOT ", 90, "done", true},
        {"", "NOT ", 110, "done", false},
        {"id = 0", "+1", 20000, "", false},
        {"", "NOT ", 9000, "done", false},
        {"", "(", 20000, "", false},
        {"", "CASE ", 12000, "", false},
        {"title = '", "x", 60000, "'", true},
        {"title = '", "x", 70000, "'", false},
        {"", "doubled(", 13, "title", false},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        expr_refusal refusal;
        char *text = repeated(texts[i].start, texts[i].part, texts[i].count, texts[i].end);
        expr_condition *condition = compile(text, false, &refusal);
        if ((condition != NULL) != texts[i].taken)
            fail_msg("%.40s...: %s", text, condition != NULL ? "taken" : refusal.error.text);
        expr_condition_release(condition);
        free(text);
    }
    expr_refusal refusal;
    char *calls = repeated("", "doubled(", 13, "title");
    char *closed = repeated(calls, ")", 13, " = ''");
    assert_null(compile(closed, false, &refusal)); /* 2^13 titles */
    assert_int_equal(refusal.kind, EXPR_REFUSED_LIMIT);
    free(calls);
    free(closed);
}

static void test_folding(void **state) {
    (void)state;
    static const struct {
        const char *text, *claims;
        int verdict; /* -1: not constant */
    } folds[] = {
        {"1 = 1", CLAIM, T},
        {"id = 1 AND false", CLAIM, F},
        {"id = 1 OR true", CLAIM, T},
        {"auth.uid() IS NOT NULL", CLAIM, T},
        {"auth.uid() IS NOT NULL", "{}", F},
        {"auth.uid() IS NOT NULL", "", F},
        {"auth.uid() IS NOT NULL", "{\"sub\":\"me\"}", E},
        {"owner = auth.uid()", "{\"sub\":\"me\"}", E},
        {"owner = auth.uid()", "{", E},
        {"owner = auth.uid()", "{}", U},
        {"owner = auth.uid()", CLAIM, -1},
        {"id = 1 OR auth.uid() IS NOT NULL", CLAIM, T},
        {"id / 0 = 1 OR auth.uid() IS NOT NULL", CLAIM, -1}, /* the error comes first */
        {"current_user = 'anon' AND title ~ 'x'", CLAIM, F},
        {"title ~ (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')", CLAIM, -1},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(folds); i++) {
        expr_verdict verdict = EXPR_VERDICT_FALSE;
        const char *reason = NULL;
        expr_condition *condition = compile_for(folds[i].text, folds[i].claims);
        bool constant = expr_condition_constant(condition, &verdict, &reason);
        if ((constant ? (int)verdict : -1) != folds[i].verdict)
            fail_msg("%s for %s: %s", folds[i].text, folds[i].claims,
                     constant ? expr_verdict_name(verdict) : "not constant");
        assert_false(expr_condition_reads_settings(condition));
        expr_condition_release(condition);
    }
}

static void test_unfolded(void **state) {
    (void)state;
    expr_refusal refusal;
    expr_condition *condition = compile("owner = auth.uid()", false, &refusal);
    core_value values[CORE_COUNT_OF(columns)];
    row_fill(values, whole_row);
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    const char *reason = NULL;
    assert_non_null(condition);
    assert_true(expr_condition_reads_settings(condition));
    assert_int_equal(expr_condition_evaluate(condition, &tuple, NULL, &reason),
                     EXPR_VERDICT_UNDECIDED);
    assert_non_null(strstr(reason, "settings"));
    expr_condition_release(condition);
}

/* Equal texts are equal conditions; other claims are another text. */
static void test_text(void **state) {
    (void)state;
    expr_condition *ada = compile_for("owner = auth.uid()", CLAIM);
    expr_condition *same =
        compile_for("owner = ( SELECT auth.uid() AS uid)", "{\"sub\": \"" ADA "\", \"exp\": 7}");
    expr_condition *other =
        compile_for("owner = auth.uid()", "{\"sub\":\"00000000-0000-0000-0000-00000000000b\"}");
    core_slice text = expr_condition_text(ada);
    assert_true(core_slice_equal(text, expr_condition_text(same)));
    assert_int_equal(expr_condition_hash(ada), expr_condition_hash(same));
    assert_false(core_slice_equal(text, expr_condition_text(other)));
    expr_condition_release(ada);
    expr_condition_release(same);
    expr_condition_release(other);
}

static void test_images(void **state) {
    (void)state;
    expr_refusal refusal;
    expr_condition *condition =
        compile("new.title = 'Tea' AND old.title IS DISTINCT FROM new.title AND old.id IS NULL",
                true, &refusal);
    core_value values[CORE_COUNT_OF(columns)];
    uint16_t indexes[CORE_COUNT_OF(columns)];
    row_fill(values, whole_row);
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    assert_non_null(condition);
    assert_int_equal(expr_condition_evaluate(condition, &tuple, NULL, NULL), EXPR_VERDICT_TRUE);
    assert_int_equal(expr_condition_evaluate(condition, &tuple, &tuple, NULL), EXPR_VERDICT_FALSE);
    assert_int_equal(expr_condition_columns(condition, false, indexes), 1);
    assert_int_equal(indexes[0], 2);
    assert_int_equal(expr_condition_columns(condition, true, indexes), 2);
    expr_condition_release(condition);
    assert_null(compile("title = 'Tea'", true, &refusal));
    assert_int_equal(refusal.kind, EXPR_REFUSED_WRONG);
    assert_non_null(strstr(refusal.error.text, "new.title"));
    assert_null(compile("new.nope = 'Tea'", true, &refusal));
    assert_null(compile("new.id = 1", false, &refusal));
}

/* What the catalog tells of a column counts. */
static void test_facts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool taken;
    } facts_cases[] = {
        {"title = 'x'", false}, /* a collation that is not deterministic */
        {"title COLLATE \"C\" = 'x'", true},
        {"title IS NULL", true},
        {"mood = 'ok'", false}, /* its type is no enum */
        {"code < 'x'", true},   /* "C" */
    };
    expr_column_facts facts[CORE_COUNT_OF(columns)] = {{0}};
    facts[2].collation = EXPR_COLLATION_LOOSE;
    facts[9].collation = EXPR_COLLATION_C;
    core_relation relation = relation_make();
    for (size_t i = 0; i < CORE_COUNT_OF(facts_cases); i++) {
        expr_refusal refusal;
        expr_condition_spec spec = {
            .text = core_slice_text(facts_cases[i].text), .relation = &relation, .facts = facts};
        expr_condition *condition = expr_condition_new(&spec, &refusal);
        if ((condition != NULL) != facts_cases[i].taken)
            fail_msg("%s", facts_cases[i].text);
        expr_condition_release(condition);
    }
}

static void *evaluate_often(void *context) {
    core_value values[CORE_COUNT_OF(columns)];
    row_fill(values, whole_row);
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    for (size_t i = 0; i < 20000; i++)
        if (expr_condition_evaluate(context, &tuple, NULL, NULL) != EXPR_VERDICT_TRUE)
            return context;
    expr_condition_release(context);
    return NULL;
}

/* Many threads, one pattern. */
static void test_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    expr_condition *condition = compile_for("owner = auth.uid() AND title ~ '^(T|t)e+a$'", CLAIM);
    for (size_t i = 0; i < CORE_COUNT_OF(threads); i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, evaluate_often, expr_condition_hold(condition)), 0);
    expr_condition_release(condition);
    for (size_t i = 0; i < CORE_COUNT_OF(threads); i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_folding),
        cmocka_unit_test(test_unfolded), cmocka_unit_test(test_text),
        cmocka_unit_test(test_images),   cmocka_unit_test(test_facts),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
