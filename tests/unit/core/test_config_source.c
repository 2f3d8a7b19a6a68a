/* Several sources in one file: each a whole configuration, and none in another's way. */
#include "tests/unit/core/config_source.h"

#define ACME "sources.acme.postgres.url: postgres://h/acme\n"

static int clear(void **state) {
    (void)state;
    config_environment_clear();
    return 0;
}

static const core_config *source_at(const core_config *config, size_t index) {
    assert_true(index < core_config_source_count(config));
    return core_config_source(config, index);
}

static void a_source_has_its_own_and_the_processs(void **state) {
    (void)state;
    core_config *config = config_load_text("nats.max_age: 12h\n"
                                           "postgres.tables: [a.b]\n"
                                           "sources:\n"
                                           "  acme:\n"
                                           "    postgres:\n"
                                           "      url: postgres://h/acme\n"
                                           "    cdc.run_rows: 7\n"
                                           "  beta:\n"
                                           "    project: b\n"
                                           "    environment: prod\n"
                                           "    postgres.url: postgres://h/beta\n"
                                           "    postgres.slot: mine\n"
                                           "    nats.max_age: 1h\n");
    assert_non_null(config);
    assert_int_equal(core_config_source_count(config), 3);
    const core_config *acme = source_at(config, 1), *beta = source_at(config, 2);
    assert_null(core_config_source_name(config));
    assert_string_equal(core_config_source_name(acme), "acme");
    assert_string_equal(core_config_text(acme, "project"), "acme");
    assert_string_equal(core_config_text(acme, "environment"), "dev");
    assert_string_equal(core_config_text(acme, "postgres.url"), "postgres://h/acme");
    assert_string_equal(core_config_text(acme, "postgres.slot"), "walcast_acme");
    assert_string_equal(core_config_text(acme, "nats.stream"), "WALCAST_acme");
    assert_string_equal(core_config_stream_base(acme), "WALCAST");
    assert_int_equal(core_config_integer(acme, "cdc.run_rows"), 7);
    assert_int_equal(core_config_integer(acme, "nats.max_age"), 12 * 3600 * 1000);
    assert_string_equal(core_config_list_item(acme, "postgres.tables", 0), "a.b");
    assert_string_equal(core_config_text(beta, "postgres.slot"), "mine");
    assert_string_equal(core_config_text(beta, "project"), "b");
    assert_int_equal(core_config_integer(beta, "nats.max_age"), 3600 * 1000);
    assert_int_equal(core_config_integer(config, "cdc.run_rows"), 128);
    core_error error;
    assert_true(core_config_set(config, "cdc.on_gap", "continue", "--on-gap", &error));
    assert_string_equal(core_config_text(acme, "cdc.on_gap"), "continue");
    core_config_free(config);
}

static void each_has_its_subjects(void **state) {
    (void)state;
    char filter[CORE_SUBJECT_MAX];
    core_config *config = config_load_text(ACME);
    assert_true(core_subject_filter_source(config, filter));
    assert_string_equal(filter, "atlasdb.default.dev.*.*");
    assert_true(core_subject_filter_source(source_at(config, 1), filter));
    assert_string_equal(filter, "atlasdb.acme.dev.*.*");
    assert_ptr_equal(core_tenants_source(config, "acme", NULL), source_at(config, 1));
    assert_ptr_equal(core_tenants_source(config, "default", "dev"), config);
    assert_null(core_tenants_source(config, "acme", "prod"));
    core_config_free(config);
    config = config_load_text("");
    assert_true(core_subject_filter_source(config, filter));
    assert_string_equal(filter, "atlasdb.*.*.*.*");
    core_config_free(config);
}

static void one_can_be_taken_by_name(void **state) {
    (void)state;
    core_error error;
    core_config *acme = core_config_source_detach(config_load_text(ACME), "acme", &error);
    assert_non_null(acme);
    assert_string_equal(core_config_text(acme, "nats.stream"), "WALCAST_acme");
    assert_true(core_config_one_of_many(acme));
    core_config_free(acme);
    assert_null(core_config_source_detach(config_load_text(ACME), "amce", &error));
    assert_non_null(strstr(error.text, "amce"));
}

