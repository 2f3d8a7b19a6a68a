/* One value each of the simple kinds; see definition_private.h. */
#include "search-index/definition_private.h"

#include <inttypes.h>
#include <stdio.h>

#define VALUE_TEXT_MAX 256

/* Snowball's stemmers, as libstemmer names them. */
static const char *const languages[] = {
    "arabic",  "armenian", "basque",     "catalan", "danish",    "dutch",      "english",
    "finnish", "french",   "german",     "greek",   "hindi",     "hungarian",  "indonesian",
    "irish",   "italian",  "lithuanian", "nepali",  "norwegian", "portuguese", "romanian",
    "russian", "serbian",  "spanish",    "swedish", "tamil",     "turkish",    "yiddish",
};

void *search_field_at(const search_definition_reader *reader, size_t offset) {
    return (uint8_t *)reader->out + offset;
}

bool search_expected(search_definition_reader *reader, const search_key *key, const core_node *node,
                     const char *what) {
    const char *section = key->section != NULL ? key->section : "";
    return core_problem_tell(reader->problems, node->place, "%s%s%s: expected %s", section,
                             *section != '\0' ? "." : "", key->name, what);
}

bool search_keep(search_definition_reader *reader, core_slice text, core_slice *kept) {
    *kept = core_arena_copy(reader->arena, text);
    return kept->data != NULL ||
           core_problem_tell(reader->problems, (core_place){0}, "out of memory");
}

void *search_array(search_definition_reader *reader, size_t count, size_t size) {
    void *array = core_arena_array(reader->arena, count > 0 ? count : 1, size);
    if (array == NULL)
        (void)core_problem_tell(reader->problems, (core_place){0}, "out of memory");
    return array;
}

bool search_key_text(search_definition_reader *reader, const search_key *key,
                     const core_node *node) {
    char what[VALUE_TEXT_MAX];
    if (node->kind == CORE_NODE_TEXT && node->text.length > 0 &&
        node->text.length <= (size_t)key->max)
        return search_keep(reader, node->text, search_field_at(reader, key->offset));
    (void)snprintf(what, sizeof what, "a text of 1 to %" PRId64 " bytes", key->max);
    return search_expected(reader, key, node, what);
}

static bool is_letter(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           (byte >= '0' && byte <= '9');
}

bool search_name_ok(core_slice name) {
    if (name.length == 0 || name.length > SEARCH_NAME_MAX || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.length; i++)
        if (!is_letter(name.data[i]) && name.data[i] != '-')
            return false;
    return true;
}

bool search_key_name(search_definition_reader *reader, const search_key *key,
                     const core_node *node) {
    if (node->kind == CORE_NODE_TEXT && search_name_ok(node->text))
        return search_keep(reader, node->text, search_field_at(reader, key->offset));
    return search_expected(reader, key, node,
                           "a name: a letter, digit or _, then letters, digits, _ and -, at most "
                           "128");
}

bool search_key_bool(search_definition_reader *reader, const search_key *key,
                     const core_node *node) {
    bool yes = core_slice_is(node->text, "true");
    if (node->kind != CORE_NODE_TEXT || (!yes && !core_slice_is(node->text, "false")))
        return search_expected(reader, key, node, "true or false");
    *(bool *)search_field_at(reader, key->offset) = yes;
    return true;
}

bool search_key_number(search_definition_reader *reader, const search_key *key,
                       const core_node *node) {
    char what[VALUE_TEXT_MAX];
    int64_t number;
    if (node->kind == CORE_NODE_TEXT && core_slice_to_i64(node->text, &number) &&
        number >= key->min && number <= key->max) {
        *(uint32_t *)search_field_at(reader, key->offset) = (uint32_t)number;
        return true;
    }
    (void)snprintf(what, sizeof what, "a number from %" PRId64 " to %" PRId64, key->min, key->max);
    return search_expected(reader, key, node, what);
}

