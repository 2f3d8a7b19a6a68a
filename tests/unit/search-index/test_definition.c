/* Definitions of indexes: what is read of a text, and what is refused, where and with which words.
 */
#include "search-index/definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const search_definition *read_text(const char *text, core_problems *problems) {
    const search_definition_facts given = {.project = core_slice_text("shop"),
                                           .environment = core_slice_text("dev")};
    core_problems_init(problems);
    return search_definition_read(core_slice_text(text), &given, problems);
}

static const search_definition *read_good(const char *text) {
    core_problems problems;
    const search_definition *definition = read_text(text, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%zu:%zu %s\n", problems.items[i].place.line, problems.items[i].place.column,
                      problems.items[i].text);
    assert_non_null(definition);
    core_problems_fini(&problems);
    return definition;
}

static void assert_slice(core_slice slice, const char *text) {
    if (!core_slice_is(slice, text))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(slice), text);
}

static const search_field *field_of(const search_definition *it, const char *name) {
    for (size_t i = 0; i < it->field_count; i++)
        if (core_slice_is(it->fields[i].name, name))
            return &it->fields[i];
    fail_msg("no field %s", name);
    return NULL;
}

/* ---- What is read ---- */

static const char products[] =
    "name: products\n"
    "table: public.products\n"
    "fields: {title: 2.5, body: 1, meta->tags: 0.5, category.name: 1.5}\n"
    "filterable: [price, category_id]\n"
    "sortable: [price, created_at]\n"
    "facets: [category.name, meta.color]\n"
    "select: [slug]\n"
    "when: published and deleted_at is null\n"
    "language: english\n"
    "stop_words: [the, a]\n"
    "synonyms: {tv: [television, telly]}\n"
    "typo: {one_from: 5, two_from: 9, except_fields: [slug]}\n"
    "joins: {category: {table: public.categories, key: category_id, fields: [name]}}\n"
    "children: {labels: {table: product_labels, key: product_id, fields: {label: 3}}}\n"
    "security: rls\n"
    "vector: embedding\n"
    "max_total_hits: 500\n";

static void test_scalars(void **state) {
    (void)state;
    const search_definition *it = read_good("name: p\ntable: products\nfields: [title]\n");
    assert_slice(it->project, "shop");
    assert_slice(it->environment, "dev");
    assert_slice(it->tables[0].schema, "public");
    assert_slice(it->tables[0].table, "products");
    assert_true(it->typo.is_enabled);
    assert_int_equal(it->typo.one_characters, 4);
    assert_int_equal(it->typo.two_characters, 8);
    assert_int_equal(it->max_total_hits, 1000);
    assert_int_equal(it->security, SEARCH_SECURITY_NONE);
    assert_int_equal(it->language.length, 0);
    search_definition_release(it);
}

static void test_whole(void **state) {
    (void)state;
    core_problems problems;
    const search_definition *it = read_text(products, &problems);
    assert_null(it); /* category.name is in `fields` and in the join's */
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].place.line, 13);
    core_problems_fini(&problems);
    it = read_good("name: products\n"
                   "table: public.products\n"
                   "fields: {title: 2.5, body: 1, meta->tags: 0.5}\n"
                   "filterable: [price, category_id]\n"
                   "sortable: [price, created_at]\n"
                   "facets: [category.name, meta.color]\n"
                   "select: [slug]\n"
                   "when: published and deleted_at is null\n"
                   "language: english\n"
                   "stop_words: [the, a]\n"
                   "synonyms: {tv: [television, telly]}\n"
                   "typo: {one_from: 5, two_from: 9, except_fields: [slug]}\n"
                   "joins: {category: {table: public.categories, key: category_id, fields: "
                   "[name]}}\n"
                   "children: {labels: {table: product_labels, key: product_id, fields: {label: "
                   "3}}}\n"
                   "security: rls\n"
                   "vector: embedding\n"
                   "max_total_hits: 500\n");
    assert_int_equal(it->field_count, 10);
    assert_true(field_of(it, "title")->weight == 2.5);
    assert_int_equal(field_of(it, "title")->uses, SEARCH_USE_SEARCH | SEARCH_USE_SHOW);
    assert_int_equal(field_of(it, "price")->uses,
                     SEARCH_USE_FILTER | SEARCH_USE_SORT | SEARCH_USE_SHOW);
    assert_int_equal(field_of(it, "slug")->uses, SEARCH_USE_SHOW);
    assert_slice(field_of(it, "meta.tags")->column, "meta");
    assert_int_equal(field_of(it, "meta.tags")->step_count, 1);
    assert_slice(field_of(it, "meta.tags")->steps[0], "tags");
    const search_field *name = field_of(it, "category.name");
    assert_int_equal(name->related, 0);
    assert_slice(name->column, "name");
    assert_int_equal(name->step_count, 0);
    assert_int_equal(name->uses,
                     SEARCH_USE_SEARCH | SEARCH_USE_SHOW | SEARCH_USE_FACET | SEARCH_USE_FILTER);
    assert_int_equal(field_of(it, "labels.label")->related, 1);
    assert_true(field_of(it, "labels.label")->weight == 3);
    assert_true(it->related[1].is_child);
    assert_slice(it->related[1].table.table, "product_labels");
    assert_slice(it->related[0].key, "category_id");
    assert_slice(it->when, "published and deleted_at is null");
    assert_int_equal(it->when_place.line, 8);
    assert_slice(it->language, "english");
    assert_int_equal(it->stop_word_count, 2);
    assert_slice(it->synonyms[0].others[1], "telly");
    assert_int_equal(it->typo.two_characters, 9);
    assert_slice(it->typo.attributes[0], "slug");
    assert_int_equal(it->security, SEARCH_SECURITY_RLS);
    assert_slice(it->vector.column, "embedding");
    assert_slice(it->vector.embedder, "default");
    assert_int_equal(it->vector.metric, SEARCH_METRIC_COSINE);
    assert_int_equal(it->max_total_hits, 500);
    search_definition_release(it);
}

