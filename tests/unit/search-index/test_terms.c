/* The dictionary: counts, order, beginnings, and typos held against the plain table of distances.
 */
#include "core/utf8.h"
#include "search-index/terms.h"

#include "random_words.h"
#include "search-index/letter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORD_BYTES = 128, WORD_LETTERS = 24, MATCHES_MAX = 4096 };

static search_terms *terms_of(const char *const *words, size_t count) {
    search_terms *terms = search_terms_new();
    assert_non_null(terms);
    for (size_t i = 0; i < count; i++)
        assert_true(search_terms_add(terms, core_slice_text(words[i]), (uint32_t)(i + 1)));
    return terms;
}

/* ---- The plain table ---- */
static size_t letters_of(core_slice word, uint32_t *letters) {
    size_t count = 0;
    for (size_t at = 0; at < word.length; count++)
        letters[count] = search_letter_next(word, &at);
    return count;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Optimal string alignment; with is_prefix the least of the term's beginnings. */
static size_t plain_distance(core_slice word, core_slice term, bool is_prefix) {
    static size_t table[WORD_LETTERS * 2 + 1][WORD_LETTERS * 2 + 1];
    uint32_t a[WORD_LETTERS * 2];
    uint32_t b[WORD_LETTERS * 2];
    size_t rows = letters_of(word, a);
    size_t columns = letters_of(term, b);
    for (size_t i = 0; i <= rows; i++)
        for (size_t j = 0; j <= columns; j++) {
            size_t best = i == 0 ? j : j == 0 ? i : SIZE_MAX;
            if (i > 0 && j > 0) {
                best = least(table[i - 1][j], table[i][j - 1]) + 1;
                best = least(best, table[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            }
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    size_t distance = table[rows][columns];
    for (size_t j = 0; is_prefix && j < columns; j++)
        distance = least(distance, table[rows][j]);
    return distance == 0 ? 0 : distance + (a[0] != b[0]);
}

static size_t plain_near(core_slice *words, size_t count, const search_typo *typo, size_t *sum) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t distance = plain_distance(typo->word, words[i], typo->is_prefix);
        if (distance > 0 && distance <= typo->distance_max) {
            found++;
            *sum += distance;
        }
    }
    return found;
}

static int word_compare(const void *a, const void *b) {
    return core_slice_compare(*(const core_slice *)a, *(const core_slice *)b);
}

static size_t words_unique(core_slice *words, size_t count) {
    size_t kept = 0;
    qsort(words, count, sizeof *words, word_compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !core_slice_equal(words[kept - 1], words[i]))
            words[kept++] = words[i];
    return kept;
}

/* Every look-up finds as many as the plain table, each at the plain table's distance. */
static size_t near_check(const search_terms *terms, core_slice *words, size_t count,
                         const search_typo *typo) {
    static search_term_match out[MATCHES_MAX];
    size_t plain_sum = 0;
    size_t sum = 0;
    size_t plain = plain_near(words, count, typo, &plain_sum);
    size_t found = search_terms_near(terms, typo, out, MATCHES_MAX);
    for (size_t i = 0; i < found; i++) {
        assert_int_equal(out[i].distance, plain_distance(typo->word, out[i].text, typo->is_prefix));
        sum += out[i].distance;
    }
    assert_true(plain <= MATCHES_MAX);
    assert_int_equal(found, plain);
    assert_int_equal(sum, plain_sum);
    return found;
}

static size_t near_compare(const char *const *letters, size_t letter_count, size_t length_max,
                           uint64_t seed) {
    enum { WORDS = 3000, QUERIES = 400 };
    static char bytes[WORDS][WORD_BYTES];
    static core_slice words[WORDS];
    search_terms *terms = search_terms_new();
    for (size_t i = 0; i < WORDS; i++) {
        size_t length = 1 + random_below(&seed, length_max);
        words[i] = random_word(&seed, letters, letter_count, length, bytes[i]);
        assert_true(search_terms_add(terms, words[i], 1));
    }
    size_t count = words_unique(words, WORDS);
    assert_int_equal(search_terms_count(terms), count);
    size_t found = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        char text[WORD_BYTES];
        size_t length = 1 + random_below(&seed, length_max);
        search_typo typo = {.word = random_word(&seed, letters, letter_count, length, text),
                            .distance_max = 1 + (unsigned)random_below(&seed, 2),
                            .is_prefix = random_below(&seed, 2) == 1};
        found += near_check(terms, words, count, &typo);
    }
    search_terms_free(terms);
    return found;
}

static void typos_are_those_of_the_plain_table(void **state) {
    (void)state;
    static const char *const few[] = {"a", "b", "c"};
    static const char *const more[] = {"a", "e", "i", "n", "r", "s", "t", "0", "7"};
    static const char *const wide[] = {"a", "é", "ß", "ж", "я", "語", "本", "😀", "1"};
    /* Few letters give many matches; more letters give long words with few. */
    assert_true(near_compare(few, CORE_COUNT_OF(few), 7, 1) > 5000);
    assert_true(near_compare(more, CORE_COUNT_OF(more), 5, 2) > 1000);
    assert_true(near_compare(wide, CORE_COUNT_OF(wide), 5, 3) > 1000);
    assert_true(near_compare(few, CORE_COUNT_OF(few), WORD_LETTERS, 4) > 500);
}

/* Of more first letters than are noted: then other first letters are looked for in all terms. */
static void typos_are_those_of_the_plain_table_in_a_script_of_many_letters(void **state) {
    (void)state;
    enum { LETTERS = 200 };
    static char bytes[LETTERS][4];
    const char *letters[LETTERS];
    for (uint32_t i = 0; i < LETTERS; i++) {
        bytes[i][core_utf8_encode(0x4E00 + i, (uint8_t *)bytes[i])] = '\0';
        letters[i] = bytes[i];
    }
    assert_true(near_compare(letters, LETTERS, 3, 5) > 500);
}

/* ---- Counts ---- */
static void a_word_counts_its_documents(void **state) {
    (void)state;
    search_terms *terms = search_terms_new();
    core_slice word = core_slice_text("walrus");
    assert_int_equal(search_terms_documents(terms, word), 0);
    assert_true(search_terms_add(terms, word, 3));
    assert_true(search_terms_add(terms, word, 2));
    assert_int_equal(search_terms_documents(terms, word), 5);
    search_terms_remove(terms, word, 4);
    assert_int_equal(search_terms_documents(terms, word), 1);
    search_terms_remove(terms, word, 7);
    assert_int_equal(search_terms_documents(terms, word), 0);
    assert_int_equal(search_terms_count(terms), 0);
    search_term_match match;
    assert_int_equal(search_terms_prefix(terms, word, &match, 1, NULL), 0);
    assert_true(search_terms_add(terms, word, 1));
    assert_int_equal(search_terms_count(terms), 1);
    assert_int_equal(search_terms_prefix(terms, word, &match, 1, NULL), 1);
    assert_true(search_terms_add(terms, word, UINT32_MAX));
    assert_int_equal(search_terms_documents(terms, word), UINT32_MAX);
    search_terms_free(terms);
}

static void words_too_long_or_empty_are_passed_over(void **state) {
    (void)state;
    char text[SEARCH_TERM_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    search_terms *terms = search_terms_new();
    assert_true(search_terms_add(terms, core_slice_make(text, sizeof text), 1));
    assert_true(search_terms_add(terms, core_slice_text(""), 1));
    assert_int_equal(search_terms_count(terms), 0);
    assert_true(search_terms_add(terms, core_slice_make(text, sizeof text - 1), 1));
    assert_int_equal(search_terms_documents(terms, core_slice_make(text, sizeof text - 1)), 1);
    assert_int_equal(search_terms_documents(terms, core_slice_make(text, sizeof text)), 0);
    search_term_match match;
    search_typo typo = {.word = core_slice_make(text, SEARCH_TYPO_CHARACTERS_MAX + 1),
                        .distance_max = 2,
                        .is_prefix = true};
    assert_int_equal(search_terms_near(terms, &typo, &match, 1), 0);
    typo.word = core_slice_text("");
    assert_int_equal(search_terms_near(terms, &typo, &match, 1), 0);
    search_terms_free(terms);
}

/* Against a plain array, through sweeps and split blocks. */
static void many_changes_leave_what_a_plain_array_has(void **state) {
    (void)state;
    enum { WORDS = 20000, CHANGES = 200000 };
    static uint32_t plain[WORDS];
    char text[16];
    uint64_t seed = 5;
    search_terms *terms = search_terms_new();
    for (size_t i = 0; i < CHANGES; i++) {
        size_t number = random_below(&seed, WORDS);
        (void)snprintf(text, sizeof text, "%zu", number);
        if (random_below(&seed, 5) < 2) {
            assert_true(search_terms_add(terms, core_slice_text(text), 1));
            plain[number]++;
        } else {
            search_terms_remove(terms, core_slice_text(text), 1);
            plain[number] -= plain[number] > 0;
        }
    }
    uint32_t count = 0;
    uint64_t documents = 0;
    for (size_t i = 0; i < WORDS; i++) {
        (void)snprintf(text, sizeof text, "%zu", i);
        assert_int_equal(search_terms_documents(terms, core_slice_text(text)), plain[i]);
        count += plain[i] > 0;
        documents += plain[i];
    }
    assert_int_equal(search_terms_count(terms), count);
    search_terms_total total;
    assert_int_equal(search_terms_prefix(terms, core_slice_text(""), NULL, 0, &total), 0);
    assert_int_equal(total.terms, count);
    assert_int_equal(total.documents, documents);
    search_terms_free(terms);
}

/* ---- Order ---- */
static void beginnings_come_with_the_most_documents_first(void **state) {
    (void)state;
    static const char *const words[] = {"sea", "seal", "search", "season", "set", "se", "s", "t"};
    search_terms *terms = terms_of(words, CORE_COUNT_OF(words));
    search_term_match out[8];
    search_terms_total total;
    assert_int_equal(search_terms_prefix(terms, core_slice_text("sea"), out, 8, &total), 4);
    assert_true(core_slice_is(out[0].text, "season"));
    assert_true(core_slice_is(out[3].text, "sea"));
    assert_int_equal(total.documents, 1 + 2 + 3 + 4);
    assert_int_equal(search_terms_prefix(terms, core_slice_text("se"), out, 2, &total), 2);
    assert_true(core_slice_is(out[0].text, "se"));
    assert_true(core_slice_is(out[1].text, "set"));
    assert_int_equal(total.terms, 6);
    assert_int_equal(search_terms_prefix(terms, core_slice_text("u"), out, 8, NULL), 0);
    assert_int_equal(search_terms_prefix(terms, core_slice_text("seas"), out, 8, NULL), 1);
    search_terms_free(terms);
}

static void beginnings_are_those_of_a_plain_scan(void **state) {
    (void)state;
    enum { WORDS = 5000 };
    static const char *const letters[] = {"a", "b", "é", "\xff"};
    static char bytes[WORDS][WORD_BYTES];
    static core_slice words[WORDS];
    uint64_t seed = 6;
    search_terms *terms = search_terms_new();
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = random_word(&seed, letters, 4, 1 + random_below(&seed, 8), bytes[i]);
        assert_true(search_terms_add(terms, words[i], 1));
    }
    size_t count = words_unique(words, WORDS);
    for (size_t i = 0; i < 500; i++) {
        char text[WORD_BYTES];
        core_slice prefix = random_word(&seed, letters, 4, random_below(&seed, 4), text);
        uint32_t plain = 0;
        for (size_t at = 0; at < count; at++)
            plain += core_slice_begins(words[at], prefix);
        search_terms_total total;
        search_term_match out[4];
        size_t written = search_terms_prefix(terms, prefix, out, 4, &total);
        assert_int_equal(total.terms, plain);
        assert_int_equal(written, plain < 4 ? plain : 4);
    }
    search_terms_free(terms);
}

static void near_words_come_nearest_first(void **state) {
    (void)state;
    static const char *const words[] = {"hello",  "hallo", "help", "hells",
                                        "yellow", "ehllo", "jello"};
    search_terms *terms = terms_of(words, CORE_COUNT_OF(words));
    search_term_match out[8];
    search_typo typo = {.word = core_slice_text("hello"), .distance_max = 1};
    assert_int_equal(search_terms_near(terms, &typo, out, 8), 2);
    assert_true(core_slice_is(out[0].text, "hells")); /* of more documents than hallo */
    assert_true(core_slice_is(out[1].text, "hallo"));
    typo.distance_max = 2;
    assert_int_equal(search_terms_near(terms, &typo, out, 8), 5);
    assert_true(core_slice_is(out[2].text, "jello")); /* another first letter counts two */
    assert_int_equal(out[2].distance, 2);
    assert_true(core_slice_is(out[3].text, "ehllo"));
    assert_true(core_slice_is(out[4].text, "help"));
    assert_int_equal(search_terms_near(terms, &typo, out, 1), 1);
    assert_true(core_slice_is(out[0].text, "hells"));
    assert_int_equal(search_terms_near(terms, &typo, out, 0), 0);
    typo.distance_max = 0;
    assert_int_equal(search_terms_near(terms, &typo, out, 8), 0);
    search_terms_free(terms);
}

/* The figure that the design allows: 8 MB for 200,000 terms, however they came. */
static void two_hundred_thousand_terms_fit_in_8_megabytes(void **state) {
    (void)state;
    char text[32];
    uint64_t seed = 7;
    search_terms *terms = search_terms_new();
    while (search_terms_count(terms) < 200000)
        assert_true(search_terms_add(terms, random_spoken(&seed, text), 1));
    assert_in_range(search_terms_bytes(terms), 1 << 20, 8000000);
    search_terms_free(terms);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_counts_its_documents),
        cmocka_unit_test(words_too_long_or_empty_are_passed_over),
        cmocka_unit_test(many_changes_leave_what_a_plain_array_has),
        cmocka_unit_test(beginnings_come_with_the_most_documents_first),
        cmocka_unit_test(beginnings_are_those_of_a_plain_scan),
        cmocka_unit_test(near_words_come_nearest_first),
        cmocka_unit_test(typos_are_those_of_the_plain_table),
        cmocka_unit_test(typos_are_those_of_the_plain_table_in_a_script_of_many_letters),
        cmocka_unit_test(two_hundred_thousand_terms_fit_in_8_megabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
