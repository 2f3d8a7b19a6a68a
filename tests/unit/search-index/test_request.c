/* A search's parameters, from JSON and from a URL: what they are read as, and what is refused in
 * which words and with which code. */
#include "search-index/request.h"

#include "filter_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    core_arena arena;
    search_request request;
    search_refusal refusal;
} request_fixture;

static const search_request_options single = {.location = ""};
static const search_request_options third_of_many = {.is_multi = true, .location = ".queries[2]"};

static void fixture_init(request_fixture *fixture) {
    *fixture = (request_fixture){.refusal = {.code = SEARCH_CODE_NONE}};
    core_arena_init(&fixture->arena, 4096, SEARCH_REQUEST_ARENA_BYTES);
}

static void read_json(request_fixture *fixture, const char *json) {
    fixture_init(fixture);
    if (!search_request_read_json(&fixture->arena, core_slice_text(json), &single,
                                  &fixture->request, &fixture->refusal))
        fail_msg("%s: %s", json, fixture->refusal.message);
}

static void read_query(request_fixture *fixture, const char *query) {
    fixture_init(fixture);
    if (!search_request_read_query(&fixture->arena, core_slice_text(query), &fixture->request,
                                   &fixture->refusal))
        fail_msg("%s: %s", query, fixture->refusal.message);
}

static void slice_is(core_slice slice, const char *text) {
    if (!core_slice_is(slice, text))
        fail_msg("`%.*s` is not `%s`", CORE_SLICE_ARGS(slice), text);
}

static void names_are(const search_names *names, const char *text) {
    char memory[512];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    for (uint32_t i = 0; i < names->count; i++)
        core_buffer_format(&out, "%s%.*s", i > 0 ? "|" : "", CORE_SLICE_ARGS(names->names[i]));
    slice_is(core_buffer_slice(&out), text);
    assert_true(names->is_given);
}

static void filter_is(const search_filter *filter, const char *tree) {
    char memory[512];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    filter_text(filter, &out);
    slice_is(core_buffer_slice(&out), tree);
}

/* ---- What is read ---- */
static void defaults_check(const search_request *request) {
    slice_is(request->q, "");
    assert_int_equal(request->offset, 0);
    assert_int_equal(request->limit, 20);
    assert_false(request->is_paged);
    assert_false(request->retrieve.is_given);
    assert_false(request->facets.is_given);
    assert_int_equal(request->crop_length, 10);
    slice_is(request->crop_marker, "…");
    slice_is(request->highlight_pre, "<em>");
    slice_is(request->highlight_post, "</em>");
    assert_null(request->filter);
    assert_int_equal(request->strategy, SEARCH_STRATEGY_LAST);
    assert_false(request->has_threshold || request->has_hybrid || request->has_min_offset);
    assert_false(request->is_boolean || request->shows_matches || request->shows_score);
}

static void what_is_left_out_is_as_meilisearch_has_it(void **state) {
    (void)state;
    static const char *const texts[] = {"", "{}", " { } ",
                                        "{\"q\":null,\"limit\":null,"
                                        "\"filter\":null,\"facets\":null,"
                                        "\"cropMarker\":null,\"hybrid\":null}"};
    request_fixture fixture;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        read_json(&fixture, texts[i]);
        defaults_check(&fixture.request);
        core_arena_fini(&fixture.arena);
    }
    read_query(&fixture, "");
    defaults_check(&fixture.request);
    core_arena_fini(&fixture.arena);
}

