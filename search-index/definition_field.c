/* Fields: which columns a document has and what they are for; see definition_private.h. */
#include "search-index/definition_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELD_FORM     "a column such as title, \"Title\", meta->color or category.name"
#define NAME_MAX_BYTES 255 /* of a field's name */

/* ---- A column as it is written ---- */

/* The first part: an identifier as in SQL, small unless quoted. Holds no dot: names of fields are
 * parts apart by dots. */
static bool identifier_take(core_slice *rest, char *name, size_t size) {
    size_t used = 0, at = 0;
    bool is_quoted = rest->length > 0 && rest->data[0] == '"';
    for (at = is_quoted; at < rest->length && used + 1 < size; at++) {
        uint8_t byte = rest->data[at];
        if (is_quoted && byte == '"') {
            at++;
            break;
        }
        if (byte == '.' || byte < ' ' || (!is_quoted && (byte == '-' || byte == ' ')))
            break;
        bool is_large = !is_quoted && byte >= 'A' && byte <= 'Z';
        name[used++] = (char)(is_large ? byte - 'A' + 'a' : byte);
    }
    name[used] = '\0';
    bool ends = at == rest->length || rest->data[at] == '.' || rest->data[at] == '-';
    *rest = core_slice_make(rest->data + at, rest->length - at);
    return used > 0 && ends && used <= SEARCH_IDENTIFIER_MAX &&
           (!is_quoted || *(rest->data - 1) == '"');
}

/* ".x" or "->x"; a JSON key is taken as it is, perhaps in quotes. */
static bool step_take(core_slice *rest, core_slice *step) {
    size_t at = 0;
    if (rest->data[0] == '.')
        at = 1;
    else if (rest->length > 2 && rest->data[0] == '-' && rest->data[1] == '>')
        at = rest->data[2] == '>' ? 3 : 2;
    else
        return false;
    uint8_t quote = at < rest->length && strchr("'\"", rest->data[at]) != NULL ? rest->data[at] : 0;
    size_t begin = at += quote != 0;
    while (at < rest->length && rest->data[at] != quote &&
           (quote != 0 || (rest->data[at] != '.' && rest->data[at] != '-')))
        at++;
    *step = core_slice_make(rest->data + begin, at - begin);
    if (quote != 0 && at == rest->length)
        return false;
    at += quote != 0;
    *rest = core_slice_make(rest->data + at, rest->length - at);
    return step->length > 0 && memchr(step->data, '.', step->length) == NULL;
}

static bool steps_take(search_definition_reader *reader, core_slice rest, search_field *field) {
    core_slice *steps = search_array(reader, SEARCH_PATH_MAX, sizeof *steps);
    if (steps == NULL)
        return false;
    field->steps = steps;
    for (field->step_count = 0; rest.length > 0; field->step_count++) {
        core_slice step;
        if (field->step_count == SEARCH_PATH_MAX || !step_take(&rest, &step) ||
            !search_keep(reader, step, &steps[field->step_count]))
            return false;
    }
    return true;
}

/* Its parts, apart by dots. */
static bool name_make(search_definition_reader *reader, search_field *field) {
    char memory[NAME_MAX_BYTES + 1];
    core_buffer name = core_buffer_over(memory, sizeof memory);
    core_buffer_slice_append(&name, field->column);
    for (size_t i = 0; i < field->step_count; i++) {
        core_buffer_u8(&name, '.');
        core_buffer_slice_append(&name, field->steps[i]);
    }
    return core_buffer_ok(&name) && search_keep(reader, core_buffer_slice(&name), &field->name);
}

bool search_field_read(search_definition_reader *reader, const search_key *key,
                       const core_node *node, core_slice text, search_field *field) {
    char column[SEARCH_IDENTIFIER_MAX + 2];
    *field = (search_field){.related = -1, .place = node->place, .weight = 1};
    if (text.length == 0 || text.length > NAME_MAX_BYTES ||
        !identifier_take(&text, column, sizeof column) ||
        !search_keep(reader, core_slice_text(column), &field->column) ||
        !steps_take(reader, text, field) || !name_make(reader, field))
        return search_expected(reader, key, node, FIELD_FORM);
    return true;
}

bool search_key_vector(search_definition_reader *reader, const search_key *key,
                       const core_node *node) {
    search_field field;
    if (node->kind == CORE_NODE_MAP && key->section == NULL)
        return search_section_read(reader, key->name, node);
    if (node->kind != CORE_NODE_TEXT)
        return search_expected(reader, key, node, "a column, or {column: embedding, metric: l2}");
    if (!search_field_read(reader, key, node, node->text, &field))
        return false;
    if (field.step_count > 0)
        return search_expected(reader, key, node, "a column of the table itself");
    reader->out->vector.column = field.column;
    reader->out->vector.place = node->place;
    return true;
}

