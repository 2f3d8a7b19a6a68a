/* A join's bindings: their answer, their ids, and what makes two subscriptions the same. */
#include "ws/subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    ws_subscription *subscription;
    core_buffer response;
    core_error error;
} made;

static made make_for(ws_protocol protocol, const char *topic, const char *role, const char *json) {
    made result = {.error = {.text = ""}};
    core_buffer_init(&result.response, 1 << 16);
    ws_identity identity = {.references = 1};
    (void)snprintf(identity.claims.role, sizeof identity.claims.role, "%s", role);
    ws_subscription_request request = {.protocol = protocol,
                                       .topic = core_slice_text(topic),
                                       .identity = &identity,
                                       .postgres_changes = core_slice_text(json)};
    result.subscription = ws_subscription_new(&request, &result.response, &result.error);
    return result;
}

static made make(const char *json) {
    return make_for(WS_PROTOCOL_2, "realtime:t", "anon", json);
}

static void drop(made *result) {
    ws_subscription_free(result->subscription);
    core_buffer_fini(&result->response);
}

static void test_bindings(void **state) {
    (void)state;
    made result =
        make("[{\"event\":\"insert\",\"schema\":\"s\",\"table\":\"t\",\"filter\":\"id=eq.1\","
             "\"select\":[\"a\",\"b\"]},{\"event\":\"*\",\"schema\":\"*\"},"
             "{\"event\":\"DELETE\",\"table\":\"t\\u00e9\",\"filter\":null}]");
    assert_non_null(result.subscription);
    const ws_binding *bindings = result.subscription->bindings;
    assert_int_equal(result.subscription->count, 3);
    assert_int_equal(bindings[0].operations, 1u << CORE_OP_INSERT);
    assert_true(core_slice_is(bindings[0].schema, "s") && core_slice_is(bindings[0].table, "t"));
    assert_non_null(bindings[0].parsed);
    assert_int_equal(bindings[0].column_count, 2);
    assert_true(core_slice_is(bindings[0].select, "[\"a\",\"b\"]"));
    assert_int_equal(bindings[1].operations, 1u << CORE_OP_INSERT | 1u << CORE_OP_UPDATE |
                                                 1u << CORE_OP_DELETE | 1u << CORE_OP_TRUNCATE);
    assert_int_equal(bindings[1].schema.length + bindings[1].table.length, 0);
    assert_true(core_slice_is(bindings[2].schema, "public"));
    assert_true(core_slice_is(bindings[2].table, "t\xC3\xA9"));
    assert_null(bindings[2].parsed);
    drop(&result);
}

static void test_the_answer_repeats_what_was_sent(void **state) {
    (void)state;
    made result = make("[{\"filter\":\"\",\"table\":\"t\",\"event\":\"*\",\"extra\":1,\"schema\":"
                       "\"\\u0070ublic\"}]");
    char expected[256];
    (void)snprintf(expected, sizeof expected,
                   "{\"postgres_changes\":[{\"id\":%u,\"event\":\"*\",\"schema\":\"\\u0070ublic\","
                   "\"table\":\"t\",\"filter\":\"\"}]}",
                   result.subscription->bindings[0].id);
    assert_true(core_slice_is(core_buffer_slice(&result.response), expected));
    drop(&result);
    result = make("");
    assert_true(core_slice_is(core_buffer_slice(&result.response), "{\"postgres_changes\":[]}"));
    drop(&result);
}

static bool response_has(const made *result, const char *text) {
    char response[512];
    return core_slice_to_text(core_buffer_slice(&result->response), response, sizeof response) &&
           strstr(response, text) != NULL;
}

static void test_a_binding_without_an_event_is_for_all(void **state) {
    (void)state;
    made result = make("[{\"schema\":\"s\"},{\"event\":\"*\",\"schema\":\"s\"}]");
    assert_non_null(result.subscription);
    assert_int_equal(result.subscription->bindings[0].operations,
                     result.subscription->bindings[1].operations);
    assert_true(response_has(&result, ",\"schema\":\"s\"},{"));
    assert_false(response_has(&result, "\"event\":\"*\",\"schema\":\"s\"},"));
    drop(&result);
}

static void test_a_blank_filter_is_none(void **state) {
    (void)state;
    made result = make("[{\"event\":\"*\",\"schema\":\"s\",\"filter\":\"  \"}]");
    assert_non_null(result.subscription);
    assert_null(result.subscription->bindings[0].parsed);
    assert_true(response_has(&result, "\"filter\":\"  \"}"));
    drop(&result);
}