static void all_check(const search_request *request) {
    slice_is(request->q, "big \"bad\" wolf é");
    assert_int_equal(request->offset, 5);
    assert_int_equal(request->limit, 7);
    names_are(&request->retrieve, "title|meta.tags");
    names_are(&request->highlight, "*");
    names_are(&request->facets, "genre|year");
    names_are(&request->search_on, "title");
    names_are(&request->locales, "eng");
    assert_int_equal(request->crop_count, 3);
    slice_is(request->crops[0].name, "body");
    assert_int_equal(request->crops[0].length, 30);
    slice_is(request->crops[1].name, "a:b");
    assert_int_equal(request->crops[1].length, 12);
    slice_is(request->crops[2].name, "*");
    assert_int_equal(request->crops[2].length, 0);
    slice_is(request->crop_marker, "");
    slice_is(request->highlight_pre, "<b>");
    slice_is(request->highlight_post, "</b>");
    assert_true(request->shows_matches && request->shows_score && request->shows_score_details);
    assert_true(request->retrieves_vectors && request->is_boolean);
    filter_is(request->filter, "{genre} = {horror}");
    assert_int_equal(request->sort_count, 3);
    slice_is(request->sorts[0].attribute, "year");
    assert_true(request->sorts[0].is_descending);
    assert_true(request->sorts[1].is_geo && !request->sorts[1].is_descending);
    assert_true(request->sorts[1].latitude == 48.5 && request->sorts[1].longitude == -2);
    slice_is(request->sorts[2].attribute, "a:b");
    slice_is(request->distinct, "sku");
    assert_int_equal(request->strategy, SEARCH_STRATEGY_FREQUENCY);
    assert_true(request->has_threshold && request->threshold == 0.25);
    assert_true(request->has_hybrid && request->semantic_ratio == 0.75);
    slice_is(request->embedder, "default");
    assert_int_equal(request->vector_count, 3);
    assert_true(request->vector[0] == 1 && request->vector[1] == -0.5F && request->vector[2] == 20);
    assert_true(request->has_min_offset);
    assert_int_equal(request->min_offset.sequence, 42);
    assert_int_equal(request->min_offset.index, 7);
}

static void every_parameter_is_read_from_json(void **state) {
    (void)state;
    request_fixture fixture;
    read_json(
        &fixture,
        "{\"q\":\"big \\\"bad\\\" wolf \\u00e9\",\"offset\":5,\"limit\":7,"
        "\"attributesToRetrieve\":[\"title\",\"meta.tags\"],\"attributesToHighlight\":[\"*\"],"
        "\"facets\":[\"genre\",\"year\"],\"attributesToSearchOn\":[\"title\"],"
        "\"locales\":[\"eng\"],\"attributesToCrop\":[\"body:30\",\"a:b\",\"*:0\"],"
        "\"cropLength\":12,\"cropMarker\":\"\",\"highlightPreTag\":\"<b>\","
        "\"highlightPostTag\":\"</b>\",\"showMatchesPosition\":true,\"showRankingScore\":true,"
        "\"showRankingScoreDetails\":true,\"retrieveVectors\":true,\"boolean\":true,"
        "\"filter\":[\"genre = horror\"],"
        "\"sort\":[\"year:desc\",\"_geoPoint(48.5, -2):asc\",\"a:b:asc\"],"
        "\"distinct\":\"sku\",\"matchingStrategy\":\"frequency\","
        "\"rankingScoreThreshold\":0.25,"
        "\"hybrid\":{\"semanticRatio\":0.75,\"embedder\":\"default\"},"
        "\"vector\":[1,-0.5,2e1],\"min_offset\":\"epoch-42.7\"}");
    all_check(&fixture.request);
    assert_int_equal(fixture.refusal.code, SEARCH_CODE_NONE);
    core_arena_fini(&fixture.arena);
}

