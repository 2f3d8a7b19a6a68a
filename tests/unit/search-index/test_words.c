/* A query's text in words, phrases and clauses, from a table: what stands there, what is left out.
 */
#include "search-index/words.h"

#include "plain_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    const char *text;
    const char *words;
} words_case;

/* `a` a word, `a*` one that may go on, `"a b"` a phrase, `[ab bc]` a run of pairs, `-` before what
 * must not be there, `|` between clauses, `~stem`, `!` at the end of a query that was cut. */
static void part_text(const search_part *part, core_buffer *out) {
    const char *open = part->is_quoted ? "\"" : part->words[0].is_pair ? "[" : "";
    const char *close = part->is_quoted ? "\"" : part->words[0].is_pair ? "]" : "";
    core_buffer_format(out, "%s%s", part->is_negative ? "-" : "", open);
    for (uint32_t i = 0; i < part->word_count; i++) {
        core_buffer_format(out, "%s%.*s", i > 0 ? " " : "", CORE_SLICE_ARGS(part->words[i].text));
        if (part->words[i].stem.length > 0)
            core_buffer_format(out, "~%.*s", CORE_SLICE_ARGS(part->words[i].stem));
    }
    core_buffer_format(out, "%s%s", close, part->is_prefix ? "*" : "");
}

static void words_text(const search_words *words, core_buffer *out) {
    for (uint32_t i = 0; i < words->clause_count; i++) {
        core_buffer_text(out, i > 0 ? " | " : "");
        for (uint32_t at = 0; at < words->clauses[i].part_count; at++) {
            core_buffer_text(out, at > 0 ? " " : "");
            part_text(&words->clauses[i].parts[at], out);
        }
    }
    core_buffer_text(out, words->is_cut ? " !" : "");
    core_buffer_u8(out, '\0');
}

/* Counts and numbers agree with the parts. */
static void counts_check(const search_words *words) {
    uint32_t number = 0;
    for (uint32_t i = 0; i < words->clause_count; i++) {
        uint32_t positive = 0;
        for (uint32_t at = 0; at < words->clauses[i].part_count; at++) {
            const search_part *part = &words->clauses[i].parts[at];
            assert_true(part->start < part->end);
            if (part->is_negative)
                continue;
            assert_int_equal(part->number, number++);
            positive++;
        }
        assert_int_equal(words->clauses[i].positive_count, positive);
    }
    assert_int_equal(words->positive_count, number);
}

static void text_is_words(core_slice text, bool is_boolean, bool has_prefix_search,
                          const char *expected) {
    static char memory[8192];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    search_words_options options = {
        .source = plain_tokens(), .is_boolean = is_boolean, .has_prefix_search = has_prefix_search};
    const search_words *words;
    core_error error;
    core_arena arena;
    core_arena_init(&arena, 16384, 1 << 20);
    assert_true(search_words_read(&arena, text, &options, &words, &error));
    words_text(words, &out);
    assert_string_equal(memory, expected);
    counts_check(words);
    core_arena_fini(&arena);
}

static const words_case plain[] = {
    {"", ""},
    {"   ", ""},
    {"?!,.", ""},
    {"winter", "winter*"},
    {"winter ", "winter"},
    {"winter?", "winter"},
    {"Winter  LOVE", "winter love*"},
    {"snow-white", "snow white*"},
    {"e-mail 2", "e mail 2*"},
    {"cats and dogs", "cats~cat and dogs~dog*"},
    /* Phrases. */
    {"\"winter love\"", "\"winter love\""},
    {"\"winter\"", "\"winter\""},
    {"\"Winter  love\" story", "\"winter love\" story*"},
    {"big \"winter love\"story", "big \"winter love\" story*"},
    {"\"never closed phrase", "\"never closed phrase\""},
    {"\"\"", ""},
    {"\"\"\"a b\"", "\"a b\""},
    {"a\"", "a"},
    {"\"cats of the house\"", "\"cats house\""},
    {"5\" disk", "5 \"disk\""},
    /* What must not be there. */
    {"winter -snow", "winter -snow"},
    {"-snow winter", "-snow winter*"},
    {"-snow", "-snow"},
    {"winter -\"white snow\" love", "winter -\"white snow\" love*"},
    {"-\"white snow", "-\"white snow\""},
    {"winter - snow", "winter snow*"},
    {"winter -", "winter"},
    {"winter --snow", "winter snow*"},
    {"a-b -c-d", "a b -c d*"},
    {"winter\t-cats", "winter -cats~cat"},
    /* Stop-words. */
    {"the winter of love", "winter love*"},
    {"winter of the", "winter"},
    {"of the", "the*"},
    {"the ", "the*"},
    {"-the", ""},
    {"-the winter", "winter*"},
    {"\"the\"", ""},
    /* Operators are words. */
    {"winter OR love", "winter or love*"},
    {"NOT winter", "not winter*"},
    /* Scripts without blanks. */
    {"東京都", "[東京 京都]"},
    {"東京", "[東京]"},
    {"都", "[都]*"},
    {"都 ", "[都]*"},
    {"東京 大阪", "[東京] [大阪]"},
    {"tower東京都x", "tower [東京 京都] x*"},
    {"\"東京都 tower\"", "\"東京 京都 都 tower\""},
    {"\"東京都\"", "\"東京 京都\""},
    {"\"都\"", "\"都\"*"},
    {"winter -東京", "winter -[東京]"},
    {"-都 winter", "-[都]* winter*"},
    /* Not more than Meilisearch takes. */
    {"a b c d e f g h i j", "a b c d e f g h i j*"},
    {"a b c d e f g h i j k", "a b c d e f g h i j !"},
    {"a \"b b b\" c d e f g h i j k l", "a \"b b b\" c d e f g h i j !"},
    {"a -b -c -d -e -f -g -h -i -j -k -l", "a -b -c -d -e -f -g -h -i -j -k !"},
};

