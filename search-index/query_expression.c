/* A tier as an expression for FTS5, with what each of its phrases stands for.
 *
 * Groups are written rarest first: FTS5 steps through the first operand of AND and looks ahead in
 * the others. A query's words never reach FTS5 as syntax: they are quoted. */
#include "search-index/letter.h"
#include "search-index/query.h"

#define SHARE_WEAK 0.6f
#define SHARE_TYPO 0.5f

typedef struct {
    search_run *run;
    const search_tier *tier;
    const search_query_clause *clause;
    uint32_t clause_number;
} writing;

static void quoted_write(core_buffer *out, core_slice text) {
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"')
            core_buffer_u8(out, '"');
        core_buffer_u8(out, text.data[i]);
    }
}

static bool term_write(writing *w, const search_query_term *term, uint32_t first_part) {
    search_run *run = w->run;
    core_buffer *out = &run->expression;
    if (run->phrase_count == SEARCH_PHRASES_MAX)
        return false;
    core_buffer_u8(out, '"');
    if (term->word_count == 1)
        quoted_write(out, term->text);
    for (uint32_t i = 0; term->word_count > 1 && i < term->word_count; i++) {
        if (i > 0)
            core_buffer_u8(out, ' ');
        quoted_write(out, term->words[i].text);
    }
    core_buffer_text(out, term->is_prefix ? "\"*" : "\"");
    run->is_merged = run->is_merged || (term->is_prefix && search_letter_count(term->text) !=
                                                               SEARCH_PREFIX_CHARACTERS);
    float share = term->is_weak ? SHARE_WEAK : 1.0f;
    for (uint8_t i = 0; i < term->typos; i++)
        share *= SHARE_TYPO;
    run->phrases[run->phrase_count++] =
        (search_phrase){.first = (uint16_t)(first_part + term->first),
                        .count = (uint16_t)term->count,
                        .typos = term->typos,
                        .words = (uint8_t)term->word_count,
                        .is_exact = term->is_exact,
                        .share = share};
    return true;
}

/* Columns that words with typos may stand in; false: any. */
static bool typo_columns_write(writing *w) {
    const search_typo_rules *rules = &w->run->schema->typo;
    const search_slots *slots = &w->run->shared->slots;
    bool has_any = false;
    if (rules->attribute_count == 0)
        return false;
    core_buffer_text(&w->run->expression, "- {");
    for (uint32_t i = 0; i < slots->count; i++) {
        bool is_off = false;
        core_slice name = search_slots_name(slots, i);
        for (size_t j = 0; j < rules->attribute_count; j++)
            is_off =
                is_off || (name.length > 0 && search_attribute_fits(rules->attributes[j], name));
        if (is_off)
            core_buffer_format(&w->run->expression, "c%u ", i);
        has_any = has_any || is_off;
    }
    if (has_any)
        core_buffer_text(&w->run->expression, "} : ");
    return has_any;
}

/* Each part has its share of the expression's phrases, those as written first. */
static uint32_t terms_max(const search_run *run) {
    uint32_t parts = run->words->positive_count + 1;
    return SEARCH_PHRASES_MAX / 2 / (parts < SEARCH_PARTS_MAX ? parts : SEARCH_PARTS_MAX);
}

/* False: nothing was written. */
static bool group_write(writing *w, const search_query_group *group, bool has_typos) {
    core_buffer *out = &w->run->expression;
    uint32_t count = has_typos ? group->count : group->exact_count, max = terms_max(w->run);
    uint32_t first = w->clause != NULL ? w->clause->first_part : 0;
    size_t start = out->length;
    bool is_empty = true;
    core_buffer_u8(out, '(');
    for (uint32_t i = 0; i < count && i < max; i++) {
        size_t before = out->length;
        core_buffer_text(out, is_empty ? "" : " OR ");
        size_t plain = out->length;
        if (group->terms[i].typos > 0 && !typo_columns_write(w))
            out->length = plain;
        if (term_write(w, &group->terms[i], first))
            is_empty = false;
        else
            out->length = before;
    }
    core_buffer_u8(out, ')');
    if (is_empty)
        out->length = start;
    return !is_empty;
}

static bool is_empty(const writing *w, const search_query_group *group) {
    return (w->tier->has_typos ? group->count : group->exact_count) == 0;
}

/* Groups `from` on, but for those that a synonym of several stands for; rarest first. */
static bool groups_write(writing *w, const search_query_term *span) {
    const search_query_clause *clause = w->clause;
    uint8_t order[SEARCH_QUERY_PARTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < clause->count && count < SEARCH_QUERY_PARTS_MAX; i++) {
        if (search_tier_drops(w->tier, w->clause_number, i) ||
            (span != NULL && i >= span->first && i < span->first + span->count))
            continue;
        if (is_empty(w, &clause->groups[i]))
            return false;
        uint32_t at = count++;
        for (; at > 0 && clause->groups[order[at - 1]].documents > clause->groups[i].documents;
             at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
    if (span != NULL && !term_write(w, span, clause->first_part))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 || span != NULL)
            core_buffer_text(&w->run->expression, " AND ");
        if (!group_write(w, &clause->groups[order[i]], w->tier->has_typos))
            return false;
    }
    return count > 0 || span != NULL;
}

