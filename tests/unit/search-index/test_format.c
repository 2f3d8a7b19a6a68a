/* Hits as answers have them: attributes, `_formatted`, `_matchesPosition`, from a table of requests
 * over one document. */
#include "search-index/format.h"

#include "plain_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NAMED(text) .name = {(const uint8_t *)(text), sizeof(text) - 1}

static const char document[] =
    "{ \"id\":852,\"father\":\"jean\",\"cattos\":\"simba and pestiferous\",\"age\":5e1,"
    "\"doggos\":[{\"name\":\"bobby\",\"age\":2},{\"name\":\"buddy simba\",\"age\":4}],"
    "\"tags\":[\"x\",\"simba\",[\"simba 2\"]],\"none\":null,\"yes\":true,"
    "\"q\\\"uote\":\"a\\nsimba \\u00e9\",\"meta\":{\"a\":{\"b\":\"simba\"},\"c\":1}} ";

static const search_match_term terms[] = {
    {.text = {(const uint8_t *)"simba", 5}},
    {.text = {(const uint8_t *)"pest", 4}, .word = 1, .is_prefix = true},
    {.text = {(const uint8_t *)"2", 1}, .word = 2},
};

static void hit_is(const search_schema *schema, const char *request_json, const char *kept,
                   const char *expected) {
    static const search_request_options options = {.location = ""};
    search_request request;
    search_refusal refusal;
    core_error error = {.text = ""};
    core_buffer out;
    core_arena arena;
    core_arena_init(&arena, 4096, SEARCH_REQUEST_ARENA_BYTES);
    core_buffer_init(&out, 1 << 20);
    if (!search_request_read_json(&arena, core_slice_text(request_json), &options, &request,
                                  &refusal))
        fail_msg("%s: %s", request_json, refusal.message);
    search_formatter *formatter =
        search_formatter_new(&request, schema, plain_tokens(), terms, CORE_COUNT_OF(terms));
    assert_non_null(formatter);
    core_json_writer json = core_json_writer_make(&out);
    core_json_object_open(&json);
    if (!search_formatter_hit(formatter, core_slice_text(kept), &json, &error))
        fail_msg("%s: %s", request_json, error.text);
    core_json_object_close(&json);
    assert_true(core_json_valid(core_buffer_slice(&out)));
    core_buffer_u8(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    search_formatter_free(formatter);
    core_buffer_fini(&out);
    core_arena_fini(&arena);
}

static search_schema *schema_make(const search_attribute *attributes, size_t count,
                                  bool shows_all) {
    search_schema_spec spec = search_schema_defaults();
    core_error error = {.text = ""};
    spec.attributes = attributes;
    spec.attribute_count = count;
    spec.shows_all = shows_all;
    search_schema *schema = search_schema_new(&spec, &error);
    if (schema == NULL)
        fail_msg("%s", error.text);
    return schema;
}

typedef struct {
    const char *request;
    const char *hit;
} format_case;

static const format_case cases[] = {
    {"{\"attributesToRetrieve\":[\"id\",\"age\"]}", "{\"id\":852,\"age\":5e1}"},
    {"{\"attributesToRetrieve\":[]}", "{}"},
    {"{\"attributesToRetrieve\":[\"nowhere\"]}", "{}"},
    {"{\"attributesToRetrieve\":[\"doggos\"]}",
     "{\"doggos\":[{\"name\":\"bobby\",\"age\":2},{\"name\":\"buddy simba\",\"age\":4}]}"},
    {"{\"attributesToRetrieve\":[\"doggos.name\",\"meta.a\"]}",
     "{\"doggos\":[{\"name\":\"bobby\"},{\"name\":\"buddy simba\"}],\"meta\":{\"a\":{\"b\":"
     "\"simba\"}}}"},
    {"{\"attributesToRetrieve\":[\"q\\\"uote\"]}", "{\"q\\\"uote\":\"a\\nsimba \\u00e9\"}"},
    /* Highlights: beside them what was asked for, numbers as texts. */
    {"{\"attributesToRetrieve\":[\"id\",\"none\",\"yes\"],\"attributesToHighlight\":[\"cattos\"]}",
     "{\"id\":852,\"none\":null,\"yes\":true,\"_formatted\":{\"id\":\"852\",\"cattos\":"
     "\"<em>simba</em> and <em>pest</em>iferous\",\"none\":null,\"yes\":true}}"},
    {"{\"attributesToRetrieve\":[],\"attributesToHighlight\":[\"tags\",\"doggos.age\"],"
     "\"highlightPreTag\":\"<\",\"highlightPostTag\":\"\"}",
     "{\"_formatted\":{\"doggos\":[{\"age\":\"<2\"},{\"age\":\"4\"}],\"tags\":[\"x\",\"<simba\",["
     "\"<simba <2\"]]}}"},
    {"{\"attributesToRetrieve\":[\"doggos.name\"],\"attributesToHighlight\":[\"doggos.age\"]}",
     "{\"doggos\":[{\"name\":\"bobby\"},{\"name\":\"buddy simba\"}],\"_formatted\":{\"doggos\":[{"
     "\"name\":\"bobby\",\"age\":\"<em>2</em>\"},{\"name\":\"buddy simba\",\"age\":\"4\"}]}}"},
    {"{\"attributesToRetrieve\":[\"meta.c\"],\"attributesToHighlight\":[\"meta\"]}",
     "{\"meta\":{\"c\":1},\"_formatted\":{\"meta\":{\"a\":{\"b\":\"<em>simba</em>\"},\"c\":"
     "\"1\"}}}"},
    {"{\"attributesToRetrieve\":[\"q\\\"uote\"],\"attributesToHighlight\":[\"*\"],"
     "\"attributesToCrop\":[\"*:1\"]}",
     "{\"q\\\"uote\":\"a\\nsimba \\u00e9\",\"_formatted\":{\"id\":\"852\",\"father\":\"jean\","
     "\"cattos\":\"<em>simba</em>…\",\"age\":\"5e1\",\"doggos\":[{\"name\":\"bobby\",\"age\":"
     "\"<em>2</em>\"},{\"name\":\"…<em>simba</em>\",\"age\":\"4\"}],\"tags\":[\"x\","
     "\"<em>simba</em>\",[\"<em>simba</em>…\"]],\"none\":null,\"yes\":true,\"q\\\"uote\":"
     "\"…<em>simba</em>…\",\"meta\":{\"a\":{\"b\":\"<em>simba</em>\"},\"c\":\"1\"}}}"},
    /* Crops. */
    {"{\"attributesToRetrieve\":[\"id\"],\"attributesToCrop\":[\"cattos\"],\"cropLength\":2,"
     "\"cropMarker\":\"~\"}",
     "{\"id\":852,\"_formatted\":{\"id\":\"852\",\"cattos\":\"simba and~\"}}"},
    {"{\"attributesToRetrieve\":[\"id\"],\"attributesToCrop\":[\"cattos:1\"]}",
     "{\"id\":852,\"_formatted\":{\"id\":\"852\",\"cattos\":\"simba…\"}}"},
    /* Positions: of all that may be shown, in the order of the names. */
    {"{\"attributesToRetrieve\":[\"id\"],\"showMatchesPosition\":true}",
     "{\"id\":852,\"_matchesPosition\":{\"cattos\":[{\"start\":0,\"length\":5},{\"start\":10,"
     "\"length\":4}],\"doggos.age\":[{\"start\":0,\"length\":1,\"indices\":[0]}],\"doggos.name\":"
     "[{\"start\":6,\"length\":5,\"indices\":[1]}],\"meta.a.b\":[{\"start\":0,\"length\":5}],"
     "\"q\\\"uote\":[{\"start\":2,\"length\":5}],\"tags\":[{\"start\":0,\"length\":5,\"indices\":"
     "[1]},{\"start\":0,\"length\":5,\"indices\":[2,0]},{\"start\":6,\"length\":1,\"indices\":[2,"
     "0]}]}}"},
};

static void hits_are_as_requests_want_them(void **state) {
    (void)state;
    search_schema *schema = schema_make(NULL, 0, true);
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        hit_is(schema, cases[i].request, document, cases[i].hit);
    hit_is(schema, "{\"attributesToRetrieve\":[\"*\"]}", "{\"a\" : 1, \"b\":[ 2 ]}",
           "{\"a\":1,\"b\":[ 2 ]}");
    hit_is(schema, "{}", " {\"a\" : 1, \"b\":[ 2 ] }\n", "{\"a\" : 1, \"b\":[ 2 ] }");
    hit_is(schema, "{}", "{ }", "{}");
    hit_is(schema, "{\"showMatchesPosition\":true}", "{}", "{\"_matchesPosition\":{}}");
    hit_is(schema, "{\"attributesToHighlight\":[\"*\"]}", "{}", "{\"_formatted\":{}}");
    search_schema_release(schema);
}

static void what_is_not_displayed_is_nowhere(void **state) {
    (void)state;
    static const search_attribute some[] = {
        {NAMED("id"), .is_displayed = true},     {NAMED("doggos.age"), .is_displayed = false},
        {NAMED("doggos"), .is_displayed = true}, {NAMED("cattos"), .weight = 1},
        {NAMED("meta.c"), .is_displayed = true},
    };
    search_schema *schema = schema_make(some, CORE_COUNT_OF(some), false);
    const char *shown = "{\"id\":852,\"doggos\":[{\"name\":\"bobby\"},{\"name\":\"buddy simba\"}],"
                        "\"meta\":{\"c\":1}}";
    hit_is(schema, "{}", document, shown);
    hit_is(schema, "{\"attributesToRetrieve\":[\"*\"]}", document, shown);
    hit_is(schema, "{\"attributesToRetrieve\":[\"id\",\"cattos\",\"doggos.age\",\"meta.a\"]}",
           document, "{\"id\":852,\"doggos\":[{},{}],\"meta\":{}}");
    /* No `_formatted` for what may not be shown. */
    hit_is(schema,
           "{\"attributesToRetrieve\":[\"id\"],\"attributesToHighlight\":[\"cattos\"],"
           "\"attributesToCrop\":[\"father\"]}",
           document, "{\"id\":852}");
    hit_is(schema, "{\"attributesToRetrieve\":[\"id\"],\"attributesToHighlight\":[\"*\"]}",
           document,
           "{\"id\":852,\"_formatted\":{\"id\":\"852\",\"doggos\":[{\"name\":\"bobby\"},{\"name\":"
           "\"buddy <em>simba</em>\"}],\"meta\":{\"c\":\"1\"}}}");
    hit_is(schema, "{\"attributesToRetrieve\":[\"id\"],\"showMatchesPosition\":true}", document,
           "{\"id\":852,\"_matchesPosition\":{\"doggos.name\":[{\"start\":6,\"length\":5,"
           "\"indices\":[1]}]}}");
    search_schema_release(schema);
}

static void a_broken_document_is_an_error(void **state) {
    (void)state;
    static const char *const broken[] = {"", "[]", "{\"a\":1", "{\"a\":[1}", "1", "{\"a\":1}x"};
    search_schema *schema = schema_make(NULL, 0, true);
    search_request request = search_request_defaults();
    request.shows_matches = true;
    search_formatter *formatter =
        search_formatter_new(&request, schema, plain_tokens(), terms, CORE_COUNT_OF(terms));
    for (size_t i = 0; i < CORE_COUNT_OF(broken); i++) {
        core_error error = {.code = CORE_ERROR_NONE};
        core_buffer out;
        core_buffer_init(&out, 4096);
        core_json_writer json = core_json_writer_make(&out);
        core_json_object_open(&json);
        assert_false(search_formatter_hit(formatter, core_slice_text(broken[i]), &json, &error));
        assert_int_equal(error.code, CORE_ERROR_INTERNAL);
        core_buffer_fini(&out);
    }
    search_formatter_free(formatter);
    search_schema_release(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_are_as_requests_want_them),
        cmocka_unit_test(what_is_not_displayed_is_nowhere),
        cmocka_unit_test(a_broken_document_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
