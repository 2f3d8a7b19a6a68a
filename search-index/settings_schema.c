/* The schema that settings ask for, and the settings that a schema shows as; see settings.h. */
#include "search-index/settings.h"
#include "search-index/settings_attributes.h"

#include <stdio.h>

#define SCHEMA_ARENA_MAX ((size_t)8 << 20)

/* ---- Texts of JSON ---- */

bool search_json_string(core_json_token token, core_arena *arena, core_slice *text) {
    if (token.kind != CORE_JSON_STRING)
        return false;
    void *room = core_arena_alloc(arena, token.raw.length + 1);
    if (room == NULL)
        return false;
    core_buffer buffer = core_buffer_over(room, token.raw.length + 1);
    if (!core_json_unescape(token.raw, &buffer))
        return false;
    *text = core_buffer_slice(&buffer);
    return true;
}

static size_t strings_count(core_slice json) {
    core_json_reader reader = core_json_reader_make(json);
    size_t count = 0;
    if (core_json_next(&reader).kind != CORE_JSON_ARRAY_OPEN)
        return SIZE_MAX;
    for (core_json_token token = core_json_next(&reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(&reader), count++)
        if (token.kind != CORE_JSON_STRING)
            return SIZE_MAX;
    return count;
}

bool search_json_strings(core_slice json, core_arena *arena, core_slice **texts, size_t *count) {
    *count = strings_count(json);
    if (*count == SIZE_MAX)
        return false;
    *texts = core_arena_array(arena, *count + 1, sizeof **texts);
    core_json_reader reader = core_json_reader_make(json);
    core_json_token token = core_json_next(&reader);
    for (size_t i = 0; *texts != NULL && i < *count; i++) {
        token = core_json_next(&reader);
        if (!search_json_string(token, arena, &(*texts)[i]))
            return false;
    }
    return *texts != NULL;
}

/* ---- From settings ---- */

typedef struct {
    const search_settings *settings;
    core_arena arena;
    search_schema_spec spec;
    search_attribute_lists lists;
    search_name_list then;
} making;

static bool strings_of(making *it, search_setting setting, const core_slice **texts,
                       size_t *count) {
    core_slice *list = NULL;
    bool ok =
        search_json_strings(search_settings_value(it->settings, setting), &it->arena, &list, count);
    *texts = list;
    return ok;
}

static bool names_of(making *it, search_setting setting, search_name_list *names) {
    return strings_of(it, setting, &names->names, &names->count);
}

/* The patterns of {"attributePatterns": […]}; or {"attributePatterns": {"…": …}} is nothing. */
static bool patterns_add(making *it, core_json_reader *reader, core_slice *names, size_t *count) {
    core_json_token token;
    core_slice whole;
    while (core_json_member_next(reader, &token)) {
        bool is_list = core_json_raw_is(token.key, "attributePatterns");
        if (!is_list || token.kind != CORE_JSON_ARRAY_OPEN) {
            if (!core_json_skip(reader, token, &whole))
                return false;
            continue;
        }
        for (token = core_json_next(reader); token.kind == CORE_JSON_STRING;
             token = core_json_next(reader))
            if (*count == SEARCH_ATTRIBUTES_MAX ||
                !search_json_string(token, &it->arena, &names[(*count)++]))
                return false;
    }
    return true;
}

static bool filterable_of(making *it, const search_settings *settings, search_name_list *list) {
    core_json_reader reader =
        core_json_reader_make(search_settings_value(settings, SEARCH_SETTING_FILTERABLE));
    core_slice *names = core_arena_array(&it->arena, SEARCH_ATTRIBUTES_MAX, sizeof *names);
    size_t count = 0;
    core_json_token token = core_json_next(&reader);
    if (names == NULL)
        return false;
    for (token = core_json_next(&reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(&reader)) {
        bool ok = token.kind == CORE_JSON_OBJECT_OPEN
                      ? patterns_add(it, &reader, names, &count)
                      : count < SEARCH_ATTRIBUTES_MAX &&
                            search_json_string(token, &it->arena, &names[count++]);
        if (!ok)
            return false;
    }
    *list = (search_name_list){.names = names, .count = count};
    return true;
}

/* `then`: settings whose filterable attributes it has; NULL: its own. */
static bool attributes_of(making *it, const search_settings *then) {
    search_attribute *attributes;
    if (!names_of(it, SEARCH_SETTING_SEARCHABLE, &it->lists.searchable) ||
        !names_of(it, SEARCH_SETTING_SORTABLE, &it->lists.sortable) ||
        !names_of(it, SEARCH_SETTING_DISPLAYED, &it->lists.displayed) ||
        !filterable_of(it, it->settings, &it->lists.filterable) ||
        (then != NULL && !filterable_of(it, then, &it->then)))
        return false;
    it->lists.then = then != NULL ? &it->then : NULL;
    it->spec.shows_all = false;
    for (size_t i = 0; i < it->lists.displayed.count; i++)
        it->spec.shows_all |= core_slice_is(it->lists.displayed.names[i], "*");
    if (it->spec.shows_all)
        it->lists.displayed.count = 0;
    bool ok =
        search_attributes_make(&it->lists, &it->arena, &attributes, &it->spec.attribute_count);
    it->spec.attributes = attributes;
    return ok;
}

static search_ranking_rule rule_of(core_slice text) {
    static const struct {
        const char *name;
        search_rule_kind kind;
    } rows[] = {{"words", SEARCH_RULE_WORDS},         {"typo", SEARCH_RULE_TYPO},
                {"proximity", SEARCH_RULE_PROXIMITY}, {"attribute", SEARCH_RULE_ATTRIBUTE},
                {"sort", SEARCH_RULE_SORT},           {"exactness", SEARCH_RULE_EXACTNESS}};
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (core_slice_is(text, rows[i].name))
            return (search_ranking_rule){.kind = rows[i].kind};
    bool is_down = text.length > 5 && memcmp(text.data + text.length - 5, ":desc", 5) == 0;
    bool is_up = text.length > 4 && memcmp(text.data + text.length - 4, ":asc", 4) == 0;
    if (!is_down && !is_up) /* attributeRank, wordPosition */
        return (search_ranking_rule){.kind = SEARCH_RULE_ATTRIBUTE};
    return (search_ranking_rule){.kind = is_down ? SEARCH_RULE_DESCENDING : SEARCH_RULE_ASCENDING,
                                 .attribute =
                                     core_slice_make(text.data, text.length - (is_down ? 5 : 4))};
}

static bool rules_of(making *it) {
    const core_slice *texts;
    size_t count;
    if (!strings_of(it, SEARCH_SETTING_RANKING, &texts, &count))
        return false;
    search_ranking_rule *rules = core_arena_array(&it->arena, count + 1, sizeof *rules);
    for (size_t i = 0; rules != NULL && i < count; i++)
        rules[i] = rule_of(texts[i]);
    it->spec.ranking_rules = rules;
    it->spec.ranking_rule_count = count;
    return rules != NULL;
}

static bool synonyms_of(making *it) {
    core_json_reader reader =
        core_json_reader_make(search_settings_value(it->settings, SEARCH_SETTING_SYNONYMS));
    search_synonym *synonyms = core_arena_array(&it->arena, SEARCH_SYNONYMS_MAX, sizeof *synonyms);
    core_json_token token = core_json_next(&reader);
    core_slice whole;
    size_t count = 0;
    while (synonyms != NULL && core_json_member_next(&reader, &token)) {
        search_synonym *synonym = &synonyms[count];
        core_slice *others;
        const core_json_token key = {.kind = CORE_JSON_STRING, .raw = token.key};
        if (count++ == SEARCH_SYNONYMS_MAX || !core_json_skip(&reader, token, &whole) ||
            !search_json_string(key, &it->arena, &synonym->word) ||
            !search_json_strings(whole, &it->arena, &others, &synonym->other_count))
            return false;
        synonym->others = others;
    }
    it->spec.synonyms = synonyms;
    it->spec.synonym_count = count;
    return synonyms != NULL;
}

/* Those of one character that is no blank. */
static bool characters_of(making *it, search_setting setting, const core_slice **texts,
                          size_t *count) {
    core_slice *list = NULL;
    size_t all, kept = 0;
    if (!search_json_strings(search_settings_value(it->settings, setting), &it->arena, &list, &all))
        return false;
    for (size_t i = 0; i < all; i++) {
        uint8_t lead = list[i].length > 0 ? list[i].data[0] : 0;
        size_t wants = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        if (lead > ' ' && list[i].length == wants)
            list[kept++] = list[i];
    }
    *texts = list;
    *count = kept;
    return true;
}

/* By ISO 639-3 and 639-1, as Meilisearch names locales. */
static core_slice language_of(const core_slice locale) {
    static const char *const rows[][3] = {
        {"ara", "ar", "arabic"},     {"hye", "hy", "armenian"},   {"eus", "eu", "basque"},
        {"cat", "ca", "catalan"},    {"dan", "da", "danish"},     {"nld", "nl", "dutch"},
        {"eng", "en", "english"},    {"fin", "fi", "finnish"},    {"fra", "fr", "french"},
        {"deu", "de", "german"},     {"ell", "el", "greek"},      {"hin", "hi", "hindi"},
        {"hun", "hu", "hungarian"},  {"ind", "id", "indonesian"}, {"gle", "ga", "irish"},
        {"ita", "it", "italian"},    {"lit", "lt", "lithuanian"}, {"nob", "no", "norwegian"},
        {"por", "pt", "portuguese"}, {"ron", "ro", "romanian"},   {"rus", "ru", "russian"},
        {"spa", "es", "spanish"},    {"swe", "sv", "swedish"},    {"tam", "ta", "tamil"},
        {"tur", "tr", "turkish"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (core_slice_is(locale, rows[i][0]) || core_slice_is(locale, rows[i][1]))
            return core_slice_text(rows[i][2]);
    return core_slice_make(NULL, 0);
}

/* One rule of one locale for all attributes gives the index its language; others give none. */
static bool localized_of(making *it) {
    core_slice value = search_settings_value(it->settings, SEARCH_SETTING_LOCALIZED);
    core_json_reader reader = core_json_reader_make(value);
    core_json_token token = core_json_next(&reader);
    core_slice whole, *locales = NULL, *patterns = NULL;
    size_t locale_count = 0, pattern_count = 0, rules = 0;
    for (; token.kind == CORE_JSON_ARRAY_OPEN || token.kind == CORE_JSON_OBJECT_OPEN;
         token = core_json_next(&reader)) {
        rules += token.kind == CORE_JSON_OBJECT_OPEN;
        while (token.kind == CORE_JSON_OBJECT_OPEN && core_json_member_next(&reader, &token)) {
            core_slice key = token.key;
            if (!core_json_skip(&reader, token, &whole))
                return false;
            if (core_json_raw_is(key, "locales"))
                (void)!search_json_strings(whole, &it->arena, &locales, &locale_count);
            else if (core_json_raw_is(key, "attributePatterns"))
                (void)!search_json_strings(whole, &it->arena, &patterns, &pattern_count);
            token.kind = CORE_JSON_OBJECT_OPEN;
        }
    }
    if (rules == 1 && locale_count == 1 && pattern_count == 1 && core_slice_is(patterns[0], "*"))
        it->spec.language = language_of(locales[0]);
    return true;
}

static uint32_t number_of(const making *it, search_setting setting, uint32_t otherwise) {
    uint64_t number;
    bool is_number = core_slice_to_u64(search_settings_value(it->settings, setting), &number);
    return is_number ? (uint32_t)number : otherwise;
}

static bool is_true(const making *it, search_setting setting) {
    return core_slice_is(search_settings_value(it->settings, setting), "true");
}

static void numbers_of(making *it) {
    search_schema_spec *spec = &it->spec;
    spec->typo.is_enabled = is_true(it, SEARCH_SETTING_TYPO_ENABLED);
    spec->typo.is_off_on_numbers = is_true(it, SEARCH_SETTING_TYPO_NUMBERS);
    spec->typo.one_characters = number_of(it, SEARCH_SETTING_TYPO_ONE, 5);
    spec->typo.two_characters = number_of(it, SEARCH_SETTING_TYPO_TWO, 9);
    spec->max_facet_values = number_of(it, SEARCH_SETTING_FACET_VALUES, SEARCH_FACET_VALUES);
    spec->max_total_hits = number_of(it, SEARCH_SETTING_TOTAL_HITS, SEARCH_MAX_TOTAL_HITS);
    spec->cutoff_ms = number_of(it, SEARCH_SETTING_CUTOFF, SEARCH_CUTOFF_MS);
    spec->has_prefix_search = core_slice_is(
        search_settings_value(it->settings, SEARCH_SETTING_PREFIX), "\"indexingTime\"");
}

static bool texts_of(making *it) {
    search_schema_spec *spec = &it->spec;
    core_json_reader reader =
        core_json_reader_make(search_settings_value(it->settings, SEARCH_SETTING_DISTINCT));
    core_json_token distinct = core_json_next(&reader);
    return (distinct.kind == CORE_JSON_NULL ||
            search_json_string(distinct, &it->arena, &spec->distinct)) &&
           strings_of(it, SEARCH_SETTING_STOP_WORDS, &spec->stop_words, &spec->stop_word_count) &&
           strings_of(it, SEARCH_SETTING_TYPO_WORDS, &spec->typo.words, &spec->typo.word_count) &&
           strings_of(it, SEARCH_SETTING_TYPO_ATTRIBUTES, &spec->typo.attributes,
                      &spec->typo.attribute_count) &&
           characters_of(it, SEARCH_SETTING_SEPARATORS, &spec->separators,
                         &spec->separator_count) &&
           characters_of(it, SEARCH_SETTING_NON_SEPARATORS, &spec->non_separators,
                         &spec->non_separator_count);
}

search_schema *search_settings_schema_then(const search_settings *settings,
                                           const search_settings *then, core_slice primary_key,
                                           search_refusal *refusal) {
    making it = {.settings = settings, .spec = search_schema_defaults()};
    core_error error;
    search_schema *schema = NULL;
    core_arena_init(&it.arena, 16384, SCHEMA_ARENA_MAX);
    it.spec.primary_key = primary_key;
    numbers_of(&it);
    if (!attributes_of(&it, then) || !rules_of(&it) || !synonyms_of(&it) || !texts_of(&it) ||
        !localized_of(&it))
        (void)search_refuse(refusal, SEARCH_CODE_BAD_REQUEST,
                            "The settings have a text that is none, or are too large.");
    else if ((schema = search_schema_new(&it.spec, &error)) == NULL)
        (void)search_refuse_error(refusal, SEARCH_CODE_BAD_REQUEST, &error);
    core_arena_fini(&it.arena);
    return schema;
}

search_schema *search_settings_schema(const search_settings *settings, core_slice primary_key,
                                      search_refusal *refusal) {
    return search_settings_schema_then(settings, NULL, primary_key, refusal);
}
