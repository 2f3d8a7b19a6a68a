/* An index finds its own files, however many others there are and however alike their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search-index/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    char directory[64];
} desk;

static void desk_open(desk *d) {
    (void)snprintf(d->directory, sizeof d->directory, "/tmp/walcast-paths-XXXXXX");
    assert_non_null(mkdtemp(d->directory));
}

static void file_do(const desk *d, const char *uid, uint64_t generation, uint32_t build,
                    bool makes) {
    char path[SEARCH_PATH_SIZE];
    const search_file file = {.generation = generation, .build = build};
    assert_true(search_paths_file(d->directory, core_slice_text(uid), file, path));
    if (!makes) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    FILE *made = fopen(path, "we");
    assert_non_null(made);
    assert_int_equal(fclose(made), 0);
}

static void test_many_indexes_of_one_name(void **state) {
    enum { INDEXES = 3 * SEARCH_BUILDS_MAX };
    search_file files[SEARCH_BUILDS_MAX];
    desk d;
    (void)state;
    desk_open(&d);
    for (uint64_t i = 1; i <= INDEXES; i++)
        for (uint32_t build = 1; build <= 2; build++)
            file_do(&d, "=made", i, build, true);
    for (uint64_t i = 1; i <= INDEXES; i++) {
        assert_int_equal(search_paths_list(d.directory, core_slice_text("=made"), i, files), 2);
        assert_int_equal(files[0].generation, i);
        assert_int_equal(files[0].build, 2);
        assert_int_equal(files[1].build, 1);
    }
    for (uint64_t i = 1; i <= INDEXES; i++)
        for (uint32_t build = 1; build <= 2; build++)
            file_do(&d, "=made", i, build, false);
    assert_int_equal(rmdir(d.directory), 0);
}

static void test_names_alike(void **state) {
    char names[3][129];
    search_file files[SEARCH_BUILDS_MAX];
    desk d;
    (void)state;
    desk_open(&d);
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++) {
        memset(names[i], 'a', sizeof names[i]);
        names[i][126 + i] = '\0'; /* each begins the next one */
        file_do(&d, names[i], i + 1, 1, true);
    }
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++) {
        assert_int_equal(search_paths_list(d.directory, core_slice_text(names[i]), 0, files), 1);
        assert_int_equal(files[0].generation, i + 1);
    }
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++)
        file_do(&d, names[i], i + 1, 1, false);
    assert_int_equal(rmdir(d.directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_indexes_of_one_name),
        cmocka_unit_test(test_names_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
