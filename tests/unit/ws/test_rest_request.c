/* What a request asks to say: broadcasts out of bodies, paths and parameters, and what is refused.
 */
#include "ws/rest_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAYLOAD_MAX 64
#define NOW_US      1000

static void assert_message(const ws_rest_request *request, size_t index, const char *topic,
                           const char *event, const char *payload, bool private_channel) {
    assert_true(index < request->count);
    const ws_broadcast *broadcast = request->messages[index];
    if (!core_slice_is(broadcast->topic, topic))
        fail_msg("topic %.*s", CORE_SLICE_ARGS(broadcast->topic));
    assert_true(core_slice_is(broadcast->event, event));
    assert_true(core_slice_is(broadcast->payload, payload));
    assert_int_equal(broadcast->private_channel, private_channel);
    assert_false(broadcast->pushed);
    assert_string_equal(broadcast->id, "");
    assert_int_equal(broadcast->sender, 0);
}

/* ---- Batches ---- */

static unsigned batch(ws_rest_request *request, const char *body) {
    return ws_rest_request_batch(request, core_slice_text(body), PAYLOAD_MAX);
}

static void a_batch_is_read_in_order(void **state) {
    (void)state;
    ws_rest_request request;
    assert_int_equal(
        batch(
            &request,
            "{\"x\":[{}],\"messages\":["
            "{\"topic\":\"a\",\"event\":\"e\",\"payload\":{\"topic\":\"no\"}},"
            "{\"payload\":[1],\"private\":true,\"event\":\"\\u2603\\\"\",\"topic\":\"b/\\\"\"},"
            "{\"topic\":\"realtime:c\",\"event\":\"e\",\"payload\":\"t\",\"private\":\"true\"},"
            "{\"topic\":\"d\",\"event\":\"e\",\"payload\":0,\"private\":null,\"persist\":false},"
            "{\"topic\":\"x\",\"topic\":\"e\",\"event\":\"e\",\"payload\":1,\"private\":\"false\","
            "\"id\":7}]}"),
        0);
    assert_int_equal(request.count, 5);
    assert_message(&request, 0, "realtime:a", "e", "{\"topic\":\"no\"}", false);
    assert_message(&request, 1, "realtime:b/\"", "\xE2\x98\x83\"", "[1]", true);
    assert_message(&request, 2, "realtime:realtime:c", "e", "\"t\"", true);
    assert_message(&request, 3, "realtime:d", "e", "0", false);
    assert_message(&request, 4, "realtime:e", "e", "1", false);
    assert_true(request.messages[0]->json && !request.messages[0]->stored);
    assert_int_equal(request.errors.length, 0);
    ws_rest_request_fini(&request);
}

