/* Topics of tenants do not meet, and clients see them plain. */
#include "ws/home.h"

#include "tests/unit/core/config_source.h"

static core_slice scoped(uint8_t *memory, const char *tenant, const char *topic) {
    uint8_t *room = memory;
    core_slice made = ws_topic_scope(&room, core_slice_text(tenant), core_slice_text(topic));
    assert_int_equal(made.length,
                     ws_topic_scoped_length(core_slice_text(tenant), core_slice_text(topic)));
    return made;
}

static void there_and_back(void **state) {
    (void)state;
    uint8_t memory[2][256];
    core_slice acme = scoped(memory[0], "acme", "realtime:room");
    core_slice beta = scoped(memory[1], "beta", "realtime:room");
    assert_false(core_slice_equal(acme, beta));
    assert_true(core_slice_is(ws_topic_plain(acme), "realtime:room"));
    assert_true(core_slice_is(ws_topic_tenant(acme), "acme"));
    assert_string_equal((const char *)ws_topic_tenant(acme).data, "acme"); /* terminated */
    core_slice own = scoped(memory[1], "", "realtime:room");
    assert_true(core_slice_is(own, "realtime:room"));
    assert_int_equal(ws_topic_tenant(own).length, 0);
    assert_int_equal(scoped(memory[1], "acme", "").length, 0);
}

static void what_clients_say_is_never_in_a_scope(void **state) {
    (void)state;
    static const char forged[] = "realtime:@acme\0realtime:room";
    core_slice topic = core_slice_make(forged, sizeof forged - 1);
    assert_true(core_slice_equal(ws_topic_plain(topic), topic));
    assert_int_equal(ws_topic_tenant(topic).length, 0);
    assert_int_equal(ws_topic_plain(core_slice_text("@acme")).length, 5);
}

static void homes_are_found(void **state) {
    (void)state;
    config_environment_clear();
    core_config *config = config_load_text("postgres.tenant_schemas: ['p_{project_id}']\n"
                                           "sources.eu.postgres.url: postgres://h/eu\n"
                                           "sources.eu.environment: eu\n");
    assert_non_null(config);
    ws_home home;
    assert_true(ws_home_find(config, "default", "dev", &home));
    assert_int_equal(home.source, 0);
    assert_int_equal(home.tenant.length, 0);
    assert_true(ws_home_find(config, "acme", "dev", &home));
    assert_int_equal(home.source, 0);
    assert_true(core_slice_is(home.tenant, "acme"));
    assert_true(ws_home_find(config, "eu", "eu", &home));
    assert_int_equal(home.source, 1);
    assert_int_equal(home.tenant.length, 0);
    assert_false(ws_home_find(config, "acme", "eu", &home));
    core_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_clients_say_is_never_in_a_scope),
        cmocka_unit_test(homes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
