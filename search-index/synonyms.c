/* Synonyms by the words that they stand for; see synonyms.h. Sorted once, found by halving. */
#include "search-index/synonyms.h"

#include <stdlib.h>

enum { SYNONYMS_CHUNK_BYTES = 64 << 10, SYNONYMS_TIMES = 64 };

/* What one word or phrase of the schema may be replaced by. */
typedef struct {
    core_slice key;
    uint32_t word_count;
    uint32_t order; /* in the schema */
    const search_synonym_other *others;
    uint32_t other_count;
} synonym_entry;

struct search_synonyms {
    core_arena arena;
    synonym_entry *entries;
    uint32_t count;
    uint32_t longest;
};

/* ---- One side ---- */
typedef struct {
    core_arena *arena;
    search_word words[SEARCH_SYNONYM_TOKENS_MAX];
    uint32_t count;
    size_t end; /* of the last word in its text */
    bool is_tail;
    bool failed;
} side_reader;

static bool side_keep(side_reader *side, core_slice text, core_slice *kept) {
    *kept = core_arena_copy(side->arena, text);
    side->failed = side->failed || kept->data == NULL;
    return !side->failed;
}

static bool side_take(void *context, const search_token *token) {
    side_reader *side = context;
    if (token->is_stem)
        return side->count == 0 || side_keep(side, token->text, &side->words[side->count - 1].stem);
    if (side->count == SEARCH_SYNONYM_TOKENS_MAX)
        return false;
    search_word *word = &side->words[side->count];
    *word = (search_word){.is_pair = token->is_pair};
    if (!side_keep(side, token->text, &word->text))
        return false;
    side->is_tail = token->is_pair && side->count > 0 && token->end == side->end;
    side->end = token->end;
    side->count++;
    return true;
}

/* The words of `text`; none where it has none. */
static bool side_read(side_reader *side, core_arena *arena, const search_token_source *source,
                      core_slice text) {
    *side = (side_reader){.arena = arena};
    if (!source->run(source->context, text, SEARCH_TOKENS_INDEX, side_take, side) || side->failed)
        return false;
    /* The last character of a run is in the pair before it. */
    side->count -= side->is_tail;
    return true;
}

core_slice search_synonym_form(const search_word *word) {
    return word->stem.length > 0 ? word->stem : word->text;
}

static bool key_make(side_reader *side, core_slice *key) {
    uint8_t memory[SEARCH_SYNONYM_KEY_MAX];
    core_buffer buffer = core_buffer_over(memory, sizeof memory);
    for (uint32_t i = 0; i < side->count; i++) {
        if (i > 0)
            core_buffer_text(&buffer, " ");
        core_buffer_slice_append(&buffer, search_synonym_form(&side->words[i]));
    }
    return side_keep(side, core_buffer_slice(&buffer), key);
}

/* ---- Entries ---- */
static bool others_read(search_synonyms *synonyms, const search_token_source *source,
                        const search_synonym *synonym, synonym_entry *entry) {
    search_synonym_other *others =
        core_arena_array(&synonyms->arena, synonym->other_count + 1, sizeof *others);
    if (others == NULL)
        return false;
    entry->others = others;
    for (size_t i = 0; i < synonym->other_count; i++) {
        side_reader side;
        if (!side_read(&side, &synonyms->arena, source, synonym->others[i]))
            return false;
        if (side.count == 0)
            continue;
        search_word *words = core_arena_array(&synonyms->arena, side.count, sizeof *words);
        if (words == NULL)
            return false;
        for (uint32_t j = 0; j < side.count; j++)
            words[j] = (search_word){.text = search_synonym_form(&side.words[j]),
                                     .is_pair = side.words[j].is_pair};
        others[entry->other_count++] =
            (search_synonym_other){.words = words, .word_count = side.count};
    }
    return true;
}

static bool entry_read(search_synonyms *synonyms, const search_token_source *source,
                       const search_synonym *synonym) {
    side_reader side;
    synonym_entry *entry = &synonyms->entries[synonyms->count];
    if (!side_read(&side, &synonyms->arena, source, synonym->word))
        return false;
    if (side.count == 0)
        return true;
    *entry = (synonym_entry){.word_count = side.count, .order = synonyms->count};
    if (!key_make(&side, &entry->key) || !others_read(synonyms, source, synonym, entry))
        return false;
    synonyms->longest = side.count > synonyms->longest ? side.count : synonyms->longest;
    synonyms->count++;
    return true;
}

static int entry_compare(const void *a, const void *b) {
    const synonym_entry *left = a;
    const synonym_entry *right = b;
    int order = core_slice_compare(left->key, right->key);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

/* Of entries that have the same words the first stays. */
static void entries_sort(search_synonyms *synonyms) {
    uint32_t kept = 0;
    qsort(synonyms->entries, synonyms->count, sizeof *synonyms->entries, entry_compare);
    for (uint32_t i = 0; i < synonyms->count; i++)
        if (kept == 0 ||
            !core_slice_equal(synonyms->entries[kept - 1].key, synonyms->entries[i].key))
            synonyms->entries[kept++] = synonyms->entries[i];
    synonyms->count = kept;
}

static bool entries_read(search_synonyms *synonyms, const search_schema_spec *spec,
                         const search_token_source *source) {
    synonyms->entries =
        core_arena_array(&synonyms->arena, spec->synonym_count + 1, sizeof *synonyms->entries);
    if (synonyms->entries == NULL)
        return false;
    for (size_t i = 0; i < spec->synonym_count; i++)
        if (!entry_read(synonyms, source, &spec->synonyms[i]))
            return false;
    entries_sort(synonyms);
    return true;
}

search_synonyms *search_synonyms_new(const search_schema *schema, const search_token_source *source,
                                     core_error *error) {
    search_synonyms *synonyms = calloc(1, sizeof *synonyms);
    if (synonyms != NULL) {
        core_arena_init(&synonyms->arena, SYNONYMS_CHUNK_BYTES,
                        SEARCH_SCHEMA_BYTES_MAX * SYNONYMS_TIMES);
        if (entries_read(synonyms, search_schema_get(schema), source))
            return synonyms;
    }
    search_synonyms_free(synonyms);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "There is no memory for the synonyms.");
    return NULL;
}

void search_synonyms_free(search_synonyms *synonyms) {
    if (synonyms == NULL)
        return;
    core_arena_fini(&synonyms->arena);
    free(synonyms);
}

/* ---- Looking up ---- */
static int key_compare(const void *key, const void *entry) {
    return core_slice_compare(*(const core_slice *)key, ((const synonym_entry *)entry)->key);
}

const search_synonym_other *search_synonyms_find(const search_synonyms *synonyms, core_slice key,
                                                 uint32_t *count) {
    const synonym_entry *found =
        bsearch(&key, synonyms->entries, synonyms->count, sizeof *synonyms->entries, key_compare);
    *count = found != NULL ? found->other_count : 0;
    return found != NULL ? found->others : NULL;
}

uint32_t search_synonyms_longest(const search_synonyms *synonyms) {
    return synonyms->longest;
}
