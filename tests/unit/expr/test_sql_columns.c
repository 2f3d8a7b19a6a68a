/* Which columns a policy in SQL may read. */
#include "expr/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 23, .key = true},
    {.name = {(const uint8_t *)"owner", 5}, .type_oid = 2950},
    {.name = {(const uint8_t *)"Odd One", 7}, .type_oid = 25},
    {.name = {(const uint8_t *)"big", 3}, .type_oid = 25},
};

enum { ID = 1, OWNER = 2, ODD = 4, BIG = 8, ALL = 15 };

static const struct {
    const char *text;
    unsigned reads;
} cases[] = {
    {"true", 0},
    {"EXISTS (SELECT 1 FROM teams t WHERE t.member = auth.uid())", 0},
    {"id = 7", ID},
    {"((id = 7) OR (owner = ( SELECT auth.uid() AS uid)))", ID | OWNER},
    {"\"Odd One\" = 'x'", ODD},
    {"\"odd one\" = 'x'", 0},
    {"notes.id = 7 AND public.notes.owner IS NULL", ID | OWNER},
    {"(EXISTS ( SELECT FROM public.teams t WHERE (t.org = notes.\"Odd One\")))", ODD},
    /* In whatever clause. */
    {"1 IN (SELECT x FROM generate_series(1, notes.id) x)", ID},
    {"(SELECT count(*) FILTER (WHERE t.a > notes.id) FROM t) > 0", ID},
    {"(SELECT sum(a) OVER (PARTITION BY notes.id ORDER BY notes.owner) FROM t) > 0", ID | OWNER},
    {"EXISTS (SELECT 1 FROM t JOIN u ON t.x = notes.id LIMIT 1)", ID},
    {"EXISTS (SELECT 1 FROM t GROUP BY notes.id HAVING max(a) > notes.id ORDER BY notes.owner)",
     ID | OWNER},
    {"EXISTS (SELECT 1 FROM t LIMIT notes.id)", ID},
    {"EXISTS (WITH w AS (SELECT notes.owner) SELECT 1 FROM w)", OWNER},
    {"EXISTS (SELECT 1 UNION SELECT notes.id)", ID},
    {"EXISTS (SELECT 1 FROM (VALUES (notes.id)) v)", ID},
    {"EXISTS (SELECT 1 FROM LATERAL f(notes.id) v)", ID},
    {"ARRAY[id, 2] @> ARRAY[3]", ID},
    {"(ARRAY[1, 2])[id] = 2", ID},
    {"CASE owner WHEN NULL THEN true ELSE id > 1 END", ID | OWNER},
    {"coalesce(big, nullif(owner::text, 'x')) LIKE 'a%'", BIG | OWNER},
    {"ROW(id, big) IS NOT NULL", ID | BIG},
    {"f(x => id)", ID},
    {"big COLLATE \"C\" < 'x'", BIG},
    {"(id)::text IS DISTINCT FROM 'x' AND (owner IS NULL) IS TRUE", ID | OWNER},
    {"xmlelement(name a, big) IS NOT NULL", BIG},
    /* The same name of another table counts: names are not resolved. */
    {"EXISTS (SELECT 1 FROM teams t WHERE t.owner = auth.uid())", OWNER},
    /* The row itself. */
    {"f(notes.*)", ALL},
    {"f(notes)", ALL},
    {"notes.f", ALL},
    {"public.notes.f", ALL},
    {"notes IS NOT NULL", ALL},
    {"EXISTS (SELECT t.* FROM t)", ALL},
    {"EXISTS (SELECT * FROM t)", ALL},
    {"to_jsonb(notes.*) ->> 'a' = 'x'", ALL},
    /* What cannot be parsed. */
    {"id =", ALL},
    {"", ALL},
    {"true; SELECT 1", ALL},
};

static void reads_what_is_named(void **state) {
    (void)state;
    const core_relation relation = {.schema = core_slice_text("public"),
                                    .table = core_slice_text("notes"),
                                    .column_count = CORE_COUNT_OF(columns),
                                    .columns = columns};
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        bool reads[CORE_COUNT_OF(columns)];
        unsigned got = 0;
        expr_sql_columns(core_slice_text(cases[i].text), &relation, reads);
        for (unsigned c = 0; c < CORE_COUNT_OF(columns); c++)
            got |= reads[c] ? 1u << c : 0;
        if (got != cases[i].reads)
            fail_msg("%s: %u, not %u", cases[i].text, got, cases[i].reads);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_what_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
