/* Synonyms of a query's parts; see words.h. */
#include "search-index/synonyms.h"

/* Parts that stand side by side, as a synonym's words are written. */
typedef struct {
    uint8_t memory[SEARCH_SYNONYM_KEY_MAX];
    core_buffer text;
    uint32_t words;
} alternatives_key;

/* False: not to be replaced, or more words than any synonym has. */
static bool part_join(alternatives_key *key, const search_part *part, uint32_t longest) {
    if (part->is_negative || part->is_quoted || part->word_count > longest - key->words)
        return false;
    for (uint32_t i = 0; i < part->word_count; i++) {
        if (key->words++ > 0)
            core_buffer_text(&key->text, " ");
        core_buffer_slice_append(&key->text, search_synonym_form(&part->words[i]));
    }
    return core_buffer_ok(&key->text);
}

/* False: there is no room for more. */
static bool others_put(search_alternative *list, search_clause *clause, uint32_t first,
                       uint32_t count, const search_synonym_other *others, uint32_t other_count) {
    for (uint32_t i = 0; i < other_count; i++) {
        if (clause->alternative_count == SEARCH_ALTERNATIVES_MAX)
            return false;
        list[clause->alternative_count++] =
            (search_alternative){.first = first,
                                 .count = count,
                                 .words = others[i].words,
                                 .word_count = others[i].word_count};
    }
    return true;
}

/* Those of one part, of it and the next, and so on. */
static bool part_find(const search_synonyms *synonyms, search_clause *clause, uint32_t first,
                      search_alternative *list) {
    alternatives_key key = {.words = 0};
    uint32_t longest = search_synonyms_longest(synonyms);
    key.text = core_buffer_over(key.memory, sizeof key.memory);
    for (uint32_t at = first; at < clause->part_count; at++) {
        uint32_t count;
        if (!part_join(&key, &clause->parts[at], longest))
            break;
        const search_synonym_other *others =
            search_synonyms_find(synonyms, core_buffer_slice(&key.text), &count);
        if (!others_put(list, clause, first, at - first + 1, others, count))
            return false;
    }
    return true;
}

bool search_alternatives_find(core_arena *arena, const search_synonyms *synonyms,
                              search_clause *clause) {
    search_alternative *list = core_arena_array(arena, SEARCH_ALTERNATIVES_MAX, sizeof *list);
    if (list == NULL)
        return false;
    clause->alternatives = list;
    for (uint32_t i = 0; i < clause->part_count; i++)
        if (!part_find(synonyms, clause, i, list))
            break;
    return true;
}