static void every_parameter_is_read_from_a_url(void **state) {
    (void)state;
    request_fixture fixture;
    read_query(&fixture,
               "q=big+%22bad%22%20wolf+%C3%A9&offset=5&limit=7&attributesToRetrieve=title,meta.tags"
               "&attributesToHighlight=*&facets=genre%2Cyear&attributesToSearchOn=title&locales=eng"
               "&attributesToCrop=body:30,a:b,*:0&cropLength=12&cropMarker=&highlightPreTag=%3Cb%3E"
               "&highlightPostTag=</b>&showMatchesPosition=true&showRankingScore=true"
               "&showRankingScoreDetails=true&retrieveVectors=true&boolean=true"
               "&filter=genre+%3D+horror&sort=year:desc,+_geoPoint(48.5,-2):asc,a:b:asc"
               "&distinct=sku&matchingStrategy=frequency&rankingScoreThreshold=0.25"
               "&hybridEmbedder=default&hybridSemanticRatio=0.75&vector=1,-0.5,2e1"
               "&min_offset=epoch-42.7");
    all_check(&fixture.request);
    core_arena_fini(&fixture.arena);
    read_query(&fixture, "filter=[[\"a%3D1\",\"b%3D2\"],\"c%3D3\"]&&");
    filter_is(fixture.request.filter, "AND[OR[{a} = {1}, {b} = {2}], {c} = {3}]");
    core_arena_fini(&fixture.arena);
    read_query(&fixture, "q=100%&facets=");
    slice_is(fixture.request.q, "100%");
    assert_true(fixture.request.facets.is_given);
    assert_int_equal(fixture.request.facets.count, 0);
    core_arena_fini(&fixture.arena);
}

static void page_is(const char *json, uint32_t offset, uint32_t limit) {
    request_fixture fixture;
    read_json(&fixture, json);
    assert_true(fixture.request.is_paged);
    assert_int_equal(fixture.request.offset, offset);
    assert_int_equal(fixture.request.limit, limit);
    core_arena_fini(&fixture.arena);
}

static void pages_are_offsets(void **state) {
    (void)state;
    page_is("{\"page\":1}", 0, 20);
    page_is("{\"page\":3,\"offset\":1000}", 40, 20);
    page_is("{\"hitsPerPage\":7,\"limit\":1}", 0, 7);
    page_is("{\"page\":2,\"hitsPerPage\":7}", 7, 7);
    page_is("{\"page\":0}", 0, 0);
    page_is("{\"page\":5,\"hitsPerPage\":0}", 0, 0);
    page_is("{\"page\":18446744073709551615,\"hitsPerPage\":4294967295}", UINT32_MAX, UINT32_MAX);
}

static void a_query_of_many_names_its_index(void **state) {
    (void)state;
    request_fixture fixture;
    fixture_init(&fixture);
    const char *json = "{\"indexUid\":\"movies\",\"q\":\"x\",\"federationOptions\":{\"weight\":2}}";
    assert_true(search_request_read_json(&fixture.arena, core_slice_text(json), &third_of_many,
                                         &fixture.request, &fixture.refusal));
    slice_is(fixture.request.index_uid, "movies");
    slice_is(fixture.request.federation_options, "{\"weight\":2}");
    assert_false(search_request_read_json(&fixture.arena, core_slice_text("{\"q\":\"x\"}"),
                                          &third_of_many, &fixture.request, &fixture.refusal));
    assert_int_equal(fixture.refusal.code, SEARCH_CODE_MISSING_INDEX_UID);
    assert_string_equal(fixture.refusal.message, "Missing field `indexUid` inside `.queries[2]`");
    json = "{\"indexUid\":\"movies\",\"q\":1}";
    assert_false(search_request_read_json(&fixture.arena, core_slice_text(json), &third_of_many,
                                          &fixture.request, &fixture.refusal));
    assert_string_equal(fixture.refusal.message,
                        "Invalid value type at `.queries[2].q`: expected a string, but found a "
                        "positive integer: `1`");
    core_arena_fini(&fixture.arena);
}

/* ---- What is refused ---- */
typedef struct {
    const char *text;
    const char *code;
    const char *message; /* it begins so */
} refused_case;