bool search_key_choice(search_definition_reader *reader, const search_key *key,
                       const core_node *node) {
    char what[VALUE_TEXT_MAX];
    int place = 0;
    for (const char *at = key->choices; *at != '\0' && node->kind == CORE_NODE_TEXT; place++) {
        size_t length = strcspn(at, "|");
        if (core_slice_equal(node->text, core_slice_make(at, length))) {
            *(int *)search_field_at(reader, key->offset) = place;
            return true;
        }
        at += length + (at[length] == '|');
    }
    (void)snprintf(what, sizeof what, "one of %s", key->choices);
    return search_expected(reader, key, node, what);
}

static void language_nearest(core_slice text, char *what, size_t size) {
    char word[VALUE_TEXT_MAX];
    const char *nearest = NULL;
    size_t best = 3;
    bool fits = core_slice_to_text(text, word, sizeof word);
    for (size_t i = 0; fits && i < CORE_COUNT_OF(languages); i++) {
        size_t distance = core_text_distance(word, languages[i]);
        if (distance < best) {
            best = distance;
            nearest = languages[i];
        }
    }
    (void)snprintf(what, size, "a language that words are stemmed in, such as english%s%s%s",
                   nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "?" : "");
}

bool search_key_language(search_definition_reader *reader, const search_key *key,
                         const core_node *node) {
    char what[VALUE_TEXT_MAX];
    if (node->kind == CORE_NODE_TEXT && core_slice_is(node->text, "none"))
        return true;
    for (size_t i = 0; i < CORE_COUNT_OF(languages) && node->kind == CORE_NODE_TEXT; i++)
        if (core_slice_is(node->text, languages[i]))
            return search_keep(reader, node->text, search_field_at(reader, key->offset));
    language_nearest(node->text, what, sizeof what);
    return search_expected(reader, key, node, what);
}

bool search_key_section(search_definition_reader *reader, const search_key *key,
                        const core_node *node) {
    if (node->kind == CORE_NODE_MAP)
        return search_section_read(reader, key->name, node);
    return search_expected(reader, key, node, "keys below it");
}

/* ---- Lists ---- */

/* A list's texts, each of 1 to 255 bytes; NULL, told, when they are none. */
static const core_slice *texts_read(search_definition_reader *reader, const search_key *key,
                                    const core_node *node, size_t *count) {
    char what[VALUE_TEXT_MAX];
    core_slice *texts = NULL;
    bool good = node->kind == CORE_NODE_LIST && node->count <= (size_t)key->max;
    if (good)
        texts = search_array(reader, node->count, sizeof *texts);
    *count = 0;
    for (const core_node *item = node->first; texts != NULL && item != NULL; item = item->next) {
        good = item->kind == CORE_NODE_TEXT && item->text.length > 0 && item->text.length <= 255;
        if (!good) {
            (void)search_expected(reader, key, item, "texts of 1 to 255 bytes");
            return NULL;
        }
        if (!search_keep(reader, item->text, &texts[(*count)++]))
            return NULL;
    }
    if (good)
        return texts;
    (void)snprintf(what, sizeof what, "a list of up to %" PRId64 " texts", key->max);
    (void)search_expected(reader, key, node, what);
    return NULL;
}

bool search_key_texts(search_definition_reader *reader, const search_key *key,
                      const core_node *node) {
    size_t count;
    const core_slice *texts = texts_read(reader, key, node, &count);
    if (texts == NULL)
        return false;
    *(const core_slice **)search_field_at(reader, key->offset) = texts;
    *(size_t *)search_field_at(reader, key->count) = count;
    return true;
}

bool search_key_synonyms(search_definition_reader *reader, const search_key *key,
                         const core_node *node) {
    if (node->kind != CORE_NODE_MAP || node->count > (size_t)key->max)
        return search_expected(reader, key, node,
                               "a map of at most 2000 words, such as {tv: [television]}");
    search_synonym *synonyms = search_array(reader, node->count, sizeof *synonyms);
    if (synonyms == NULL)
        return false;
    size_t count = 0;
    for (const core_node *item = node->first; item != NULL; item = item->next) {
        search_synonym *synonym = &synonyms[count++];
        synonym->others = texts_read(reader, key, item, &synonym->other_count);
        if (synonym->others == NULL || !search_keep(reader, item->key, &synonym->word))
            return false;
    }
    reader->out->synonyms = synonyms;
    reader->out->synonym_count = count;
    return true;
}
