/* Random queries: against a plain table of which documents have which words, while these change;
 * and texts made of what FTS5 and our own language would read as syntax, which none may upset. */
#include "search-index/query.h"
#include "store_world.h"

enum { DOCUMENTS = 400, ROUNDS = 400, NOISE = 4000 };

static core_error error;

static const char *const words[] = {"river", "stone", "bank",  "water", "cold", "book",
                                    "money", "tree",  "cloud", "night", "lamp", "zebra"};

typedef struct {
    bool is_there;
    uint32_t words; /* a bit each */
    uint32_t price;
} plain_document;

typedef struct {
    world w;
    search_backend *backend;
    search_reader *reader;
    plain_document documents[DOCUMENTS];
    uint64_t random;
    uint64_t sequence;
} lottery;

static void lottery_init(lottery *l) {
    world_init(&l->w);
    search_schema_release(l->w.schema);
    static const search_attribute attributes[] = {
        {.name = {(const uint8_t *)"title", 5}, .weight = 2},
        {.name = {(const uint8_t *)"*", 1}, .weight = 1, .is_filterable = true}};
    search_schema_spec spec = search_schema_defaults();
    spec.attributes = attributes;
    spec.attribute_count = 2;
    spec.typo.is_enabled = false;
    l->w.schema = search_schema_new(&spec, &error);
    l->backend = world_open(&l->w, l->w.path);
    l->reader = search_backend_reader_new(l->backend, &error);
    assert_non_null(l->reader);
}

static void lottery_fini(lottery *l) {
    search_reader_free(l->reader);
    search_backend_close(l->backend);
    world_fini(&l->w);
}

/* One word in four, spread over two attributes; one document in five goes. */
static search_item document_draw(lottery *l, uint32_t number, char *id, char *json) {
    plain_document *plain = &l->documents[number];
    static const char *const openings[] = {"{\"title\":\"", "\",\"body\":[\"one\",\""};
    size_t length = 0;
    (void)snprintf(id, 16, "%u", number);
    *plain = (plain_document){.is_there = world_random(&l->random) % 5 != 0,
                              .price = world_random(&l->random) % 100};
    for (size_t part = 0; part < 2; part++) {
        length += (size_t)snprintf(json + length, WORLD_JSON - length, "%s", openings[part]);
        for (size_t i = 0; i < CORE_COUNT_OF(words); i++) {
            if (world_random(&l->random) % 8 != 0)
                continue;
            plain->words |= 1u << i;
            length += (size_t)snprintf(json + length, WORLD_JSON - length, "%s ", words[i]);
        }
    }
    (void)snprintf(json + length, WORLD_JSON - length, "\"],\"price\":%u}", plain->price);
    return (search_item){.id = core_slice_text(id),
                         .json = core_slice_text(plain->is_there ? json : ""),
                         .version = ++l->sequence};
}

static void documents_change(lottery *l, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        char id[16], json[WORLD_JSON];
        search_item_result result;
        search_item item = document_draw(l, world_random(&l->random) % DOCUMENTS, id, json);
        if (!search_backend_apply(l->backend, &item, 1, &result, &error))
            fail_msg("%s", error.text);
    }
    if (!world_commit(l->backend, l->sequence, &error))
        fail_msg("%s", error.text);
}

/* ---- A query and what it should find ---- */
typedef struct {
    char text[256];
    uint32_t must[2]; /* of either clause */
    uint32_t must_not[2];
    uint32_t clauses;
    uint32_t price_below;
} plain_query;

static plain_query query_draw(lottery *l) {
    plain_query q = {.clauses = 1 + world_random(&l->random) % 2,
                     .price_below = world_random(&l->random) % 3 == 0 ? 50 : 1000};
    size_t length = 0;
    for (uint32_t clause = 0; clause < q.clauses; clause++) {
        length += (size_t)snprintf(q.text + length, sizeof q.text - length, "%s",
                                   clause > 0 ? "OR " : "");
        for (uint32_t i = 1 + world_random(&l->random) % 3; i > 0; i--) {
            uint32_t word = world_random(&l->random) % CORE_COUNT_OF(words);
            q.must[clause] |= 1u << word;
            length += (size_t)snprintf(q.text + length, sizeof q.text - length, "%s ", words[word]);
        }
        if (world_random(&l->random) % 3 != 0)
            continue;
        uint32_t word = world_random(&l->random) % CORE_COUNT_OF(words);
        q.must_not[clause] |= 1u << word;
        length += (size_t)snprintf(q.text + length, sizeof q.text - length, "-%s ", words[word]);
    }
    return q;
}

