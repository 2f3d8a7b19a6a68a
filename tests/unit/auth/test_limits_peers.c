/* What nodes tell one another of their quotas: written, read, summed up by window, bounded, and
 * refused when it is not that; and the table of projects behind it. */
#include "auth/limits_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define WALL INT64_C(1700000000000)

typedef struct {
    core_config *config;
    auth_quota_table table;
    auth_peers peers;
    auth_quota_rule rule;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    it->config = core_config_load("/dev/null", stderr);
    assert_non_null(it->config);
    assert_true(core_config_set(it->config, "limits.tier", "pro", "test", NULL));
    assert_true(core_config_set(it->config, "limits.projects", "big=enterprise,a=b=free,free=free",
                                "test", NULL));
    assert_true(auth_quota_table_init(&it->table, it->config));
    auth_peers_init(&it->peers, "self", &it->table, NULL);
    it->rule = (auth_quota_rule){.limit = 600, .window_ms = 60000, .look_ms = 500, .nodes = 2};
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    auth_peers_fini(&it->peers);
    auth_quota_table_fini(&it->table);
    core_config_free(it->config);
    free(it);
    return 0;
}

static auth_project *project(fixture *it, const char *name) {
    return auth_quota_table_find(&it->table, core_slice_text(name));
}

static void projects_have_their_tiers(void **state) {
    fixture *it = *state;
    assert_int_equal(project(it, "big")->limit, 6000);
    assert_int_equal(project(it, "free")->limit, 60);
    assert_int_equal(project(it, "a=b")->limit, 60);
    assert_int_equal(project(it, "else")->limit, 600);
    assert_ptr_equal(project(it, "big"), project(it, "big"));
    assert_ptr_equal(project(it, AUTH_PROJECTS_OTHERS), auth_quota_table_at(&it->table, 0));
    char name[AUTH_PROJECT_MAX + 2];
    for (int i = 0; i < AUTH_PROJECTS_MAX + 10; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        (void)project(it, name);
    }
    assert_ptr_equal(project(it, "one more"), auth_quota_table_at(&it->table, 0));
    assert_ptr_not_equal(project(it, "p7"), auth_quota_table_at(&it->table, 0));
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_ptr_equal(project(it, name), auth_quota_table_at(&it->table, 0));
}

/* What one table tells, as another node's. */
static void tell(fixture *it, fixture *to, const char *node, int64_t wall_ms) {
    core_buffer value;
    char key[AUTH_PEER_KEY_MAX];
    core_buffer_init(&value, AUTH_LIMITS_VALUE_MAX);
    (void)auth_limits_write(&value, &it->table, 0, &it->rule, wall_ms);
    assert_true(core_buffer_ok(&value));
    auth_peer_key(key, node, 0);
    auth_peers_entry(&to->peers, key, core_buffer_slice(&value), false, to->rule.window_ms, 1000);
    core_buffer_fini(&value);
}

static int64_t left(fixture *it, const char *name, int64_t wall_ms) {
    auth_quota_rule alone = it->rule;
    alone.nodes = 1;
    auth_quota copy = project(it, name)->quotas[0];
    int64_t count = 0;
    while (auth_quota_take(&copy, &alone, wall_ms, 1).wait_ms == 0)
        count++;
    return count;
}

