/* What is done with a document's values: found, placed, written; see document.h. */
#include "core/document.h"

const core_node *core_node_find(const core_node *node, const char *key) {
    if (node == NULL || node->kind != CORE_NODE_MAP)
        return NULL;
    for (const core_node *child = node->first; child != NULL; child = child->next)
        if (core_slice_is(child->key, key))
            return child;
    return NULL;
}

/* ---- Places ---- */

/* A walk over the source of one text, character by character of what it says. */
typedef struct {
    core_slice source;
    size_t at; /* of the next byte */
    core_place place;
} text_walk;

static bool walk_ends(const text_walk *walk) {
    return walk->at >= walk->source.length;
}

static uint8_t walk_byte(const text_walk *walk) {
    return walk_ends(walk) ? 0 : walk->source.data[walk->at];
}

/* The bytes of the line break that stands there, as libyaml counts lines; 0: none does. */
static size_t walk_break(const text_walk *walk) {
    static const char *const breaks[] = {"\r\n",     "\n",           "\r",
                                         "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    size_t left = walk->source.length - walk->at;
    for (size_t i = 0; i < CORE_COUNT_OF(breaks); i++) {
        size_t length = strlen(breaks[i]);
        if (length <= left && memcmp(walk->source.data + walk->at, breaks[i], length) == 0)
            return length;
    }
    return 0;
}

/* Over one character of the source. */
static void walk_step(text_walk *walk) {
    size_t breaks = walk_break(walk);
    if (breaks > 0) {
        walk->at += breaks;
        walk->place.line++;
        walk->place.column = 1;
        return;
    }
    do
        walk->at++;
    while (!walk_ends(walk) && (walk->source.data[walk->at] & 0xC0) == 0x80);
    walk->place.column++;
}

static void walk_blanks(text_walk *walk, size_t most) {
    while (most-- > 0 && (walk_byte(walk) == ' ' || walk_byte(walk) == '\t'))
        walk_step(walk);
}

/* Over an escape: its backslash, letter and digits. */
static void walk_escape(text_walk *walk) {
    walk_step(walk);
    uint8_t letter = walk_byte(walk);
    size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    for (size_t i = 0; i <= digits && !walk_ends(walk); i++)
        walk_step(walk);
}

static text_walk walk_to(core_slice source, core_place place) {
    text_walk walk = {.source = source, .place = {.line = 1, .column = 1}};
    while (!walk_ends(&walk) && walk.place.line < place.line)
        walk_step(&walk);
    while (!walk_ends(&walk) && walk.place.line == place.line && walk.place.column < place.column)
        walk_step(&walk);
    return walk;
}

/* Over one character of the text that a flow style (plain, quoted) stands for. */
static void flow_step(text_walk *walk, core_node_style style) {
    uint8_t byte = walk_byte(walk);
    bool breaks = walk_break(walk) > 0;
    if (style == CORE_NODE_DOUBLE_QUOTED && byte == '\\') {
        walk_escape(walk);
        return;
    }
    walk_step(walk);
    if (style == CORE_NODE_SINGLE_QUOTED && byte == '\'')
        walk_step(walk);
    if (breaks)
        walk_blanks(walk, SIZE_MAX);
}

/* To the beginning of a block's (| or >) text. How far its lines are indented: as the first one
 * that is not empty. */
static size_t block_begin(text_walk *walk) {
    while (!walk_ends(walk) && walk_break(walk) == 0)
        walk_step(walk);
    walk_step(walk);
    text_walk ahead = *walk;
    walk_blanks(&ahead, SIZE_MAX);
    while (!walk_ends(&ahead) && walk_break(&ahead) > 0) {
        walk_step(&ahead);
        walk_blanks(&ahead, SIZE_MAX);
    }
    walk_blanks(walk, ahead.place.column - 1);
    return ahead.place.column - 1;
}

core_place core_node_place_of(const core_document *document, const core_node *node,
                              size_t position) {
    text_walk walk = walk_to(core_document_text(document), node->place);
    bool is_block = node->style == CORE_NODE_LITERAL || node->style == CORE_NODE_FOLDED;
    size_t indentation = is_block ? block_begin(&walk) : 0;
    if (node->style == CORE_NODE_SINGLE_QUOTED || node->style == CORE_NODE_DOUBLE_QUOTED)
        walk_step(&walk);
    for (size_t i = 1; i < position && !walk_ends(&walk); i++) {
        bool breaks = walk_break(&walk) > 0;
        if (!is_block) {
            flow_step(&walk, node->style);
            continue;
        }
        walk_step(&walk);
        if (breaks)
            walk_blanks(&walk, indentation);
    }
    return walk.place;
}

/* ---- JSON ---- */

static bool text_is_number(core_slice text) {
    core_json_reader reader = core_json_reader_make(text);
    core_json_token token = core_json_next(&reader);
    return token.kind == CORE_JSON_NUMBER && token.raw.length == text.length &&
           core_json_next(&reader).kind == CORE_JSON_END;
}

static void text_write(const core_node *node, core_json_writer *json) {
    bool plain = node->style == CORE_NODE_PLAIN;
    if (plain && (core_slice_is(node->text, "true") || core_slice_is(node->text, "false") ||
                  text_is_number(node->text)))
        core_json_raw(json, node->text);
    else
        core_json_string(json, node->text);
}

static bool is_listed(core_slice key, const char *const *names) {
    for (; names != NULL && *names != NULL; names++)
        if (core_slice_is(key, *names))
            return true;
    return false;
}

static void map_write(const core_node *map, const char *const *without, core_json_writer *json) {
    core_json_object_open(json);
    for (const core_node *child = map->first; child != NULL; child = child->next) {
        if (is_listed(child->key, without))
            continue;
        core_json_key(json, child->key);
        core_node_write(child, NULL, json);
    }
    core_json_object_close(json);
}

void core_node_write(const core_node *node, const char *const *without, core_json_writer *json) {
    switch (node->kind) {
    case CORE_NODE_NULL:
        core_json_null(json);
        break;
    case CORE_NODE_TEXT:
        text_write(node, json);
        break;
    case CORE_NODE_MAP:
        map_write(node, without, json);
        break;
    case CORE_NODE_LIST:
        core_json_array_open(json);
        for (const core_node *child = node->first; child != NULL; child = child->next)
            core_node_write(child, NULL, json);
        core_json_array_close(json);
        break;
    }
}
