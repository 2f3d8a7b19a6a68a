/* A definition's template: text with ${new.column} and ${old.column} in it; $${ is ${ itself.
 *
 * One that begins with { or [ is a JSON document: a value in a string goes in as escaped text (null
 * as nothing), elsewhere as JSON. Any other is a text, and becomes one JSON string. */
#include "core/json.h"
#include "triggers/reference.h"
#include "triggers/rule.h"

#define REFERENCE_TEXT_MAX (2 * TRIGGERS_IDENTIFIER_MAX + 8)

typedef struct {
    triggers_rule *rule;
    const core_relation *relation;
    triggers_rule_problem *problem;
    core_slice text;
    size_t at;
    bool in_string; /* of the JSON document */
    triggers_template_part *parts;
    size_t count;
} template_reader;

static bool refuse(template_reader *reader, const char *what) {
    reader->problem->position = reader->at + 1;
    return core_error_set(&reader->problem->error, CORE_ERROR_INPUT, "at byte %zu: %s",
                          reader->at + 1, what);
}

static bool begins_json(core_slice text) {
    size_t at = 0;
    while (at < text.length && memchr(" \t\r\n", text.data[at], 4) != NULL)
        at++;
    return at < text.length && (text.data[at] == '{' || text.data[at] == '[');
}

/* At "${" or "$${"? */
static bool is_at(const template_reader *reader, const char *mark) {
    size_t length = strlen(mark);
    return reader->text.length - reader->at >= length &&
           memcmp(reader->text.data + reader->at, mark, length) == 0;
}

/* What is between the braces, in which a quoted name may hold one; its quotes are escaped where it
 * stands in a JSON string. */
static bool reference_take(template_reader *reader, char *text, size_t size, size_t *length) {
    bool quoted = false;
    *length = 0;
    for (reader->at += 2; reader->at < reader->text.length; reader->at++) {
        uint8_t byte = reader->text.data[reader->at];
        if (byte == '}' && !quoted) {
            reader->at++;
            return true;
        }
        if (byte == '\\' && reader->in_string)
            continue;
        quoted = quoted != (byte == '"');
        if (*length == size)
            return false;
        text[(*length)++] = (char)byte;
    }
    return false;
}

/* The column of the relation, whose own slices do not live as long. */
static bool value_take(template_reader *reader, triggers_template_part *part) {
    char text[REFERENCE_TEXT_MAX];
    size_t start = reader->at;
    size_t length = 0;
    triggers_reference reference;
    bool is_whole = reference_take(reader, text, sizeof text, &length);
    size_t end = reader->at;
    reader->at = start;
    if (!is_whole || !triggers_reference_read(core_slice_make(text, length), &reference))
        return refuse(reader, "expected ${new.COLUMN} or ${old.COLUMN}; $${ is the text ${");
    const triggers_selected selected = {.is_old = reference.is_old,
                                        .column = core_slice_text(reference.column)};
    if (!triggers_rule_column_find(reader->relation, reader->rule->definition->ops, &selected,
                                   &part->value, reader->problem)) {
        reader->problem->position = start + 1;
        return false;
    }
    part->value.name = core_slice_make(NULL, 0);
    part->has_value = true;
    part->in_string = reader->in_string || !reader->rule->template_is_json;
    reader->at = end;
    return true;
}

/* Text up to the next mark, and what the mark stands for. */
static bool part_take(template_reader *reader, triggers_template_part *part) {
    size_t start = reader->at;
    *part = (triggers_template_part){.has_value = false};
    for (; reader->at < reader->text.length; reader->at++) {
        if (is_at(reader, "$${") || is_at(reader, "${"))
            break;
        uint8_t byte = reader->text.data[reader->at];
        if (byte == '\\' && reader->in_string && reader->at + 1 < reader->text.length)
            reader->at++;
        else if (byte == '"' && reader->rule->template_is_json)
            reader->in_string = !reader->in_string;
    }
    part->text = core_slice_make(reader->text.data + start, reader->at - start);
    if (is_at(reader, "${"))
        return value_take(reader, part);
    if (!is_at(reader, "$${"))
        return true;
    part->text.length++; /* a $, and behind the second one the text goes on */
    reader->at += 2;
    return true;
}

/* With nothing and null for its values it must be JSON. */
static bool document_check(template_reader *reader) {
    core_buffer sample;
    core_buffer_init(&sample, 2 * TRIGGERS_TEMPLATE_MAX);
    for (size_t i = 0; i < reader->count; i++) {
        core_buffer_slice_append(&sample, reader->parts[i].text);
        if (reader->parts[i].has_value && !reader->parts[i].in_string)
            core_buffer_text(&sample, "null");
    }
    bool ok = core_buffer_ok(&sample) && core_json_valid(core_buffer_slice(&sample));
    core_buffer_fini(&sample);
    reader->at = 0;
    return ok || refuse(reader, "what begins with { or [ must be one JSON document; values stand "
                                "in strings or in the place of a value");
}

static bool parts_take(template_reader *reader) {
    while (reader->at < reader->text.length) {
        if (reader->count == TRIGGERS_TEMPLATE_PARTS_MAX)
            return refuse(reader, "more than 1000 values");
        if (!part_take(reader, &reader->parts[reader->count]))
            return false;
        reader->count++;
    }
    return !reader->rule->template_is_json || document_check(reader);
}

/* How many parts there are at the most. */
static size_t parts_max(core_slice text) {
    size_t count = 1;
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == '$' ? 1 : 0;
    return count < TRIGGERS_TEMPLATE_PARTS_MAX ? count : TRIGGERS_TEMPLATE_PARTS_MAX;
}

bool triggers_template_read(triggers_rule *rule, const core_relation *relation,
                            triggers_rule_problem *problem) {
    core_slice text = rule->definition->template_text;
    problem->part = "template";
    if (text.length == 0)
        return true;
    template_reader reader = {.rule = rule, .relation = relation, .problem = problem, .text = text};
    reader.parts = core_arena_array(&rule->arena, parts_max(text), sizeof *reader.parts);
    if (reader.parts == NULL)
        return core_error_set(&problem->error, CORE_ERROR_INTERNAL, "no memory");
    if (text.length > TRIGGERS_TEMPLATE_MAX)
        return refuse(&reader, "the template is longer than 64 KiB");
    rule->template_is_json = begins_json(text);
    if (!parts_take(&reader))
        return false;
    rule->parts = reader.parts;
    rule->part_count = reader.count;
    return true;
}