static const refused_case refused_json[] = {
    {"{\"q\":[\"doggo\"]}", "invalid_search_q",
     "Invalid value type at `.q`: expected a string, but found an array: `[\"doggo\"]`"},
    {"{\"q\":{\"a\":1}}", "invalid_search_q",
     "Invalid value type at `.q`: expected a string, but found an object: `{\"a\":1}`"},
    {"{\"offset\":\"doggo\"}", "invalid_search_offset",
     "Invalid value type at `.offset`: expected a positive integer, but found a string: "
     "`\"doggo\"`"},
    {"{\"offset\":-1}", "invalid_search_offset",
     "Invalid value type at `.offset`: expected a positive integer, but found a negative integer: "
     "`-1`"},
    {"{\"limit\":1.5}", "invalid_search_limit",
     "Invalid value type at `.limit`: expected a positive integer, but found a number: `1.5`"},
    {"{\"limit\":true}", "invalid_search_limit",
     "Invalid value type at `.limit`: expected a positive integer, but found a boolean: `true`"},
    {"{\"page\":\"1\"}", "invalid_search_page", "Invalid value type at `.page`"},
    {"{\"hitsPerPage\":[]}", "invalid_search_hits_per_page",
     "Invalid value type at `.hitsPerPage`"},
    {"{\"attributesToRetrieve\":\"doggo\"}", "invalid_search_attributes_to_retrieve",
     "Invalid value type at `.attributesToRetrieve`: expected an array, but found a string: "
     "`\"doggo\"`"},
    {"{\"attributesToRetrieve\":[\"a\",1]}", "invalid_search_attributes_to_retrieve",
     "Invalid value type at `.attributesToRetrieve[1]`: expected a string, but found a positive "
     "integer: `1`"},
    {"{\"attributesToRetrieve\":[null]}", "invalid_search_attributes_to_retrieve",
     "Invalid value type at `.attributesToRetrieve[0]`: expected a string, but found null"},
    {"{\"retrieveVectors\":\"doggo\"}", "invalid_search_retrieve_vectors",
     "Invalid value type at `.retrieveVectors`: expected a boolean, but found a string: "
     "`\"doggo\"`"},
    {"{\"attributesToCrop\":\"doggo\"}", "invalid_search_attributes_to_crop",
     "Invalid value type at `.attributesToCrop`: expected an array"},
    {"{\"cropLength\":\"doggo\"}", "invalid_search_crop_length",
     "Invalid value type at `.cropLength`: expected a positive integer"},
    {"{\"cropMarker\":[\"doggo\"]}", "invalid_search_crop_marker",
     "Invalid value type at `.cropMarker`: expected a string"},
    {"{\"attributesToHighlight\":\"doggo\"}", "invalid_search_attributes_to_highlight",
     "Invalid value type at `.attributesToHighlight`: expected an array"},
    {"{\"highlightPreTag\":[\"doggo\"]}", "invalid_search_highlight_pre_tag",
     "Invalid value type at `.highlightPreTag`: expected a string"},
    {"{\"highlightPostTag\":1}", "invalid_search_highlight_post_tag",
     "Invalid value type at `.highlightPostTag`: expected a string"},
    {"{\"showMatchesPosition\":\"doggo\"}", "invalid_search_show_matches_position",
     "Invalid value type at `.showMatchesPosition`: expected a boolean"},
    {"{\"showRankingScore\":0}", "invalid_search_show_ranking_score",
     "Invalid value type at `.showRankingScore`: expected a boolean"},
    {"{\"showRankingScoreDetails\":\"\"}", "invalid_search_show_ranking_score_details",
     "Invalid value type at `.showRankingScoreDetails`: expected a boolean"},
    {"{\"filter\":true}", "invalid_search_filter",
     "Invalid syntax for the filter parameter: `expected String, Array, found: true`."},
    {"{\"filter\":\"title & Glass\"}", "invalid_search_filter", "Was expecting an operation `=`"},
    {"{\"filter\":[\"a = 1\",[\"b = \"]]}", "invalid_search_filter",
     "Was expecting a value but instead got nothing.\n5:5 b = "},
    {"{\"facets\":\"doggo\"}", "invalid_search_facets",
     "Invalid value type at `.facets`: expected an array, but found a string: `\"doggo\"`"},
    {"{\"sort\":\"doggo\"}", "invalid_search_sort",
     "Invalid value type at `.sort`: expected an array, but found a string: `\"doggo\"`"},
    {"{\"sort\":[\"title\"]}", "invalid_search_sort",
     "Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, "
     "found "
     "`title`."},
    {"{\"sort\":[\"a:deesc\"]}", "invalid_search_sort", "Invalid syntax for the sort parameter"},
    {"{\"sort\":[\"_geoPoint(1):asc\"]}", "invalid_search_sort",
     "Invalid syntax for the geo parameter: expected expression formated like "
     "`_geoPoint(latitude, longitude)` and ending by `:asc` or `:desc`, found `_geoPoint(1)`."},
    {"{\"sort\":[\"_geoPoint:asc\"]}", "invalid_search_sort",
     "Invalid syntax for the geo parameter"},
    {"{\"sort\":[\"_geoPoint(1, x):asc\"]}", "invalid_search_sort",
     "Invalid syntax for the geo parameter"},
    {"{\"sort\":[\"_geoPoint(200, 1):asc\"]}", "invalid_search_sort",
     "Bad latitude `200`. Latitude must be contained between -90 and 90 degrees."},
    {"{\"sort\":[\"_geoPoint(1, 181):asc\"]}", "invalid_search_sort",
     "Bad longitude `181`. Longitude must be contained between -180 and 180 degrees. Hint: try "
     "using `-179` instead."},
    {"{\"sort\":[\"_geo:asc\"]}", "invalid_search_sort",
     "`_geo` is a reserved keyword and thus can't be used as a sort expression. Use the _geoPoint"},
    {"{\"sort\":[\"_geoDistance:asc\"]}", "invalid_search_sort",
     "`_geoDistance` is a reserved keyword and thus can't be used as a sort expression."},
    {"{\"sort\":[\"_geoRadius(1,2,3):asc\"]}", "invalid_search_sort",
     "`_geoRadius` is a reserved keyword"},
    {"{\"distinct\":[]}", "invalid_search_distinct", "Invalid value type at `.distinct`"},
    {"{\"matchingStrategy\":\"doggo\"}", "invalid_search_matching_strategy",
     "Unknown value `doggo` at `.matchingStrategy`: expected one of `last`, `all`, `frequency`"},
    {"{\"matchingStrategy\":{\"doggo\":\"doggo\"}}", "invalid_search_matching_strategy",
     "Invalid value type at `.matchingStrategy`: expected a string, but found an object: "
     "`{\"doggo\":\"doggo\"}`"},
    {"{\"attributesToSearchOn\":1}", "invalid_search_attributes_to_search_on",
     "Invalid value type at `.attributesToSearchOn`"},
    {"{\"rankingScoreThreshold\":\"doggo\"}", "invalid_search_ranking_score_threshold",
     "Invalid value type at `.rankingScoreThreshold`: expected a number, but found a string: "
     "`\"doggo\"`"},
    {"{\"rankingScoreThreshold\":42}", "invalid_search_ranking_score_threshold",
     "Invalid value at `.rankingScoreThreshold`: the value of `rankingScoreThreshold` is invalid, "
     "expected a float between `0.0` and `1.0`."},
    {"{\"locales\":\"eng\"}", "invalid_search_locales", "Invalid value type at `.locales`"},
    {"{\"hybrid\":true}", "invalid_search_hybrid_query",
     "Invalid value type at `.hybrid`: expected an object, but found a boolean: `true`"},
    {"{\"hybrid\":{}}", "invalid_search_hybrid_query", "Missing field `embedder` inside `.hybrid`"},
    {"{\"hybrid\":{\"embedder\":null}}", "invalid_search_embedder",
     "Invalid value type at `.hybrid.embedder`: expected a string, but found null"},
    {"{\"hybrid\":{\"embedder\":\"a\",\"semanticRatio\":2}}", "invalid_search_semantic_ratio",
     "Invalid value at `.hybrid.semanticRatio`: the value of `semanticRatio` is invalid, expected "
     "a "
     "float between `0.0` and `1.0`."},
    {"{\"hybrid\":{\"embedder\":\"a\",\"doggo\":2}}", "invalid_search_hybrid_query",
     "Unknown field `doggo` inside `.hybrid`: expected one of `embedder`, `semanticRatio`"},
    {"{\"vector\":[1,2]}", "missing_search_hybrid",
     "Invalid request: missing `hybrid` parameter when `vector` is present."},
    {"{\"vector\":[1,\"a\"]}", "invalid_search_vector",
     "Invalid value type at `.vector[1]`: expected a number, but found a string: `\"a\"`"},
    {"{\"vector\":[1e999]}", "invalid_search_vector",
     "Invalid value at `.vector[0]`: the number is out of range"},
    {"{\"min_offset\":\"x\"}", "invalid_search_min_offset",
     "Invalid value at `.min_offset`: expected an offset of the change stream"},
    {"{\"boolean\":1}", "invalid_search_boolean", "Invalid value type at `.boolean`"},
    {"{\"marin\":\"hello\"}", "bad_request",
     "Unknown field `marin`: expected one of `q`, `offset`, `limit`, `page`, `hitsPerPage`, "},
    {"{\"crop_length\":1}", "bad_request",
     "Unknown field `crop_length`: did you mean `cropLength`? expected one of `q`, "},
    {"{\"filters\":1}", "bad_request", "Unknown field `filters`: did you mean `filter`?"},
    {"{\"indexUid\":\"a\"}", "bad_request", "Unknown field `indexUid`: expected one of `q`"},
    {"{\"hybridEmbedder\":\"a\"}", "bad_request", "Unknown field `hybridEmbedder`"},
    {"[]", "bad_request", "Invalid value type: expected an object, but found an array: `[]`"},
    {"null", "bad_request", "Invalid value type: expected an object, but found null"},
    {"\"q\"", "bad_request", "Invalid value type: expected an object, but found a string: `\"q\"`"},
    {"{", "malformed_payload", "The json payload provided is malformed."},
    {"{}}", "malformed_payload", "The json payload provided is malformed."},
    {"{\"q\":\"a\",}", "malformed_payload", "The json payload provided is malformed."},
    {"{\"facets\":[\"a\"", "malformed_payload", "The json payload provided is malformed."},
    {"{\"q\":[\"a\"}", "malformed_payload", "The json payload provided is malformed."},
    {"{\"q\":\"\\ud800\"}", "malformed_payload", "The json payload provided is malformed."},
};

