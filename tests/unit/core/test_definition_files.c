/* Files of definitions: which of a directory count, in which order, and how a change is seen. */
#include "core/definition_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A definition is its name, kept as the document's. */
static const void *thing_read(const core_document *document, core_slice project,
                              core_slice environment, core_problems *problems) {
    const core_node *name = core_node_find(core_document_root(document), "name");
    assert_true(core_slice_is(project, "p") && core_slice_is(environment, "e"));
    if (name == NULL)
        (void)core_problem_tell(problems, (core_place){.line = 1, .column = 1}, "name: expected");
    return name;
}

static void thing_release(const void *definition) {
    (void)definition;
}

static core_definition_head thing_head(const void *definition) {
    const core_node *name = definition;
    return (core_definition_head){.name = name->text, .project = core_slice_text("p")};
}

static const core_definition_kind kind = {.token = "thing",
                                          .one = "thing",
                                          .some_one = "a thing",
                                          .several = "things",
                                          .read = thing_read,
                                          .release = thing_release,
                                          .head = thing_head};

static bool unwanted_pass(const void *context, const char *path, const core_document *document) {
    (void)path;
    return document == NULL || core_node_find(core_document_root(document), context) == NULL;
}

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

static uint64_t read_all(core_definition_files *files, size_t expected) {
    core_error error;
    core_definition_files_init(files, &kind, core_slice_text("p"), core_slice_text("e"));
    assert_true(core_definition_files_add(files, directory, false, &error));
    core_definition_files_end(files);
    assert_int_equal(files->count, expected);
    return files->hash;
}

#define GOOD(name) "{name: " name "}"

static void test_directory(void **state) {
    (void)state;
    core_definition_files files;
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
    core_definition_files_fini(&files);

    uint64_t look = core_definition_files_look(directory);
    assert_true(look == core_definition_files_look(directory));
    file_write("b.yaml", GOOD("a"));
    assert_true(look != core_definition_files_look(directory));
    assert_true(hash != read_all(&files, 3));
    assert_int_equal(files.items[1].problems.count, 1);
    assert_non_null(strstr(files.items[1].problems.items[0].text, "a.json"));
    core_definition_files_fini(&files);

    file_write("b.yaml", GOOD("b"));
    assert_true(hash == read_all(&files, 3));
    core_definition_files_fini(&files);
    for (size_t i = 0; i < 5; i++)
        file_remove((const char *const[]){"b.yaml", "a.json", "sub/c.yml", "d.txt", ".e.yaml"}[i]);
    file_remove("sub");
}

/* What is not wanted counts in no way; what cannot be read is told. */
static void test_filter(void **state) {
    (void)state;
    core_definition_files files;
    core_error error;
    file_write("a.yaml", GOOD("a"));
    file_write("b.yaml", "{name: a, other: 1}");
    file_write("c.yaml", "[");
    core_definition_files_init(&files, &kind, core_slice_text("p"), core_slice_text("e"));
    files.takes = unwanted_pass;
    files.context = "other";
    assert_true(core_definition_files_add(&files, directory, false, &error));
    core_definition_files_end(&files);
    assert_int_equal(files.count, 2);
    assert_true(core_problems_ok(&files.items[0].problems));
    assert_string_equal(files.items[1].name, "c.yaml");
    assert_false(core_problems_ok(&files.items[1].problems));
    uint64_t hash = files.hash;
    core_definition_files_fini(&files);

    file_write("b.yaml", "{name: b, other: 2}");
    files.hash = 0;
    assert_true(core_definition_files_add(&files, directory, false, &error));
    assert_true(hash == files.hash);
    core_definition_files_fini(&files);
    for (size_t i = 0; i < 3; i++)
        file_remove((const char *const[]){"a.yaml", "b.yaml", "c.yaml"}[i]);
}

static void test_missing(void **state) {
    (void)state;
    core_definition_files files;
    core_error error = {.text = ""};
    char path[128];
    (void)snprintf(path, sizeof path, "%s/nowhere", directory);
    core_definition_files_init(&files, &kind, core_slice_text("p"), core_slice_text("e"));
    assert_true(core_definition_files_add(&files, path, true, &error));
    assert_int_equal(files.count, 0);
    assert_false(core_definition_files_add(&files, path, false, &error));
    assert_non_null(strstr(error.text, "nowhere: No such file"));
    assert_true(core_definition_files_look(path) == 0);
    core_definition_files_fini(&files);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
