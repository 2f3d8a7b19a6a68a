/* Synonyms of words and of several words, in queries. */
#include "search-index/synonyms.h"

#include "plain_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(text)                                                                                 \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static const core_slice phone[] = {TEXT("Smartphone"), TEXT("mobile of phones")};
static const core_slice city[] = {TEXT("NYC"), TEXT("big apple")};
static const core_slice state[] = {TEXT("empire")};
static const core_slice capital[] = {TEXT("Tokyo")};
static const core_slice runs[] = {TEXT("東京都")};
static const core_slice nothing[] = {TEXT("?!"), TEXT("the")};
static const core_slice again[] = {TEXT("other")};

static const search_synonym synonyms_list[] = {
    {.word = TEXT("Phone"), .others = phone, .other_count = 2},
    {.word = TEXT("new york"), .others = city, .other_count = 2},
    {.word = TEXT("new york state"), .others = state, .other_count = 1},
    {.word = TEXT("東京"), .others = capital, .other_count = 1},
    {.word = TEXT("tokyo"), .others = runs, .other_count = 1},
    {.word = TEXT("empty"), .others = nothing, .other_count = 2},
    {.word = TEXT("phone!"), .others = again, .other_count = 1},
    {.word = TEXT("the"), .others = again, .other_count = 1},
};

typedef struct {
    search_schema *schema;
    search_synonyms *synonyms;
} synonyms_fixture;

static void fixture_init(synonyms_fixture *fixture) {
    search_schema_spec spec = search_schema_defaults();
    search_token_source source = plain_tokens();
    core_error error = {.text = ""};
    spec.synonyms = synonyms_list;
    spec.synonym_count = CORE_COUNT_OF(synonyms_list);
    fixture->schema = search_schema_new(&spec, &error);
    if (fixture->schema == NULL)
        fail_msg("%s", error.text);
    fixture->synonyms = search_synonyms_new(fixture->schema, &source, &error);
    assert_non_null(fixture->synonyms);
}

static void fixture_fini(synonyms_fixture *fixture) {
    search_synonyms_free(fixture->synonyms);
    search_schema_release(fixture->schema);
}

/* `first+count=word word`, a line each clause's alternatives with commas between. */
static void alternatives_are(const synonyms_fixture *fixture, const char *query, bool is_boolean,
                             const char *expected) {
    char memory[2048];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    search_words_options options = {.source = plain_tokens(),
                                    .synonyms = fixture->synonyms,
                                    .is_boolean = is_boolean,
                                    .has_prefix_search = true};
    const search_words *words;
    core_error error;
    core_arena arena;
    core_arena_init(&arena, 16384, 1 << 20);
    assert_true(search_words_read(&arena, core_slice_text(query), &options, &words, &error));
    for (uint32_t i = 0; i < words->clause_count; i++) {
        core_buffer_text(&out, i > 0 ? " | " : "");
        for (uint32_t at = 0; at < words->clauses[i].alternative_count; at++) {
            const search_alternative *other = &words->clauses[i].alternatives[at];
            core_buffer_format(&out, "%s%u+%u=", at > 0 ? ", " : "", other->first, other->count);
            for (uint32_t word = 0; word < other->word_count; word++)
                core_buffer_format(&out, "%s%.*s", word > 0 ? " " : "",
                                   CORE_SLICE_ARGS(other->words[word].text));
        }
    }
    core_buffer_u8(&out, '\0');
    assert_string_equal(memory, expected);
    core_arena_fini(&arena);
}

static void words_of_a_query_have_alternatives(void **state_pointer) {
    (void)state_pointer;
    synonyms_fixture fixture;
    fixture_init(&fixture);
    alternatives_are(&fixture, "PHONE", false, "0+1=smartphone, 0+1=mobile phone");
    alternatives_are(&fixture, "cheap phone case", false, "1+1=smartphone, 1+1=mobile phone");
    alternatives_are(&fixture, "smartphone", false, ""); /* one way */
    alternatives_are(&fixture, "phones", false, "0+1=smartphone, 0+1=mobile phone");
    alternatives_are(&fixture, "phon", false, "");
    alternatives_are(&fixture, "new york", false, "0+2=nyc, 0+2=big apple");
    alternatives_are(&fixture, "in New-York state today", false,
                     "1+2=nyc, 1+2=big apple, 1+3=empire");
    alternatives_are(&fixture, "new jersey york", false, "");
    alternatives_are(&fixture, "new of york", false, "0+2=nyc, 0+2=big apple");
    alternatives_are(&fixture, "empty", false, "");
    alternatives_are(&fixture, "nothing", false, "");
    alternatives_are(&fixture, "", false, "");
    alternatives_are(&fixture, "the", false, "");
    fixture_fini(&fixture);
}

static void what_must_stand_as_written_has_none(void **state_pointer) {
    (void)state_pointer;
    synonyms_fixture fixture;
    fixture_init(&fixture);
    alternatives_are(&fixture, "\"phone\"", false, "");
    alternatives_are(&fixture, "-phone", false, "");
    alternatives_are(&fixture, "new -york york", false, "");
    alternatives_are(&fixture, "new \"york\"", false, "");
    alternatives_are(&fixture, "new OR york phone", true, " | 1+1=smartphone, 1+1=mobile phone");
    fixture_fini(&fixture);
}

static void scripts_without_blanks_have_them_too(void **state_pointer) {
    (void)state_pointer;
    synonyms_fixture fixture;
    fixture_init(&fixture);
    alternatives_are(&fixture, "東京", false, "0+1=tokyo");
    alternatives_are(&fixture, "東京 tokyo", false, "0+1=tokyo, 1+1=東京 京都");
    alternatives_are(&fixture, "東京都", false, "");
    fixture_fini(&fixture);
}

static void there_is_a_most(void **state_pointer) {
    (void)state_pointer;
    synonyms_fixture fixture;
    core_slice others[SEARCH_SYNONYM_OTHERS_MAX];
    for (size_t i = 0; i < SEARCH_SYNONYM_OTHERS_MAX; i++)
        others[i] = core_slice_text("other");
    search_synonym list[] = {
        {.word = TEXT("a"), .others = others, .other_count = SEARCH_SYNONYM_OTHERS_MAX - 5},
        {.word = TEXT("b"), .others = others, .other_count = SEARCH_SYNONYM_OTHERS_MAX - 5},
    };
    search_schema_spec spec = search_schema_defaults();
    search_token_source source = plain_tokens();
    spec.synonyms = list;
    spec.synonym_count = CORE_COUNT_OF(list);
    fixture.schema = search_schema_new(&spec, NULL);
    fixture.synonyms = search_synonyms_new(fixture.schema, &source, NULL);
    search_words_options options = {.source = source, .synonyms = fixture.synonyms};
    const search_words *words;
    core_error error;
    core_arena arena;
    core_arena_init(&arena, 16384, 1 << 20);
    assert_true(search_words_read(&arena, core_slice_text("a b"), &options, &words, &error));
    assert_int_equal(words->clauses[0].alternative_count, SEARCH_ALTERNATIVES_MAX);
    assert_int_equal(words->clauses[0].alternatives[SEARCH_ALTERNATIVES_MAX - 1].first, 1);
    core_arena_fini(&arena);
    fixture_fini(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_a_query_have_alternatives),
        cmocka_unit_test(what_must_stand_as_written_has_none),
        cmocka_unit_test(scripts_without_blanks_have_them_too),
        cmocka_unit_test(there_is_a_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
