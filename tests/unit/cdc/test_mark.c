/* Marks: which one holds for a history, that they stay few, and their record. */
#include "cdc/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void put(cdc_marks *marks, const char *epoch, uint64_t sequence, uint64_t xid) {
    const cdc_mark mark = {sequence, xid};
    cdc_marks_add(marks, epoch, &mark);
}

static uint64_t found(const cdc_marks *marks, const char *epoch, uint64_t first_sequence) {
    const cdc_mark *mark = cdc_marks_find(marks, epoch, first_sequence);
    return mark != NULL ? mark->xid : 0;
}

static void the_first_that_the_history_reaches_holds(void **state) {
    cdc_marks marks = {0};
    (void)state;
    put(&marks, "e", 0, 700);
    put(&marks, "e", 10, 800);
    put(&marks, "e", 20, 900);
    assert_int_equal(found(&marks, "e", 0), 700);
    assert_int_equal(found(&marks, "e", 1), 700);
    assert_int_equal(found(&marks, "e", 2), 800);
    assert_int_equal(found(&marks, "e", 11), 800);
    assert_int_equal(found(&marks, "e", 12), 900);
    assert_int_equal(found(&marks, "e", 22), 0);
    assert_int_equal(found(&marks, "f", 1), 0);
}

static void of_one_sequence_the_earlier_id_counts(void **state) {
    cdc_marks marks = {0};
    (void)state;
    put(&marks, "e", 10, 700);
    put(&marks, "e", 10, 800);
    put(&marks, "e", 5, 900);
    assert_int_equal(marks.count, 1);
    assert_int_equal(found(&marks, "e", 11), 700);
}

static void another_epoch_begins_anew(void **state) {
    cdc_marks marks = {0};
    (void)state;
    put(&marks, "e", 10, 700);
    put(&marks, "f", 2, 800);
    assert_int_equal(marks.count, 1);
    assert_int_equal(found(&marks, "e", 1), 0);
    assert_int_equal(found(&marks, "f", 1), 800);
}

static void they_stay_few_and_sound(void **state) {
    cdc_marks marks = {0};
    (void)state;
    for (uint64_t i = 0; i < 10000; i++)
        put(&marks, "e", 10 * i, 1000 + i);
    assert_true(marks.count <= CDC_MARKS_MAX && marks.count >= CDC_MARKS_MAX / 2);
    for (uint64_t first = 1; first < 99990; first += 97) {
        uint64_t xid = found(&marks, "e", first);
        assert_true(xid >= 1000 + (first + 8) / 10);
    }
    core_buffer json;
    cdc_marks again;
    core_error error = {0};
    core_buffer_init(&json, CDC_MARKS_JSON_MAX);
    cdc_marks_encode(&marks, &json);
    assert_true(cdc_marks_decode(core_buffer_slice(&json), &again, &error));
    assert_int_equal(again.count, marks.count);
    assert_string_equal(again.epoch, "e");
    assert_memory_equal(again.marks, marks.marks, marks.count * sizeof *marks.marks);
    core_buffer_fini(&json);
}

static void the_largest_record_fits(void **state) {
    cdc_marks marks = {0};
    core_buffer json;
    (void)state;
    for (uint64_t i = 0; i < CDC_MARKS_MAX; i++)
        put(&marks, "abcdefghij012345", UINT64_MAX - CDC_MARKS_MAX + i, UINT64_MAX);
    core_buffer_init(&json, CDC_MARKS_JSON_MAX);
    cdc_marks_encode(&marks, &json);
    assert_true(core_buffer_ok(&json));
    core_buffer_fini(&json);
}

static void anything_else_is_refused(void **state) {
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"epoch\":\"e\",\"marks\":[[1]]}",
        "{\"epoch\":\"e\",\"marks\":[1]}",
        "{\"epoch\":\"e\",\"marks\":[[1,2,3]]}",
        "{\"epoch\":\"e\",\"marks\":[[2,1],[1,2]]}",
        "{\"epoch\":\"e\",\"marks\":[[\"a\",1]]}",
        "{\"epoch\":\"longer_than_sixteen\",\"marks\":[]}",
        "{\"epoch\":\"e\",\"marks\":[]}x",
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        cdc_marks marks;
        core_error error = {0};
        assert_false(cdc_marks_decode(core_slice_text(texts[i]), &marks, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_the_history_reaches_holds),
        cmocka_unit_test(of_one_sequence_the_earlier_id_counts),
        cmocka_unit_test(another_epoch_begins_anew),
        cmocka_unit_test(they_stay_few_and_sound),
        cmocka_unit_test(the_largest_record_fits),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
