/* From a document's JSON to values for columns: numbers as doubles, texts folded and cut, arrays
 * flattened. Everything of one row is in one arena. */
#include "search-index/row.h"

#include "search-index/filter.h"
#include "search-index/letter.h"
#include "search-index/walk.h"

#include <stdlib.h>
#include <wctype.h>

#define ROW_CHUNK_BYTES 1024
#define ROW_BYTES_MAX   ((size_t)32 << 20)
#define NUMBER_MAX      64 /* characters of a number that are read */

typedef struct {
    const search_row_rules *rules;
    search_row *row;
} row_reading;

/* ---- Case ---- */
static void letter_write(uint32_t letter, core_buffer *out) {
    uint8_t bytes[4];
    size_t length = 0;
    if (letter < 0x800) {
        bytes[length++] = (uint8_t)(0xC0 | letter >> 6);
    } else if (letter < 0x10000) {
        bytes[length++] = (uint8_t)(0xE0 | letter >> 12);
        bytes[length++] = (uint8_t)(0x80 | (letter >> 6 & 0x3F));
    } else {
        bytes[length++] = (uint8_t)(0xF0 | letter >> 18);
        bytes[length++] = (uint8_t)(0x80 | (letter >> 12 & 0x3F));
        bytes[length++] = (uint8_t)(0x80 | (letter >> 6 & 0x3F));
    }
    bytes[length++] = (uint8_t)(0x80 | (letter & 0x3F));
    core_buffer_append(out, bytes, length);
}

static core_slice text_trim(core_slice text) {
    while (text.length > 0 && text.data[0] <= ' ') {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && text.data[text.length - 1] <= ' ')
        text.length--;
    return text;
}

/* At a character. */
static core_slice text_cut(core_slice text) {
    size_t length = SEARCH_COLUMN_TEXT_MAX;
    if (text.length <= length)
        return text;
    while (length > SEARCH_COLUMN_TEXT_MAX - 4 && (text.data[length] & 0xC0) == 0x80)
        length--;
    return core_slice_make(text.data, length);
}