static const refused_case refused_query[] = {
    {"offset=doggo", "invalid_search_offset",
     "Invalid value in parameter `offset`: could not parse `doggo` as a positive integer"},
    {"limit=-1", "invalid_search_limit",
     "Invalid value in parameter `limit`: could not parse `-1` as a positive integer"},
    {"page=", "invalid_search_page",
     "Invalid value in parameter `page`: could not parse `` as a positive integer"},
    {"hitsPerPage=1.5", "invalid_search_hits_per_page", "Invalid value in parameter `hitsPerPage`"},
    {"cropLength=doggo", "invalid_search_crop_length",
     "Invalid value in parameter `cropLength`: could not parse `doggo` as a positive integer"},
    {"retrieveVectors=", "invalid_search_retrieve_vectors",
     "Invalid value in parameter `retrieveVectors`: could not parse `` as a boolean, expected "
     "either `true` or `false`"},
    {"showMatchesPosition=doggo", "invalid_search_show_matches_position",
     "Invalid value in parameter `showMatchesPosition`: could not parse `doggo` as a boolean, "
     "expected either `true` or `false`"},
    {"matchingStrategy=doggo", "invalid_search_matching_strategy",
     "Unknown value `doggo` for parameter `matchingStrategy`: expected one of `last`, `all`, "
     "`frequency`"},
    {"rankingScoreThreshold=1.5", "invalid_search_ranking_score_threshold",
     "Invalid value in parameter `rankingScoreThreshold`: the value of `rankingScoreThreshold` is "
     "invalid, expected a float between `0.0` and `1.0`."},
    {"hybridSemanticRatio=0.5", "invalid_search_hybrid_query",
     "`hybridEmbedder` is mandatory when `hybridSemanticRatio` is present"},
    {"vector=1,2", "missing_search_hybrid",
     "`hybridEmbedder` is mandatory when `vector` is present"},
    {"vector=1,x&hybridEmbedder=a", "invalid_search_vector",
     "Invalid value in parameter `vector`: could not parse `x` as a number"},
    {"filter=a", "invalid_search_filter", "Was expecting an operation `=`"},
    {"filter=12", "invalid_search_filter",
     "Invalid syntax for the filter parameter: `expected String, Array, found: 12`."},
    {"sort=doggo", "invalid_search_sort",
     "Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, "
     "found "
     "`doggo`."},
    {"min_offset=1", "invalid_search_min_offset",
     "Invalid value in parameter `min_offset`: could not parse `1` as an offset of the change"},
    {"doggo=1", "bad_request", "Unknown parameter `doggo`: expected one of `q`, `offset`, "},
    {"hybrid=a", "bad_request", "Unknown parameter `hybrid`"},
    {"q=%ff", "bad_request", "The query of the URL is no valid UTF-8."},
};

