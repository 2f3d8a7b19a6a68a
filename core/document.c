/* Reading documents with libyaml's event parser; see document.h. */
#include "core/document.h"

#include "core/arena.h"
#include "core/document_quote.h"

#include <stdlib.h>
#include <yaml.h>

#define ARENA_CHUNK_BYTES ((size_t)2048)
/* Of the text's size: every byte could be a value. */
#define ARENA_MAX_BYTES                                                                            \
    (CORE_DOCUMENT_BYTES_MAX * 3 + CORE_DOCUMENT_NODES_MAX * (sizeof(core_node) + 64))

struct core_document {
    core_arena arena;
    core_slice text;
    core_node *root;
};

typedef struct {
    core_document *document;
    core_problems *problems;
    yaml_parser_t parser;
    size_t nodes;
    bool ended; /* no further event: a syntax error, a limit, or it is over */
} document_reader;

static core_place mark_place(const yaml_mark_t *mark) {
    return (core_place){.line = mark->line + 1, .column = mark->column + 1};
}

static core_place event_place(const yaml_event_t *event) {
    return mark_place(&event->start_mark);
}

/* Ends the reading. */
static bool reader_end(document_reader *reader, core_place place, const char *message) {
    reader->ended = true;
    return core_problem_tell(reader->problems, place, "%s", message);
}

static void syntax_tell(document_reader *reader) {
    const yaml_parser_t *parser = &reader->parser;
    core_place place = mark_place(&parser->problem_mark);
    reader->ended = true;
    (void)core_problem_tell(reader->problems, place, "not valid YAML or JSON: %s%s%s",
                            parser->problem != NULL ? parser->problem : "out of memory",
                            parser->context != NULL ? " " : "",
                            parser->context != NULL ? parser->context : "");
}

/* The next event, to be deleted by the caller. */
static bool event_next(document_reader *reader, yaml_event_t *event) {
    if (reader->ended)
        return false;
    if (yaml_parser_parse(&reader->parser, event))
        return true;
    syntax_tell(reader);
    return false;
}

/* What of YAML is refused at any value; NULL: nothing. */
static const char *event_refusal(const yaml_event_t *event) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT)
        return "an alias (*) is not supported: write the value out; in a text, quote it";
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    if (anchor != NULL)
        return "an anchor (&) is not supported: remove it; in a text, quote it";
    return tag != NULL ? "a tag (!) is not supported: remove it; in a text, quote it" : NULL;
}

static core_slice scalar_slice(const yaml_event_t *event) {
    return core_slice_make(event->data.scalar.value, event->data.scalar.length);
}

static bool scalar_has_nul(const yaml_event_t *event) {
    return memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL;
}

static core_node_style scalar_style(const yaml_event_t *event) {
    switch (event->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return CORE_NODE_SINGLE_QUOTED;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return CORE_NODE_DOUBLE_QUOTED;
    case YAML_LITERAL_SCALAR_STYLE:
        return CORE_NODE_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE:
        return CORE_NODE_FOLDED;
    default:
        return CORE_NODE_PLAIN;
    }
}

static bool scalar_is_null(const yaml_event_t *event) {
    core_slice text = scalar_slice(event);
    return scalar_style(event) == CORE_NODE_PLAIN &&
           (text.length == 0 || core_slice_is(text, "~") || core_slice_is(text, "null"));
}

static bool node_read(document_reader *reader, const yaml_event_t *event, size_t depth,
                      core_node *node);

/* A fresh node; NULL, told, where there may be no more. */
static core_node *node_add(document_reader *reader, core_place place) {
    if (reader->nodes++ == CORE_DOCUMENT_NODES_MAX) {
        (void)reader_end(reader, place, "more values than a document may have");
        return NULL;
    }
    core_node *node = core_arena_alloc(&reader->document->arena, sizeof *node);
    if (node == NULL)
        (void)reader_end(reader, place, "out of memory");
    return node;
}

static bool scalar_read(document_reader *reader, const yaml_event_t *event, core_node *node) {
    node->kind = scalar_is_null(event) ? CORE_NODE_NULL : CORE_NODE_TEXT;
    node->style = scalar_style(event);
    if (scalar_has_nul(event))
        return core_problem_tell(reader->problems, node->place,
                                 "expected a text without NUL characters");
    node->text = core_arena_copy(&reader->document->arena, scalar_slice(event));
    return node->text.data != NULL || reader_end(reader, node->place, "out of memory");
}

/* The values of a list up to its end. */
static void list_read(document_reader *reader, core_node *list, size_t depth) {
    const core_node **link = &list->first;
    yaml_event_t event;
    for (bool open = true; open && event_next(reader, &event); yaml_event_delete(&event)) {
        open = event.type != YAML_SEQUENCE_END_EVENT;
        core_node *node = open ? node_add(reader, event_place(&event)) : NULL;
        if (node == NULL)
            continue;
        (void)node_read(reader, &event, depth + 1, node);
        *link = node;
        link = &node->next;
        list->count++;
    }
}