search_field *search_field_get(search_definition_reader *reader, const search_key *key,
                               const search_field *wanted) {
    search_definition *out = reader->out;
    for (size_t i = 0; i < out->field_count; i++)
        if (core_slice_equal(reader->fields[i].name, wanted->name))
            return &reader->fields[i];
    if (out->field_count == SEARCH_FIELDS_MAX) {
        (void)core_problem_tell(reader->problems, wanted->place,
                                "%s: an index has at most %d different columns", key->name,
                                SEARCH_FIELDS_MAX);
        return NULL;
    }
    reader->fields[out->field_count] = *wanted;
    return &reader->fields[out->field_count++];
}

/* ---- fields ---- */

static bool weight_read(core_slice text, double *weight) {
    char number[32], *end;
    if (!core_slice_to_text(text, number, sizeof number) || *number == '\0' ||
        strspn(number, "0123456789.") != strlen(number))
        return false;
    errno = 0;
    *weight = strtod(number, &end);
    return errno == 0 && *end == '\0' && *weight > 0 && *weight <= SEARCH_WEIGHT_MAX;
}

static bool field_add(search_definition_reader *reader, const search_key *key,
                      const core_node *item, core_slice text, double weight) {
    search_field wanted;
    if (!search_field_read(reader, key, item, text, &wanted))
        return false;
    if (item->key.length > 0)
        wanted.place = item->key_place;
    search_field *field = search_field_get(reader, key, &wanted);
    if (field == NULL)
        return false;
    if ((field->uses & SEARCH_USE_SEARCH) != 0)
        return core_problem_tell(reader->problems, wanted.place, "fields: %.*s is in it twice",
                                 CORE_SLICE_ARGS(field->name));
    field->weight = weight;
    field->uses |= key->uses;
    return true;
}

bool search_key_fields(search_definition_reader *reader, const search_key *key,
                       const core_node *node) {
    bool good = true, is_map = node->kind == CORE_NODE_MAP;
    if (node->count == 0 || (!is_map && node->kind != CORE_NODE_LIST))
        return search_expected(reader, key, node,
                               "columns to search in: {title: 2.0, body: 1} or [title, body]");
    for (const core_node *item = node->first; item != NULL; item = item->next) {
        double weight = 1;
        if (item->kind != CORE_NODE_TEXT || (is_map && !weight_read(item->text, &weight)))
            good = search_expected(reader, key, item,
                                   is_map ? "a weight above 0 and up to 1000" : FIELD_FORM);
        else
            good &= field_add(reader, key, item, is_map ? item->key : item->text, weight);
    }
    return good;
}

/* ---- What else they are for ---- */

bool search_key_uses(search_definition_reader *reader, const search_key *key,
                     const core_node *node) {
    bool good = true;
    if (node->kind != CORE_NODE_LIST)
        return search_expected(reader, key, node, "a list of columns such as [price, meta->color]");
    for (const core_node *item = node->first; item != NULL; item = item->next) {
        search_field wanted;
        if (item->kind != CORE_NODE_TEXT) {
            good = search_expected(reader, key, item, FIELD_FORM);
            continue;
        }
        search_field *field = search_field_read(reader, key, item, item->text, &wanted)
                                  ? search_field_get(reader, key, &wanted)
                                  : NULL;
        if (field != NULL)
            field->uses |= key->uses;
        good &= field != NULL;
    }
    return good;
}

/* ---- Joined and child tables' columns ---- */

static bool field_resolve(search_definition_reader *reader, search_field *field) {
    const search_definition *out = reader->out;
    for (size_t i = 0; i < out->related_count; i++) {
        if (!core_slice_equal(field->column, out->related[i].name))
            continue;
        if (field->step_count == 0)
            return core_problem_tell(reader->problems, field->place,
                                     "%.*s: name a column of it, such as %.*s.name",
                                     CORE_SLICE_ARGS(field->name), CORE_SLICE_ARGS(field->name));
        field->related = (int)i;
        field->column = field->steps[0];
        field->steps++;
        field->step_count--;
        return true;
    }
    return true;
}

/* "meta" whole and "meta.color" by itself would be two members of one name. */
static bool overlap_tell(search_definition_reader *reader, const search_field *whole,
                         const search_field *part) {
    return core_problem_tell(reader->problems, part->place,
                             "%.*s: is a part of %.*s, which is in the document as a whole",
                             CORE_SLICE_ARGS(part->name), CORE_SLICE_ARGS(whole->name));
}

static bool is_within(core_slice name, core_slice whole) {
    return name.length > whole.length && core_slice_begins(name, whole) &&
           name.data[whole.length] == '.';
}

bool search_fields_resolve(search_definition_reader *reader) {
    bool good = true;
    search_definition *out = reader->out;
    for (size_t i = 0; i < out->field_count; i++)
        good &= field_resolve(reader, &reader->fields[i]);
    for (size_t i = 0; i < out->field_count && good; i++)
        for (size_t j = 0; j < out->field_count && good; j++)
            if (is_within(reader->fields[i].name, reader->fields[j].name))
                good = overlap_tell(reader, &reader->fields[j], &reader->fields[i]);
    return good;
}
