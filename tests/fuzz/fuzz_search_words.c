/* Any bytes as a query, plain and with operators: bounded parts, each with words, within the text.
 */
#include "search-index/words.h"

#include "../unit/search-index/plain_tokens.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void part_check(const search_part *part, size_t size) {
    if (part->word_count == 0 || part->word_count > SEARCH_PHRASE_WORDS_MAX ||
        part->start >= part->end || part->end > size)
        abort();
    for (uint32_t i = 0; i < part->word_count; i++)
        if (part->words[i].text.length == 0)
            abort();
    if (part->is_prefix && part->word_count != 1)
        abort();
}

static void words_check(const search_words *words, size_t size) {
    uint32_t positive = 0;
    if (words->clause_count > SEARCH_QUERY_CLAUSES_MAX)
        abort();
    for (uint32_t i = 0; i < words->clause_count; i++) {
        if (words->clauses[i].part_count == 0)
            abort();
        positive += words->clauses[i].positive_count;
        for (uint32_t at = 0; at < words->clauses[i].part_count; at++)
            part_check(&words->clauses[i].parts[at], size);
    }
    if (positive != words->positive_count || positive > SEARCH_QUERY_PARTS_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int form = 0; form < 2; form++) {
        search_words_options options = {
            .source = plain_tokens(), .is_boolean = form == 1, .has_prefix_search = true};
        const search_words *words;
        core_error error;
        core_arena arena;
        core_arena_init(&arena, 16384, 1 << 20);
        if (!search_words_read(&arena, core_slice_make(data, size), &options, &words, &error))
            abort();
        words_check(words, size);
        core_arena_fini(&arena);
    }
    return 0;
}
