/* Routes: exact before prefix, the longest prefix first, and 405 told from 404. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void answer(void *context, const core_route_request *request,
                   core_route_response *response) {
    (void)context;
    (void)request;
    response->status = 200;
}

static void add(core_route_table *table, const char *method, const char *path) {
    core_error error;
    assert_true(core_route_add(table, method, path, 0, answer, NULL, &error));
}

static const char *found(const core_route_table *table, const char *method, const char *path,
                         bool *path_known) {
    const core_route *route =
        core_route_find(table, core_slice_text(method), core_slice_text(path), path_known);
    return route != NULL ? route->path : "none";
}

static void the_best_fit_wins(void **state) {
    (void)state;
    core_route_table table = {.count = 0};
    bool known;
    add(&table, "GET", "/*");
    add(&table, "GET", "/health/*");
    add(&table, "GET", "/health/live");
    add(&table, "POST", "/jobs");
    assert_string_equal(found(&table, "GET", "/health/live", &known), "/health/live");
    assert_string_equal(found(&table, "GET", "/health/live/x", &known), "/health/*");
    assert_string_equal(found(&table, "GET", "/health/", &known), "/health/*");
    assert_string_equal(found(&table, "GET", "/health", &known), "/*");
    assert_string_equal(found(&table, "GET", "/", &known), "/*");
    assert_true(known);
    assert_string_equal(found(&table, "POST", "/jobs", &known), "/jobs");
}

static void a_star_within_is_one_part(void **state) {
    (void)state;
    core_route_table table = {.count = 0};
    bool known;
    add(&table, "GET", "/v1/projects/*/triggers");
    add(&table, "GET", "/v1/projects/*/triggers/*");
    add(&table, "GET", "/v1/projects/*/triggers/*/deliveries");
    add(&table, "GET", "/v1/projects/*");
    assert_string_equal(found(&table, "GET", "/v1/projects/a/triggers", &known),
                        "/v1/projects/*/triggers");
    assert_string_equal(found(&table, "GET", "/v1/projects/a/triggers/", &known),
                        "/v1/projects/*/triggers/*");
    assert_string_equal(found(&table, "GET", "/v1/projects/a/triggers/b/c", &known),
                        "/v1/projects/*/triggers/*");
    assert_string_equal(found(&table, "GET", "/v1/projects/a/triggers/b/deliveries", &known),
                        "/v1/projects/*/triggers/*/deliveries");
    assert_string_equal(found(&table, "GET", "/v1/projects//triggers", &known), "/v1/projects/*");
    assert_string_equal(found(&table, "GET", "/v1/projects/a/trigger", &known), "/v1/projects/*");
}

static void headers_are_added_while_there_is_room(void **state) {
    (void)state;
    core_route_response response = {.status = 200};
    char value[CORE_ROUTE_HEADERS_MAX];
    assert_true(core_route_response_header(&response, "ETag", "\"7\""));
    assert_true(core_route_response_header(&response, "Location", "/x"));
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_false(core_route_response_header(&response, "X", value));
    assert_string_equal(response.headers, "ETag: \"7\"\r\nLocation: /x\r\n");
}

static void a_known_path_has_other_methods(void **state) {
    (void)state;
    core_route_table table = {.count = 0};
    bool known;
    add(&table, "GET", "/metrics");
    assert_string_equal(found(&table, "POST", "/metrics", &known), "none");
    assert_true(known);
    assert_string_equal(found(&table, "GET", "/metric", &known), "none");
    assert_false(known);
    assert_string_equal(found(&table, "get", "/metrics", &known), "none");
    assert_string_equal(found(&table, "GET", "", &known), "none");
    assert_false(known);
}

static void a_route_is_taken_once_and_the_table_is_bounded(void **state) {
    (void)state;
    core_route_table table = {.count = 0};
    core_error error;
    char paths[CORE_ROUTES_MAX][16];
    for (int i = 0; i < CORE_ROUTES_MAX; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "/%d", i);
        add(&table, "GET", paths[i]);
    }
    assert_false(core_route_add(&table, "GET", "/0", 0, answer, NULL, &error));
    assert_int_equal(error.code, CORE_ERROR_INTERNAL);
    assert_false(core_route_add(&table, "GET", "/new", 0, answer, NULL, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
}

static void later(void *context, core_route_reply *reply) {
    (void)context;
    core_route_reply_send(reply);
}

static void a_route_answers_at_once_or_later(void **state) {
    (void)state;
    core_route_table table = {.count = 0};
    core_error error;
    bool known;
    add(&table, "GET", "/now");
    assert_true(
        core_route_add_deferred(&table, "GET", "/later", CORE_SCOPE_JOBS, later, &table, &error));
    assert_false(core_route_add_deferred(&table, "GET", "/now", 0, later, NULL, &error));
    const core_route *route =
        core_route_find(&table, core_slice_text("GET"), core_slice_text("/later"), &known);
    assert_true(route->defer == later && route->handler == NULL && route->context == &table);
    route = core_route_find(&table, core_slice_text("GET"), core_slice_text("/now"), &known);
    assert_true(route->defer == NULL && route->handler == answer);
}

static unsigned refuse(core_buffer *body, unsigned status, const char *detail) {
    core_buffer_slice_append(body, core_slice_text(detail));
    return status;
}

static void a_route_may_have_a_surface(void **state) {
    (void)state;
    static const core_route_surface surface = {.body_max = 7, .refuse = refuse};
    core_route_table table = {.count = 0};
    core_error error;
    bool known;
    const core_route put = {
        .method = "PUT", .path = "/a/*", .handler = answer, .surface = &surface};
    add(&table, "GET", "/a/*");
    assert_true(core_route_put(&table, &put, &error));
    assert_false(core_route_put(&table, &put, &error));
    const core_route *route =
        core_route_find(&table, core_slice_text("PUT"), core_slice_text("/a/b"), &known);
    assert_true(route->surface == &surface);
    route = core_route_find(&table, core_slice_text("GET"), core_slice_text("/a/b"), &known);
    assert_null(route->surface);
}

/* What any room answers with has its phrase: both of HTTP/1.1's line and of problems. */
static void statuses_have_their_phrase(void **state) {
    (void)state;
    char memory[256];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    core_json_writer json = core_json_writer_make(&text);
    assert_string_equal(core_route_status_text(412), "Precondition Failed");
    assert_string_equal(core_route_status_text(299), "Unknown");
    core_route_problem_open(&json, 410, "of a stream that is no more");
    core_json_object_close(&json);
    assert_true(core_slice_is(core_buffer_slice(&text),
                              "{\"type\":\"about:blank\",\"title\":\"Gone\",\"status\":410,"
                              "\"detail\":\"of a stream that is no more\"}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_have_their_phrase),
        cmocka_unit_test(the_best_fit_wins),
        cmocka_unit_test(a_star_within_is_one_part),
        cmocka_unit_test(headers_are_added_while_there_is_room),
        cmocka_unit_test(a_known_path_has_other_methods),
        cmocka_unit_test(a_route_answers_at_once_or_later),
        cmocka_unit_test(a_route_may_have_a_surface),
        cmocka_unit_test(a_route_is_taken_once_and_the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