static void test_ids(void **state) {
    (void)state;
    static const char json[] =
        "[{\"event\":\"*\",\"schema\":\"a\"},{\"event\":\"*\",\"schema\":\"b\"},"
        "{\"schema\":\"a\",\"event\":\"*\"}]";
    made first = make(json), again = make_for(WS_PROTOCOL_1, "realtime:u", "x", json);
    const ws_binding *a = first.subscription->bindings, *b = again.subscription->bindings;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(a[i].id, b[i].id); /* whoever asks, wherever */
        assert_in_range(a[i].id, 1, INT32_MAX);
    }
    assert_int_not_equal(a[0].id, a[1].id);
    assert_int_equal(a[0].id, a[2].id); /* the same binding twice */
    drop(&first);
    drop(&again);
}

static bool same_key(made left, made right) {
    bool same = core_slice_equal(left.subscription->key, right.subscription->key);
    drop(&left);
    drop(&right);
    return same;
}

static void test_keys(void **state) {
    (void)state;
    static const char json[] = "[{\"event\":\"*\",\"schema\":\"a\",\"table\":\"t\"}]";
    assert_true(
        same_key(make(json), make("[{\"table\":\"t\",\"schema\":\"\\u0061\",\"event\":\"*\"}]")));
    assert_false(
        same_key(make(json), make("[{\"event\":\"*\",\"schema\":\"a\",\"table\":\"u\"}]")));
    assert_false(same_key(make(json), make("[{\"event\":\"*\",\"schema\":\"at\"}]")));
    assert_false(same_key(make(json), make_for(WS_PROTOCOL_1, "realtime:t", "anon", json)));
    assert_false(same_key(make(json), make_for(WS_PROTOCOL_2, "realtime:u", "anon", json)));
    assert_false(same_key(make(json), make_for(WS_PROTOCOL_2, "realtime:t", "admin", json)));
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const rows[] = {
        "{}",
        "[1]",
        "[{\"event\":\"*\",\"schema\":\"a\"},[]]",
        "[{\"event\":\"*\",\"schema\":\"a\"",
        "[{\"event\":\"X\",\"schema\":\"a\"}]",
        "[{\"event\":1,\"schema\":\"a\"}]",
        "[{\"event\":\"*\"}]",
        "[{\"event\":\"*\",\"schema\":1}]",
        "[{\"event\":\"*\",\"schema\":\"a\",\"filter\":\"id=eq.1\"}]",
        "[{\"event\":\"*\",\"schema\":\"*\",\"table\":\"t\",\"filter\":\"id=eq.1\"}]",
        "[{\"event\":\"*\",\"schema\":\"a\",\"table\":\"t\",\"filter\":\"id\"}]",
        "[{\"event\":\"*\",\"schema\":\"a\",\"table\":\"t\",\"filter\":5}]",
        "[{\"event\":\"*\",\"schema\":\"a\",\"table\":\"*\",\"select\":[\"x\"]}]",
        "[{\"event\":\"*\",\"schema\":\"a\",\"table\":\"t\",\"select\":\"x\"}]",
        "[{\"event\":\"*\",\"schema\":\"a\",\"table\":\"t\",\"select\":[1]}]",
        "[{\"event\":\"*\",\"schema\":\"\\ud800\"}]",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        made result = make(rows[i]);
        assert_null(result.subscription);
        assert_int_equal(result.error.code, CORE_ERROR_INPUT);
        assert_int_not_equal(strlen(result.error.text), 0);
        drop(&result);
    }
}

/* No part of what makes two the same: it is asked for once. */
static void test_snapshot(void **state) {
    (void)state;
    made plain = make("[{\"event\":\"*\",\"table\":\"t\"}]");
    made asks = make("[{\"event\":\"*\",\"table\":\"t\",\"snapshot\":\"true\"}]");
    assert_false(plain.subscription->snapshot || plain.subscription->bindings[0].snapshot);
    assert_true(asks.subscription->snapshot && asks.subscription->bindings[0].snapshot);
    assert_true(core_slice_equal(plain.subscription->key, asks.subscription->key));
    made any = make("[{\"event\":\"*\",\"table\":\"*\",\"snapshot\":true}]");
    assert_null(any.subscription);
    assert_string_equal(any.error.text, "snapshot needs a schema and a table");
    drop(&plain);
    drop(&asks);
    drop(&any);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bindings),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_the_answer_repeats_what_was_sent),
        cmocka_unit_test(test_a_binding_without_an_event_is_for_all),
        cmocka_unit_test(test_a_blank_filter_is_none),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
