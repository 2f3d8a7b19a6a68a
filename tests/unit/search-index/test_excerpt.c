/* Highlights and crops of single texts, from tables; Meilisearch's own examples among them. */
#include "search-index/excerpt.h"

#include "plain_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TERMS_MAX = 32 };

/* `a b* "c d"`: words, beginnings and phrases, each the next of the query's words. */
static uint32_t terms_of(const char *query, search_match_term *terms) {
    uint32_t count = 0;
    uint32_t word = 0;
    bool is_quoted = false;
    for (const char *at = query; *at != '\0';) {
        if (*at == ' ' || *at == '"') {
            if (*at == '"') {
                is_quoted = !is_quoted;
                if (!is_quoted && count > 0)
                    terms[count - 1].phrase_left = 0;
            }
            word += !is_quoted && count > 0;
            at++;
            continue;
        }
        size_t length = strcspn(at, " \"*");
        assert_true(count < TERMS_MAX);
        terms[count++] = (search_match_term){.text = core_slice_make(at, length),
                                             .word = word,
                                             .is_prefix = at[length] == '*',
                                             .phrase_left = is_quoted};
        at += length + (at[length] == '*');
    }
    for (uint32_t i = count; i-- > 0;)
        if (terms[i].phrase_left > 0)
            terms[i].phrase_left = terms[i + 1].phrase_left + 1;
    return count;
}

static void shown_is(const char *query, const char *text, bool is_highlighted, uint32_t crop,
                     const char *expected) {
    char memory[1024];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    search_match_term terms[TERMS_MAX];
    uint32_t count = terms_of(query, terms);
    search_excerpt_options options = {.is_highlighted = is_highlighted,
                                      .crop_length = crop,
                                      .crop_marker = core_slice_text("…"),
                                      .highlight_pre = core_slice_text("<"),
                                      .highlight_post = core_slice_text(">")};
    search_excerpt *excerpt = search_excerpt_new(plain_tokens(), terms, count);
    assert_non_null(excerpt);
    assert_true(search_excerpt_look(excerpt, core_slice_text(text)));
    search_excerpt_write(excerpt, &options, &out);
    core_buffer_u8(&out, '\0');
    assert_string_equal(memory, expected);
    search_excerpt_free(excerpt);
}

static const char *const future =
    "Natalie risk her future to build a world with the boy she loves. Emily Henry: The Love That "
    "Split The World.";
static const char *const invention =
    "The groundbreaking invention had the power to split the world between those who embraced "
    "progress and those who resisted change!";

typedef struct {
    const char *query;
    const char *text;
    const char *shown;
} highlight_case;

static const highlight_case highlights[] = {
    {"split the world", "", ""},
    {"split the world", ":-)", ":-)"},
    {"split the world", "A quick brown fox", "A quick brown fox"},
    {"", "A quick brown fox", "A quick brown fox"},
    {"split the world",
     "Natalie risk her future to build a world with the boy she loves. Emily Henry: The Love That "
     "Split The World.",
     "Natalie risk her future to build a <world> with <the> boy she loves. Emily Henry: <The> Love "
     "That <Split> <The> <World>."},
    /* The typed part of a word that goes on; all of one that is another form. */
    {"worl*", "Worldly World", "<Worl>dly <Worl>d"},
    {"world worl*", "World Worldly", "<World> <Worl>dly"},
    {"cat", "cats and a cat", "<cats> and a <cat>"},
    {"o* or*", "orange", "<or>ange"},
    {"caf*", "cafe\xCC\x81s", "<caf>e\xCC\x81s"},
    {"t*", "t\xCC\x81z", "<t\xCC\x81>z"},
    /* Phrases. */
    {"\"the world\"", "the world, the whole world", "<the world>, the whole world"},
    {"\"white snow\"", "white, snow white snow", "<white, snow> <white snow>"},
    {"\"love world\"", "love of the world", "<love of the world>"},
    {"the \"t he\" door \"do or\"", "the do or die can't be he do and or isn't he",
     "<the> <do or> die can't be he do and or isn'<t he>"},
    {"t \"t he\"", "isn't he", "isn'<t he>"},
    {"\"a b\" \"a b c\"", "a b c a b", "<a b c> <a b>"},
    {"\"a b\"", "a", "a"},
    /* Scripts without blanks. */
    {"\"東京 京都\"", "東京都庁 東京", "<東京都>庁 東京"},
    {"東京", "東京都庁", "<東京>都庁"},
    {"東京 京都", "東京都庁", "<東京><都>庁"},
    {"都*", "東京都庁", "東京<都>庁"},
};

static void what_was_found_is_highlighted(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(highlights); i++)
        shown_is(highlights[i].query, highlights[i].text, true, 0, highlights[i].shown);
    shown_is("split the world", future, false, 0, future);
}