static const words_case boolean[] = {
    {"winter love", "winter love*"},
    {"winter OR love", "winter | love*"},
    {"winter love OR summer NOT snow", "winter love | summer -snow"},
    {"winter AND love", "winter love*"},
    {"winter AND NOT \"white snow\"", "winter -\"white snow\""},
    {"a OR b OR c", "a | b | c*"},
    {"\"a OR b\" OR c", "\"a or b\" | c*"},
    {"OR winter OR OR love OR", "winter | love"},
    {"OR", ""},
    {"NOT", ""},
    {"NOT winter", "-winter"},
    {"NOT OR winter", "winter*"},
    {"winter or love", "winter or love*"},
    {"wind-OR-wave", "wind or wave*"},
    {"winter -snow OR love", "winter -snow | love*"},
    {"a OR NOT b", "a | -b"},
    {"a OR\"b c\"", "a | \"b c\""},
    {"NOT the winter", "winter*"},
    {"a OR the OR b", "a | b*"},
    {"a OR b OR c OR d OR e OR f g", "a | b | c | d | e !"},
    {"東京 OR 大阪", "[東京] | [大阪]"},
};

static void queries_are_taken_apart(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(plain); i++)
        text_is_words(core_slice_text(plain[i].text), false, true, plain[i].words);
}

static void operators_stand_between_clauses(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(boolean); i++)
        text_is_words(core_slice_text(boolean[i].text), true, true, boolean[i].words);
}

static void without_prefix_search_the_last_word_is_whole(void **state) {
    (void)state;
    text_is_words(core_slice_text("big winter"), false, false, "big winter");
    text_is_words(core_slice_text("of the"), false, false, "");
    text_is_words(core_slice_text("都"), false, false, "[都]*");
}

static void long_texts_are_cut(void **state) {
    (void)state;
    static char text[3 * SEARCH_QUERY_BYTES_MAX];
    memset(text, ' ', sizeof text);
    memcpy(text, "winter", 6);
    memcpy(text + SEARCH_QUERY_BYTES_MAX, "love", 4);
    text_is_words(core_slice_make(text, sizeof text), false, true, "winter !");
    /* Within a character. */
    memcpy(text + SEARCH_QUERY_BYTES_MAX - 1, "語", 3);
    text_is_words(core_slice_make(text, sizeof text), false, true, "winter !");
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "a ", 2);
    text[0] = '"';
    core_buffer expected;
    core_buffer_init(&expected, 4096);
    core_buffer_text(&expected, "\"");
    for (size_t i = 0; i < SEARCH_PHRASE_WORDS_MAX; i++)
        core_buffer_text(&expected, i > 0 ? " a" : "a");
    core_buffer_text(&expected, "\" !");
    core_buffer_u8(&expected, '\0');
    text_is_words(core_slice_make(text, sizeof text), false, true, (const char *)expected.data);
    core_buffer_fini(&expected);
}

static void a_full_arena_is_an_error(void **state) {
    (void)state;
    search_words_options options = {.source = plain_tokens()};
    const search_words *words;
    core_error error = {.code = CORE_ERROR_NONE};
    core_arena arena;
    core_arena_init(&arena, 64, 128);
    assert_false(search_words_read(&arena, core_slice_text("winter"), &options, &words, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    core_arena_fini(&arena);
    core_arena_init(&arena, 64, 16384);
    static char text[3000];
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "a\"", 2);
    bool ok =
        search_words_read(&arena, core_slice_make(text, sizeof text), &options, &words, &error);
    assert_true(ok || error.code == CORE_ERROR_LIMIT);
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_taken_apart),
        cmocka_unit_test(operators_stand_between_clauses),
        cmocka_unit_test(without_prefix_search_the_last_word_is_whole),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_full_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