/* Whether the event can be a key of the map; told when not. */
static bool key_read(document_reader *reader, const core_node *map, const yaml_event_t *event,
                     core_node *node) {
    core_place place = event_place(event);
    if (event->type != YAML_SCALAR_EVENT || event_refusal(event) != NULL)
        return reader_end(reader, place, "expected a key that is a plain text");
    if (scalar_has_nul(event) || event->data.scalar.length == 0 ||
        event->data.scalar.length > CORE_DOCUMENT_KEY_MAX)
        return reader_end(reader, place, "expected a key of 1 to 255 bytes");
    node->key = core_arena_copy(&reader->document->arena, scalar_slice(event));
    node->key_place = place;
    if (node->key.data == NULL)
        return reader_end(reader, place, "out of memory");
    for (const core_node *other = map->first; other != NULL; other = other->next)
        if (core_slice_equal(other->key, node->key))
            return core_problem_tell(reader->problems, place,
                                     "%.*s: given twice, first in line %zu",
                                     CORE_SLICE_ARGS(node->key), other->key_place.line);
    return true;
}

/* A key and its value; false at the map's end. */
static bool pair_read(document_reader *reader, core_node *map, const core_node ***link,
                      size_t depth) {
    yaml_event_t key, value;
    if (!event_next(reader, &key))
        return false;
    bool open = key.type != YAML_MAPPING_END_EVENT;
    core_node *node = open ? node_add(reader, event_place(&key)) : NULL;
    bool good = node != NULL && key_read(reader, map, &key, node);
    yaml_event_delete(&key);
    if (node == NULL || !event_next(reader, &value))
        return false;
    (void)node_read(reader, &value, depth + 1, node);
    yaml_event_delete(&value);
    if (good) {
        **link = node;
        *link = &node->next;
        map->count++;
    }
    return true;
}

static void map_read(document_reader *reader, core_node *map, size_t depth) {
    const core_node **link = &map->first;
    while (pair_read(reader, map, &link, depth)) {
    }
}

static bool node_read(document_reader *reader, const yaml_event_t *event, size_t depth,
                      core_node *node) {
    const char *refusal = event_refusal(event);
    node->place = event_place(event);
    if (refusal != NULL)
        return reader_end(reader, node->place, refusal);
    if (event->type == YAML_SCALAR_EVENT)
        return scalar_read(reader, event, node);
    if (depth > CORE_DOCUMENT_DEPTH_MAX)
        return reader_end(reader, node->place, "nested too deeply");
    node->kind = event->type == YAML_MAPPING_START_EVENT ? CORE_NODE_MAP : CORE_NODE_LIST;
    if (node->kind == CORE_NODE_MAP)
        map_read(reader, node, depth);
    else
        list_read(reader, node, depth);
    return true;
}

static bool event_is_value(const yaml_event_t *event) {
    return event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT ||
           event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
}

static void stream_read(document_reader *reader) {
    size_t documents = 0;
    yaml_event_t event;
    while (event_next(reader, &event)) {
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents == 2)
            (void)reader_end(reader, event_place(&event),
                             "expected one document: remove this `---`, or make it another file");
        else if (event_is_value(&event))
            (void)node_read(reader, &event, 1, reader->document->root);
        reader->ended |= event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
}

/* A byte order mark is no character of it. */
static core_document *document_new(core_slice text) {
    core_document *document = calloc(1, sizeof *document);
    if (document == NULL)
        return NULL;
    if (text.length >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        text = core_slice_make(text.data + 3, text.length - 3);
    core_arena_init(&document->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    document->text = core_arena_copy(&document->arena, text);
    document->root = core_arena_alloc(&document->arena, sizeof *document->root);
    if (document->text.data != NULL && document->root != NULL) {
        document->root->place = (core_place){.line = 1, .column = 1};
        return document;
    }
    core_document_free(document);
    return NULL;
}

static core_document *document_parse(core_slice text, core_problems *problems) {
    document_reader reader = {.problems = problems, .document = document_new(text)};
    size_t errors = problems->errors;
    if (reader.document == NULL || !yaml_parser_initialize(&reader.parser)) {
        (void)core_problem_tell(problems, (core_place){0}, "out of memory");
        core_document_free(reader.document);
        return NULL;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, reader.document->text.data,
                                 reader.document->text.length);
    stream_read(&reader);
    yaml_parser_delete(&reader.parser);
    if (problems->errors == errors)
        return reader.document;
    core_document_free(reader.document);
    return NULL;
}

/* Once more, as YAML takes it; what was told of the first try is taken back. */
static core_document *document_again(core_slice text, const core_problems *before,
                                     core_problems *problems) {
    core_buffer quoted;
    core_document *document = NULL;
    core_buffer_init(&quoted, CORE_DOCUMENT_BYTES_MAX);
    bool changed = core_document_join(text, &quoted);
    if (!changed) {
        core_buffer_reset(&quoted);
        changed = core_document_quote(text, &quoted);
    }
    if (changed) {
        problems->count = before->count;
        problems->errors = before->errors;
        problems->left_out = before->left_out;
        document = document_parse(core_buffer_slice(&quoted), problems);
    }
    core_buffer_fini(&quoted);
    return document;
}

core_document *core_document_read(core_slice text, core_problems *problems) {
    const core_problems before = *problems;
    if (text.length > CORE_DOCUMENT_BYTES_MAX) {
        (void)core_problem_tell(problems, (core_place){0}, "has %zu bytes, expected at most %zu",
                                text.length, CORE_DOCUMENT_BYTES_MAX);
        return NULL;
    }
    core_document *document = document_parse(text, problems);
    return document != NULL ? document : document_again(text, &before, problems);
}

void core_document_free(core_document *document) {
    if (document == NULL)
        return;
    core_arena_fini(&document->arena);
    free(document);
}

const core_node *core_document_root(const core_document *document) {
    return document->root;
}

core_slice core_document_text(const core_document *document) {
    return document->text;
}
