/* The ranking rules proximity, attribute and exactness: which document comes first under each. */
#include "search-index/query.h"
#include "store_world.h"

static core_error error;

#define NAMED(text)                                                                                \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static const search_attribute attributes[] = {
    {.name = NAMED("title"), .weight = 1},
    {.name = NAMED("text"), .weight = 1},
    {.name = NAMED("price"), .is_filterable = true, .is_sortable = true},
};

static const char *const documents[] = {
    /* For BM25 the more the better; the words stand apart. */
    "{\"title\":\"-\",\"text\":\"red one two three four wine red six seven eight wine red wine\","
    "\"price\":1}",
    "{\"title\":\"-\",\"text\":\"a long text about many things and a red wine among them all\","
    "\"price\":2}",
    "{\"title\":\"-\",\"text\":\"of wine red is some other kind of a sentence with more words\","
    "\"price\":3}",
    "{\"title\":\"a red thing with many further words in its title\",\"text\":\"wine\","
    "\"price\":4}",
    "{\"title\":\"-\",\"text\":\"wines wines wines\",\"price\":5}",
    "{\"title\":\"-\",\"text\":\"green winery winery winery\",\"price\":6}",
    "{\"title\":\"-\",\"text\":\"green text of many words that has a wine in it somewhere\","
    "\"price\":7}",
    "{\"title\":\"blue among many words of a long title\",\"text\":\"-\",\"price\":8}",
    "{\"title\":\"-\",\"text\":\"blue blue\",\"price\":9}",
    "{\"title\":\"merlot\",\"text\":\"-\",\"price\":10}",
    "{\"title\":\"-\",\"text\":\"merlot grapes\",\"price\":11}",
};

typedef struct {
    world w;
    search_backend *backend;
    search_reader *reader;
} cellar;

static void cellar_open(cellar *c, const search_rule_kind *kinds, size_t count) {
    search_ranking_rule rules[8];
    search_schema_spec spec = search_schema_defaults();
    search_item items[CORE_COUNT_OF(documents)];
    search_item_result results[CORE_COUNT_OF(documents)];
    char ids[CORE_COUNT_OF(documents)][8];
    for (size_t i = 0; i < count; i++)
        rules[i] = (search_ranking_rule){.kind = kinds[i]};
    spec.ranking_rules = rules;
    spec.ranking_rule_count = count;
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    world_init(&c->w);
    search_schema_release(c->w.schema);
    c->w.schema = search_schema_new(&spec, &error);
    assert_non_null(c->w.schema);
    c->backend = world_open(&c->w, c->w.path);
    for (size_t i = 0; i < CORE_COUNT_OF(documents); i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%zu", i);
        items[i] = (search_item){
            .id = core_slice_text(ids[i]), .json = core_slice_text(documents[i]), .version = i + 1};
    }
    assert_true(search_backend_apply(c->backend, items, CORE_COUNT_OF(documents), results, &error));
    assert_true(world_commit(c->backend, CORE_COUNT_OF(documents), &error));
    c->reader = search_backend_reader_new(c->backend, &error);
    assert_non_null(c->reader);
}

static void cellar_fini(cellar *c) {
    search_reader_free(c->reader);
    search_backend_close(c->backend);
    world_fini(&c->w);
}

/* Ids in their order; scores never rise. */
static void expect(cellar *c, const char *q, const char *expected) {
    char text[100] = "";
    size_t length = 0;
    search_request request = search_request_defaults();
    request.q = core_slice_text(q);
    request.strategy = SEARCH_STRATEGY_ALL;
    search_hits *hits = search_reader_query(c->reader, &request, &error);
    assert_non_null(hits);
    for (uint32_t i = 0; i < hits->hit_count; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%.*s", i > 0 ? " " : "",
                                   CORE_SLICE_ARGS(hits->hits[i].id));
        assert_true(hits->hits[i].score >= 0 && hits->hits[i].score <= 1);
        assert_true(i == 0 || hits->hits[i].score <= hits->hits[i - 1].score + 1e-9);
    }
    search_hits_free(hits);
    if (strcmp(text, expected) != 0)
        fail_msg("`%s` gave `%s`, not `%s`", q, text, expected);
}

static void without_the_rules_bm25_decides(void **state) {
    (void)state;
    static const search_rule_kind kinds[] = {SEARCH_RULE_WORDS, SEARCH_RULE_TYPO};
    cellar c;
    cellar_open(&c, kinds, CORE_COUNT_OF(kinds));
    expect(&c, "red wine ", "0 3 1 2");
    expect(&c, "green wine", "5 6");
    expect(&c, "blue ", "8 7");
    cellar_fini(&c);
}

static void words_that_stand_together_come_first(void **state) {
    (void)state;
    static const search_rule_kind kinds[] = {SEARCH_RULE_WORDS, SEARCH_RULE_PROXIMITY};
    cellar c;
    cellar_open(&c, kinds, CORE_COUNT_OF(kinds));
    /* Side by side, by BM25; then against the query's order; then in two attributes. */
    expect(&c, "red wine ", "0 1 2 3");
    expect(&c, "wine red ", "0 2 1 3");
    /* Far from one another it is all the same. */
    expect(&c, "long all ", "1");
    expect(&c, "\"red wine\" them ", "1");
    cellar_fini(&c);
}

static void words_of_earlier_attributes_come_first(void **state) {
    (void)state;
    static const search_rule_kind kinds[] = {SEARCH_RULE_WORDS, SEARCH_RULE_ATTRIBUTE};
    cellar c;
    cellar_open(&c, kinds, CORE_COUNT_OF(kinds));
    expect(&c, "blue ", "7 8");
    expect(&c, "red wine ", "3 0 1 2");
    cellar_fini(&c);
}

static void words_as_they_were_written_come_first(void **state) {
    (void)state;
    static const search_rule_kind kinds[] = {SEARCH_RULE_EXACTNESS};
    cellar c;
    cellar_open(&c, kinds, CORE_COUNT_OF(kinds));
    expect(&c, "green wine", "6 5");
    cellar_fini(&c);
}

/* A rule in front of `words`: documents of fewer words may come first, so none is left out. */
static void rules_stand_where_they_are_put(void **state) {
    (void)state;
    static const search_rule_kind kinds[] = {SEARCH_RULE_ATTRIBUTE, SEARCH_RULE_WORDS};
    cellar c;
    cellar_open(&c, kinds, CORE_COUNT_OF(kinds));
    search_request request = search_request_defaults();
    request.q = core_slice_text("merlot grapes ");
    request.limit = 1;
    search_hits *hits = search_reader_query(c.reader, &request, &error);
    assert_non_null(hits);
    assert_int_equal(hits->hit_count, 1);
    assert_true(core_slice_is(hits->hits[0].id, "9"));
    search_hits_free(hits);
    cellar_fini(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_rules_bm25_decides),
        cmocka_unit_test(words_that_stand_together_come_first),
        cmocka_unit_test(words_of_earlier_attributes_come_first),
        cmocka_unit_test(words_as_they_were_written_come_first),
        cmocka_unit_test(rules_stand_where_they_are_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
