/* What pgoutput is asked for, by version and configuration. */
#include "cdc/stream_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    int version;
    bool whole;
    const char *key; /* set to `value`; NULL: nothing */
    const char *value;
    const char *expected; /* NULL: refused */
} sample;

static const sample samples[] = {
    {130021, false, NULL, NULL, "proto_version '1'"},
    {140012, false, NULL, NULL, "proto_version '2', streaming 'on', messages 'true'"},
    {150004, false, NULL, NULL, "proto_version '3', streaming 'on', messages 'true'"},
    {160001, false, NULL, NULL, "proto_version '4', streaming 'parallel', messages 'true'"},
    {180000, false, NULL, NULL, "proto_version '4', streaming 'parallel', messages 'true'"},
    {150004, true, NULL, NULL, "proto_version '3', messages 'true'"},
    {150004, false, "postgres.streaming", "off", "proto_version '3', messages 'true'"},
    {150004, true, "postgres.two_phase", "true",
     "proto_version '3', two_phase 'on', messages 'true'"},
    {140012, false, "postgres.two_phase", "true", NULL},
    {140012, true, "postgres.binary", "true", "proto_version '2', binary 'true', messages 'true'"},
    {130021, false, "postgres.binary", "true", NULL},
};

static void asks_for_the_best_there_is(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(samples); i++) {
        const sample *it = &samples[i];
        core_error error = {0};
        core_config *config = core_config_load("/dev/null", stderr);
        assert_non_null(config);
        if (it->key != NULL)
            assert_true(core_config_set(config, it->key, it->value, "test", &error));
        cdc_stream_options options;
        bool ok = cdc_stream_options_decide(config, it->version, it->whole, &options, &error);
        assert_int_equal(ok, it->expected != NULL);
        if (!ok) {
            assert_int_equal(error.code, CORE_ERROR_CONFIG);
            assert_non_null(strstr(error.text, it->key));
        } else {
            core_buffer sql;
            core_buffer_init(&sql, 1024);
            cdc_stream_options_append(&options, &sql);
            core_buffer_u8(&sql, '\0');
            assert_string_equal((const char *)sql.data, it->expected);
            core_buffer_fini(&sql);
        }
        core_config_free(config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_the_best_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