static void the_environment_may_say_it(void **state) {
    (void)state;
    assert_int_equal(setenv("WALCAST_SOURCES_ACME_POSTGRES_URL", "postgres://secret/acme", 1), 0);
    core_config *config = config_load_text("sources.acme.environment: prod\n");
    assert_non_null(config);
    assert_string_equal(core_config_text(source_at(config, 1), "postgres.url"),
                        "postgres://secret/acme");
    core_config_free(config);
    assert_null(config_load_text("project: x\n"));
    assert_non_null(
        strstr(config_report, "WALCAST_SOURCES_ACME_POSTGRES_URL: names no key of a source"));
    assert_int_equal(unsetenv("WALCAST_SOURCES_ACME_POSTGRES_URL"), 0);
}

static void assert_told(const char *text, const char *told) {
    core_config *config = config_load_text(text);
    if (config != NULL || strstr(config_report, told) == NULL)
        fail_msg("%s\nexpected: %s\nreported: %s", text, told, config_report);
}

static void mistakes_are_told(void **state) {
    (void)state;
    assert_told("sources.acme.project: x\n", "sources.acme.postgres.url: is not set");
    assert_told(ACME "sources.acme.http.listen: 1.1.1.1:80\n",
                "http.listen is the process's, not a source's");
    assert_told(ACME "sources.acme.nats.stream: X\n", "nats.stream is the process's");
    assert_told(ACME "sources.acme.nats.prefix: x\n", "nats.prefix is the process's");
    assert_told(ACME "sources.acme.postgres.ulr: x\n", "did you mean postgres.url?");
    assert_told("sources.Acme!.postgres.url: postgres://h/x\n", "expected a source's name");
    assert_told("sources: [a]\n", "sources");
    assert_told("sources.acme: 5\n", "sources.acme");
    assert_told(ACME "sources.acme.cdc.run_rows: many\n", "sources.acme.cdc.run_rows: \"many\"");
    assert_told(ACME "sources.acme.postgres.binary: true\nnats.encoding: json\n",
                "postgres.binary is true");
}

static void what_two_would_share_is_told(void **state) {
    (void)state;
    assert_told(ACME "sources.acme.project: default\n", "both hold project default");
    assert_told(ACME "sources.beta.postgres.url: postgres://h/b\nsources.beta.project: acme\n",
                "both hold project acme");
    assert_told(ACME "postgres.tenant_schemas: ['p_{project_id}']\n", "would be the other's too");
    assert_told(ACME "sources.acme.postgres.slot: walcast\npostgres.url: postgres://h/acme\n",
                "read the same slot walcast");
    assert_told("postgres.tenant_schemas: ['p_{project_id}', 'p_x_{project_id}']\n",
                "a schema could match both");
    assert_told("postgres.tenant_schemas: [proj]\n", "such as proj_{project_id}");
    core_config *config = config_load_text(
        ACME "sources.acme.environment: prod\npostgres.tenant_schemas: ['p_{project_id}']\n"
             "sources.acme.postgres.tenant_schemas: ['p_{project_id}']\n");
    assert_non_null(config);
    assert_ptr_equal(core_tenants_source(config, "x", "prod"), source_at(config, 1));
    assert_ptr_equal(core_tenants_source(config, "x", NULL), config);
    core_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_source_has_its_own_and_the_processs, clear),
        cmocka_unit_test_setup(each_has_its_subjects, clear),
        cmocka_unit_test_setup(one_can_be_taken_by_name, clear),
        cmocka_unit_test_setup(the_environment_may_say_it, clear),
        cmocka_unit_test_setup(mistakes_are_told, clear),
        cmocka_unit_test_setup(what_two_would_share_is_told, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
