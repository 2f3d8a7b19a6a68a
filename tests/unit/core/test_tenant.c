/* Whose a schema is, by pattern; and what cannot be anybody's. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const one[] = {"proj_{project_id}"};
static const char *const two[] = {"t_{project_id}_app", "{project_id}.audit"};
static const core_tenants by_one = {"default", "dev", one, 1};
static const core_tenants by_two = {"default", "dev", two, 2};
static const core_tenants none = {"default", "dev", NULL, 0};

static void assert_project(const core_tenants *tenants, const char *schema, const char *expected) {
    core_slice project = core_tenants_project(tenants, core_slice_text(schema));
    assert_int_equal(project.length, strlen(expected));
    assert_true(core_slice_is(project, expected));
}

static void schemas_are_whose_pattern_they_have(void **state) {
    (void)state;
    assert_project(&by_one, "proj_acme", "acme");
    assert_project(&by_one, "proj_a b.c", "a b.c");
    assert_project(&by_one, "proj_", "");
    assert_project(&by_one, "public", "");
    assert_project(&by_one, "Proj_acme", "");
    assert_project(&by_two, "t_acme_app", "acme");
    assert_project(&by_two, "t__app", "");
    assert_project(&by_two, "acme.audit", "acme");
    assert_project(&none, "proj_acme", "");
}

/* Names of streams, the source's own project, what no subject could give back. */
static void some_ids_are_nobodys(void **state) {
    (void)state;
    assert_project(&by_one, "proj_events", "");
    assert_project(&by_one, "proj_default", "");
    assert_project(&by_one, "proj_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "");
    assert_true(
        core_tenants_owns(&by_one, core_slice_text("default"), core_slice_text("proj_events")));
}

static void each_owns_its_own(void **state) {
    (void)state;
    core_slice acme = core_slice_text("acme"), own = core_slice_text("default");
    assert_true(core_tenants_owns(&by_one, acme, core_slice_text("proj_acme")));
    assert_false(core_tenants_owns(&by_one, acme, core_slice_text("proj_beta")));
    assert_false(core_tenants_owns(&by_one, acme, core_slice_text("public")));
    assert_false(core_tenants_owns(&by_one, own, core_slice_text("proj_acme")));
    assert_true(core_tenants_owns(&by_one, own, core_slice_text("public")));
    assert_true(core_tenants_owns(&none, own, core_slice_text("proj_acme")));
}

static void home_is_the_first_patterns(void **state) {
    (void)state;
    char home[CORE_TENANT_SCHEMA_SIZE];
    assert_true(core_tenants_home(&by_two, core_slice_text("acme"), home));
    assert_string_equal(home, "t_acme_app");
    assert_false(core_tenants_home(&by_two, core_slice_text("default"), home));
    assert_false(core_tenants_home(&none, core_slice_text("acme"), home));
    assert_false(core_tenants_home(&by_one, core_slice_text(""), home));
    assert_true(
        core_slice_is(core_tenants_shown(&by_two, core_slice_text("t_acme_app")), "public"));
    assert_int_equal(core_tenants_shown(&by_two, core_slice_text("acme.audit")).length, 0);
    assert_int_equal(core_tenants_shown(&by_two, core_slice_text("public")).length, 0);
}

static void hosts_its_own_and_its_tenants(void **state) {
    (void)state;
    assert_true(core_tenants_hosts(&none, "default", NULL));
    assert_false(core_tenants_hosts(&none, "acme", NULL));
    assert_true(core_tenants_hosts(&by_one, "acme", "dev"));
    assert_false(core_tenants_hosts(&by_one, "acme", "prod"));
    assert_false(core_tenants_hosts(&by_one, "jobs", NULL));
}

static void patterns_are_checked(void **state) {
    (void)state;
    assert_true(core_tenant_pattern_valid("proj_{project_id}"));
    assert_false(core_tenant_pattern_valid("proj"));
    assert_false(core_tenant_pattern_valid("{project_id}"));
    assert_false(core_tenant_pattern_valid("{project_id}_{project_id}"));
    assert_true(core_tenant_patterns_overlap("p_{project_id}", "p_x_{project_id}"));
    assert_true(core_tenant_patterns_overlap("p_{project_id}", "{project_id}_s"));
    assert_false(core_tenant_patterns_overlap("a_{project_id}", "b_{project_id}"));
    assert_false(core_tenant_patterns_overlap("{project_id}_a", "{project_id}_b"));
}

static void patterns_are_like(void **state) {
    (void)state;
    core_buffer like;
    core_buffer_init(&like, 256);
    core_tenant_pattern_like("p_%\\{project_id}_x", &like);
    assert_true(core_slice_is(core_buffer_slice(&like), "p\\_\\%\\\\_%\\_x"));
    core_buffer_fini(&like);
}

static void subjects_name_the_tenant(void **state) {
    (void)state;
    const core_subject_scope scope = {"atlasdb", "default", "dev", "public", by_two};
    char text[CORE_SUBJECT_MAX];
    core_slice table = core_slice_text("todos");
    assert_true(
        core_subject_change(&scope, core_slice_text("t_acme_app"), table, CORE_OP_INSERT, text));
    assert_string_equal(text, "atlasdb.acme.dev.todos.INSERT");
    assert_true(
        core_subject_change(&scope, core_slice_text("acme.audit"), table, CORE_OP_INSERT, text));
    assert_string_equal(text, "atlasdb.acme.dev.acme%2Eaudit:todos.INSERT");
    assert_true(
        core_subject_change(&scope, core_slice_text("public"), table, CORE_OP_INSERT, text));
    assert_string_equal(text, "atlasdb.default.dev.todos.INSERT");
    assert_true(core_subject_filter(&scope, text));
    assert_string_equal(text, "atlasdb.*.dev.*.*");
    assert_true(core_subject_filter_realtime(&scope, text));
    assert_string_equal(text, "atlasdb.realtime.*.>");
    core_slice project;
    assert_int_equal(
        core_subject_realtime_of(&scope, "atlasdb.realtime.a%2Eb.dev.b.room", &project),
        CORE_SUBJECT_REALTIME_BROADCAST);
    assert_true(core_slice_is(project, "a%2Eb"));
    assert_int_equal(core_subject_realtime_of(&scope, "atlasdb.realtime", &project),
                     CORE_SUBJECT_REALTIME_OTHERS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_are_whose_pattern_they_have),
        cmocka_unit_test(some_ids_are_nobodys),
        cmocka_unit_test(each_owns_its_own),
        cmocka_unit_test(home_is_the_first_patterns),
        cmocka_unit_test(hosts_its_own_and_its_tenants),
        cmocka_unit_test(patterns_are_checked),
        cmocka_unit_test(patterns_are_like),
        cmocka_unit_test(subjects_name_the_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
