/* Words from text: classes, cases, marks, pairs, stems, stop-words, places, and text that is no
 * text. */
#include "search-index/tokenizer_fts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    char text[4096];
    size_t length;
    size_t count;
    core_slice from;
    size_t stop_after;
} taken;

/* `word`, `~stem`, `"pair`, `!stop`, a blank between, `@start-end` behind when places are asked. */
static bool take(void *context, const search_token *token) {
    taken *t = context;
    assert_true(token->end <= t->from.length && token->start < token->end);
    t->length += (size_t)snprintf(t->text + t->length, sizeof t->text - t->length, "%s%s%.*s",
                                  t->count > 0 ? " " : "",
                                  token->is_stem   ? "~"
                                  : token->is_pair ? "\""
                                  : token->is_stop ? "!"
                                                   : "",
                                  CORE_SLICE_ARGS(token->text));
    assert_true(t->length < sizeof t->text);
    t->count++;
    return t->count != t->stop_after;
}

static search_tokenizer *tokenizer_of(const search_schema_spec *spec) {
    core_error error = {.code = CORE_ERROR_NONE};
    search_schema *schema = search_schema_new(spec, &error);
    if (schema == NULL)
        fail_msg("%s", error.text);
    search_tokenizer *tokenizer = search_tokenizer_new(schema, &error);
    if (tokenizer == NULL)
        fail_msg("%s", error.text);
    search_schema_release(schema);
    return tokenizer;
}

static void expect(const search_schema_spec *spec, search_tokens_kind kind, const char *text,
                   const char *words) {
    search_tokenizer *tokenizer = tokenizer_of(spec);
    taken t = {.from = core_slice_text(text)};
    assert_true(search_tokenizer_run(tokenizer, t.from, kind, take, &t));
    assert_string_equal(t.text, words);
    search_tokenizer_free(tokenizer);
}

static void words_are_letters_and_digits_in_lower_case(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    expect(&spec, SEARCH_TOKENS_INDEX, "Hello, World! it's x-ray 3.14 a_b",
           "hello world it s x ray 3 14 a b");
    expect(&spec, SEARCH_TOKENS_INDEX, "", "");
    expect(&spec, SEARCH_TOKENS_INDEX, " .,;", "");
    expect(&spec, SEARCH_TOKENS_INDEX, "Ünïcödé ÉCOLE naïveté", "unicode ecole naivete");
    expect(&spec, SEARCH_TOKENS_INDEX, "ПРИВЕТ Мир ΑΒΓ", "привет мир αβγ");
    expect(&spec, SEARCH_TOKENS_INDEX, "ascii—dash“quoted”end", "ascii dash quoted end");
    expect(&spec, SEARCH_TOKENS_INDEX, "हिन्दी भाषा", "हिन्दी भाषा");
}

/* A mark by itself and a letter that has it built in are the same word. */
static void composed_and_decomposed_letters_are_one_word(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    expect(&spec, SEARCH_TOKENS_INDEX, "cafe\xCC\x81s cafés", "cafes cafes");
}

static void scripts_without_blanks_come_as_pairs(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    expect(&spec, SEARCH_TOKENS_INDEX, "東京都", "\"東京 \"京都 \"都");
    expect(&spec, SEARCH_TOKENS_INDEX, "a東京Tower都", "a \"東京 \"京 tower \"都");
    expect(&spec, SEARCH_TOKENS_INDEX, "東京 É京", "\"東京 \"京 e \"京");
    expect(&spec, SEARCH_TOKENS_INDEX, "ประเทศ", "\"ปร \"ระ \"ะเ \"เท \"ทศ \"ศ");
}

static void stems_stand_beside_their_words(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    spec.language = core_slice_text("english");
    expect(&spec, SEARCH_TOKENS_INDEX, "Running dogs run", "running ~run dogs ~dog run");
    expect(&spec, SEARCH_TOKENS_INDEX, "running running", "running ~run running ~run");
}

static void stop_words_are_passed_over_or_marked(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    const core_slice stops[] = {core_slice_text("The"), core_slice_text("été")};
    spec.stop_words = stops;
    spec.stop_word_count = 2;
    expect(&spec, SEARCH_TOKENS_INDEX, "the theory of THE ete", "theory of");
    expect(&spec, SEARCH_TOKENS_ALL, "the theory of THE été", "!the theory of !the !ete");
}

static void separators_are_the_schemas(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    const core_slice joined[] = {core_slice_text("+"), core_slice_text("#"), core_slice_text("_")};
    const core_slice apart[] = {core_slice_text("x"), core_slice_text("é")};
    spec.non_separators = joined;
    spec.non_separator_count = 3;
    spec.separators = apart;
    spec.separator_count = 2;
    expect(&spec, SEARCH_TOKENS_INDEX, "C++ C# a_b 1x2 céb", "c++ c# a_b 1 2 c b");
}

static void long_words_are_cut_at_a_character(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    search_tokenizer *tokenizer = tokenizer_of(&spec);
    char text[400];
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xD1\x8F", 2); /* я */
    taken t = {.from = core_slice_make(text, 399 - 1)};
    assert_true(search_tokenizer_run(tokenizer, t.from, SEARCH_TOKENS_INDEX, take, &t));
    assert_int_equal(t.length, SEARCH_WORD_BYTES_MAX);
    memset(text, 'Q', sizeof text);
    t = (taken){.from = core_slice_make(text, sizeof text)};
    assert_true(search_tokenizer_run(tokenizer, t.from, SEARCH_TOKENS_INDEX, take, &t));
    assert_int_equal(t.length, SEARCH_WORD_BYTES_MAX);
    search_tokenizer_free(tokenizer);
}

static void a_taker_ends_the_run(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    search_tokenizer *tokenizer = tokenizer_of(&spec);
    static const char *const texts[] = {"one two three", "één två trî", "東京都 東京都"};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        taken t = {.from = core_slice_text(texts[i]), .stop_after = 2};
        assert_true(search_tokenizer_run(tokenizer, t.from, SEARCH_TOKENS_INDEX, take, &t));
        assert_int_equal(t.count, 2);
    }
    search_tokenizer_free(tokenizer);
}

/* Random bytes: each run ends, and what it gives lies in the text (take() says so). */
static void bytes_that_are_no_text_are_taken(void **state) {
    (void)state;
    search_schema_spec spec = search_schema_defaults();
    search_tokenizer *tokenizer = tokenizer_of(&spec);
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        uint8_t text[64];
        size_t length = (size_t)(round % 64);
        for (size_t i = 0; i < length; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            text[i] = (uint8_t)(round % 3 == 0 ? random
                                : (random & 1) ? 0xE3 + random % 9
                                               : random);
        }
        taken t = {.from = core_slice_make(text, length)};
        assert_true(search_tokenizer_run(tokenizer, t.from, SEARCH_TOKENS_INDEX, take, &t));
    }
    search_tokenizer_free(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_letters_and_digits_in_lower_case),
        cmocka_unit_test(composed_and_decomposed_letters_are_one_word),
        cmocka_unit_test(scripts_without_blanks_come_as_pairs),
        cmocka_unit_test(stems_stand_beside_their_words),
        cmocka_unit_test(stop_words_are_passed_over_or_marked),
        cmocka_unit_test(separators_are_the_schemas),
        cmocka_unit_test(long_words_are_cut_at_a_character),
        cmocka_unit_test(a_taker_ends_the_run),
        cmocka_unit_test(bytes_that_are_no_text_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