void search_row_fold(const search_row_rules *rules, core_slice text, core_buffer *out) {
    text = text_cut(text_trim(text));
    size_t start = out->length;
    for (size_t at = 0; at < text.length && out->length - start < SEARCH_COLUMN_TEXT_MAX;) {
        uint8_t byte = text.data[at];
        if (byte < 0x80) {
            core_buffer_u8(out, byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
            at++;
            continue;
        }
        uint32_t letter = search_letter_next(text, &at);
        if (letter >= SEARCH_LETTER_BROKEN)
            core_buffer_u8(out, byte);
        else
            letter_write((uint32_t)towlower_l((wint_t)letter, rules->locale), out);
    }
}

/* ---- Values ---- */
/* Whether the attribute has a column. */
static bool rules_want(const search_row_rules *rules, core_slice name) {
    const search_schema_spec *spec = search_schema_get(rules->schema);
    const search_attribute *attribute = search_schema_find(rules->schema, name);
    if (attribute != NULL && (attribute->is_filterable || attribute->is_sortable))
        return true;
    if (core_slice_equal(spec->distinct, name))
        return true;
    for (size_t i = 0; i < spec->ranking_rule_count; i++)
        if (core_slice_equal(spec->ranking_rules[i].attribute, name))
            return true;
    return false;
}

static search_row_attribute *attribute_find(search_row *row, core_slice name) {
    search_row_attribute *at = row->attributes;
    while (at != NULL && !core_slice_equal(at->name, name))
        at = at->next;
    return at;
}

static search_row_attribute *attribute_add(search_row *row, core_slice name) {
    search_row_attribute *made = core_arena_alloc(&row->arena, sizeof *made);
    if (made == NULL)
        return NULL;
    *made = (search_row_attribute){.next = row->attributes,
                                   .name = core_arena_copy(&row->arena, name),
                                   .state = SEARCH_STATE_EXISTS};
    if (made->name.data == NULL)
        return NULL;
    row->attributes = made;
    row->attribute_count++;
    return made;
}

static bool value_add(row_reading *reading, search_row_attribute *attribute,
                      search_row_value value) {
    if (attribute->count == SEARCH_COLUMN_VALUES_MAX)
        return true;
    search_row_value *made = core_arena_alloc(&reading->row->arena, sizeof *made);
    if (made == NULL)
        return false;
    *made = value;
    if (attribute->last != NULL)
        attribute->last->next = made;
    else
        attribute->first = made;
    attribute->last = made;
    attribute->count++;
    return true;
}

static double number_read(core_slice digits) {
    char text[NUMBER_MAX + 1];
    size_t length = digits.length < NUMBER_MAX ? digits.length : NUMBER_MAX;
    memcpy(text, digits.data, length);
    text[length] = '\0';
    return strtod(text, NULL) + 0.0; /* of -0 too: 0 */
}

static bool folded_add(row_reading *reading, search_row_attribute *attribute, core_slice text) {
    uint8_t room[SEARCH_COLUMN_TEXT_MAX + 8];
    core_buffer folded = core_buffer_over(room, sizeof room);
    search_row_fold(reading->rules, text, &folded);
    core_arena *arena = &reading->row->arena;
    core_slice shown = text_cut(text_trim(text));
    search_row_value value = {.folded = core_arena_copy(arena, core_buffer_slice(&folded)),
                              .shown = core_arena_copy(arena, shown)};
    if (value.folded.data == NULL || value.shown.data == NULL)
        return false;
    if (value.folded.length == 0) {
        attribute->state |= SEARCH_STATE_EMPTY;
        return true;
    }
    return value_add(reading, attribute, value);
}

/* More than what counts of a text need not be unescaped, but an escape must not be cut. */
static bool string_add(row_reading *reading, search_row_attribute *attribute, core_slice raw) {
    core_arena *arena = &reading->row->arena;
    if (memchr(raw.data, '\\', raw.length) == NULL)
        return folded_add(reading, attribute, raw);
    uint8_t *room = core_arena_alloc(arena, raw.length);
    if (room == NULL)
        return false;
    core_buffer text = core_buffer_over(room, raw.length);
    if (!core_json_unescape(raw, &text))
        return true; /* half a surrogate pair: no text */
    return folded_add(reading, attribute, core_buffer_slice(&text));
}

/* A text that is no number is no place. */
static bool geo_take(row_reading *reading, const search_walk_step *step) {
    search_row *row = reading->row;
    if (step->token.kind != CORE_JSON_NUMBER && step->token.kind != CORE_JSON_STRING)
        return false;
    if (core_slice_is(step->path, "_geo.lat"))
        row->has_latitude = search_filter_number(step->token.raw, &row->latitude);
    else if (core_slice_is(step->path, "_geo.lng"))
        row->has_longitude = search_filter_number(step->token.raw, &row->longitude);
    else
        return false;
    return true;
}

static bool field_take(row_reading *reading, core_slice name) {
    search_row *row = reading->row;
    for (search_row_field *at = row->fields; at != NULL; at = at->next)
        if (core_slice_equal(at->name, name))
            return true;
    if (row->field_count == SEARCH_ATTRIBUTES_MAX)
        return true;
    search_row_field *made = core_arena_alloc(&row->arena, sizeof *made);
    if (made == NULL)
        return false;
    *made = (search_row_field){.next = row->fields, .name = core_arena_copy(&row->arena, name)};
    row->fields = made;
    row->field_count++;
    return made->name.data != NULL;
}

static bool value_take(row_reading *reading, const search_walk_step *step) {
    search_row_attribute *attribute = attribute_find(reading->row, step->path);
    if (attribute == NULL && reading->row->attribute_count == SEARCH_ATTRIBUTES_MAX)
        return true; /* as many as there are columns: the rest is not filtered by */
    if (attribute == NULL)
        attribute = attribute_add(reading->row, step->path);
    if (attribute == NULL)
        return false;
    switch (step->token.kind) {
    case CORE_JSON_NULL:
        attribute->state |= step->is_element ? 0u : (unsigned)SEARCH_STATE_NULL;
        return true;
    case CORE_JSON_TRUE:
    case CORE_JSON_FALSE:
        return folded_add(reading, attribute, step->token.raw);
    case CORE_JSON_NUMBER:
        return value_add(
            reading, attribute,
            (search_row_value){.is_number = true, .number = number_read(step->token.raw)});
    case CORE_JSON_STRING:
        return string_add(reading, attribute, step->token.raw);
    default: /* an object or array */
        attribute->state |= step->is_empty && !step->is_element ? (unsigned)SEARCH_STATE_EMPTY : 0u;
        return true;
    }
}

static bool step_take(void *context, const search_walk_step *step) {
    row_reading *reading = context;
    bool taken = !step->is_top || step->is_element || field_take(reading, step->path);
    (void)geo_take(reading, step);
    if (taken && rules_want(reading->rules, step->path))
        taken = value_take(reading, step);
    return taken;
}

search_row *search_row_make(const search_row_rules *rules, core_slice json, core_error *error) {
    search_row *row = calloc(1, sizeof *row);
    if (row == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search document: out of memory");
        return NULL;
    }
    core_arena_init(&row->arena, ROW_CHUNK_BYTES, ROW_BYTES_MAX);
    row_reading reading = {.rules = rules, .row = row};
    search_walk_result result = search_walk(json, step_take, &reading);
    /* Of a document with more values than anybody filters by, those that fit stand. */
    bool is_cut = result == SEARCH_WALK_STOPPED && row->arena.held_bytes > ROW_BYTES_MAX / 2;
    if (result == SEARCH_WALK_DONE || is_cut)
        return row;
    if (result == SEARCH_WALK_REFUSED)
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             "search document: it must be a JSON object nested at most 256 deep");
    else
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search document: out of memory");
    search_row_free(row);
    return NULL;
}

void search_row_free(search_row *row) {
    if (row == NULL)
        return;
    core_arena_fini(&row->arena);
    free(row);
}
