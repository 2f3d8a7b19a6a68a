/* The base's bytes: what is written is read, and what is cut or altered is no base. */
#include "search-index/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static core_error ignored;

static core_slice slice(const char *text) {
    return core_slice_text(text);
}

static void test_head(void **state) {
    (void)state;
    const search_base_head head = {.log_created_us = -5,
                                   .position = 7,
                                   .spared = 6,
                                   .known = 9,
                                   .first = 11,
                                   .catalog = 12,
                                   .is_second = true};
    search_base_head read;
    core_buffer bytes;
    core_buffer_init(&bytes, SEARCH_BASE_HEAD_BYTES);
    search_base_head_write(&head, &bytes);
    core_slice all = core_buffer_slice(&bytes);
    assert_true(search_base_head_read(all, &read, &ignored));
    assert_int_equal(read.log_created_us, -5);
    assert_int_equal(read.position, 7);
    assert_int_equal(read.spared, 6);
    assert_int_equal(read.known, 9);
    assert_int_equal(read.first, 11);
    assert_int_equal(read.catalog, 12);
    assert_true(read.is_second);
    for (size_t i = 0; i < all.length; i++)
        assert_false(search_base_head_read(core_slice_make(all.data, i), &read, &ignored));
    bytes.data[0]++; /* another version's */
    assert_false(search_base_head_read(all, &read, &ignored));
    assert_int_equal(ignored.code, CORE_ERROR_INPUT);
    core_buffer_fini(&bytes);
}

static const search_entry *entry_make(const char *uid, uint64_t generation,
                                      const search_entry *previous) {
    const search_entry *entry = search_entry_new(&(search_entry){.project = slice("shop"),
                                                                 .environment = slice("dev"),
                                                                 .uid = slice(uid),
                                                                 .is_table = previous != NULL,
                                                                 .is_held = true,
                                                                 .generation = generation,
                                                                 .changed = generation + 1,
                                                                 .text = slice("{\"a\":1}"),
                                                                 .facts = slice("facts"),
                                                                 .primary_key = slice("id"),
                                                                 .created_us = 10,
                                                                 .updated_us = -20,
                                                                 .previous = previous});
    assert_non_null(entry);
    search_entry_release(previous);
    return entry;
}

static void assert_entry(const search_entry *read, const search_entry *given) {
    assert_true(core_slice_equal(read->project, given->project));
    assert_true(core_slice_equal(read->environment, given->environment));
    assert_true(core_slice_equal(read->uid, given->uid));
    assert_true(core_slice_equal(read->text, given->text));
    assert_true(core_slice_equal(read->facts, given->facts));
    assert_true(core_slice_equal(read->primary_key, given->primary_key));
    assert_int_equal(read->generation, given->generation);
    assert_int_equal(read->changed, given->changed);
    assert_int_equal(read->created_us, given->created_us);
    assert_int_equal(read->updated_us, given->updated_us);
    assert_int_equal(read->is_table, given->is_table);
    assert_int_equal(read->is_held, given->is_held);
    assert_int_equal(read->previous != NULL, given->previous != NULL);
    if (given->previous != NULL)
        assert_entry(read->previous, given->previous);
}

static search_task task_make(void) {
    search_task task = {.uid = 70,
                        .kind = SEARCH_TASK_DOCUMENTS_UPDATE,
                        .status = SEARCH_TASK_FAILED,
                        .enqueued_us = 1,
                        .started_us = 2,
                        .finished_us = 3,
                        .received = 4,
                        .expected = 5,
                        .indexed = 6,
                        .canceled_by = 8};
    (void)snprintf(task.project, sizeof task.project, "shop");
    (void)snprintf(task.index, sizeof task.index, "a");
    (void)snprintf(task.code, sizeof task.code, "bad");
    (void)snprintf(task.message, sizeof task.message, "It is bad.");
    return task;
}

static void assert_task(const search_task *read, const search_task *given) {
    const uint64_t numbers[][2] = {{read->uid, given->uid},
                                   {read->kind, given->kind},
                                   {read->status, given->status},
                                   {(uint64_t)read->enqueued_us, (uint64_t)given->enqueued_us},
                                   {(uint64_t)read->started_us, (uint64_t)given->started_us},
                                   {(uint64_t)read->finished_us, (uint64_t)given->finished_us},
                                   {read->received, given->received},
                                   {read->expected, given->expected},
                                   {read->indexed, given->indexed},
                                   {read->canceled_by, given->canceled_by}};
    for (size_t i = 0; i < CORE_COUNT_OF(numbers); i++)
        assert_int_equal(numbers[i][0], numbers[i][1]);
    assert_string_equal(read->project, given->project);
    assert_string_equal(read->index, given->index);
    assert_string_equal(read->code, given->code);
    assert_string_equal(read->message, given->message);
}