static void what_one_tells_another_counts(void **state) {
    fixture *it = *state, *other = NULL;
    void *second;
    (void)setup(&second);
    other = second;
    int64_t wall = WALL / 60000 * 60000 + 30000;
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            auth_quota_take(&project(other, "a\"b")->quotas[0], &other->rule, wall, 1).wait_ms, 0);
    tell(other, it, "n1", wall);
    tell(other, it, "self", wall); /* passed over */
    auth_peers_teach(&it->peers, &it->rule, wall);
    assert_int_equal(left(it, "a\"b", wall), 600 - 300); /* its claim is a share of two */
    (void)auth_quota_look(&project(other, "a\"b")->quotas[0], &other->rule, wall);
    (void)auth_quota_look(&project(other, "a\"b")->quotas[0], &other->rule, wall);
    tell(other, it, "n1", wall); /* at rest: what it admitted */
    tell(other, it, "n2", wall); /* a third, with the same */
    auth_peers_teach(&it->peers, &it->rule, wall);
    assert_int_equal(left(it, "a\"b", wall), 600 - 200);
    assert_int_equal(auth_peers_alive(&it->peers, 1000), 2);
    auth_peers_entry(&it->peers, "n.n2.0", core_slice_make(NULL, 0), true, 60000, 1000);
    assert_int_equal(auth_peers_alive(&it->peers, 1000), 1);
    auth_peers_teach(&it->peers, &it->rule, wall + 60000); /* half of the window before counts */
    assert_int_equal(left(it, "a\"b", wall + 60000), 600 - 100);
    auth_peers_teach(&it->peers, &it->rule, wall + 180000);
    assert_int_equal(left(it, "a\"b", wall + 180000), 600);
    assert_int_equal(auth_peers_alive(&it->peers, 1000 + AUTH_PEER_GONE_MS + 1), 0);
    assert_int_equal(it->peers.count, 0);
    (void)teardown(&second);
}

static void what_is_not_told_again_is_gone(void **state) {
    fixture *it = *state;
    const char *value = "{\"v\":1,\"window_ms\":60000,\"window\":28333333,\"more\":[{}],"
                        "\"projects\":{\"p\":[10,0,0,0]}}";
    int64_t wall = INT64_C(28333333) * 60000;
    auth_peers_begin(&it->peers);
    auth_peers_entry(&it->peers, "n.a.0", core_slice_text(value), false, 60000, 0);
    auth_peers_entry(&it->peers, "n.b.1", core_slice_text(value), false, 60000, 0);
    assert_false(auth_peers_whole(&it->peers));
    auth_peers_all(&it->peers);
    assert_true(auth_peers_whole(&it->peers));
    auth_peers_teach(&it->peers, &it->rule, wall);
    assert_int_equal(left(it, "p", wall), 580);
    auth_peers_begin(&it->peers);
    auth_peers_entry(&it->peers, "n.a.0", core_slice_text(value), false, 60000, 0);
    auth_peers_all(&it->peers);
    auth_peers_teach(&it->peers, &it->rule, wall);
    assert_int_equal(left(it, "p", wall), 590);
}

static void ignore_row(void *context, const auth_limits_row *row) {
    (void)row;
    ++*(size_t *)context;
}

static void what_is_not_such_a_value_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"v\":2,\"window_ms\":1,\"window\":1,\"projects\":{}}",
        "{\"v\":1,\"window_ms\":0,\"window\":1,\"projects\":{}}",
        "{\"v\":1,\"projects\":{},\"window_ms\":1,\"window\":1}",
        "{\"v\":1,\"window_ms\":1,\"window\":1,\"projects\":{\"p\":[1,2,3]}}",
        "{\"v\":1,\"window_ms\":1,\"window\":1,\"projects\":{\"p\":[1,2,3,4,5]}}",
        "{\"v\":1,\"window_ms\":1,\"window\":1,\"projects\":{\"p\":[1,2,3,-4]}}",
        "{\"v\":1,\"window_ms\":1,\"window\":1,\"projects\":{\"p\":[1,2,3,4294967296]}}",
        "{\"v\":1,\"window_ms\":1,\"window\":1,\"projects\":{\"p\":7}}",
        "{\"v\":1,\"window_ms\":1,\"window\":1,\"projects\":{}",
    };
    auth_limits_head head;
    size_t rows = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(bad); i++)
        if (auth_limits_read(core_slice_text(bad[i]), &head, ignore_row, &rows))
            fail_msg("read: %s", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(projects_have_their_tiers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_one_tells_another_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_told_again_is_gone, setup, teardown),
        cmocka_unit_test(what_is_not_such_a_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
