/* A project's share of the dead letters: who has more gives up his own oldest, and nobody else's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/letter_account.h"

#include <string.h>

enum { LETTERS = 40, BODY_BYTES = 1000, SHARE_BYTES = 16 * 1024 };

typedef struct {
    core_block *letters[LETTERS];
    const char *projects[LETTERS];
} fixture;

static core_block *letter_of(const char *project) {
    static char body[BODY_BYTES];
    core_buffer task, out;
    core_buffer_init(&task, 4096);
    core_buffer_init(&out, 4096);
    memset(body, '7', sizeof body);
    const triggers_task wire = {.project = core_slice_text(project),
                                .trigger = core_slice_text("t"),
                                .key_hash = 1,
                                .body = core_slice_make(body, sizeof body)};
    triggers_task_write(&wire, &task);
    const triggers_letter letter = {
        .sequence = 1, .reason = core_slice_text("r"), .task = core_buffer_slice(&task)};
    triggers_letter_write(&letter, &out);
    core_block *block = core_block_copy(core_buffer_slice(&out));
    core_buffer_fini(&task);
    core_buffer_fini(&out);
    return block;
}

/* One in four is b's, which lies below its share; a has almost twice its own. */
static void letters_make(fixture *f) {
    for (size_t i = 0; i < LETTERS; i++) {
        f->projects[i] = i % 4 == 3 ? "b" : "a";
        f->letters[i] = letter_of(f->projects[i]);
    }
}

static void letters_free(fixture *f) {
    for (size_t i = 0; i < LETTERS; i++)
        core_block_release(f->letters[i]);
}

static bool on_taken(void *context, core_slice project, size_t letters) {
    assert_true(core_slice_is(project, "a"));
    *(size_t *)context += letters;
    return true;
}

static void test_its_own_oldest_go(void **state) {
    fixture f;
    core_error error = {0};
    size_t taken = 0, told = 0, left = 0;
    bool is_kept = false;
    (void)state;
    letters_make(&f);
    triggers_letter_account *account =
        triggers_letter_account_new(core_slice_text("own"), SHARE_BYTES, &error);
    for (size_t i = 0; i < LETTERS; i++)
        assert_true(triggers_letter_account_count(account, core_block_slice(f.letters[i])));
    assert_int_equal(triggers_letter_account_over(account), 1);
    for (size_t i = 0; i < LETTERS; i++) {
        bool takes = triggers_letter_account_takes(account, core_block_slice(f.letters[i]));
        bool is_a = strcmp(f.projects[i], "a") == 0;
        assert_false(takes && (!is_a || is_kept)); /* the first ones, up to one that stays */
        is_kept = is_kept || (is_a && !takes);
        taken += takes;
        left += is_a && !takes ? f.letters[i]->length : 0;
    }
    assert_in_range(left, SHARE_BYTES / 2, SHARE_BYTES / 8 * 7);
    triggers_letter_account_each(account, on_taken, &told);
    assert_true(taken > 0 && told == taken);
    triggers_letter_account_free(account);
    letters_free(&f);
}

static void test_within_the_share_all_stay(void **state) {
    fixture f;
    core_error error = {0};
    size_t told = 0;
    (void)state;
    letters_make(&f);
    triggers_letter_account *account =
        triggers_letter_account_new(core_slice_text("own"), UINT64_C(1) << 20, &error);
    for (size_t i = 0; i < LETTERS; i++)
        assert_true(triggers_letter_account_count(account, core_block_slice(f.letters[i])));
    assert_true(triggers_letter_account_count(account, core_slice_text("no letter")));
    assert_int_equal(triggers_letter_account_over(account), 0);
    for (size_t i = 0; i < LETTERS; i++)
        assert_false(triggers_letter_account_takes(account, core_block_slice(f.letters[i])));
    triggers_letter_account_each(account, on_taken, &told);
    assert_int_equal(told, 0);
    triggers_letter_account_free(account);
    letters_free(&f);
}

/* What cannot be read is the source's own project's. */
static void test_what_cannot_be_read_counts_too(void **state) {
    core_error error = {0};
    uint8_t noise[4096] = {0xff};
    (void)state;
    triggers_letter_account *account =
        triggers_letter_account_new(core_slice_text("own"), SHARE_BYTES, &error);
    for (size_t i = 0; i < LETTERS; i++)
        assert_true(triggers_letter_account_count(account, core_slice_make(noise, sizeof noise)));
    assert_int_equal(triggers_letter_account_over(account), 1);
    assert_true(triggers_letter_account_takes(account, core_slice_make(noise, sizeof noise)));
    triggers_letter_account_free(account);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_own_oldest_go),
        cmocka_unit_test(test_within_the_share_all_stay),
        cmocka_unit_test(test_what_cannot_be_read_counts_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
