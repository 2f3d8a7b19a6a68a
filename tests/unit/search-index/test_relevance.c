/* The judged set (relevance_set.h) through the engine: what must come first does, and the mean of
 * its places does not get worse unnoticed. */
#include "relevance_set.h"
#include "search-index/format.h"
#include "store_world.h"

/* The least that is accepted: mean reciprocal rank of the first right answer. */
#define RECIPROCAL_RANK_MIN 0.95

#define NAMED(text)                                                                                \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static const search_attribute attributes[] = {
    {.name = NAMED("title"), .weight = 3},
    {.name = NAMED("summary"), .weight = 2},
    {.name = NAMED("text"), .weight = 1},
};

static const core_slice picture[] = {NAMED("image"), NAMED("photo")};
static const core_slice film[] = {NAMED("movie"), NAMED("video")};
static const core_slice vm[] = {NAMED("virtual machine")};
static const core_slice emulator[] = {NAMED("virtual machine")};
static const core_slice mail[] = {NAMED("e-mail")};

static const search_synonym synonyms[] = {
    {.word = NAMED("picture"), .others = picture, .other_count = 2},
    {.word = NAMED("film"), .others = film, .other_count = 2},
    {.word = NAMED("vm"), .others = vm, .other_count = 1},
    {.word = NAMED("operating system emulator"), .others = emulator, .other_count = 1},
    {.word = NAMED("electronic mail"), .others = mail, .other_count = 1},
};

static const core_slice stop_words[] = {NAMED("the"), NAMED("a"),  NAMED("and"), NAMED("of"),
                                        NAMED("for"), NAMED("in"), NAMED("to"),  NAMED("with")};

typedef struct {
    world w;
    search_backend *backend;
    search_reader *reader;
} relevance_fixture;

static void document_write(const relevance_document *document, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "id");
    core_json_text(&json, document->id);
    core_json_key_text(&json, "title");
    core_json_text(&json, document->title);
    core_json_key_text(&json, "summary");
    core_json_text(&json, document->summary);
    core_json_key_text(&json, "text");
    core_json_text(&json, document->text);
    core_json_object_close(&json);
}

static search_schema *schema_make(void) {
    search_schema_spec spec = search_schema_defaults();
    core_error error = {.text = ""};
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    spec.language = core_slice_text("english");
    spec.stop_words = stop_words;
    spec.stop_word_count = CORE_COUNT_OF(stop_words);
    spec.synonyms = synonyms;
    spec.synonym_count = CORE_COUNT_OF(synonyms);
    search_schema *schema = search_schema_new(&spec, &error);
    if (schema == NULL)
        fail_msg("%s", error.text);
    return schema;
}

static void fixture_init(relevance_fixture *fixture) {
    core_error error = {.text = ""};
    search_item_result result;
    world_init(&fixture->w);
    search_schema_release(fixture->w.schema);
    fixture->w.schema = schema_make();
    fixture->backend = world_open(&fixture->w, fixture->w.path);
    for (size_t i = 0; i < CORE_COUNT_OF(relevance_documents); i++) {
        core_buffer json;
        core_buffer_init(&json, 1 << 16);
        document_write(&relevance_documents[i], &json);
        search_item item = {.id = core_slice_text(relevance_documents[i].id),
                            .json = core_buffer_slice(&json),
                            .version = i + 1};
        if (!search_backend_apply(fixture->backend, &item, 1, &result, &error))
            fail_msg("%s", error.text);
        assert_int_equal(result.state, SEARCH_ITEM_DONE);
        core_buffer_fini(&json);
    }
    assert_true(world_commit(fixture->backend, 1, &error));
    fixture->reader = search_backend_reader_new(fixture->backend, &error);
    assert_non_null(fixture->reader);
}

static void fixture_fini(relevance_fixture *fixture) {
    search_reader_free(fixture->reader);
    search_backend_close(fixture->backend);
    world_fini(&fixture->w);
}

/* From 1; 0: it did not come. */
static unsigned rank_of(const search_hits *hits, const char *id, size_t length) {
    for (uint32_t i = 0; i < hits->hit_count; i++)
        if (core_slice_equal(hits->hits[i].id, core_slice_make(id, length)))
            return i + 1;
    return 0;
}

static void hits_print(const relevance_query *query, const search_hits *hits) {
    print_message("%s: wanted %s within %u, came", query->q, query->first, query->within);
    for (uint32_t i = 0; i < hits->hit_count && i < 6; i++)
        print_message(" %.*s(%.2f)", CORE_SLICE_ARGS(hits->hits[i].id), hits->hits[i].score);
    print_message("\n");
}