static void assert_batch_refused(const char *body, unsigned status, const char *detail,
                                 const char *errors) {
    ws_rest_request request;
    assert_int_equal(batch(&request, body), status);
    if (strstr(request.detail, detail) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", body, request.detail, detail);
    if (!core_slice_is(core_buffer_slice(&request.errors), errors))
        fail_msg("%s: %.*s", body, CORE_SLICE_ARGS(core_buffer_slice(&request.errors)));
    ws_rest_request_fini(&request);
}

static void each_wrong_field_is_named(void **state) {
    (void)state;
    assert_batch_refused(
        "{\"messages\":[{\"topic\":\"t\",\"event\":\"e\",\"payload\":{}},{}]}", 422,
        "messages[1]: topic can't be blank",
        "{\"messages\":[{},{\"topic\":[\"can't be blank\"],\"payload\":[\"can't be "
        "blank\"],\"event\":[\"can't be blank\"]}]}");
    assert_batch_refused(
        "{\"messages\":[{\"topic\":\"\",\"event\":7,\"payload\":null,\"private\":\"yes\"}]}", 422,
        "messages[0]: topic can't be blank",
        "{\"messages\":[{\"topic\":[\"can't be blank\"],\"payload\":[\"can't be blank\"],"
        "\"event\":[\"is invalid\"],\"private\":[\"is invalid\"]}]}");
    assert_batch_refused(
        "{\"messages\":[{\"topic\":\"\\u0000\",\"event\":\"\\ud800\",\"payload\":1}]}", 422,
        "topic is invalid",
        "{\"messages\":[{\"topic\":[\"is invalid\"],\"event\":[\"is invalid\"]}]}");
    assert_batch_refused(
        "{\"messages\":[{\"topic\":\"t\",\"event\":\"e\",\"payload\":1,\"persist\":true}]}", 422,
        "persist is not for batches",
        "{\"messages\":[{\"persist\":[\"is not for batches: send it to "
        "/api/broadcast/TOPIC/events/EVENT\"]}]}");
}

static void bodies_that_are_no_batch_are_refused(void **state) {
    (void)state;
    static const char *const blank[] = {"{}", "[]", "7", "{\"messages\":null}",
                                        "{\"messages\":[]}"};
    for (size_t i = 0; i < CORE_COUNT_OF(blank); i++)
        assert_batch_refused(blank[i], 422, "messages can't be blank",
                             "{\"messages\":[\"can't be blank\"]}");
    static const char *const invalid[] = {"{\"messages\":{}}", "{\"messages\":\"x\"}",
                                          "{\"messages\":[7]}", "{\"messages\":[{},[]]}"};
    for (size_t i = 0; i < CORE_COUNT_OF(invalid); i++)
        assert_batch_refused(invalid[i], 422, "", "{\"messages\":[\"is invalid\"]}");
    static const char *const malformed[] = {"", "{", "{\"messages\":[}", "{} {}",
                                            "{\"messages\":[{\"topic\":\"\xFF\"}]}"};
    for (size_t i = 0; i < CORE_COUNT_OF(malformed); i++)
        assert_batch_refused(malformed[i], 400, "not JSON", "");
}

static void write_message(core_buffer *body, size_t topic, size_t event, size_t payload) {
    core_buffer_format(body, "{\"topic\":\"%0*d\",\"event\":\"%0*d\",\"payload\":\"%0*d\"}",
                       (int)topic, 0, (int)event, 0, (int)payload - 2, 0);
}

static unsigned batch_of(size_t count, size_t topic, size_t event, size_t payload,
                         ws_rest_request *request) {
    core_buffer body;
    core_buffer_init(&body, (size_t)1 << 24);
    core_buffer_text(&body, "{\"messages\":[");
    for (size_t i = 0; i < count; i++) {
        core_buffer_text(&body, i > 0 ? "," : "");
        write_message(&body, topic, event, payload);
    }
    core_buffer_text(&body, "]}");
    unsigned status = ws_rest_request_batch(request, core_buffer_slice(&body), PAYLOAD_MAX);
    core_buffer_fini(&body);
    return status;
}

static void lengths_have_limits(void **state) {
    (void)state;
    static const struct {
        size_t count, topic, event, payload;
        unsigned status;
    } rows[] = {
        {WS_REST_MESSAGES_MAX, 3, 3, 3, 0},
        {WS_REST_MESSAGES_MAX + 1, 3, 3, 3, 422},
        {1, WS_TOPIC_MAX - 9, WS_EVENT_MAX, PAYLOAD_MAX, 0},
        {1, WS_TOPIC_MAX - 8, 3, 3, 422},
        {1, WS_TOPIC_MAX + 9, 3, 3, 422},
        {1, 3, WS_EVENT_MAX + 1, 3, 422},
        {1, 3, 3, PAYLOAD_MAX + 1, 413},
        {2, 3, WS_EVENT_MAX + 1, PAYLOAD_MAX + 1, 422}, /* what can be mended first */
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        ws_rest_request request;
        assert_int_equal(
            batch_of(rows[i].count, rows[i].topic, rows[i].event, rows[i].payload, &request),
            rows[i].status);
        assert_true(rows[i].status != 0 || request.count == rows[i].count);
        assert_true(rows[i].status == 0 || request.detail[0] != '\0');
        ws_rest_request_fini(&request);
    }
}

/* ---- One message ---- */

static unsigned single(ws_rest_request *request, const char *path, const char *query,
                       const char *type, const char *body) {
    return ws_rest_request_single(request, core_slice_text(path), core_slice_text(query),
                                  core_slice_text(type), core_slice_text(body), PAYLOAD_MAX,
                                  NOW_US);
}

static void names_are_decoded_once(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"room1/events/e", "realtime:room1", "e"},
        {"a%2Fb%2fc/events/d%2Fe", "realtime:a/b/c", "d/e"},
        {"100%2525+a%20b/events/a+b", "realtime:100%25+a b", "a+b"},
        {"%22%E2%98%83%22/events/%c3%a9", "realtime:\"\xE2\x98\x83\"", "\xC3\xA9"},
        {"realtime%3Ax/events/events", "realtime:realtime:x", "events"},
        {"a:b;c=d,e/events/*", "realtime:a:b;c=d,e", "*"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        ws_rest_request request;
        if (single(&request, rows[i][0], "", "application/json", "{}") != 0)
            fail_msg("%s: %s", rows[i][0], request.detail);
        assert_message(&request, 0, rows[i][1], rows[i][2], "{}", false);
        assert_true(request.messages[0]->json && !request.messages[0]->stored);
        ws_rest_request_fini(&request);
    }
}