static void crops_are_around_the_best_stretch(void **state) {
    (void)state;
    static const highlight_case cases[] = {
        {"split the world", "", ""},
        {"split the world", ":-)", ":-)"},
        {"split the world", "A quick brown fox can not jump 32 feet, right? Brr, it is cold!",
         "A quick brown fox can not jump 32 feet, right…"},
        {"split the world", "(A quick brown fox can not jump 32 feet, right? Brr, it is cold!)",
         "(A quick brown fox can not jump 32 feet, right…"},
        {"split the world",
         "Natalie risk her future. Split The World is a book written by Emily Henry. I never read "
         "it.",
         "…Split The World is a book written by Emily Henry…"},
        {"split the world", "Natalie risk her future to build a world with the boy she loves.",
         "…future to build a world with the boy she loves…"},
        {"split the world",
         "Natalie risk her future to build a world with the boy she loves. Emily Henry: The Love "
         "That Split The World.",
         "…she loves. Emily Henry: The Love That Split The World."},
        {"split the world",
         "The world split void void void void void void void void void split the world void void",
         "…void void void void void split the world void void"},
        {"split the world",
         "split void the void void world void void void void void void void void void void split "
         "the world void void",
         "…void void void void void split the world void void"},
        {"split the world",
         "split split split split split split void void void void void void void void void void "
         "split the world void void",
         "…void void void void void split the world void void"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        shown_is(cases[i].query, cases[i].text, false, 10, cases[i].shown);
}

static void crops_are_highlighted_too(void **state) {
    (void)state;
    shown_is("split the world", future, true, 10,
             "…she loves. Emily Henry: <The> Love That <Split> <The> <World>.");
    shown_is("\"the world\"", invention, true, 10,
             "…the power to split <the world> between those who embraced…");
    shown_is("those \"and those\"", invention, true, 10,
             "…world between <those> who embraced progress <and those> who resisted…");
    shown_is("\"the groundbreaking\"", invention, true, 3, "<The groundbreaking> invention…");
    shown_is("\"the groundbreaking invention had the power to split the world\"", invention, true,
             10, "<The groundbreaking invention had the power to split the world>…");
    shown_is("\"the groundbreaking invention had the power to split the world between those\"",
             invention, true, 10,
             "<The groundbreaking invention had the power to split the world>…");
    shown_is("\"groundbreaking invention\" \"split the world between\"", invention, true, 10,
             "…<groundbreaking invention> had the power to <split the world between>…");
    shown_is("東京", "a b 大阪 東京都庁", true, 2, "…<東京>…");
}

static void small_crops_keep_a_part(void **state) {
    (void)state;
    const char *text = "void void split the world void void.";
    shown_is("split the world", text, false, 2, "…split the…");
    shown_is("split the world", text, false, 1, "…split…");
    shown_is("split the world", text, false, 0, text);
    shown_is("split the world", text, false, 100, text);
    shown_is("", text, false, 1, "void…");
}

static void matches_have_places(void **state) {
    (void)state;
    search_match_term terms[TERMS_MAX];
    uint32_t count = terms_of("worl* \"split the\"", terms);
    search_excerpt *excerpt = search_excerpt_new(plain_tokens(), terms, count);
    assert_true(search_excerpt_look(excerpt, core_slice_text("A Worldly split of the rest")));
    const search_match *matches = search_excerpt_matches(excerpt, &count);
    assert_int_equal(count, 2);
    assert_int_equal(matches[0].start, 2);
    assert_int_equal(matches[0].end, 6);
    assert_int_equal(matches[0].word_end, 9);
    assert_int_equal(matches[0].words, 1);
    assert_int_equal(matches[1].start, 10);
    assert_int_equal(matches[1].end, 22);
    assert_int_equal(matches[1].words, 2);
    assert_true(search_excerpt_look(excerpt, core_slice_text("nothing")));
    (void)search_excerpt_matches(excerpt, &count);
    assert_int_equal(count, 0);
    search_excerpt_free(excerpt);
}

/* A long text is looked at to a bound and shown whole. */
static void long_texts_are_bounded(void **state) {
    (void)state;
    core_buffer text;
    core_buffer out;
    core_buffer_init(&text, (size_t)8 << 20);
    core_buffer_init(&out, (size_t)8 << 20);
    for (int i = 0; i < SEARCH_EXCERPT_WORDS_MAX + 1000; i++)
        core_buffer_text(&text, i % 5 == 0 ? "needle " : "hay ");
    search_match_term terms[TERMS_MAX];
    uint32_t count = terms_of("needle", terms);
    search_excerpt *excerpt = search_excerpt_new(plain_tokens(), terms, count);
    assert_true(search_excerpt_look(excerpt, core_buffer_slice(&text)));
    (void)search_excerpt_matches(excerpt, &count);
    assert_int_equal(count, SEARCH_EXCERPT_MATCHES_MAX);
    search_excerpt_options options = {.is_highlighted = true,
                                      .highlight_pre = core_slice_text("<"),
                                      .highlight_post = core_slice_text(">")};
    search_excerpt_write(excerpt, &options, &out);
    assert_int_equal(out.length, text.length + 2 * SEARCH_EXCERPT_MATCHES_MAX);
    search_excerpt_free(excerpt);
    core_buffer_fini(&text);
    core_buffer_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_found_is_highlighted),
        cmocka_unit_test(crops_are_around_the_best_stretch),
        cmocka_unit_test(crops_are_highlighted_too),
        cmocka_unit_test(small_crops_keep_a_part),
        cmocka_unit_test(matches_have_places),
        cmocka_unit_test(long_texts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