static bool query_fits(const plain_query *q, const plain_document *document) {
    if (!document->is_there || document->price >= q->price_below)
        return false;
    for (uint32_t clause = 0; clause < q->clauses; clause++)
        if ((document->words & q->must[clause]) == q->must[clause] &&
            (document->words & q->must_not[clause]) == 0)
            return true;
    return false;
}

static void query_compare(lottery *l, const plain_query *q) {
    core_arena arena;
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_request request = search_request_defaults();
    core_arena_init(&arena, 4096, 1 << 20);
    request.q = core_slice_text(q->text);
    request.limit = DOCUMENTS;
    request.is_boolean = q->clauses > 1;
    request.strategy = SEARCH_STRATEGY_ALL;
    assert_true(q->price_below == 1000 || search_filter_parse(&arena, core_slice_text("price < 50"),
                                                              &budget, &request.filter, &error));
    search_hits *hits = search_reader_query(l->reader, &request, &error);
    if (hits == NULL)
        fail_msg("%s", error.text);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < DOCUMENTS; i++)
        expected += query_fits(q, &l->documents[i]);
    if (hits->total != expected || hits->hit_count != expected || !hits->is_total_exact)
        fail_msg("`%s` found %u, not %u", q->text, hits->hit_count, expected);
    for (uint32_t i = 0; i < hits->hit_count; i++) {
        unsigned long number = strtoul((const char *)hits->hits[i].id.data, NULL, 10);
        assert_true(number < DOCUMENTS && query_fits(q, &l->documents[number]));
    }
    search_hits_free(hits);
    core_arena_fini(&arena);
}

static void queries_find_what_a_plain_table_says(void **state) {
    (void)state;
    static lottery l = {.random = 42};
    lottery_init(&l);
    documents_change(&l, 2 * DOCUMENTS);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 5; i++) {
            plain_query q = query_draw(&l);
            query_compare(&l, &q);
        }
        documents_change(&l, 1 + world_random(&l.random) % 10);
    }
    lottery_fini(&l);
}

static void no_noise_upsets_a_query(void **state) {
    (void)state;
    static const char *const pieces[] = {
        "\"",   "-",   "(",    ")",  "*",      ":",  "{",  "}",     "^",    " ",  "OR ",
        "AND ", "+",   "NOT ", "ri", "river",  "\\", "'",  "NEAR(", "c0",   "京", "都",
        "\xC3", "-\"", ",",    "\n", "stone ", "x",  "ba", ".",     "\x1E", "0"};
    static const search_strategy strategies[] = {SEARCH_STRATEGY_LAST, SEARCH_STRATEGY_ALL,
                                                 SEARCH_STRATEGY_FREQUENCY};
    static lottery l = {.random = 7};
    lottery_init(&l);
    documents_change(&l, DOCUMENTS);
    for (int round = 0; round < NOISE; round++) {
        char text[400] = "";
        for (uint32_t i = world_random(&l.random) % 30; i > 0; i--)
            (void)strncat(text, pieces[world_random(&l.random) % CORE_COUNT_OF(pieces)], 10);
        search_request request = search_request_defaults();
        request.q = core_slice_text(text);
        request.is_boolean = round % 2 == 0;
        request.strategy = strategies[round % 3];
        search_hits *hits = search_reader_query(l.reader, &request, &error);
        if (hits == NULL)
            fail_msg("`%s`: %s", text, error.text);
        search_hits_free(hits);
    }
    lottery_fini(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_find_what_a_plain_table_says),
        cmocka_unit_test(no_noise_upsets_a_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