static void test_vector(void **state) {
    (void)state;
    const search_definition *it =
        read_good("name: p\ntable: t\nfields: [a]\nvector: {column: \"\\\"Em B\\\"\", metric: l1, "
                  "embedder: mine, candidates: 7}\n");
    assert_slice(it->vector.column, "Em B");
    assert_slice(it->vector.embedder, "mine");
    assert_int_equal(it->vector.metric, SEARCH_METRIC_L1);
    assert_int_equal(it->vector.candidates, 7);
    search_definition_release(it);
}

static void test_tables_with_conditions(void **state) {
    (void)state;
    const search_definition *it =
        read_good("name: p\ntables: [a, {table: s.b, when: x > 1}, {table: c}]\nfields: [a]\n");
    assert_int_equal(it->table_count, 3);
    assert_int_equal(it->tables[0].when.length, 0);
    assert_slice(it->tables[1].schema, "s");
    assert_slice(it->tables[1].when, "x > 1");
    assert_slice(it->tables[2].table, "c");
    search_definition_release(it);
}

static void test_json_and_names(void **state) {
    (void)state;
    const search_definition *it = read_good(
        "{\"name\": \"2-a_b\", \"project\": \"acme\", \"tables\": [\"\\\"My.S\\\".\\\"T\\\"\", "
        "\"Public.Items\"], \"fields\": [\"\\\"Title\\\"\", \"DOC->'Long Name'->>x\"]}");
    assert_slice(it->project, "acme");
    assert_int_equal(it->table_count, 2);
    assert_slice(it->tables[0].schema, "My.S");
    assert_slice(it->tables[0].table, "T");
    assert_slice(it->tables[1].schema, "public");
    assert_slice(it->tables[1].table, "items");
    assert_slice(it->fields[0].name, "Title");
    assert_slice(it->fields[1].name, "doc.Long Name.x");
    assert_int_equal(it->fields[1].step_count, 2);
    search_definition_release(it);
}

/* ---- What is refused ---- */

#define BASE "name: p\ntable: t\n"

