/* From a query's parts to terms that the index has, with how many documents have each.
 *
 * A word gives itself, its stem, for the last one what begins so, and what a typo or two away is. A
 * beginning of few words is written as those words, a wider one is left to FTS5, and one that half
 * the index has is held to its commonest words, unless FTS5 has it as a term of its own. */
#include "search-index/letter.h"
#include "search-index/query.h"

#include <math.h>

#define PREFIX_LISTED   12u     /* words that a beginning is written out as */
#define PREFIX_COMMON   32u     /* of a beginning that too many documents have */
#define PREFIX_POSTINGS 150000u /* that FTS5 is left to merge */
#define TYPOS_MAX       16u
#define GROUP_TERMS_MAX 96u

typedef struct {
    search_run *run;
    search_query_term terms[GROUP_TERMS_MAX];
    uint32_t count;
    uint32_t part;
} group_making;

static void term_add(group_making *making, search_query_term term) {
    for (uint32_t i = 0; i < making->count; i++)
        if (making->terms[i].word_count == 1 && term.word_count == 1 &&
            making->terms[i].is_prefix == term.is_prefix &&
            core_slice_equal(making->terms[i].text, term.text))
            return;
    if (making->count == GROUP_TERMS_MAX || term.documents == 0)
        return;
    term.first = making->part;
    term.count = 1;
    making->terms[making->count++] = term;
}

static void word_add(group_making *making, core_slice text, uint8_t typos, bool is_weak) {
    uint32_t documents = search_terms_documents(making->run->shared->terms, text);
    term_add(making, (search_query_term){.text = text,
                                         .word_count = 1,
                                         .documents = documents,
                                         .typos = typos,
                                         .is_weak = is_weak});
}

static void written_add(group_making *making, core_slice text) {
    uint32_t documents = search_terms_documents(making->run->shared->terms, text);
    term_add(making, (search_query_term){
                         .text = text, .word_count = 1, .documents = documents, .is_exact = true});
}

static void prefix_add(group_making *making, core_slice text) {
    search_term_match found[PREFIX_COMMON];
    search_terms_total total = {.terms = 0};
    size_t count =
        search_terms_prefix(making->run->shared->terms, text, found, PREFIX_COMMON, &total);
    bool is_indexed = search_letter_count(text) == SEARCH_PREFIX_CHARACTERS;
    if (total.terms > PREFIX_LISTED && (is_indexed || total.documents <= PREFIX_POSTINGS)) {
        uint32_t documents = making->run->shared->norms.documents;
        term_add(making, (search_query_term){.text = text,
                                             .word_count = 1,
                                             .documents = total.documents < documents
                                                              ? (uint32_t)total.documents
                                                              : documents,
                                             .is_prefix = true,
                                             .is_weak = true});
        return;
    }
    for (size_t i = 0; i < count; i++)
        word_add(making, found[i].text, 0, true);
}

/* A phrase is in no more documents than its rarest word. */
static void phrase_add(group_making *making, const search_word *words, uint32_t count) {
    uint32_t documents = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t of_word = search_terms_documents(making->run->shared->terms, words[i].text);
        documents = of_word < documents ? of_word : documents;
    }
    term_add(making,
             (search_query_term){.words = words, .word_count = count, .documents = documents});
}