static void test_catalog(void **state) {
    (void)state;
    const search_entry *entries[] = {
        entry_make("a", 3, NULL), entry_make("b", 9, entry_make("b", 5, entry_make("b", 4, NULL)))};
    const search_base_part part = {
        .generation = 3, .position = 44, .first = 2, .count = 6, .primary_key = slice("sku")};
    const search_task task = task_make();
    search_base_catalog read;
    core_buffer bytes;
    core_buffer_init(&bytes, 65536);
    for (size_t i = 0; i < CORE_COUNT_OF(entries); i++)
        search_base_entry_write(entries[i], &bytes);
    search_base_part_write(&part, &bytes);
    search_base_task_write(&task, &bytes);
    core_slice all = core_buffer_slice(&bytes);
    assert_true(search_base_catalog_read(all, &read, &ignored));
    assert_int_equal(read.entry_count, 2);
    for (size_t i = 0; i < CORE_COUNT_OF(entries); i++)
        assert_entry(read.entries[i], entries[i]);
    assert_null(search_base_part_find(&read, 9));
    const search_base_part *found = search_base_part_find(&read, 3);
    assert_non_null(found);
    assert_int_equal(found->position, 44);
    assert_int_equal(found->first, 2);
    assert_int_equal(found->count, 6);
    assert_true(core_slice_is(found->primary_key, "sku"));
    assert_int_equal(read.task_count, 1);
    assert_task(&read.tasks[0], &task);
    search_base_catalog_fini(&read);
    for (size_t i = 0, whole = 0; i < all.length; i++) {
        whole += search_base_catalog_read(core_slice_make(all.data, i), &read, &ignored);
        search_base_catalog_fini(&read);
        assert_true(whole <= 6); /* between two things it may end */
    }
    for (size_t i = 0; i < CORE_COUNT_OF(entries); i++)
        search_entry_release(entries[i]);
    core_buffer_fini(&bytes);
}

/* Two of one name would be one in a catalog. */
static void test_order(void **state) {
    (void)state;
    const search_entry *a = entry_make("a", 3, NULL), *b = entry_make("b", 4, NULL);
    const search_entry *const wrong[][2] = {{b, a}, {a, a}};
    search_base_catalog read;
    core_buffer bytes;
    core_buffer_init(&bytes, 65536);
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        core_buffer_reset(&bytes);
        search_base_entry_write(wrong[i][0], &bytes);
        search_base_entry_write(wrong[i][1], &bytes);
        assert_false(search_base_catalog_read(core_buffer_slice(&bytes), &read, &ignored));
        assert_int_equal(ignored.code, CORE_ERROR_INPUT);
    }
    core_buffer_fini(&bytes);
    search_entry_release(a);
    search_entry_release(b);
}

static void test_documents(void **state) {
    (void)state;
    const search_kept documents[] = {
        {.id = slice("1"), .json = slice("{}"), .version = 5},
        {.id = slice("two"), .json = slice("{\"id\":\"two\"}"), .version = UINT64_MAX}};
    search_item item;
    bool is_wrong = true;
    core_buffer bytes;
    core_buffer_init(&bytes, 65536);
    for (size_t i = 0; i < CORE_COUNT_OF(documents); i++)
        search_base_document_write(&documents[i], &bytes);
    core_slice left = core_buffer_slice(&bytes), cut = left;
    for (size_t i = 0; i < CORE_COUNT_OF(documents); i++) {
        assert_true(search_base_document_read(&left, &item, &is_wrong));
        assert_true(core_slice_equal(item.id, documents[i].id));
        assert_true(core_slice_equal(item.json, documents[i].json));
        assert_true(item.version == documents[i].version);
    }
    assert_int_equal(left.length, 0);
    assert_false(search_base_document_read(&left, &item, &is_wrong));
    assert_false(is_wrong);
    for (cut.length = 0; cut.length < 16 + 1 + 2; cut.length++) { /* the first, without its end */
        core_slice before = cut;
        assert_false(search_base_document_read(&cut, &item, &is_wrong));
        assert_false(is_wrong);
        assert_true(cut.data == before.data && cut.length == before.length);
    }
    memset(bytes.data, 0xff, bytes.length); /* lengths that no document has */
    cut = core_buffer_slice(&bytes);
    assert_false(search_base_document_read(&cut, &item, &is_wrong));
    assert_true(is_wrong);
    core_buffer_fini(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_head), cmocka_unit_test(test_catalog),
                                       cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
