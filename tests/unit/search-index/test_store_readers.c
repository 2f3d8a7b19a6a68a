/* Queries beside a writer: each answer is of one commit, words, columns and totals alike. */
#include "search-index/query.h"
#include "store_world.h"

#include <pthread.h>
#include <stdatomic.h>

enum { GROUPS = 1500, KEPT = 300, READERS = 3 };

typedef struct {
    search_backend *backend;
    atomic_bool is_over;
    atomic_uint answers;
    atomic_uint moved; /* answers of a later commit than the one before */
    atomic_uint wrong;
} reading;

/* Of group k document k is new, and document k - KEPT gone. */
static bool answer_fits(const search_hits *hits) {
    uint64_t at = hits->position.change_sequence, count = at < KEPT ? at : KEPT;
    char newest[32];
    (void)snprintf(newest, sizeof newest, "d%llu", (unsigned long long)at);
    if (at == 0)
        return hits->hit_count == 0;
    return hits->total == count && hits->is_total_exact && hits->hit_count == 1 &&
           core_slice_is(hits->hits[0].id, newest) && hits->facet_count == 1 &&
           hits->facets[0].number_max == (double)at &&
           hits->facets[0].number_min == (double)(at - count + 1);
}

static void *read_on(void *context) {
    reading *r = context;
    core_error error;
    search_reader *reader = search_backend_reader_new(r->backend, &error);
    const core_slice facet = core_slice_text("price");
    const search_sort newest = {.attribute = core_slice_text("price"), .is_descending = true};
    search_request request = search_request_defaults();
    request.limit = 1;
    request.sorts = &newest;
    request.sort_count = 1;
    request.facets = (search_names){.names = &facet, .count = 1, .is_given = true};
    uint64_t last = 0;
    for (unsigned i = 0; reader != NULL && !atomic_load(&r->is_over); i++) {
        static const char *const texts[] = {"river ", "", "river stones ", "riv", "rver "};
        request.q = core_slice_text(texts[i % CORE_COUNT_OF(texts)]);
        search_hits *hits = search_reader_query(reader, &request, &error);
        if (hits == NULL || !answer_fits(hits) || hits->position.change_sequence < last) {
            (void)fprintf(stderr, "%s: %s, %llu at %llu\n", texts[i % CORE_COUNT_OF(texts)],
                          hits == NULL ? error.text : "wrong",
                          hits != NULL ? (unsigned long long)hits->total : 0,
                          hits != NULL ? (unsigned long long)hits->position.change_sequence : 0);
            (void)atomic_fetch_add(&r->wrong, 1);
        } else {
            (void)atomic_fetch_add(&r->moved, hits->position.change_sequence > last);
            last = hits->position.change_sequence;
        }
        (void)atomic_fetch_add(&r->answers, 1);
        search_hits_free(hits);
    }
    (void)atomic_fetch_add(&r->wrong, reader == NULL);
    if (reader != NULL)
        search_reader_free(reader);
    return NULL;
}

static void group_write(search_backend *backend, uint64_t at) {
    core_error error = {.code = CORE_ERROR_NONE};
    char id[32], gone[32], json[128];
    (void)snprintf(id, sizeof id, "d%llu", (unsigned long long)at);
    (void)snprintf(gone, sizeof gone, "d%llu", (unsigned long long)(at - KEPT));
    (void)snprintf(json, sizeof json, "{\"title\":\"river stones w%llu\",\"price\":%llu}",
                   (unsigned long long)at, (unsigned long long)at);
    search_item items[2] = {
        {.id = core_slice_text(id), .json = core_slice_text(json), .version = at},
        {.id = core_slice_text(gone), .version = at}};
    search_item_result results[2];
    bool is_done;
    if (!search_backend_apply(backend, items, at > KEPT ? 2 : 1, results, &error) ||
        !world_commit(backend, at, &error) ||
        (at % 16 == 0 && !search_backend_upkeep(backend, &is_done, &error)))
        fail_msg("%s", error.text);
}

/* The same attributes, and now and then another weight: queries go on over the change. */
static void schema_change(search_backend *backend, uint64_t at) {
    core_error error = {.code = CORE_ERROR_NONE};
    search_schema *schema = search_backend_schema_get(backend);
    search_schema_spec spec = *search_schema_get(schema);
    search_attribute attributes[8];
    assert_true(spec.attribute_count < CORE_COUNT_OF(attributes));
    memcpy(attributes, spec.attributes, spec.attribute_count * sizeof *attributes);
    attributes[0].weight = 1 + (double)(at % 7);
    spec.attributes = attributes;
    search_schema *changed = search_schema_new(&spec, &error);
    if (changed == NULL || !search_backend_schema_set(backend, changed, &error))
        fail_msg("%s", error.text);
    search_schema_release(changed);
    search_schema_release(schema);
}

static void each_answer_is_of_one_commit(void **state) {
    (void)state;
    world w;
    world_init(&w);
    reading r = {.backend = world_open(&w, w.path)};
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (uint64_t at = 1; at <= GROUPS; at++) {
        group_write(r.backend, at);
        if (at % 100 == 0)
            schema_change(r.backend, at);
    }
    atomic_store(&r.is_over, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    print_message("%u answers beside %d commits, %u of a later one than the last\n",
                  atomic_load(&r.answers), GROUPS, atomic_load(&r.moved));
    assert_int_equal(atomic_load(&r.wrong), 0);
    assert_true(atomic_load(&r.moved) > 20);
    search_backend_close(r.backend);
    world_fini(&w);
}

/* Whatever is written while it is read, as much as fills the file's log more than once. */
static void a_copy_is_of_one_commit(void **state) {
    (void)state;
    world w;
    core_error error = {.code = CORE_ERROR_NONE};
    search_kept one;
    uint64_t newest = 0, count = 0;
    world_init(&w);
    search_backend *backend = world_open(&w, w.path);
    assert_true(world_apply(backend, 1, 500, &error) && world_commit(backend, 500, &error));
    const search_stats before = search_backend_stats(backend);
    search_copy *copy = search_backend_copy_new(backend, &error);
    assert_non_null(copy);
    for (uint64_t at = 501;; at += 50) {
        if (!search_copy_next(copy, &one, &error))
            fail_msg("%s", error.text);
        if (one.id.data == NULL)
            break;
        count++;
        newest = one.version > newest ? one.version : newest;
        assert_true(world_apply(backend, at, at + 49, &error) &&
                    world_commit(backend, at + 49, &error));
    }
    assert_true(search_copy_next(copy, &one, &error)); /* it stays at its end */
    assert_null(one.id.data);
    assert_int_equal(count, before.documents + before.hidden);
    assert_true(newest > 400 && newest <= 500);
    search_copy_free(copy);
    search_backend_close(backend);
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_answer_is_of_one_commit),
                                       cmocka_unit_test(a_copy_is_of_one_commit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