/* ---- Typos ---- */
static bool is_number(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* How many typos `text`, the part's word or its stem, may have. */
static unsigned typos_of(const search_run *run, const search_part *part, core_slice text) {
    const search_typo_rules *rules = &run->schema->typo;
    if (!rules->is_enabled || part->is_quoted || part->word_count != 1 || part->words[0].is_pair ||
        (rules->is_off_on_numbers && is_number(text)))
        return 0;
    for (size_t i = 0; i < rules->word_count; i++)
        if (core_slice_equal(rules->words[i], text))
            return 0;
    size_t characters = 0;
    for (size_t i = 0; i < text.length; i++)
        characters += (text.data[i] & 0xC0) != 0x80;
    return characters >= rules->two_characters ? 2 : characters >= rules->one_characters ? 1 : 0;
}

static void near_add(group_making *making, const search_part *part, core_slice text,
                     bool is_prefix) {
    search_term_match found[TYPOS_MAX];
    search_typo typo = {
        .word = text, .distance_max = typos_of(making->run, part, text), .is_prefix = is_prefix};
    if (typo.distance_max == 0)
        return;
    size_t count = search_terms_near(making->run->shared->terms, &typo, found, TYPOS_MAX);
    for (size_t i = 0; i < count; i++)
        word_add(making, found[i].text, (uint8_t)found[i].distance, false);
}

/* The stem too: a mistyped form of a word that documents have in other forms only. */
static void typos_add(group_making *making, const search_part *part) {
    near_add(making, part, part->words[0].text, part->is_prefix);
    if (part->words[0].stem.length > 0)
        near_add(making, part, part->words[0].stem, false);
}

/* ---- A group ---- */
static void exact_add(group_making *making, const search_part *part) {
    if (part->word_count > 1) {
        phrase_add(making, part->words, part->word_count);
        if (making->count > 0)
            making->terms[0].is_exact = true;
        return;
    }
    written_add(making, part->words[0].text);
    if (part->words[0].stem.length > 0 && !part->is_quoted)
        word_add(making, part->words[0].stem, 0, false);
    if (part->is_prefix)
        prefix_add(making, part->words[0].text);
}

static double weight_of(const search_run *run, uint32_t documents) {
    double all = run->shared->norms.documents, some = documents < all ? documents : all;
    return log(1.0 + (all - some + 0.5) / (some + 0.5));
}

static bool group_close(group_making *making, uint32_t exact_count, search_query_group *group) {
    size_t bytes = making->count * sizeof *group->terms;
    group->terms = core_arena_alloc(&making->run->arena, bytes > 0 ? bytes : 1);
    if (group->terms == NULL)
        return false;
    if (bytes > 0)
        memcpy(group->terms, making->terms, bytes);
    group->exact_count = exact_count;
    group->count = making->count;
    uint64_t documents = 0, exact = 0;
    for (uint32_t i = 0; i < making->count; i++) {
        documents += making->terms[i].documents;
        exact += i < exact_count ? making->terms[i].documents : 0;
    }
    group->documents = documents < UINT32_MAX ? (uint32_t)documents : UINT32_MAX;
    exact = exact > 0 ? exact : documents;
    group->weight = weight_of(making->run, exact < UINT32_MAX ? (uint32_t)exact : UINT32_MAX);
    return true;
}

static bool group_make(search_run *run, const search_clause *clause, const search_part *part,
                       uint32_t number, search_query_group *group) {
    group_making making = {.run = run, .count = 0, .part = number};
    exact_add(&making, part);
    for (uint32_t i = 0; clause != NULL && i < clause->alternative_count; i++) {
        const search_alternative *other = &clause->alternatives[i];
        if (other->count != 1 || &clause->parts[other->first] != part)
            continue;
        if (other->word_count == 1)
            word_add(&making, other->words[0].text, 0, false);
        else
            phrase_add(&making, other->words, other->word_count);
    }
    group->part = part;
    uint32_t exact_count = making.count;
    /* Its weight is that of what is written, where that is anywhere: typos do not change it. */
    group->knows_typos = part->is_negative || exact_count == 0;
    if (group->knows_typos && !part->is_negative)
        typos_add(&making, part);
    return group_close(&making, exact_count, group);
}

static bool group_mistype(search_run *run, search_query_group *group, uint32_t number) {
    group_making making = {.run = run, .count = group->count, .part = number};
    memcpy(making.terms, group->terms, group->count * sizeof *group->terms);
    typos_add(&making, group->part);
    group->knows_typos = true;
    return group_close(&making, group->exact_count, group);
}

/* Synonyms of several parts, numbered as groups are: negative parts have none. */
static bool spans_make(search_run *run, const search_clause *from, search_query_clause *clause) {
    clause->spans =
        core_arena_array(&run->arena, from->alternative_count + 1, sizeof *clause->spans);
    if (clause->spans == NULL)
        return false;
    for (uint32_t i = 0; i < from->alternative_count; i++) {
        const search_alternative *other = &from->alternatives[i];
        uint32_t before = 0;
        for (uint32_t j = 0; j < other->first; j++)
            before += !from->parts[j].is_negative;
        group_making making = {.run = run};
        if (other->count < 2)
            continue;
        if (other->word_count == 1)
            word_add(&making, other->words[0].text, 0, false);
        else
            phrase_add(&making, other->words, other->word_count);
        if (making.count == 0)
            continue;
        making.terms[0].first = before;
        making.terms[0].count = other->count;
        clause->spans[clause->span_count++] = making.terms[0];
    }
    return true;
}

static bool clause_make(search_run *run, const search_clause *from, uint32_t first_part,
                        search_query_clause *clause) {
    size_t size = from->part_count + 1;
    clause->first_part = first_part;
    clause->groups = core_arena_array(&run->arena, size, sizeof *clause->groups);
    clause->negatives = core_arena_array(&run->arena, size, sizeof *clause->negatives);
    if (clause->groups == NULL || clause->negatives == NULL)
        return false;
    for (uint32_t i = 0; i < from->part_count; i++) {
        const search_part *part = &from->parts[i];
        search_query_group *group = part->is_negative ? &clause->negatives[clause->negative_count++]
                                                      : &clause->groups[clause->count++];
        if (!group_make(run, from, part, clause->count - !part->is_negative, group))
            return false;
    }
    return spans_make(run, from, clause);
}

static bool memory_error(search_run *run) {
    return core_error_set(run->error, CORE_ERROR_LIMIT,
                          "search: the query takes too much memory; give fewer words");
}

bool search_query_clauses(search_run *run) {
    uint32_t first = 0;
    run->clause_count = run->words->clause_count;
    run->clauses = core_arena_array(&run->arena, run->clause_count + 1, sizeof *run->clauses);
    bool made = run->clauses != NULL;
    for (uint32_t i = 0; made && i < run->clause_count; i++) {
        made = clause_make(run, &run->words->clauses[i], first, &run->clauses[i]);
        for (uint32_t j = 0; made && j < run->clauses[i].count; j++)
            run->weights[first + j] = run->clauses[i].groups[j].weight;
        first += run->clauses[i].count;
        assert(first <= SEARCH_PARTS_MAX);
    }
    return made || memory_error(run);
}

bool search_query_typos(search_run *run) {
    for (uint32_t i = 0; i < run->clause_count; i++) {
        search_query_clause *clause = &run->clauses[i];
        for (uint32_t j = 0; j < clause->count; j++)
            if (!clause->groups[j].knows_typos && !group_mistype(run, &clause->groups[j], j))
                return memory_error(run);
    }
    return true;
}
