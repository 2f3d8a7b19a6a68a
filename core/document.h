/* A document that somebody wrote, as a tree: YAML, and so JSON too. Each value knows its line and
 * column, so that whoever reads it can say where something is wrong.
 *
 * A document is maps, lists and texts. What else YAML can do (anchors, aliases, tags, several
 * documents, keys that are not texts or are given twice) is refused with its place, so nothing
 * grows beyond the text's own size; bytes, values and depth have a maximum. Numbers and booleans
 * stay the texts they were. Immutable once read: any thread may read it. */
#ifndef WALCAST_CORE_DOCUMENT_H
#define WALCAST_CORE_DOCUMENT_H

#include "core/problems.h"

#define CORE_DOCUMENT_BYTES_MAX ((size_t)1 << 20)
#define CORE_DOCUMENT_NODES_MAX 10000
#define CORE_DOCUMENT_DEPTH_MAX 16
#define CORE_DOCUMENT_KEY_MAX   255

typedef enum {
    CORE_NODE_NULL, /* nothing, ~ or null, unquoted */
    CORE_NODE_TEXT,
    CORE_NODE_LIST,
    CORE_NODE_MAP,
} core_node_kind;

typedef enum {
    CORE_NODE_PLAIN,
    CORE_NODE_SINGLE_QUOTED,
    CORE_NODE_DOUBLE_QUOTED,
    CORE_NODE_LITERAL, /* | */
    CORE_NODE_FOLDED,  /* > */
} core_node_style;

typedef struct core_node core_node;
struct core_node {
    core_node_kind kind;
    core_node_style style; /* of a text */
    core_place place;
    core_slice key; /* in a map; ended by a NUL that is not counted */
    core_place key_place;
    core_slice text;        /* the same; holds no NUL */
    const core_node *first; /* of a list or map */
    const core_node *next;  /* beside this one */
    size_t count;           /* of children */
};

typedef struct core_document core_document;

/* NULL when something in it is refused: then `problems` has at least one error. The text is copied.
 */
CORE_MUST_CHECK core_document *core_document_read(core_slice text, core_problems *problems);
void core_document_free(core_document *document);
/* The copy of what was read. */
core_slice core_document_text(const core_document *document);
/* The outermost value; NULL-kind of an empty text. */
const core_node *core_document_root(const core_document *document);
/* The map's value of that key; NULL: there is none, or `node` is NULL or no map. */
const core_node *core_node_find(const core_node *node, const char *key);
/* Where a text's character stands in the document, from 1. It is exact but in texts that go over
 * several lines without being literal (|), where it may be some blanks off. */
core_place core_node_place_of(const core_document *document, const core_node *node,
                              size_t position);
/* As JSON: unquoted numbers, true, false and null as such, all else strings. Of a map the keys in
 * `without`, a list ended by NULL, are left out. */
void core_node_write(const core_node *node, const char *const *without, core_json_writer *json);

#endif