static const struct {
    const char *text;
    size_t line, column;
    const char *says;
} refused[] = {
    {"", 1, 1, "expected a map"},
    {"name: p\nfields: [a]\n", 1, 1, "table: expected, and not given"},
    {BASE, 1, 1, "fields: expected at least one"},
    {"table: t\nfields: [a]\n", 1, 1, "name: expected, and not given"},
    {"name: 'a b'\ntable: t\nfields: [a]\n", 1, 7, "name: expected a name"},
    {BASE "fields: [a]\nfilterabel: [b]\n", 4, 1, "did you mean filterable?"},
    {BASE "fields: [a]\nzzzzzzzz: [b]\n", 4, 1, "expected name, project"},
    {BASE "fields: {a: heavy}\n", 3, 13, "a weight above 0"},
    {BASE "fields: {a: 0}\n", 3, 13, "a weight above 0"},
    {BASE "fields: {a: 1001}\n", 3, 13, "a weight above 0"},
    {BASE "fields: [a, a]\n", 3, 13, "is in it twice"},
    {BASE "fields: [a, b c]\n", 3, 13, "expected a column"},
    {BASE "fields: ['a->']\n", 3, 10, "expected a column"},
    {BASE "fields: [a]\nsortable: x\n", 4, 11, "a list of columns"},
    {BASE "fields: [meta]\nfacets: [meta.color]\n", 4, 10, "is a part of meta"},
    {BASE "fields: [a]\nlanguage: englich\n", 4, 11, "did you mean english?"},
    {BASE "fields: [a]\nstop_words: the\n", 4, 13, "a list of up to 2000 texts"},
    {BASE "fields: [a]\nsynonyms: [a]\n", 4, 11, "a map of at most 2000 words"},
    {BASE "fields: [a]\ntypo: {one_from: 9, two_from: 3}\n", 4, 7, "below one_from"},
    {BASE "fields: [a]\ntypo: {one: 9}\n", 4, 8, "unknown key"},
    {BASE "fields: [a]\nwhen:\n", 4, 1, "has no value"},
    {BASE "fields: [a]\nsecurity: maybe\n", 4, 11, "one of none|rls"},
    {BASE "fields: [a]\nmax_total_hits: 0\n", 4, 17, "a number from 1"},
    {BASE "fields: [a]\njoins: {c: {table: x, key: y}}\n", 4, 12, "{table: SCHEMA.TABLE"},
    {BASE "fields: [c]\njoins: {c: {table: x, key: y, fields: [z]}}\n", 3, 10,
     "name a column of it"},
    {BASE "fields: [a]\njoins: {c: {table: x, key: y, fields: [z], when: q}}\n", 4, 44,
     "expected table, key, fields"},
    {BASE "fields: [a]\ntables: [a, b]\n", 4, 1, "stands beside table"},
    {"name: p\ntables: [a, a]\nfields: [a]\n", 2, 13, "is in it twice"},
    {"name: p\ntables: [a, b]\nfields: [a]\nwhen: x\n", 4, 7, "{table: NAME, when: CONDITION}"},
    {"name: p\ntables: [a, {table: b, where: x}]\nfields: [a]\n", 2, 13, "{table: SCHEMA.TABLE"},
    {"name: p\ntables: [a, {table: a, when: x}]\nfields: [a]\n", 2, 21, "is in it twice"},
    {"name: p\ntable: t\nfields: [a]\nvector: {metric: l2}\n", 4, 9, "column: expected"},
    {"name: p\ntable: t\nfields: [a]\nvector: {column: b, metric: l3}\n", 4, 29, "cosine|l2"},
    {"name: p\ntable: t\nfields: [a]\nvector: {column: b, candidates: 1001}\n", 4, 33, "1 to 1000"},
    {"name: p\ntable: t\nfields: [a]\nvector: meta->b\n", 4, 9, "of the table itself"},
    {"name: p\ntable: a.b.c\nfields: [a]\n", 2, 8, "SCHEMA.TABLE"},
    {"name: p\ntable: t\nfields: [a]\nname: q\n", 4, 1, "name"},
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_problems problems;
        assert_null(read_text(refused[i].text, &problems));
        bool found = false;
        for (size_t j = 0; j < problems.count; j++)
            found |= problems.items[j].place.line == refused[i].line &&
                     problems.items[j].place.column == refused[i].column &&
                     strstr(problems.items[j].text, refused[i].says) != NULL;
        if (!found)
            fail_msg("%s: got %zu:%zu %s", refused[i].text, problems.items[0].place.line,
                     problems.items[0].place.column, problems.items[0].text);
        core_problems_fini(&problems);
    }
}

/* All of a text's problems are told at once. */
static void test_all_at_once(void **state) {
    (void)state;
    core_problems problems;
    assert_null(read_text(BASE "fields: {a: x}\nlanguage: klingon\nsecurity: q\n", &problems));
    assert_int_equal(problems.errors, 3);
    core_problems_fini(&problems);
}

static void test_too_many_fields(void **state) {
    (void)state;
    core_buffer text;
    core_problems problems;
    core_buffer_init(&text, 64 << 10);
    core_buffer_text(&text, BASE "fields:\n");
    for (int i = 0; i <= SEARCH_FIELDS_MAX; i++)
        core_buffer_format(&text, "- c%d\n", i);
    core_buffer_u8(&text, 0);
    assert_null(read_text((const char *)text.data, &problems));
    assert_int_equal(problems.items[0].place.line, 4 + SEARCH_FIELDS_MAX);
    assert_non_null(strstr(problems.items[0].text, "at most 256"));
    core_problems_fini(&problems);
    core_buffer_fini(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_vector),         cmocka_unit_test(test_tables_with_conditions),
        cmocka_unit_test(test_json_and_names), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_at_once),    cmocka_unit_test(test_too_many_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