static void assert_single_refused(const char *path, const char *query, const char *type,
                                  const char *body, unsigned status, const char *detail) {
    ws_rest_request request;
    assert_int_equal(single(&request, path, query, type, body), status);
    assert_int_equal(request.count, 0);
    if (strstr(request.detail, detail) == NULL)
        fail_msg("%s?%s: \"%s\" does not say \"%s\"", path, query, request.detail, detail);
    ws_rest_request_fini(&request);
}

static void other_paths_and_names_are_refused(void **state) {
    (void)state;
    static const char *const unknown[] = {"",
                                          "room1",
                                          "room1/events",
                                          "a/b/events",
                                          "a/b/events/e",
                                          "a/events/e/",
                                          "a/events/e/f",
                                          "a/event/e"};
    for (size_t i = 0; i < CORE_COUNT_OF(unknown); i++)
        assert_single_refused(unknown[i], "", "", "{}", 404, "%2F");
    static const char *const blank[] = {"/events/e", "a/events/"};
    for (size_t i = 0; i < CORE_COUNT_OF(blank); i++)
        assert_single_refused(blank[i], "", "", "{}", 422, "can't be blank");
    static const char *const invalid[] = {"%/events/e",   "%4/events/e",  "a/events/%zz",
                                          "%ff/events/e", "%00/events/e", "a/events/%c3"};
    for (size_t i = 0; i < CORE_COUNT_OF(invalid); i++)
        assert_single_refused(invalid[i], "", "", "{}", 422, "is invalid");
}

static void parameters_say_private_and_persist(void **state) {
    (void)state;
    static const struct {
        const char *query;
        bool private_channel, stored;
        int64_t expires_us;
    } rows[] = {
        {"private=true", true, false, 0},
        {"private=false&apikey=a%zz.very-long-token-that-is-longer-than-any-value", false, false,
         0},
        {"persist=true&private=true", true, true, 0},
        {"private=true&persist%5Bttl%5D=60", true, true, NOW_US + 60000000},
        {"&private=true&persist[ttl]=2147483647&", true, true, NOW_US + INT64_C(2147483647000000)},
        {"private=true&persist=false", true, false, 0},
        {"persist=false", false, false, 0},
        {"vsn=2.0.0&log_level=info&%zz=true&a-key-that-is-longer-than-any-that-is-known=1", false,
         false, 0},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        ws_rest_request request;
        if (single(&request, "t/events/e", rows[i].query, "", "1") != 0)
            fail_msg("%s: %s", rows[i].query, request.detail);
        assert_int_equal(request.messages[0]->private_channel, rows[i].private_channel);
        assert_int_equal(request.messages[0]->stored, rows[i].stored);
        assert_int_equal(request.messages[0]->expires_us, rows[i].expires_us);
        ws_rest_request_fini(&request);
    }
}

