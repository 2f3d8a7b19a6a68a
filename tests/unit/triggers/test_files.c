/* Files of definitions: which of a directory count, in which order, and how a change is seen. */
#include "triggers/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const triggers_definition_facts facts = {
    .project = {.data = (const uint8_t *)"p", .length = 1},
    .environment = {.data = (const uint8_t *)"e", .length = 1}};

static char directory[64];

static void file_write(const char *name, const char *text) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    (void)fclose(file);
}

static void file_remove(const char *name) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(remove(path), 0);
}

static int setup(void **state) {
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/walcast-files-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    return rmdir(directory);
}

static uint64_t read_all(triggers_files *files, size_t expected) {
    core_error error;
    triggers_files_init(files);
    assert_true(triggers_files_add(files, directory, false, &facts, &error));
    triggers_files_end(files);
    assert_int_equal(files->count, expected);
    return files->hash;
}

#define GOOD(name) "{name: " name ", on: {table: t}, do: {workflow: {name: x}}}"

static void test_directory(void **state) {
    (void)state;
    triggers_files files;
    char sub[128];
    (void)snprintf(sub, sizeof sub, "%s/sub", directory);
    assert_int_equal(mkdir(sub, 0700), 0);
    file_write("b.yaml", GOOD("b"));
    file_write("a.json", GOOD("a"));
    file_write("sub/c.yml", GOOD("c"));
    file_write("d.txt", "no");
    file_write(".e.yaml", "no");
    uint64_t hash = read_all(&files, 3);
    assert_string_equal(files.items[0].name, "a.json");
    assert_string_equal(files.items[1].name, "b.yaml");
    assert_string_equal(files.items[2].name, "sub/c.yml");
    for (size_t i = 0; i < files.count; i++)
        assert_true(core_problems_ok(&files.items[i].problems));
    triggers_files_fini(&files);

    uint64_t look = triggers_files_look(directory);
    assert_true(look == triggers_files_look(directory));
    file_write("b.yaml", GOOD("a"));
    assert_true(look != triggers_files_look(directory));
    assert_true(hash != read_all(&files, 3));
    assert_int_equal(files.items[1].problems.count, 1);
    assert_non_null(strstr(files.items[1].problems.items[0].text, "a.json"));
    triggers_files_fini(&files);

    file_write("b.yaml", GOOD("b"));
    assert_true(hash == read_all(&files, 3));
    triggers_files_fini(&files);
    for (size_t i = 0; i < 5; i++)
        file_remove((const char *const[]){"b.yaml", "a.json", "sub/c.yml", "d.txt", ".e.yaml"}[i]);
    file_remove("sub");
}

static void test_missing(void **state) {
    (void)state;
    triggers_files files;
    core_error error = {.text = ""};
    char path[128];
    (void)snprintf(path, sizeof path, "%s/nowhere", directory);
    triggers_files_init(&files);
    assert_true(triggers_files_add(&files, path, true, &facts, &error));
    assert_int_equal(files.count, 0);
    assert_false(triggers_files_add(&files, path, false, &facts, &error));
    assert_non_null(strstr(error.text, "nowhere: No such file"));
    assert_true(triggers_files_look(path) == 0);
    triggers_files_fini(&files);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