/* Adds the reciprocal of the best wanted place. False: something wanted is not where it must be. */
static bool hits_judge(const relevance_query *query, const search_hits *hits, double *sum) {
    bool is_right = true;
    unsigned best = 0;
    const char *at = query->first;
    for (unsigned wanted = 0; *at != '\0'; wanted++) {
        size_t length = strcspn(at, " ");
        unsigned rank = rank_of(hits, at, length);
        is_right = is_right && rank > 0 && rank <= query->within;
        if (wanted == 0 && query->is_ordered)
            is_right = is_right && rank == 1;
        if (rank > 0 && (best == 0 || rank < best))
            best = rank;
        at += length + (at[length] == ' ');
    }
    *sum += best > 0 ? 1.0 / best : 0;
    return is_right;
}

static bool query_judge(relevance_fixture *fixture, const relevance_query *query, double *sum) {
    core_error error = {.text = ""};
    search_request request = search_request_defaults();
    request.q = core_slice_text(query->q);
    search_hits *hits = search_reader_query(fixture->reader, &request, &error);
    if (hits == NULL)
        fail_msg("%s: %s", query->q, error.text);
    bool is_right = hits_judge(query, hits, sum);
    if (!is_right)
        hits_print(query, hits);
    search_hits_free(hits);
    return is_right;
}

static void what_people_look_for_comes_first(void **state) {
    (void)state;
    double sum = 0;
    size_t wrong = 0;
    relevance_fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < CORE_COUNT_OF(relevance_queries); i++)
        wrong += !query_judge(&fixture, &relevance_queries[i], &sum);
    double mean = sum / CORE_COUNT_OF(relevance_queries);
    print_message("%zu queries over %zu documents, %zu not as judged, mean reciprocal rank %.3f\n",
                  CORE_COUNT_OF(relevance_queries), CORE_COUNT_OF(relevance_documents), wrong,
                  mean);
    assert_int_equal(wrong, 0);
    assert_true(mean >= RECIPROCAL_RANK_MIN);
    fixture_fini(&fixture);
}

/* ---- What is shown of it ---- */
static void shown_is(relevance_fixture *fixture, const char *json, const char *expected) {
    static const search_request_options options = {.location = ""};
    core_error error = {.text = ""};
    search_refusal refusal;
    search_request request;
    core_buffer out;
    core_arena arena;
    core_arena_init(&arena, 4096, SEARCH_REQUEST_ARENA_BYTES);
    core_buffer_init(&out, 1 << 16);
    if (!search_request_read_json(&arena, core_slice_text(json), &options, &request, &refusal))
        fail_msg("%s", refusal.message);
    search_hits *hits = search_reader_query(fixture->reader, &request, &error);
    search_tokenizer *tokenizer = search_tokenizer_new(fixture->w.schema, &error);
    assert_true(hits != NULL && hits->hit_count > 0 && tokenizer != NULL);
    search_formatter *formatter =
        search_formatter_new(&request, fixture->w.schema, search_tokenizer_source(tokenizer),
                             hits->terms, hits->term_count);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_object_open(&writer);
    assert_true(search_formatter_hit(formatter, hits->hits[0].json, &writer, &error));
    core_json_object_close(&writer);
    core_buffer_u8(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    search_formatter_free(formatter);
    search_tokenizer_free(tokenizer);
    search_hits_free(hits);
    core_buffer_fini(&out);
    core_arena_fini(&arena);
}

static void what_was_found_is_shown(void **state) {
    (void)state;
    relevance_fixture fixture;
    fixture_init(&fixture);
    shown_is(&fixture,
             "{\"q\":\"\\\"load balancer\\\"\",\"attributesToRetrieve\":[\"id\"],"
             "\"attributesToHighlight\":[\"summary\"]}",
             "{\"id\":\"proxy\",\"_formatted\":{\"id\":\"proxy\",\"summary\":\"reverse proxy and "
             "<em>load balancer</em>\"}}");
    /* Mistyped, another form, a beginning, a synonym. */
    shown_is(&fixture,
             "{\"q\":\"pasword manager\",\"attributesToRetrieve\":[],"
             "\"attributesToHighlight\":[\"summary\"],\"attributesToCrop\":[\"text:4\"]}",
             "{\"_formatted\":{\"summary\":\"<em>password</em> <em>manager</em>\",\"text\":"
             "\"Stores passwords in an…\"}}");
    shown_is(&fixture,
             "{\"q\":\"encrypting\",\"attributesToRetrieve\":[\"id\"],"
             "\"attributesToHighlight\":[\"summary\"]}",
             "{\"id\":\"encrypt\",\"_formatted\":{\"id\":\"encrypt\",\"summary\":"
             "\"<em>encrypts</em> files and disks\"}}");
    shown_is(&fixture,
             "{\"q\":\"planet\",\"attributesToRetrieve\":[],"
             "\"attributesToHighlight\":[\"summary\"]}",
             "{\"_formatted\":{\"summary\":\"<em>planet</em>arium\"}}");
    shown_is(&fixture,
             "{\"q\":\"vm\",\"attributesToRetrieve\":[],"
             "\"attributesToHighlight\":[\"summary\"]}",
             "{\"_formatted\":{\"summary\":\"<em>virtual machines</em>\"}}");
    fixture_fini(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_look_for_comes_first),
        cmocka_unit_test(what_was_found_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
