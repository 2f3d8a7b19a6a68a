/* A word that more documents have than are scored: what is looked at is taken from all ages. */
#include "search-index/query.h"
#include "store_world.h"

enum { DOCUMENTS = 26000, GROUP = 2000, SHORT_OLD = 5, SHORT_NEW = DOCUMENTS / 8 * 7 + 20 };

static core_error error;

static search_schema *schema_make(void) {
    static const search_attribute attributes[] = {
        {.name = {(const uint8_t *)"text", 4}, .weight = 1},
        {.name = {(const uint8_t *)"kind", 4}, .is_filterable = true}};
    search_schema_spec spec = search_schema_defaults();
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    search_schema *schema = search_schema_new(&spec, &error);
    assert_non_null(schema);
    return schema;
}

/* Two documents are shorter than all others: by BM25 they are the best. */
static void documents_put(search_backend *backend) {
    static search_item items[GROUP];
    static search_item_result results[GROUP];
    static char ids[GROUP][16];
    for (uint32_t at = 0; at < DOCUMENTS;) {
        for (uint32_t i = 0; i < GROUP; i++, at++) {
            bool is_short = at == SHORT_OLD || at == SHORT_NEW;
            (void)snprintf(ids[i], sizeof ids[i], "%u", at);
            items[i] = (search_item){
                .id = core_slice_text(ids[i]),
                .json = core_slice_text(
                    is_short ? "{\"text\":\"stone\",\"kind\":\"short\"}"
                             : "{\"text\":\"a stone of many words\",\"kind\":\"long\"}"),
                .version = at + 1};
        }
        assert_true(search_backend_apply(backend, items, GROUP, results, &error));
        assert_true(world_commit(backend, at, &error));
    }
}

static search_hits *ask(search_reader *reader, search_request *request) {
    request->q = core_slice_text("stone ");
    search_hits *hits = search_reader_query(reader, request, &error);
    if (hits == NULL)
        fail_msg("%s", error.text);
    return hits;
}

static void the_best_are_found_among_old_and_new(void **state) {
    (void)state;
    world w;
    world_init(&w);
    search_schema_release(w.schema);
    w.schema = schema_make();
    search_backend *backend = world_open(&w, w.path);
    documents_put(backend);
    search_reader *reader = search_backend_reader_new(backend, &error);
    assert_non_null(reader);
    search_request request = search_request_defaults();
    request.limit = 3;
    search_hits *hits = ask(reader, &request);
    assert_int_equal(hits->hit_count, 3);
    assert_int_equal(strtoul((const char *)hits->hits[0].id.data, NULL, 10), SHORT_OLD);
    assert_int_equal(strtoul((const char *)hits->hits[1].id.data, NULL, 10), SHORT_NEW);
    assert_false(hits->is_total_exact);
    search_hits_free(hits);
    /* Counting goes on behind what is scored: then all are known. */
    const core_slice names[] = {core_slice_text("kind")};
    request.facets = (search_names){.names = names, .count = 1, .is_given = true};
    hits = ask(reader, &request);
    assert_true(hits->is_facets_exact);
    assert_int_equal(hits->facets[0].value_count, 2);
    assert_int_equal(hits->facets[0].values[0].count, DOCUMENTS - 2);
    assert_int_equal(hits->facets[0].values[1].count, 2);
    search_hits_free(hits);
    search_reader_free(reader);
    search_backend_close(backend);
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_best_are_found_among_old_and_new)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
