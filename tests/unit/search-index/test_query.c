/* Queries over a small index: which documents come, in which order, with which totals and facets.
 */
#include "search-index/query.h"
#include "store_world.h"

static core_error error;

typedef struct {
    world w;
    search_backend *backend;
    search_reader *reader;
} library;

static const search_attribute attributes[] = {
    {.name = {(const uint8_t *)"title", 5}, .weight = 3},
    {.name = {(const uint8_t *)"text", 4}, .weight = 1},
    {.name = {(const uint8_t *)"tags", 4}, .is_filterable = true},
    {.name = {(const uint8_t *)"price", 5}, .is_filterable = true, .is_sortable = true},
    {.name = {(const uint8_t *)"_geo", 4}, .is_filterable = true, .is_sortable = true},
    {.name = {(const uint8_t *)"*", 1}, .weight = 1}};

static const char *const documents[] = {
    "{\"title\":\"The river\",\"text\":\"cold water runs over stones\",\"tags\":[\"Nature\"],"
    "\"price\":5,\"_geo\":{\"lat\":48.1,\"lng\":11.5}}",
    "{\"title\":\"Stones\",\"text\":\"a book about stones and the river "
    "bank\",\"tags\":[\"nature\","
    "\"geology\"],\"price\":20,\"_geo\":{\"lat\":52.5,\"lng\":13.4}}",
    "{\"title\":\"Bank\",\"text\":\"money in the bank, no "
    "water\",\"tags\":[\"money\"],\"price\":11}",
    "{\"title\":\"Mountain\",\"text\":\"a mountian is misspelled here\",\"price\":7}",
    "{\"title\":\"Rivers of the world\",\"text\":\"many a river, many a bank\",\"tags\":[],"
    "\"notes\":{\"by\":\"zebra\"}}",
    "{\"title\":\"東京都の本\",\"text\":\"Ärger in Zürich\",\"tags\":[\"geology\"],\"price\":7}",
};

static void library_open(library *l, search_schema_spec *spec) {
    world_init(&l->w);
    search_schema_release(l->w.schema);
    spec->attributes = attributes;
    spec->attribute_count = CORE_COUNT_OF(attributes);
    l->w.schema = search_schema_new(spec, &error);
    if (l->w.schema == NULL)
        fail_msg("%s", error.text);
    l->backend = world_open(&l->w, l->w.path);
    search_item items[CORE_COUNT_OF(documents)];
    search_item_result results[CORE_COUNT_OF(documents)];
    char ids[CORE_COUNT_OF(documents)][8];
    for (size_t i = 0; i < CORE_COUNT_OF(documents); i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%zu", i);
        items[i] = (search_item){
            .id = core_slice_text(ids[i]), .json = core_slice_text(documents[i]), .version = i + 1};
    }
    if (!search_backend_apply(l->backend, items, CORE_COUNT_OF(documents), results, &error) ||
        !world_commit(l->backend, 6, &error))
        fail_msg("%s", error.text);
    l->reader = search_backend_reader_new(l->backend, &error);
    if (l->reader == NULL)
        fail_msg("%s", error.text);
}

static void library_init(library *l) {
    search_schema_spec spec = search_schema_defaults();
    library_open(l, &spec);
}

static void library_fini(library *l) {
    search_reader_free(l->reader);
    search_backend_close(l->backend);
    world_fini(&l->w);
}

static search_hits *ask(library *l, const search_request *request) {
    search_hits *hits = search_reader_query(l->reader, request, &error);
    if (hits == NULL)
        fail_msg("%s", error.text);
    return hits;
}

/* Ids in their order, then the total when it is another: "1 0 /5". */
static void expect_request(library *l, const search_request *request, const char *expected) {
    char text[200] = "";
    size_t length = 0;
    search_hits *hits = ask(l, request);
    for (uint32_t i = 0; i < hits->hit_count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%.*s", i > 0 ? " " : "",
                                   CORE_SLICE_ARGS(hits->hits[i].id));
    if (hits->total != hits->hit_count)
        (void)snprintf(text + length, sizeof text - length, " /%u", (unsigned)hits->total);
    if (strcmp(text, expected) != 0)
        fail_msg("`%.*s` gave `%s`, not `%s`", CORE_SLICE_ARGS(request->q), text, expected);
    for (uint32_t i = 0; i < hits->hit_count; i++) {
        assert_true(hits->hits[i].score >= 0 && hits->hits[i].score <= 1);
        assert_true(i == 0 || request->sort_count > 0 ||
                    hits->hits[i].score <= hits->hits[i - 1].score + 1e-6);
    }
    search_hits_free(hits);
}