static void refused_check(const refused_case *refused, const search_refusal *refusal) {
    assert_string_equal(search_code_look(refusal->code)->name, refused->code);
    if (strncmp(refusal->message, refused->message, strlen(refused->message)) != 0)
        fail_msg("%s: %s", refused->text, refusal->message);
}

static void what_is_wrong_is_refused_with_its_code(void **state) {
    (void)state;
    request_fixture fixture;
    for (size_t i = 0; i < CORE_COUNT_OF(refused_json); i++) {
        fixture_init(&fixture);
        if (search_request_read_json(&fixture.arena, core_slice_text(refused_json[i].text), &single,
                                     &fixture.request, &fixture.refusal))
            fail_msg("taken: %s", refused_json[i].text);
        refused_check(&refused_json[i], &fixture.refusal);
        core_arena_fini(&fixture.arena);
    }
    for (size_t i = 0; i < CORE_COUNT_OF(refused_query); i++) {
        fixture_init(&fixture);
        if (search_request_read_query(&fixture.arena, core_slice_text(refused_query[i].text),
                                      &fixture.request, &fixture.refusal))
            fail_msg("taken: %s", refused_query[i].text);
        refused_check(&refused_query[i], &fixture.refusal);
        core_arena_fini(&fixture.arena);
    }
}

