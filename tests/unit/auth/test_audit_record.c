/* Audit records: valid JSON of the documented members, bounded whatever clients choose. */
#include "auth/audit_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const auth_audit_frame frame = {
    .node = "node-1", .by = "cli", .project = "default", .environment = "dev", .wall_us = 0};

typedef struct {
    uint8_t memory[AUTH_AUDIT_RECORD_MAX];
    core_buffer out;
} made;

static core_slice request_made(made *it, const auth_request *request) {
    it->out = core_buffer_over(it->memory, sizeof it->memory);
    auth_audit_record_request(&it->out, &frame, request);
    assert_true(core_buffer_ok(&it->out));
    assert_true(core_json_valid(core_buffer_slice(&it->out)));
    return core_buffer_slice(&it->out);
}

static void assert_is(core_slice text, const char *expected) {
    if (!core_slice_is(text, expected))
        fail_msg("%.*s\nis not\n%s", CORE_SLICE_ARGS(text), expected);
}

static void a_request_says_all_of_itself(void **state) {
    (void)state;
    auth_claims claims = {
        .role = "anon", .subject = "me", .project = "p", .environment = "e", .id = "wc_1"};
    auth_request request = {.id = core_slice_text("id-1"),
                            .claims = &claims,
                            .route = "/search/v1/*",
                            .method = "GET",
                            .status = 200,
                            .took_ns = 1234567,
                            .bytes = 12};
    assert_true(core_address_parse(core_slice_text("192.0.2.1"), &request.client));
    made it;
    assert_is(request_made(&it, &request),
              "{\"v\":1,\"kind\":\"request\",\"time\":\"1970-01-01T00:00:00.000Z\",\"id\":\"id-1\","
              "\"credential\":\"wc_1\",\"subject\":\"me\",\"role\":\"anon\",\"project\":\"p\","
              "\"environment\":\"e\",\"route\":\"/search/v1/*\",\"method\":\"GET\",\"status\":200,"
              "\"bytes\":12,\"ms\":1.234,\"client\":\"192.0.2.1\",\"node\":\"node-1\"}");
    auth_request nobody = {.route = "malformed", .status = 400, .took_ns = -1};
    assert_is(request_made(&it, &nobody),
              "{\"v\":1,\"kind\":\"request\",\"time\":\"1970-01-01T00:00:00.000Z\","
              "\"project\":\"default\",\"environment\":\"dev\",\"route\":\"malformed\","
              "\"status\":400,\"bytes\":0,\"ms\":0.000,\"node\":\"node-1\"}");
}

static void a_join_has_an_outcome(void **state) {
    (void)state;
    const auth_request join = {.join = true,
                               .route = "join",
                               .outcome = core_slice_text("Unauthorized"),
                               .took_ns = 2000000000};
    made it;
    assert_is(request_made(&it, &join),
              "{\"v\":1,\"kind\":\"join\",\"time\":\"1970-01-01T00:00:00.000Z\","
              "\"project\":\"default\",\"environment\":\"dev\",\"route\":\"join\","
              "\"outcome\":\"Unauthorized\",\"ms\":2000.000,\"node\":\"node-1\"}");
}

/* Every text as long as it can be, of bytes that take six each. */
static void what_clients_choose_cannot_make_it_too_long(void **state) {
    (void)state;
    auth_claims claims = {.project = "p", .environment = "e"};
    char id[128];
    memset(id, 1, sizeof id);
    memset(claims.role, 1, sizeof claims.role - 1);
    memset(claims.subject, 1, sizeof claims.subject - 1);
    memset(claims.id, 1, sizeof claims.id - 1);
    const auth_request request = {.id = core_slice_make(id, sizeof id),
                                  .claims = &claims,
                                  .route = "/a",
                                  .method = "GET",
                                  .status = 200};
    made it;
    core_slice text = request_made(&it, &request);
    assert_non_null(memmem(text.data, text.length, "\"cut\":true", 10));
    memset(claims.role, 'r', sizeof claims.role - 1);
    memset(claims.subject, 's', sizeof claims.subject - 1);
    memset(claims.id, 'i', sizeof claims.id - 1);
    memset(id, 'x', sizeof id);
    text = request_made(&it, &request);
    assert_null(memmem(text.data, text.length, "\"cut\"", 5));
}

static void an_act_says_who_did_what(void **state) {
    (void)state;
    auth_claims claims = {.role = "service_role", .project = "p", .environment = "e", .id = "k"};
    const auth_act by_cli = {.act = "key.created", .object = "mobile", .detail = "role anon"};
    const auth_act by_key = {
        .act = "key.revoked", .object = "mobile", .claims = &claims, .project = "other"};
    uint8_t memory[AUTH_AUDIT_RECORD_MAX];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    auth_audit_record_act(&out, &frame, &by_cli);
    assert_is(core_buffer_slice(&out),
              "{\"v\":1,\"kind\":\"act\",\"time\":\"1970-01-01T00:00:00.000Z\","
              "\"act\":\"key.created\",\"object\":\"mobile\",\"detail\":\"role anon\","
              "\"by\":\"cli\",\"project\":\"default\",\"environment\":\"dev\","
              "\"node\":\"node-1\"}");
    core_buffer_reset(&out);
    auth_audit_record_act(&out, &frame, &by_key);
    assert_is(core_buffer_slice(&out),
              "{\"v\":1,\"kind\":\"act\",\"time\":\"1970-01-01T00:00:00.000Z\","
              "\"act\":\"key.revoked\",\"object\":\"mobile\",\"credential\":\"k\","
              "\"role\":\"service_role\",\"by\":\"credential\",\"project\":\"other\","
              "\"environment\":\"e\",\"node\":\"node-1\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_all_of_itself),
        cmocka_unit_test(a_join_has_an_outcome),
        cmocka_unit_test(what_clients_choose_cannot_make_it_too_long),
        cmocka_unit_test(an_act_says_who_did_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