static void expect(library *l, const char *q, const char *expected) {
    search_request request = search_request_defaults();
    request.q = core_slice_text(q);
    expect_request(l, &request, expected);
}

static void expect_all(library *l, const char *q, const char *expected) {
    search_request request = search_request_defaults();
    request.q = core_slice_text(q);
    request.strategy = SEARCH_STRATEGY_ALL;
    expect_request(l, &request, expected);
}

static void words_find_documents(void **state) {
    (void)state;
    library l;
    library_init(&l);
    expect_all(&l, "river ", "0 1 4");      /* the title weighs more, and so does a short text */
    expect_all(&l, "river bank ", "1 4");   /* both */
    expect_all(&l, "stones river ", "1 0"); /* the order of words is nothing */
    expect_all(&l, "nothing ", "");
    expect_all(&l, "zurich ", "5");
    expect_all(&l, "zebra ", "4"); /* an attribute that only the pattern knows */
    library_fini(&l);
}

static void the_last_word_is_a_beginning(void **state) {
    (void)state;
    library l;
    library_init(&l);
    expect_all(&l, "riv", "0 4 1");
    expect_all(&l, "riv ", "");
    expect_all(&l, "many ba", "4");
    search_schema_spec spec = search_schema_defaults();
    library_fini(&l);
    spec.has_prefix_search = false;
    library_open(&l, &spec);
    expect_all(&l, "riv", "");
    library_fini(&l);
}

static void typos_come_behind(void **state) {
    (void)state;
    library l;
    library_init(&l);
    expect_all(&l, "mountain ", "3");
    expect_all(&l, "mountian ", "3");
    expect_all(&l, "wather ", "0 2");
    expect_all(&l, "rver ", "0 1 4");
    expect_all(&l, "xiver ", ""); /* a first letter counts two, and one is allowed */
    expect_all(&l, "\"rver\"", "");
    search_schema_spec spec = search_schema_defaults();
    const core_slice exact[] = {core_slice_text("rver")};
    library_fini(&l);
    spec.typo.words = exact;
    spec.typo.word_count = 1;
    library_open(&l, &spec);
    expect_all(&l, "rver ", "");
    expect_all(&l, "wather ", "0 2");
    library_fini(&l);
    spec.typo = (search_typo_rules){.is_enabled = false};
    library_open(&l, &spec);
    expect_all(&l, "wather ", "");
    library_fini(&l);
}

static void trailing_words_are_dropped_last(void **state) {
    (void)state;
    library l;
    library_init(&l);
    expect(&l, "river bank ", "1 4 0");
    expect(&l, "stones nothing ", "1 0");
    search_request request = search_request_defaults();
    request.strategy = SEARCH_STRATEGY_FREQUENCY;
    request.q = core_slice_text("bank money ");
    expect_request(&l, &request, "2"); /* the commoner one goes, the rarer stays */
    library_fini(&l);
}

static void phrases_and_what_must_not_be_there(void **state) {
    (void)state;
    library l;
    library_init(&l);
    expect_all(&l, "\"river bank\"", "1");
    expect_all(&l, "\"bank river\"", "");
    expect_all(&l, "river -stones ", "4");
    expect_all(&l, "bank -\"river bank\" ", "2 4");
    expect_all(&l, "-river ", "2 3 5");
    search_request request = search_request_defaults();
    request.is_boolean = true;
    request.q = core_slice_text("money OR zebra ");
    expect_request(&l, &request, "2 4");
    request.q = core_slice_text("bank NOT money ");
    expect_request(&l, &request, "1 4");
    library_fini(&l);
}

static void scripts_without_blanks_are_found(void **state) {
    (void)state;
    library l;
    library_init(&l);
    expect_all(&l, "東京", "5");
    expect_all(&l, "京都", "5");
    expect_all(&l, "東京都の", "5");
    expect_all(&l, "都東", "");
    expect_all(&l, "京", "5");
    library_fini(&l);
}

static void attributes_to_search_on(void **state) {
    (void)state;
    library l;
    library_init(&l);
    const core_slice title = core_slice_text("title"), notes = core_slice_text("notes");
    search_request request = search_request_defaults();
    request.strategy = SEARCH_STRATEGY_ALL;
    request.search_on = (search_names){.names = &title, .count = 1, .is_given = true};
    request.q = core_slice_text("stones ");
    expect_request(&l, &request, "1");
    request.search_on.names = &notes;
    expect_request(&l, &request, "");
    request.q = core_slice_text("zebra ");
    expect_request(&l, &request, "4");
    library_fini(&l);
}