static void parameters_with_other_values_are_refused(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"private=yes", "private must be true or false"},
        {"private", "private must be true or false"},
        {"private=TRUE", "private must be true or false"},
        {"private=%zz", "private must be true or false"},
        {"private=true&private=a-value-that-is-longer-than-any-that-is-known", "private must be"},
        {"persist=1&private=true", "persist must be true or false"},
        {"persist=true", "persist is for private channels"},
        {"persist[ttl]=5", "persist is for private channels"},
        {"private=true&persist[ttl]=0", "persist[ttl] must be"},
        {"private=true&persist[ttl]=2147483648", "persist[ttl] must be"},
        {"private=true&persist[ttl]=-1", "persist[ttl] must be"},
        {"private=true&persist[ttl]=1e3", "persist[ttl] must be"},
        {"private=true&persist[ttl]=99999999999999999999", "persist[ttl] must be"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        assert_single_refused("t/events/e", rows[i][0], "", "1", 422, rows[i][1]);
}

static void the_content_type_says_what_the_body_is(void **state) {
    (void)state;
    static const char *const json[] = {"", "application/json", "Application/JSON ;charset=utf-8"};
    static const char *const bytes[] = {"application/octet-stream",
                                        "application/octet-stream; a=b"};
    static const char *const others[] = {"text/plain", "application/jsonp", "application/json,a"};
    ws_rest_request request;
    for (size_t i = 0; i < CORE_COUNT_OF(json); i++) {
        assert_int_equal(single(&request, "t/events/e", "", json[i], "[1]"), 0);
        assert_true(request.messages[0]->json);
        ws_rest_request_fini(&request);
        assert_single_refused("t/events/e", "", json[i], "", 422, "payload can't be blank");
        assert_single_refused("t/events/e", "", json[i], "{", 400, "not JSON");
        assert_single_refused("t/events/e", "", json[i], "\"\xFF\"", 400, "not JSON");
    }
    for (size_t i = 0; i < CORE_COUNT_OF(bytes); i++) {
        assert_int_equal(single(&request, "t/events/e", "", bytes[i], "\xFF{"), 0);
        assert_message(&request, 0, "realtime:t", "e", "\xFF{", false);
        assert_false(request.messages[0]->json);
        assert_true(ws_broadcast_reaches(request.messages[0], WS_PROTOCOL_2));
        ws_rest_request_fini(&request);
        assert_int_equal(single(&request, "t/events/e", "", bytes[i], ""), 0);
        ws_rest_request_fini(&request);
    }
    for (size_t i = 0; i < CORE_COUNT_OF(others); i++)
        assert_single_refused("t/events/e", "", others[i], "{}", 415, "application/json");
}

static void single_lengths_have_limits(void **state) {
    (void)state;
    char path[WS_TOPIC_MAX + 64], body[PAYLOAD_MAX + 2];
    static const struct {
        size_t topic, payload;
        const char *type;
        unsigned status;
    } rows[] = {
        {WS_TOPIC_MAX - 9, PAYLOAD_MAX, "application/json", 0},
        {WS_TOPIC_MAX - 8, 1, "application/json", 422},
        {WS_TOPIC_MAX + 1, 1, "application/json", 422},
        {1, PAYLOAD_MAX + 1, "application/json", 413},
        {246, PAYLOAD_MAX, "application/octet-stream", 0},
        {247, 1, "application/octet-stream", 422}, /* bytes that would reach nobody */
        {1, PAYLOAD_MAX + 1, "application/octet-stream", 413},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        ws_rest_request request;
        core_buffer text = core_buffer_over(path, sizeof path);
        core_buffer_format(&text, "%0*d/events/e%c", (int)rows[i].topic, 0, 0);
        memset(body, '1', rows[i].payload);
        body[rows[i].payload] = '\0';
        assert_int_equal(single(&request, path, "", rows[i].type, body), rows[i].status);
        ws_rest_request_fini(&request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_read_in_order),
        cmocka_unit_test(each_wrong_field_is_named),
        cmocka_unit_test(bodies_that_are_no_batch_are_refused),
        cmocka_unit_test(lengths_have_limits),
        cmocka_unit_test(names_are_decoded_once),
        cmocka_unit_test(other_paths_and_names_are_refused),
        cmocka_unit_test(parameters_say_private_and_persist),
        cmocka_unit_test(parameters_with_other_values_are_refused),
        cmocka_unit_test(the_content_type_says_what_the_body_is),
        cmocka_unit_test(single_lengths_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