static void what_is_too_much_is_refused(void **state) {
    (void)state;
    request_fixture fixture;
    core_buffer text;
    core_buffer_init(&text, 1 << 20);
    core_buffer_text(&text, "{\"facets\":[\"a\"");
    for (int i = 0; i < SEARCH_REQUEST_NAMES_MAX; i++)
        core_buffer_text(&text, ",\"a\"");
    core_buffer_text(&text, "]}");
    fixture_init(&fixture);
    assert_false(search_request_read_json(&fixture.arena, core_buffer_slice(&text), &single,
                                          &fixture.request, &fixture.refusal));
    assert_string_equal(fixture.refusal.message,
                        "Invalid value at `.facets`: at most 1000 elements are taken");
    core_buffer_reset(&text);
    core_buffer_text(&text, "sort=a:asc");
    for (int i = 0; i < SEARCH_REQUEST_SORTS_MAX; i++)
        core_buffer_text(&text, ",a:asc");
    assert_false(search_request_read_query(&fixture.arena, core_buffer_slice(&text),
                                           &fixture.request, &fixture.refusal));
    assert_string_equal(fixture.refusal.message, "At most 20 sort expressions are taken.");
    core_arena_fini(&fixture.arena);
    core_arena_init(&fixture.arena, 64, 128);
    assert_false(search_request_read_query(&fixture.arena, core_slice_text("facets=a"),
                                           &fixture.request, &fixture.refusal));
    assert_int_equal(fixture.refusal.code, SEARCH_CODE_BAD_REQUEST);
    core_arena_fini(&fixture.arena);
    core_buffer_fini(&text);
}