static void filter_set(core_arena *arena, search_request *request, const char *filter) {
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    if (!search_filter_parse(arena, core_slice_text(filter), &budget, &request->filter, &error))
        fail_msg("%s", error.text);
}

static void filters_and_sorts(void **state) {
    (void)state;
    library l;
    core_arena arena;
    library_init(&l);
    core_arena_init(&arena, 4096, 1 << 20);
    search_request request = search_request_defaults();
    filter_set(&arena, &request, "tags = NATURE AND price < 10");
    request.q = core_slice_text("river ");
    expect_request(&l, &request, "0");
    request.q = core_slice_text("");
    expect_request(&l, &request, "0");
    filter_set(&arena, &request, "price EXISTS");
    const search_sort price = {.attribute = core_slice_text("price")},
                      down = {.attribute = core_slice_text("price"), .is_descending = true},
                      here = {.is_geo = true, .latitude = 52, .longitude = 13};
    request.sorts = &price;
    request.sort_count = 1;
    expect_request(&l, &request, "0 3 5 2 1");
    request.sorts = &down;
    expect_request(&l, &request, "1 2 3 5 0");
    request.filter = NULL;
    request.sorts = &here;
    expect_request(&l, &request, "1 0 2 3 4 5");
    request.q = core_slice_text("river ");
    request.sorts = &down;
    expect_request(&l, &request, "1 0 4"); /* what has no price comes last */
    request.limit = 1;                     /* what comes first is not what was met first */
    expect_request(&l, &request, "1 /3");
    request.sorts = &price;
    request.q = core_slice_text("bank ");
    expect_request(&l, &request, "2 /3");
    filter_set(&arena, &request, "title = x");
    assert_null(search_reader_query(l.reader, &request, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    core_arena_fini(&arena);
    library_fini(&l);
}

static void pages_and_totals(void **state) {
    (void)state;
    library l;
    library_init(&l);
    search_request request = search_request_defaults();
    request.limit = 2;
    expect_request(&l, &request, "0 1 /6");
    request.offset = 4;
    expect_request(&l, &request, "4 5 /6");
    request.offset = 7;
    expect_request(&l, &request, " /6");
    request.offset = 1;
    request.limit = 1;
    request.q = core_slice_text("river ");
    request.is_paged = true;
    expect_request(&l, &request, "1 /3");
    request.offset = 0;
    request.limit = 0;
    expect_request(&l, &request, " /3");
    library_fini(&l);
}

static void facets_count_matches(void **state) {
    (void)state;
    library l;
    library_init(&l);
    const core_slice names[] = {core_slice_text("tags"), core_slice_text("price"),
                                core_slice_text("_geo")};
    search_request request = search_request_defaults();
    request.facets = (search_names){.names = names, .count = 3, .is_given = true};
    search_hits *hits = ask(&l, &request);
    assert_int_equal(hits->facet_count, 3);
    assert_true(hits->is_facets_exact);
    const search_facet *tags = &hits->facets[0], *price = &hits->facets[1];
    assert_int_equal(tags->value_count, 3);
    assert_true(core_slice_is(tags->values[0].shown, "Nature"));
    assert_int_equal(tags->values[0].count, 2);
    assert_true(core_slice_is(tags->values[1].shown, "geology"));
    assert_int_equal(tags->values[1].count, 2);
    assert_int_equal(price->value_count, 4);
    assert_true(price->has_numbers && price->number_min == 5 && price->number_max == 20);
    search_hits_free(hits);
    request.q = core_slice_text("river ");
    request.limit = 1;
    hits = ask(&l, &request);
    assert_int_equal(hits->facets[0].value_count, 2);
    assert_int_equal(hits->facets[0].values[0].count, 2);
    search_hits_free(hits);
    library_fini(&l);
}

static void of_a_distinct_value_the_best_is_shown(void **state) {
    (void)state;
    library l;
    library_init(&l);
    search_request request = search_request_defaults();
    request.distinct = core_slice_text("price");
    request.limit = 6;
    search_hits *hits = ask(&l, &request);
    assert_int_equal(hits->hit_count, 5); /* two cost 7; one has no price */
    search_hits_free(hits);
    library_fini(&l);
}

static void synonyms_and_stems(void **state) {
    (void)state;
    library l;
    search_schema_spec spec = search_schema_defaults();
    spec.language = core_slice_text("english");
    library_open(&l, &spec);
    expect_all(&l, "running ", "0");
    expect_all(&l, "stone ", "1 0");
    library_fini(&l);
}

static void what_was_found_is_told(void **state) {
    (void)state;
    library l;
    library_init(&l);
    search_request request = search_request_defaults();
    request.q = core_slice_text("watre riv");
    search_hits *hits = ask(&l, &request);
    bool has_water = false, has_river = false;
    assert_int_equal(hits->word_count, 2);
    for (uint32_t i = 0; i < hits->term_count; i++) {
        has_water =
            has_water || (core_slice_is(hits->terms[i].text, "water") && hits->terms[i].word == 0);
        has_river = has_river || (core_slice_begins(hits->terms[i].text, core_slice_text("riv")) &&
                                  hits->terms[i].word == 1);
    }
    assert_true(has_water && has_river);
    assert_int_equal(hits->position.change_sequence, 6);
    search_hits_free(hits);
    library_fini(&l);
}

enum { LAMPS = 1200 };

/* What was found by then is the answer, and the total is an estimate. */
static void a_query_ends_at_its_time(void **state) {
    (void)state;
    static char ids[LAMPS][8];
    static search_item items[LAMPS];
    static search_item_result results[LAMPS];
    library l;
    search_schema_spec spec = search_schema_defaults();
    spec.cutoff_ms = 0;
    spec.max_total_hits = 10 * LAMPS;
    library_open(&l, &spec);
    for (size_t i = 0; i < LAMPS; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "l%zu", i);
        items[i] = (search_item){.id = core_slice_text(ids[i]),
                                 .json = core_slice_text("{\"title\":\"lamp\"}"),
                                 .version = 10 + i};
    }
    assert_true(search_backend_apply(l.backend, items, LAMPS, results, &error));
    assert_true(world_commit(l.backend, 7, &error));
    search_request request = search_request_defaults();
    request.q = core_slice_text("lamp ");
    search_hits *hits = ask(&l, &request);
    assert_int_equal(hits->hit_count, 20);
    assert_false(hits->is_total_exact);
    assert_in_range(hits->total, LAMPS - LAMPS / 10, LAMPS + LAMPS / 10);
    search_hits_free(hits);
    library_fini(&l);
}

/* Syntax of FTS5 is nothing in a query. */
static void no_text_is_syntax(void **state) {
    (void)state;
    library l;
    library_init(&l);
    static const char *const texts[] = {"\"",
                                        "\"\"",
                                        "river\"",
                                        "NEAR(a b)",
                                        "title:river",
                                        "*",
                                        "a*b^2",
                                        "{c0}:x",
                                        "(((",
                                        "- -",
                                        "\xFF\xFE",
                                        "AND OR NOT",
                                        "'; DROP TABLE words",
                                        "-\"",
                                        "c0 : \"x\"* OR"};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        for (int is_boolean = 0; is_boolean < 2; is_boolean++) {
            search_request request = search_request_defaults();
            request.q = core_slice_text(texts[i]);
            request.is_boolean = is_boolean;
            search_hits_free(ask(&l, &request));
        }
    library_fini(&l);
}

static bool list_take(void *context, const search_kept *document) {
    char *text = context;
    (void)strncat(text, (const char *)document->id.data, document->id.length);
    return true;
}

static void documents_are_listed(void **state) {
    (void)state;
    library l;
    core_arena arena;
    char text[16] = "";
    uint64_t total;
    library_init(&l);
    core_arena_init(&arena, 4096, 1 << 20);
    search_request request = search_request_defaults();
    request.offset = 1;
    request.limit = 2;
    assert_true(search_reader_list(l.reader, &request, list_take, text, &total, &error));
    assert_string_equal(text, "12");
    assert_int_equal(total, 6);
    filter_set(&arena, &request, "price = 7");
    request.offset = 0;
    text[0] = '\0';
    assert_true(search_reader_list(l.reader, &request, list_take, text, &total, &error));
    assert_string_equal(text, "35");
    core_arena_fini(&arena);
    library_fini(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_find_documents),
        cmocka_unit_test(the_last_word_is_a_beginning),
        cmocka_unit_test(typos_come_behind),
        cmocka_unit_test(trailing_words_are_dropped_last),
        cmocka_unit_test(phrases_and_what_must_not_be_there),
        cmocka_unit_test(scripts_without_blanks_are_found),
        cmocka_unit_test(attributes_to_search_on),
        cmocka_unit_test(filters_and_sorts),
        cmocka_unit_test(pages_and_totals),
        cmocka_unit_test(facets_count_matches),
        cmocka_unit_test(of_a_distinct_value_the_best_is_shown),
        cmocka_unit_test(synonyms_and_stems),
        cmocka_unit_test(what_was_found_is_told),
        cmocka_unit_test(a_query_ends_at_its_time),
        cmocka_unit_test(no_text_is_syntax),
        cmocka_unit_test(documents_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