/* All groups, or all but some with a synonym of those. */
static bool variants_write(writing *w) {
    core_buffer *out = &w->run->expression;
    bool has_any = false;
    for (uint32_t i = 0; i <= w->clause->span_count; i++) {
        size_t before = out->length;
        uint32_t phrases = w->run->phrase_count;
        const search_query_term *span = i > 0 ? &w->clause->spans[i - 1] : NULL;
        /* What must not be there needs room behind them. */
        if (span != NULL &&
            (search_tier_drops(w->tier, w->clause_number, span->first + span->count - 1) ||
             phrases > SEARCH_PHRASES_MAX / 2))
            continue;
        core_buffer_text(out, has_any ? " OR (" : "(");
        if (groups_write(w, span)) {
            core_buffer_u8(out, ')');
            has_any = true;
        } else {
            out->length = before;
            w->run->phrase_count = phrases;
        }
    }
    return has_any;
}

static void negatives_write(writing *w) {
    core_buffer *out = &w->run->expression;
    for (uint32_t i = 0; i < w->clause->negative_count; i++) {
        if (w->clause->negatives[i].exact_count == 0)
            continue;
        size_t before = out->length;
        core_buffer_text(out, " NOT ");
        if (!group_write(w, &w->clause->negatives[i], false))
            out->length = before;
    }
}

static bool clause_write(writing *w) {
    core_buffer *out = &w->run->expression;
    size_t before = out->length;
    core_buffer_text(out, "((");
    if (!variants_write(w)) {
        out->length = before;
        return false;
    }
    core_buffer_u8(out, ')');
    negatives_write(w);
    core_buffer_u8(out, ')');
    return true;
}

/* The columns that the query is held to: all, those asked for, or the heaviest of these. */
static bool columns_write(writing *w) {
    const search_run *run = w->run;
    const search_slots *slots = &run->shared->slots;
    const search_names *on = &run->request->search_on;
    core_buffer *out = &w->run->expression;
    uint32_t heaviest = SEARCH_SLOT_NONE;
    bool is_all = !on->is_given || search_names_have(on, core_slice_text("*"));
    if (is_all && !w->tier->in_heaviest)
        return true;
    core_buffer_u8(out, '{');
    for (uint32_t i = 0; i < slots->count; i++) {
        bool is_asked = is_all || search_slots_serve(slots, i, on->names, on->count);
        if (is_asked && !w->tier->in_heaviest)
            core_buffer_format(out, "c%u ", i);
        if (is_asked &&
            (heaviest == SEARCH_SLOT_NONE || slots->weights[i] > slots->weights[heaviest]))
            heaviest = i;
    }
    if (w->tier->in_heaviest && heaviest != SEARCH_SLOT_NONE)
        core_buffer_format(out, "c%u ", heaviest);
    core_buffer_text(out, "} : ");
    return heaviest != SEARCH_SLOT_NONE;
}

bool search_expression_write(search_run *run, const search_tier *tier) {
    writing w = {.run = run, .tier = tier};
    core_buffer *out = &run->expression;
    bool has_any = false;
    core_buffer_reset(out);
    run->phrase_count = 0;
    run->is_merged = false;
    if (!columns_write(&w))
        return false;
    core_buffer_u8(out, '(');
    for (uint32_t i = 0; i < run->clause_count; i++) {
        size_t before = out->length;
        w.clause = &run->clauses[i];
        w.clause_number = i;
        if (has_any)
            core_buffer_text(out, " OR ");
        if (clause_write(&w))
            has_any = true;
        else
            out->length = before;
    }
    core_buffer_u8(out, ')');
    return has_any && core_buffer_ok(out);
}

bool search_expression_negatives(search_run *run) {
    const search_tier tier = {.parts = 0};
    writing w = {.run = run, .tier = &tier};
    bool has_any = false;
    core_buffer_reset(&run->expression);
    run->phrase_count = 0;
    for (uint32_t i = 0; i < run->clause_count; i++) {
        for (uint32_t j = 0; j < run->clauses[i].negative_count; j++) {
            const search_query_group *group = &run->clauses[i].negatives[j];
            if (group->exact_count == 0)
                continue;
            size_t before = run->expression.length;
            core_buffer_text(&run->expression, has_any ? " OR " : "");
            if (group_write(&w, group, false))
                has_any = true;
            else
                run->expression.length = before;
        }
    }
    return has_any && core_buffer_ok(&run->expression);
}