/* ---- Against a schema ---- */
#define NAMED(text) .name = {(const uint8_t *)(text), sizeof(text) - 1}

static const search_attribute attributes[] = {
    {NAMED("title"), .weight = 2},
    {NAMED("year"), .is_sortable = true, .is_filterable = true},
    {NAMED("genre"), .is_filterable = true},
    {NAMED("_geo"), .is_sortable = true},
    {NAMED("meta.lang"), .is_filterable = true, .weight = 1},
};

static const refused_case refused_schema[] = {
    {"{\"filter\":\"year = 1 OR title = x\"}", "invalid_search_filter",
     "Attribute `title` is not filterable. Available filterable attribute patterns are: `genre`, "
     "`meta.lang`, `year`.\n13:18 year = 1 OR title = x"},
    {"{\"sort\":[\"genre:asc\"]}", "invalid_search_sort",
     "Attribute `genre` is not sortable. Available sortable attributes are: `_geo, year`."},
    {"{\"facets\":[\"doggo\",\"neko\"]}", "invalid_search_facets",
     "Invalid facet distribution: Pattern `doggo` is not filterable. Available filterable "
     "attributes patterns are: `genre, meta.lang, year`."},
    {"{\"distinct\":\"title\"}", "invalid_search_distinct",
     "Attribute `title` is not filterable and thus, cannot be used as distinct attribute. "
     "Available "
     "filterable attributes patterns are: `genre, meta.lang, year`."},
    {"{\"attributesToSearchOn\":[\"title\",\"year\"]}", "invalid_search_attributes_to_search_on",
     "Attribute `year` is not searchable. Available searchable attributes are: `meta.lang, "
     "title`."},
};

static void what_an_index_has_not_is_refused(void **state) {
    (void)state;
    request_fixture fixture;
    search_schema_spec spec = search_schema_defaults();
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    search_schema *schema = search_schema_new(&spec, NULL);
    for (size_t i = 0; i < CORE_COUNT_OF(refused_schema); i++) {
        read_json(&fixture, refused_schema[i].text);
        if (search_request_check(&fixture.arena, &fixture.request, schema, &fixture.refusal))
            fail_msg("taken: %s", refused_schema[i].text);
        refused_check(&refused_schema[i], &fixture.refusal);
        core_arena_fini(&fixture.arena);
    }
    read_json(&fixture, "{\"filter\":\"meta.lang = fr AND NOT year EXISTS\",\"distinct\":\"genre\","
                        "\"sort\":[\"year:asc\",\"_geoPoint(1,2):desc\"],"
                        "\"facets\":[\"*\",\"meta.*\",\"genre\"],"
                        "\"attributesToSearchOn\":[\"title\",\"meta.lang\"]}");
    if (!search_request_check(&fixture.arena, &fixture.request, schema, &fixture.refusal))
        fail_msg("%s", fixture.refusal.message);
    core_arena_fini(&fixture.arena);
    search_schema_release(schema);
    spec = search_schema_defaults();
    schema = search_schema_new(&spec, NULL);
    read_json(&fixture, "{\"sort\":[\"genre:asc\"]}");
    assert_false(search_request_check(&fixture.arena, &fixture.request, schema, &fixture.refusal));
    assert_string_equal(fixture.refusal.message,
                        "Attribute `genre` is not sortable. This index does not have configured "
                        "sortable attributes.");
    core_arena_fini(&fixture.arena);
    search_schema_release(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_is_as_meilisearch_has_it),
        cmocka_unit_test(every_parameter_is_read_from_json),
        cmocka_unit_test(every_parameter_is_read_from_a_url),
        cmocka_unit_test(pages_are_offsets),
        cmocka_unit_test(a_query_of_many_names_its_index),
        cmocka_unit_test(what_is_wrong_is_refused_with_its_code),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(what_an_index_has_not_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
